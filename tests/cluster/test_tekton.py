"""Tekton's own controller, and Tasks with steps whose image is a ModelCar."""

import json
import re

import pytest

from conftest import ROOT, WORK, wait_for
from images import image
from node import REGISTRY

TEKTON = WORK / "tekton"
TEXT = "I am one\n"


@pytest.fixture(scope="module")
def tekton(cluster, server):
    """Its manifests as they are, but for the images' names."""
    for name in ("controller", "entrypoint", "webhook"):
        layout, program = cluster.node.folder / f"images/tekton-{name}", f"ko-app/{name}"
        if not layout.exists():
            files = {"ko-app": None, program: (TEKTON / name, 0o755)}
            image(layout, files, User="65532", Entrypoint=[f"/{program}"])
        cluster.push(layout, f"tekton/{name}:1")
    text = "\n---\n".join(path.read_text() for path in sorted((TEKTON / "config").glob("*.yaml")))
    text, programs = re.subn(r"ko://github\.com/tektoncd/pipeline/cmd/(\w+)", rf"{REGISTRY}/tekton/\1:1", text)
    text, shells = re.subn(r"cgr\.dev/chainguard/busybox@sha256:\w+", server, text)
    assert (programs, shells) == (6, 1)
    cluster.kubectl("apply", "--server-side", "--filename", "-", input=text)
    for name in ("controller", "webhook"):
        cluster.kubectl("rollout", "status", f"deployment/tekton-pipelines-{name}", "--namespace", "tekton-pipelines")


@pytest.fixture
def volume(tekton, space, cluster):
    """A PersistentVolume with the claim `model`; returns the volume's folder on the node."""
    folder = f"/var/{space.name}"
    cluster.run("mkdir", folder)
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node"]}
    size, common = {"storage": "1Mi"}, {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": space.name},
            "spec": common
            | {
                "capacity": size,
                "local": {"path": folder},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            },
        }
    )
    space.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "model"},
            "spec": common | {"volumeName": space.name, "resources": {"requests": size}},
        }
    )
    yield folder
    cluster.kubectl("delete", "persistentvolume", space.name, "--wait=false")


def run(space, name, **spec):
    """A TaskRun whose workspace is the volume; returns its end (reason, message), and each step's exit code and log."""
    spec["workspaces"] = [{"name": "model", "persistentVolumeClaim": {"claimName": "model"}}]
    space.apply({"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": {"name": name}, "spec": spec})

    def status():
        return space.cluster.get("taskrun", name, space.name).get("status", {})

    wait_for(f"the end of TaskRun {name}", lambda: "completionTime" in status())
    ended = status()
    (condition,) = ended["conditions"]
    return (condition["reason"], condition["message"]), [
        (step["terminated"]["exitCode"], space.logs(ended["podName"], step["container"])) for step in ended["steps"]
    ]


@pytest.mark.parametrize("user", [0, 1000770000], ids=["the image's user", "a user as on OpenShift"])
def test_copy_task(volume, space, modelcar, checkout, cluster, user):
    """examples/copy-task.yaml, twice."""
    space.kubectl("apply", "--filename", checkout / "examples/copy-task.yaml")
    spec = {
        "taskRef": {"name": "copy-model"},
        "params": [{"name": "image", "value": modelcar()}],
        "podTemplate": {"securityContext": {"runAsUser": user, "fsGroup": user}} if user else {},
    }
    (reason, _), [(status, said)] = run(space, "first", **spec)
    assert (reason, status) == ("Succeeded", 0)
    assert said.startswith("/workspace/model/model:\ntotal ") and said.endswith(" model.txt\n")
    copied = f"{volume}/model/model.txt"
    assert cluster.run("stat", "--format", "%u %a", copied).stdout == f"{user} 644\n"
    assert cluster.run("cat", copied).stdout == TEXT
    (reason, _), steps = run(space, "second", **spec)
    assert (reason, steps) == ("Succeeded", [(0, "/workspace/model/model is there already\n")])


def test_scripts(volume, space, modelcar, cluster):
    """With a first line of its own; with the one that Tekton writes; one that is refused before it does anything."""
    scripts = {
        "own": "#!/bin/sh\ncp -r /models/. $(workspaces.model.path)/model\n",
        "tektons": "if [ -d $(workspaces.model.path)/model ]; then\n  cat $(workspaces.model.path)/model/*\nfi\n",
        "refused": "mkdir $(workspaces.model.path)/more\nfor file in /models/*; do cat $file; done\n",
    }
    steps = [{"name": name, "image": modelcar(), "script": script} for name, script in scripts.items()]
    ended, steps = run(space, "scripts", taskSpec={"workspaces": [{"name": "model"}], "steps": steps})
    refusal = "sh: for: not supported: write each command out, or use a pattern\n"
    assert steps == [(0, ""), (0, TEXT), (2, refusal)]
    assert ended == ("Failed", '"step-refused" exited with code 2: Error')
    assert cluster.run("ls", volume).stdout == "model\n"


def test_step_of_others(volume, space, make, cluster):
    """As it stands in tests/vectors/people.json; and once more."""
    vectors = {vector["id"]: vector for vector in json.loads((ROOT / "tests/vectors/people.json").read_text())}
    cluster.run("mkdir", f"{volume}/old")
    car = make("modelcar-bin:1", {"models": None, "models/model.bin": "I am it\n"})
    for name in ("people-cp-tekton-step", "people-cp-tekton-step-again"):
        command, said = vectors[name]["pod_spec_strings"], vectors[name]["expected"]["stdout"]
        task = {
            "workspaces": [{"name": "model", "mountPath": "/pvc"}],
            "steps": [{"name": "copy", "image": car, "command": command[:2], "args": command[2:]}],
        }
        (reason, _), steps = run(space, name, taskSpec=task)
        assert (reason, steps) == ("Succeeded", [(0, said)])
        assert cluster.run("ls", "-A", volume).stdout == ".done\nmodel.bin\n"
