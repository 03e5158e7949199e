"""What people do with a ModelCar on a cluster: look inside, copy out of it, wait for it."""

import pytest

from conftest import wait_for
from test_life import SMALL, car, link, pod, read, running

TEXT = "I am one\n"


@pytest.fixture(scope="module")
def looked_at(space_factory, cluster, modelcar, server):
    """A pod that several cases look into."""
    space = space_factory("looked-at")
    running(space, pod(modelcar(), server))
    yield space
    cluster.kubectl("delete", "namespace", space.name, "--wait=false")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["ls", "/models"], "model.txt\n"),
        (["ls", "-la", "/models"], None),
        (["cat", "/models/model.txt"], TEXT),
        (["readlink", "/mnt/models"], None),
        (["test", "-f", "/models/model.txt"], ""),
        (["/bin/sh", "-c", "[ -d /mnt/models ] && cat /mnt/models/model.txt"], TEXT),
        (["sh", "-c", 'for_sure="$(ls -A /models)"'], False),
        (["link-model-and-wait", "--version"], None),
        (["echo", "here"], "here\n"),
    ],
    ids=["ls", "ls -la", "cat", "readlink", "test", "sh", "a script that is refused", "version", "echo"],
)
def test_exec(looked_at, command, said):
    done = looked_at.exec("pod", "modelcar", *command, check=False)
    if said is False:
        assert done.returncode == 2 and "not supported" in done.stderr
        return
    assert done.returncode == 0, done
    if said is not None:
        assert done.stdout == said
    elif command[0] == "readlink":
        assert done.stdout == f"{link(looked_at)}\n"
    elif command[0] == "ls":
        assert [line.split()[-1] for line in done.stdout.splitlines() if line.endswith("txt")] == ["model.txt"]
    else:
        assert done.stdout.startswith("link-model-and-wait ")


def test_exec_of_what_is_not_there_is_told_by_the_runtime(looked_at):
    done = looked_at.exec("pod", "modelcar", "bash", check=False)
    # CRI-O passes runc's line on as it was logged, with quotation marks escaped.
    assert done.returncode != 0 and 'exec: "bash": executable file not found' in done.stderr.replace("\\", "")


def test_kubectl_cp_out_of_a_modelcar(looked_at, tmp_path):
    """By the image's own `tar`: one file, and a folder."""
    for path, name in (("/models/model.txt", "file"), ("/models", "folder")):
        done = looked_at.kubectl("cp", f"pod:{path}", tmp_path / name, "--container", "modelcar")
        assert done.stderr == ""
    assert (tmp_path / "file").read_text() == TEXT
    assert (tmp_path / "folder/model.txt").read_text() == TEXT


def test_kubectl_debug_sees_the_model(looked_at, server):
    """A shell of another image, as root beside the ModelCar; that profile is what lets it look into other processes."""
    options = ["--image", server, "--target", "modelcar", "--container", "debug", "--profile", "general"]
    looked_at.kubectl("debug", "pod", *options, "--", "sh", "-c", "cat /proc/[0-9]*/root/models/model.txt")

    def ended():
        status = looked_at.status("pod", "debug", "ephemeralContainerStatuses") or {}
        return status.get("state", {}).get("terminated")

    wait_for("its end", ended)
    assert TEXT in looked_at.logs("pod", "debug")


PROBES = {
    "by name": {"exec": {"command": ["test", "-f", "/models/model.txt"]}},
    "ls": {"exec": {"command": ["ls", "/mnt/models"]}},
    "sh": {"exec": {"command": ["/bin/sh", "-c", "[ -d /mnt/models ]"]}},
    "if": {"exec": {"command": ["sh", "-c", "if [ -f /mnt/models/model.txt ]; then exit 0; else exit 1; fi"]}},
}


@pytest.mark.parametrize("name", PROBES)
def test_probes(space, modelcar, server, name):
    manifest = pod(modelcar(), server)
    probe = PROBES[name] | {"periodSeconds": 1, "timeoutSeconds": 5}
    car(manifest).update(startupProbe=probe, readinessProbe=probe, livenessProbe=probe)
    running(space, manifest)
    assert space.status("pod", "modelcar")["restartCount"] == 0


