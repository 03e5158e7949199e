"""Whole pods with exactly the fields that KServe gives them, run by podman."""

from pathlib import Path

import pytest

from conftest import BASE
from cluster import UID, VOLUME, expand, init_script, kserve_pod, link_script
from podman import LIMITLESS, Pod, podman, wait_for

NONROOT = BASE.replace("latest", "nonroot")
OK = "OK ... Prefetched and valid (/models exists)"
NOK = "NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)"


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("ln -sf /proc/$$$$/root/models", "ln -sf /proc/$$/root/models"),
        ("/proc/$$/root", "/proc/$/root"),
        ("$$(ls -A /models)", "$(ls -A /models)"),
        ("$(NAME) $(OTHER)", "value $(OTHER)"),
        ("$$$(NAME)", "$value"),
        ("$x $ $", "$x $ $"),
        ("$(", "$("),
    ],
    ids=["pid", "too few", "substitution", "variable", "dollar before a variable", "as it is", "open"],
)
def test_arguments_are_expanded_as_the_kubelet_does(text, expanded):
    assert expand(text, {"NAME": "value"}) == expanded


def linked(pod, path="/mnt/models", sidecar="modelcar", image="one"):
    """The server sees the model of this image, by a link to this sidecar."""
    pod.wait_for_model(path)
    target = f"/proc/{pod.pid(sidecar)}/root/models"
    assert pod.exec("/bin/readlink", path).stdout == target + "\n"
    assert pod.read(f"{path}/model.txt") == f"I am {image}\n"
    assert pod.logs(sidecar)[-1] == f"link-model-and-wait: {path} -> {target}"


def stops_at_once(pod, sidecar="modelcar"):
    status, took = pod.stop(sidecar)
    assert status == 0
    assert took < 3


def test_single_model(server, modelcar):
    image = modelcar()
    with Pod(kserve_pod("single", server, {"/mnt/models": image})) as pod:
        linked(pod)
        assert pod.logs("modelcar-init") == [f"Pre-fetching modelcar {image}: ", OK]
        sidecar = pod.inspect("modelcar")
        if not LIMITLESS:
            assert sidecar["HostConfig"]["Memory"] == 15 << 20
            assert sidecar["HostConfig"]["NanoCpus"] == 10_000_000 or sidecar["HostConfig"]["CpuQuota"] == 1000
        assert sidecar["Config"]["User"].split(":")[0] == str(UID)
        stops_at_once(pod)
        assert pod.exec("/bin/ls", "/mnt/models/", check=False).returncode != 0, "the model goes with its process"


def test_model_path_in_a_folder_of_its_own(server, modelcar):
    with Pod(kserve_pod("base", server, {"/mnt/models/base": modelcar()})) as pod:
        linked(pod, "/mnt/models/base")
        stops_at_once(pod)


def test_three_models_with_parents_of_their_own(server, modelcar):
    paths = {"/mnt/models": "one", "/mnt/my models/base": "two", "/mnt/it's/model": "three"}
    with Pod(kserve_pod("three", server, {path: modelcar(name) for path, name in paths.items()})) as pod:
        for number, (path, name) in enumerate(paths.items()):
            linked(pod, path, f"modelcar-{number}" if number else "modelcar", name)


def test_sidecar_restarted_alone_renews_the_link(server, modelcar):
    with Pod(kserve_pod("restart", server, {"/mnt/models": modelcar()})) as pod:
        linked(pod)
        before = pod.exec("/bin/readlink", "/mnt/models").stdout
        podman("restart", "--time", 5, pod.container("modelcar"))
        wait_for("another link", lambda: pod.exec("/bin/readlink", "/mnt/models").stdout != before)
        linked(pod)


def test_killed_sidecar_is_replaced(server, modelcar):
    with Pod(kserve_pod("kill", server, {"/mnt/models": modelcar()})) as pod:
        linked(pod)
        before = pod.exec("/bin/readlink", "/mnt/models").stdout
        podman("kill", "--signal", "KILL", pod.container("modelcar"))
        podman("wait", pod.container("modelcar"), check=False)
        podman("start", pod.container("modelcar"), check=False)
        wait_for("another link", lambda: pod.exec("/bin/readlink", "/mnt/models").stdout != before)
        linked(pod)


def test_stale_link_to_another_live_modelcar_is_replaced(server, modelcar):
    """After a reboot PIDs are given out anew, and an old link may lead to the wrong model."""
    with Pod(kserve_pod("stale", server, {"/mnt/models": modelcar("one"), "/second/models": modelcar("two")})) as pod:
        linked(pod)
        linked(pod, "/second/models", "modelcar-1", "two")
        podman("stop", "--time", 5, pod.container("modelcar"))
        link = pod.folder / VOLUME / "models"
        link.unlink()
        link.symlink_to(f"/proc/{pod.pid('modelcar-1')}/root/models")
        assert pod.read("/mnt/models/model.txt") == "I am two\n"
        podman("start", pod.container("modelcar"))
        wait_for("the own model", lambda: pod.read("/mnt/models/model.txt", check=False) == "I am one\n")
        linked(pod)
        linked(pod, "/second/models", "modelcar-1", "two")


