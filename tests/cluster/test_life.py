"""What happens to a ModelCar in its life, and what `kubectl describe` and `kubectl logs` say of it, word for word."""

import re
import subprocess

import pytest

from conftest import PATIENCE, wait_for

UID = {"runAsUser": 1010}
SMALL = {"limits": {"cpu": "10m", "memory": "15Mi"}, "requests": {"cpu": "10m", "memory": "15Mi"}}
LINK = "ln -sf /proc/$$$$/root/models /mnt/models && sleep infinity"
INIT = (
    "echo 'Pre-fetching modelcar IMAGE: ' && [ -d /models ] && [ \"$$(ls -A /models)\" ] && "
    "echo 'OK ... Prefetched and valid (/models exists)' || "
    "(echo 'NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)' && exit 1)"
)
NOK = "NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)"


def pod(image, server, script=LINK, init=INIT, **spec):
    """A pod with the fields that KServe gives it."""
    mount = {"name": "kserve-provision-location", "mountPath": "/mnt"}
    common = {"image": image, "resources": SMALL, "terminationMessagePolicy": "FallbackToLogsOnError"}
    containers = [
        {
            "name": "kserve-container",
            "image": server,
            "command": ["sleep", "infinity"],
            "volumeMounts": [mount],
            "securityContext": UID,
        },
        common
        | {"name": "modelcar", "args": ["sh", "-c", script], "volumeMounts": [dict(mount)], "securityContext": UID},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod"},
        "spec": {
            "shareProcessNamespace": True,
            "terminationGracePeriodSeconds": 5,
            "initContainers": [common | {"name": "modelcar-init", "args": ["sh", "-c", init]}] if init else [],
            "containers": containers,
            "volumes": [{"name": "kserve-provision-location", "emptyDir": {}}],
        }
        | spec,
    }


def car(manifest):
    return manifest["spec"]["containers"][1]


def read(space, path="/mnt/models/model.txt", container="kserve-container"):
    return space.exec("pod", container, "cat", path, check=False).stdout


def link(space):
    return space.exec("pod", "kserve-container", "readlink", "/mnt/models", check=False).stdout.strip()


def running(space, manifest):
    space.apply(manifest)
    space.wait("pod/pod", "condition=Ready")
    wait_for("the model", lambda: read(space) == "I am one\n")
    return link(space)


def described(space, container):
    """What `kubectl describe pod` says of a container's end: (reason, message, exit code)."""
    text = space.kubectl("describe", "pod", "pod").stdout
    part = re.search(rf"^  {container}:\n(.*?)(?=^  [a-z-]+:\n|^[A-Z]\w+:)", text, re.M | re.S)[1]
    last = re.search(
        r"Last State: +Terminated\n +Reason: +(\S+)\n(?: +Message: +(.*?)\n)? +Exit Code: +(\d+)\n", part, re.S
    )
    assert last, text
    return last[1], last[2], int(last[3])


def ended(space, container, kind="containerStatuses"):
    """The end of a container's former run, from the pod's status."""
    return wait_for(
        "the end of a run", lambda: (space.status("pod", container, kind) or {}).get("lastState", {}).get("terminated")
    )


def signal(space, name):
    """To the ModelCar, from a shell in the server, which shares the processes."""
    pid = link(space).split("/")[2]
    space.exec("pod", "kserve-container", "kill", f"-{name}", pid)


@pytest.mark.parametrize(("name", "status"), [("KILL", 137), ("TERM", 0)])
def test_modelcar_ended_by_a_signal_comes_again(space, modelcar, server, name, status):
    before = running(space, pod(modelcar(), server))
    signal(space, name)
    wait_for(
        "another link that leads to the model", lambda: link(space) not in ("", before) and read(space) == "I am one\n"
    )
    # The kubelet tells of it a moment later.
    wait_for("a restart that is told", lambda: "terminated" in space.status("pod", "modelcar")["lastState"])
    again = space.status("pod", "modelcar")
    assert again["restartCount"] == 1
    assert again["lastState"]["terminated"]["exitCode"] == status
    message = f"link-model-and-wait: /mnt/models -> {before}\n" if status else None
    assert described(space, "modelcar") == ("Error" if status else "Completed", message, status)
    assert space.logs("pod", "modelcar") == f"link-model-and-wait: /mnt/models -> {link(space)}\n"


