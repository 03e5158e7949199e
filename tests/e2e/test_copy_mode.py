"""Copy mode in pods with KServe's fields: the server reads a copy, whoever it is."""

import os

import pytest

from conftest import BASE
from cluster import kserve_pod
from podman import LIMITLESS, Pod, podman, wait_for


@pytest.fixture(scope="module")
def copying(build):
    text = f"FROM {BASE}\nENV MODELCAR_MODE=copy\nCOPY --chmod=0644 model.txt /models/\n"
    return build("localhost/e2e-copying:1", text, {"model.txt": "I am one\n"})


def other_user(server):
    return server | {"securityContext": {"runAsUser": 4242, "runAsGroup": 4343}}


def reads(pod):
    pod.wait_for_model()
    assert pod.exec("/bin/readlink", "/mnt/models", check=False).stdout == "", "no link"
    assert pod.read("/mnt/models/model.txt") == "I am one\n"


def test_another_user_reads_without_a_shared_process_namespace(server, copying, modelcar):
    manifest = kserve_pod("copy", other_user(server), {"/mnt/models": copying})
    manifest["spec"]["shareProcessNamespace"] = False
    with Pod(manifest) as pod:
        reads(pod)
        assert pod.logs("modelcar")[-1] == "link-model-and-wait: copied 1 files, 9 bytes: /models -> /mnt/models"
        for signal in ("TERM", "KILL"):
            podman("kill", "--signal", signal, pod.container("modelcar"))
            podman("wait", pod.container("modelcar"))
            assert pod.read("/mnt/models/model.txt") == "I am one\n", "the copy stays"
            podman("start", pod.container("modelcar"))
            wait_for("another copy", lambda: sum("copied" in line for line in pod.logs("modelcar")) > 1)
            reads(pod)
    # The same pod in link mode, so that what is above says something.
    manifest = kserve_pod("link", other_user(server), {"/mnt/models": modelcar()})
    manifest["spec"]["shareProcessNamespace"] = False
    with Pod(manifest) as pod:
        wait_for("a link", lambda: pod.exec("/bin/readlink", "/mnt/models", check=False).stdout)
        assert pod.exec("/bin/cat", "/mnt/models/model.txt", check=False).returncode != 0


@pytest.mark.skipif(LIMITLESS, reason="podman cannot limit memory here")
def test_500_mb_are_copied_within_the_memory_that_kserve_gives(server, build, tmp_path, note, seconds):
    block = os.urandom(1 << 20)
    with open(tmp_path / "model.bin", "wb") as file:
        for _ in range(500):
            file.write(block)
    text = f"FROM {BASE}\nENV MODELCAR_MODE=copy\nCOPY --chmod=0644 model.bin /models/\n"
    manifest = kserve_pod("large", server, {"/mnt/models": build("localhost/e2e-large:1", text, context=tmp_path)})
    limits = manifest["spec"]["containers"][1]["resources"]
    assert limits["limits"]["memory"] == "15Mi"
    limits["limits"]["cpu"] = limits["requests"]["cpu"] = "1"  # it is not about time
    with Pod(manifest) as pod:
        wait_for("the copy", lambda: pod.exec("/bin/test", "-e", "/mnt/models/model.bin", check=False).returncode == 0, 300)
        note(f"copied in {seconds():.0f} s")
        state = pod.inspect("modelcar")
        assert state["State"]["Running"] and not state["State"]["OOMKilled"]
        assert state["HostConfig"]["Memory"] == 15 << 20
        assert pod.exec("/bin/stat", "-c", "%s", "/mnt/models/model.bin").stdout == f"{500 << 20}\n"