@pytest.mark.parametrize("what", ["empty", "missing"])
def test_init_fails_without_a_model(server, build, what):
    lines = "WORKDIR /models\n" if what == "empty" else "LABEL model=none\n"
    image = build(f"localhost/e2e-{what}:1", f"FROM {BASE}\n{lines}")
    with Pod(kserve_pod("invalid", server, {"/mnt/models": image}), starts=False) as pod:
        assert pod.played.returncode != 0, "the pod has started all the same"
        assert pod.inspect("modelcar-init")["State"]["ExitCode"] == 1
        log = pod.logs("modelcar-init")
        assert (log[0], log[-1]) == (f"Pre-fetching modelcar {image}: ", NOK)
        assert pod.inspect("modelcar")["State"]["Status"] != "running"


def test_kubeflow_pipelines_sidecar_waits_for_the_launcher(server, modelcar):
    folder = "/oci/registry.domain.local_modelcar:test"
    pod = kserve_pod("kfp", server, {"/oci/models": modelcar()})
    init, sidecar = pod["spec"]["initContainers"][0], pod["spec"]["containers"][1]
    # Kubeflow Pipelines names the command and so leaves out the image's entrypoint; two spaces before `exit` are its own.
    del init["args"], sidecar["args"]
    init["command"] = ["sh", "-c", init_script(init["image"]).replace("&& exit", "&&  exit")]
    sidecar["command"] = [
        "sh",
        "-c",
        f'ln -s /proc/$$$$/root/models "{folder}/models" && echo "Running Modelcar container..." && '
        f'until [ -f "{folder}/launcher-complete" ]; do sleep 1; done',
    ]
    # One volume for the folders of all sources, as podman takes no mount with a colon in its path.
    pod = Pod(pod)
    volume = pod.folder / VOLUME / Path(folder).name
    volume.mkdir()
    volume.chmod(0o777)
    with pod:
        pod.wait_for_model(f"{folder}/models")
        assert pod.read(f"{folder}/models/model.txt") == "I am one\n"
        assert pod.logs("modelcar-init")[-1] == OK
        assert "Running Modelcar container..." in pod.logs("modelcar")
        assert pod.inspect("modelcar")["State"]["Running"]
        pod.exec("/bin/touch", f"{folder}/launcher-complete")
        wait_for("the end of the sidecar", lambda: not pod.inspect("modelcar")["State"]["Running"], 5)
        assert pod.inspect("modelcar")["State"]["ExitCode"] == 0


def test_read_only_root_filesystem_and_no_capability(server, modelcar):
    manifest = kserve_pod("read-only", server, {"/mnt/models": modelcar()})
    strict = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    for container in manifest["spec"]["initContainers"] + manifest["spec"]["containers"]:
        container["securityContext"] = container.get("securityContext", {}) | strict
    with Pod(manifest) as pod:
        linked(pod)
        assert pod.inspect("modelcar")["HostConfig"]["ReadonlyRootfs"]
        stops_at_once(pod)


def test_run_as_non_root_with_the_nonroot_image(server, modelcar):
    """Where the cluster gives no uidModelcar: the image's own user, which the kubelet must see to be a number."""
    image = modelcar("one", NONROOT)
    user = podman("image", "inspect", "--format", "{{.Config.User}}", image).stdout.strip()
    assert user.isdigit() and int(user) > 0
    server = server | {"securityContext": {"runAsUser": int(user), "runAsNonRoot": True}}
    manifest = kserve_pod("nonroot", server, {"/mnt/models": image})
    for container in manifest["spec"]["initContainers"] + manifest["spec"]["containers"][1:]:
        container["securityContext"] = {"runAsNonRoot": True}
    with Pod(manifest) as pod:
        linked(pod)
        assert pod.exec("/bin/stat", "-c", "%u", f"/proc/{pod.pid('modelcar')}").stdout == f"{user}\n"
        stops_at_once(pod)


def test_root_server_with_all_capabilities_dropped(server, modelcar):
    """The kernel wants of the reader every capability that the modelcar has: the modelcar gives its own up."""
    server = server | {"securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"]}}}
    manifest = kserve_pod("root", server, {"/mnt/models": modelcar()})
    del manifest["spec"]["containers"][1]["securityContext"]
    with Pod(manifest) as pod:
        linked(pod)
        stops_at_once(pod)


def test_failing_sidecar_says_why_in_its_last_line(server, modelcar):
    """What the kubelet makes the pod's message, by terminationMessagePolicy."""
    manifest = kserve_pod("fails", server, {"/mnt/models": modelcar()})
    sidecar = manifest["spec"]["containers"][1]
    sidecar["args"][2] = link_script("/mnt/models").replace("/mnt/models &&", "/nowhere/models &&")
    manifest["spec"]["initContainers"] = []
    with Pod(manifest) as pod:
        wait_for("the end of the sidecar", lambda: pod.inspect("modelcar")["State"]["ExitCode"] == 1)
        assert "/nowhere/models" in pod.logs("modelcar")[-1]
