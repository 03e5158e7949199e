"""MODELCAR_MODE=copy on a cluster: docs/copy-mode.md with KServe's own pods, its limits, and volumes that do not do."""

import os

import pytest

from conftest import model_of, wait_for
from test_injection import ready, service, serving  # noqa: F401
from test_life import car, described, ended, pod, read

COPIED = "link-model-and-wait: copied 1 files, 9 bytes: /models -> /mnt/models\n"


@pytest.fixture(scope="session")
def copying(make):
    """A ModelCar of which the Containerfile says `ENV MODELCAR_MODE=copy`."""
    return make("modelcar-copying:1", model_of("one"), Env=["MODELCAR_MODE=copy"])


def test_kserves_pod_has_a_copy(serving, copying):  # noqa: F811
    pod = ready(serving, service(storageUri=f"oci://{copying}"))["metadata"]["name"]
    assert serving.logs(pod, "modelcar") == COPIED
    for command, said in (
        (["cat", "/mnt/models/model.txt"], "I am one\n"),
        (["realpath", "/mnt/models/model.txt"], "/mnt/models/model.txt\n"),
    ):
        assert serving.exec(pod, "kserve-container", *command).stdout == said


@pytest.mark.parametrize(("uid", "gid"), [(1010, 4242), (1234, 1234)], ids=["another gid", "another uid"])
def test_any_user_reads_a_copy_without_a_shared_process_namespace(space, copying, server, uid, gid):
    manifest = pod(copying, server, shareProcessNamespace=False)
    manifest["spec"]["containers"][0]["securityContext"] = {"runAsUser": uid, "runAsGroup": gid}
    space.apply(manifest)
    space.wait("pod/pod", "condition=Ready")
    wait_for("the model", lambda: read(space) == "I am one\n")
    assert space.logs("pod", "modelcar") == COPIED


def test_copy_outlives_its_modelcar_and_is_replaced(space, copying, server):
    manifest = pod(copying, server)
    car(manifest)["args"] = ["sh", "-c", "ln -sf /proc/$$$$/root/models /mnt/models && sleep 1"]
    manifest["spec"]["restartPolicy"] = "Always"
    space.apply(manifest)
    wait_for("the model", lambda: read(space) == "I am one\n")
    wait_for("a second run", lambda: (space.status("pod", "modelcar") or {}).get("restartCount", 0) >= 1)
    assert read(space) == "I am one\n"
    wait_for("its log", lambda: space.logs("pod", "modelcar") == COPIED)
    assert space.exec("pod", "kserve-container", "ls", "-A", "/mnt").stdout.split()[0].startswith(".modelcar-")


def test_a_large_model_within_kserves_memory(space, make, server):
    """500 MB with 15 MiB, and more of a CPU than KServe gives, as docs/copy-mode.md says."""
    block = os.urandom(4096) * 256
    files = {f"models/{n}.bin": block * 50 for n in range(10)}
    image = make("modelcar-large:1", {"models": None} | files, Env=["MODELCAR_MODE=copy"])
    manifest = pod(image, server)
    limits = {"limits": {"cpu": "1", "memory": "15Mi"}, "requests": {"cpu": "10m", "memory": "15Mi"}}
    car(manifest)["resources"] = limits
    space.apply(manifest)
    space.wait("pod/pod", "condition=Ready")
    said = wait_for("its log", lambda: space.logs("pod", "modelcar"))
    assert said == f"link-model-and-wait: copied 10 files, {500 << 20} bytes: /models -> /mnt/models\n"
    counted = space.exec("pod", "kserve-container", "sh", "-c", "cat /mnt/models/*.bin | wc -c").stdout
    assert int(counted) == 500 << 20
    status = space.status("pod", "modelcar")
    assert status["restartCount"] == 0 and "running" in status["state"]


def test_killed_in_the_middle_it_starts_over(space, make, server):
    block = os.urandom(4096) * 256
    image = make("modelcar-long:1", {"models": None, "models/model.bin": block * 64}, Env=["MODELCAR_MODE=copy"])
    manifest = pod(image, server)
    space.apply(manifest)
    space.wait("pod/pod", "condition=Ready")
    wait_for("a part of it", lambda: ".modelcar-" in space.exec("pod", "kserve-container", "ls", "-A", "/mnt").stdout)
    assert "models\n" not in space.exec("pod", "kserve-container", "ls", "-A", "/mnt").stdout
    space.exec("pod", "kserve-container", "killall", "-KILL", "link-model-and-wait")
    assert ended(space, "modelcar")["exitCode"] == 137
    said = wait_for("its log", lambda: space.logs("pod", "modelcar"))
    assert said == f"link-model-and-wait: copied 1 files, {64 << 20} bytes: /models -> /mnt/models\n"
    left = space.exec("pod", "kserve-container", "ls", "-A", "/mnt").stdout.split()
    assert len(left) == 2 and left[1] == "models", left


def test_volume_that_is_full(space, make, server):
    image = make("modelcar-2mib:1", {"models": None, "models/model.bin": bytes(2 << 20)}, Env=["MODELCAR_MODE=copy"])
    manifest = pod(image, server)
    manifest["spec"]["volumes"][0]["emptyDir"] = {"medium": "Memory", "sizeLimit": "1Mi"}
    space.apply(manifest)
    message = ended(space, "modelcar")["message"]
    assert message == "ln: /mnt/models/model.bin: No space left on device\n"
    assert described(space, "modelcar") == ("Error", message, 1)
    assert space.exec("pod", "kserve-container", "ls", "-A", "/mnt").stdout == ""