def test_probe_that_fails_is_told(space, modelcar, server):
    manifest = pod(modelcar(), server)
    probe = {"exec": {"command": ["cat", "/models/none"]}, "periodSeconds": 1, "timeoutSeconds": 5}
    car(manifest)["readinessProbe"] = probe
    space.apply(manifest)
    told = "Readiness probe failed: cat: /models/none: No such file or directory"
    wait_for("an event that tells", lambda: told in space.kubectl("describe", "pod", "pod").stdout)
    assert not space.status("pod", "modelcar")["ready"]


COPIES = {
    "cp -r, as a command": {"command": ["cp", "-r", "/models/.", "/shared/"]},
    "cp -a, by sh": {"command": ["sh", "-c", "cp -a /models/. /shared"]},
    "as arguments": {"args": ["cp", "-R", "/models/.", "/shared"]},
    "a step of Tekton": {
        "command": ["sh", "-c"],
        "args": [
            'set -eu\nif [ -f /shared/.done ] && [ -f /shared/model.txt ]; then echo "there already"; exit 0; fi\n'
            "rm -rf /shared/old\ncp -R /models/. /shared/\n: >/shared/.done\n"
        ],
    },
    "checked": {
        "command": [
            "/bin/sh",
            "-ec",
            "if [ -d /models ]; then cp -a /models/. /shared/; else echo 'no /models' >&2; exit 1; fi\nls -la /shared",
        ],
    },
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("user", [0, 1000770000], ids=["root", "a user as on OpenShift"])
def test_init_container_copies_the_model(space, modelcar, server, name, user):
    mount = [{"name": "shared", "mountPath": "/shared"}]
    manifest = pod(modelcar(), server)
    spec = manifest["spec"]
    spec["securityContext"] = {"runAsUser": user}
    spec["initContainers"] = [{"name": "copy", "image": modelcar(), "volumeMounts": mount} | COPIES[name]]
    spec["containers"] = [
        {"name": "kserve-container", "image": server, "command": ["sleep", "infinity"], "volumeMounts": mount}
    ]
    spec["volumes"] = [{"name": "shared", "emptyDir": {}}]
    space.apply(manifest)
    space.wait("pod/pod", "condition=Ready")
    assert read(space, "/shared/model.txt") == TEXT


def test_copy_mode_instead_of_a_link(space, modelcar, server):
    """MODELCAR_MODE=copy: for servers that resolve links, and users that may not look into each other."""
    manifest = pod(modelcar(), server)
    car(manifest)["env"] = [{"name": "MODELCAR_MODE", "value": "copy"}]
    manifest["spec"]["containers"][0]["securityContext"] = {"runAsUser": 1234, "runAsGroup": 1234}
    space.apply(manifest)
    space.wait("pod/pod", "condition=Ready")
    wait_for("the model", lambda: read(space) == TEXT)
    assert link(space) == "", "no link"
    path = "/mnt/models/model.txt"
    assert space.exec("pod", "kserve-container", "realpath", path).stdout == f"{path}\n"


def test_daemon_set_that_pulls_ahead(space, modelcar):
    """As ModelCars' builders do it: the image's own `sleep`, as a user without a name."""
    strict = {"runAsNonRoot": True, "runAsUser": 1001, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "pull",
        "image": modelcar(),
        "command": ["/bin/sleep"],
        "args": ["infinity"],
        "resources": SMALL,
        "securityContext": strict,
    }
    labels = {"app": "pull"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 30},
    }
    spec = {"selector": {"matchLabels": labels}, "template": template}
    space.apply({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "pull"}, "spec": spec})
    space.kubectl("rollout", "status", "daemonset/pull", "--timeout", "60s")
    (found,) = space.pods("app=pull")
    space.kubectl("delete", "daemonset", "pull", "--cascade=foreground", timeout=25)
    assert space.pod(found["metadata"]["name"]) is None