def test_server_killed_comes_again_and_finds_its_model(space, modelcar, server):
    manifest = pod(modelcar(), server)
    manifest["spec"]["containers"][0]["command"] = ["sh", "-c", "echo $$$$ >/tmp/pid; exec sleep infinity"]
    before = running(space, manifest)
    space.exec("pod", "kserve-container", "sh", "-c", "kill -KILL $(cat /tmp/pid)", check=False)

    def restarted():
        status = space.status("pod", "kserve-container")
        return status["restartCount"] == 1 and status["ready"]

    wait_for("a restart", restarted)
    assert (link(space), read(space)) == (before, "I am one\n")
    assert space.status("pod", "modelcar")["restartCount"] == 0


def test_pod_that_is_deleted_is_gone_at_once(space, modelcar, server, seconds):
    manifest = pod(modelcar(), server, terminationGracePeriodSeconds=60)
    manifest["spec"]["containers"][0]["command"] = ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]
    running(space, manifest)
    began = seconds()
    space.kubectl("delete", "pod", "pod")
    assert seconds() - began < 20, "nobody waited for the end of 60 seconds"


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_image_without_a_model_is_told_by_kserves_init_container(space, make, server, what):
    image = make(f"modelcar-{what}:1", {"other": None} if what == "missing" else {"models": None})
    space.apply(pod(image, server, init=INIT.replace("IMAGE", image)))
    said = f"Pre-fetching modelcar {image}: \n{NOK}\n"
    assert ended(space, "modelcar-init", "initContainerStatuses")["message"] == said
    assert described(space, "modelcar-init") == ("Error", said, 1)
    assert space.logs("pod", "modelcar-init") == said


def fails(space, manifest, container="modelcar"):
    """Its status and its last words, once it has failed: the same in `kubectl describe` and in the log."""
    space.apply(manifest)
    message = ended(space, container)["message"]
    reason, told, status = described(space, container)
    assert (reason, told) == ("Error", message)
    assert space.logs("pod", container) == message
    return status, message


def test_volume_that_is_read_only(space, modelcar, server):
    manifest = pod(modelcar(), server)
    car(manifest)["volumeMounts"][0]["readOnly"] = True
    assert fails(space, manifest) == (1, "ln: /mnt/models: Read-only file system\n")


def test_volume_of_another_user(space, modelcar, server):
    manifest = pod(modelcar(), server)
    # The server's own container makes the volume root's first.
    closed = {
        "name": "close",
        "image": server,
        "command": ["chmod", "755", "/mnt"],
        "volumeMounts": car(manifest)["volumeMounts"],
    }
    manifest["spec"]["initContainers"].insert(0, closed)
    assert fails(space, manifest) == (1, "ln: /mnt/models: Permission denied\n")


def test_no_volume(space, modelcar, server):
    manifest = pod(modelcar(), server)
    del car(manifest)["volumeMounts"]
    assert fails(space, manifest) == (1, "ln: /mnt/models: No such file or directory\n")


def test_script_that_is_refused(space, modelcar, server):
    manifest = pod(modelcar(), server, "ln -sf /proc/$$$$/root/models /mnt/models && sleep infinity &")
    assert fails(space, manifest) == (2, "sh: &: not supported: use ; as commands run one after another\n")
    assert link(space) == "", "nothing has been done"


def test_model_that_only_root_may_read(space, make, server):
    """docs/permissions.md: "below /models only"."""
    image = make("modelcar-closed:1", {"models": None, "models/model.txt": ("I am closed\n", 0o600)})
    space.apply(pod(image, server))
    space.wait("pod/pod", "condition=Ready")
    wait_for("the link", lambda: link(space))
    done = space.exec("pod", "kserve-container", "cat", "/mnt/models/model.txt", check=False)
    assert "cat: can't open '/mnt/models/model.txt': Permission denied" in done.stderr
    assert space.exec("pod", "kserve-container", "ls", "/mnt/models/").stdout == "model.txt\n"


def native(manifest):
    """The ModelCar as a native sidecar that has to have linked the model before the server starts."""
    spec = manifest["spec"]
    sidecar = spec["containers"].pop(1)
    probe = {"exec": {"command": ["test", "-d", "/mnt/models"]}, "periodSeconds": 1}
    spec["initContainers"] = [sidecar | {"restartPolicy": "Always", "startupProbe": probe}]
    return manifest


def test_job_ends_with_its_server_beside_a_native_sidecar(space, modelcar, server):
    manifest = native(pod(modelcar(), server))
    spec = manifest["spec"] | {"restartPolicy": "Never"}
    spec["containers"][0]["command"] = ["cat", "/mnt/models/model.txt"]
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "job"},
        "spec": {"backoffLimit": 0, "template": {"spec": spec}},
    }
    space.apply(job)
    space.wait("job/job", "condition=Complete")
    (found,) = space.pods("job-name=job")
    name = found["metadata"]["name"]
    assert space.logs(name, "kserve-container") == "I am one\n", "it started after the link was there"
    assert found["status"]["phase"] == "Succeeded"
    assert space.status(name, "modelcar", "initContainerStatuses")["state"]["terminated"]["exitCode"] == 0


@pytest.mark.parametrize("how", ["by itself", "by a preStop hook"])
@pytest.mark.parametrize("sidecar", ["native", "plain"])
def test_server_that_drains_has_its_model_with_a_native_sidecar_only(space, modelcar, server, sidecar, how):
    """docs/kserve.md: a plain ModelCar stops when the pod is deleted, a native one after the server."""
    manifest = pod(modelcar(), server, terminationGracePeriodSeconds=30)
    if sidecar == "native":
        manifest = native(manifest)
    container = manifest["spec"]["containers"][0]
    if how == "by itself":
        drain = "trap 'sleep 3; cat /mnt/models/model.txt; exit 0' TERM; sleep infinity & wait"
    else:
        drain = "echo $$$$ >/tmp/pid; trap 'exit 0' TERM; sleep infinity & wait"
        hook = "sleep 3; cat /mnt/models/model.txt >/proc/$(cat /tmp/pid)/fd/1 2>&1"
        container["lifecycle"] = {"preStop": {"exec": {"command": ["sh", "-c", hook]}}}
    container["command"] = ["sh", "-c", drain]
    running(space, manifest)
    command = space.cluster.node.enter(
        "kubectl", "--namespace", space.name, "logs", "pod", "--follow", "--container", "kserve-container"
    )
    following = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    space.kubectl("delete", "pod", "pod")
    said, _ = following.communicate(timeout=PATIENCE)
    assert said == (
        "I am one\n" if sidecar == "native" else "cat: can't open '/mnt/models/model.txt': No such file or directory\n"
    )


def test_two_modelcars_in_one_pod_keep_their_own_links(space, modelcar, server):
    manifest = pod(modelcar("one"), server)
    second = dict(
        car(manifest),
        name="modelcar-1",
        image=modelcar("two"),
        args=["sh", "-c", LINK.replace("/mnt/models", "/second/models")],
    )
    second["volumeMounts"] = [{"name": "second", "mountPath": "/second"}]
    manifest["spec"]["containers"].append(second)
    manifest["spec"]["containers"][0]["volumeMounts"].append({"name": "second", "mountPath": "/second"})
    manifest["spec"]["volumes"].append({"name": "second", "emptyDir": {}})
    running(space, manifest)
    signal(space, "KILL")
    wait_for("the first again", lambda: read(space) == "I am one\n")
    assert read(space, "/second/models/model.txt") == "I am two\n"
