"""Who can read a ModelCar's model: docs/permissions.md, by real pods. One pod for each kind of ModelCar, with a reader of
each kind in it. permissions.json is the record; RECORD=1 writes it anew."""

import json
import os
from pathlib import Path

import pytest

from conftest import HERE, RUNTIME, wait_for
from test_life import SMALL

RECORD = HERE / "permissions.json"
DROP = {"capabilities": {"drop": ["ALL"]}}
READERS = {
    "root, default capabilities": {"runAsUser": 0, "runAsGroup": 0},
    "root, all dropped": {"runAsUser": 0, "runAsGroup": 0, **DROP},
    "1010:0": {"runAsUser": 1010, "runAsGroup": 0},
    "1010:1010": {"runAsUser": 1010, "runAsGroup": 1010},
    "1011:0": {"runAsUser": 1011, "runAsGroup": 0},
}
CARS = {
    "root": ({"runAsUser": 0}, {}),
    "root, all dropped by the runtime": ({"runAsUser": 0, **DROP}, {}),
    "1010:0": ({"runAsUser": 1010, "runAsGroup": 0}, {}),
    "1010:1010": ({"runAsUser": 1010, "runAsGroup": 1010}, {}),
    "1010:0, MODELCAR_USERNS=off": ({"runAsUser": 1010, "runAsGroup": 0}, {"MODELCAR_USERNS": "off"}),
    "1010:1010, MODELCAR_USERNS=off": ({"runAsUser": 1010, "runAsGroup": 1010}, {"MODELCAR_USERNS": "off"}),
    "1010:1010, MODELCAR_MODE=copy": ({"runAsUser": 1010, "runAsGroup": 1010}, {"MODELCAR_MODE": "copy"}),
}
PLACES = {
    "no seccomp profile": {},
    "RuntimeDefault": {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
    "hostUsers: false": {"hostUsers": False},
    "gVisor": {"runtimeClassName": "gvisor"},
}


@pytest.fixture(scope="module")
def space_of_all(space_factory, cluster):
    handler = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "gvisor"},
        "handler": "runsc",
    }
    cluster.apply(handler)
    space = space_factory("permissions")
    yield space
    cluster.kubectl("delete", "namespace", space.name, "--wait=false")


@pytest.fixture(scope="module")
def found():
    """What was seen, which is put on record in the end."""
    found = {}
    yield found
    if os.environ.get("RECORD") and RUNTIME == "containerd":
        recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        RECORD.write_text(json.dumps(recorded | found, indent=1) + "\n")


def seen(space, name, image, server, car, environment, place):
    mount = [{"name": "mnt", "mountPath": "/mnt"}]
    containers = [
        {
            "name": "modelcar",
            "image": image,
            "args": ["sh", "-c", "ln -sf /proc/$$$$/root/models /mnt/models && sleep infinity"],
            "securityContext": car,
            "env": [{"name": key, "value": value} for key, value in environment.items()],
            "resources": SMALL,
            "volumeMounts": mount,
        }
    ]
    for number, context in enumerate(READERS.values()):
        command = [
            "sh",
            "-c",
            "until [ -L /mnt/models ] || [ -d /mnt/models ]; do sleep 0.1; done; sleep 1; cat /mnt/models/model.txt || true; sleep infinity",
        ]
        containers.append(
            {
                "name": f"reader-{number}",
                "image": server,
                "command": command,
                "securityContext": context,
                "volumeMounts": mount,
            }
        )
    spec = {
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": 1,
        "containers": containers,
        "volumes": [{"name": "mnt", "emptyDir": {}}],
    }
    space.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec | place})
    space.wait(f"pod/{name}", "condition=Ready", 120)
    answers = {}
    for number, reader in enumerate(READERS):
        said = wait_for("an answer", lambda: space.kubectl("logs", name, "--container", f"reader-{number}").stdout)
        assert said == "I am one\n" or "Permission denied" in said, said
        answers[reader] = said == "I am one\n"
    space.kubectl("delete", "pod", name, "--wait=false")
    return answers


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("car", CARS)
def test_who_reads(car, place, space_of_all, found, modelcar, server):
    name = "".join(c if c.isalnum() else "-" for c in f"{car}-{place}".lower())
    answers = seen(space_of_all, name, modelcar(), server, *CARS[car], PLACES[place])
    found.setdefault(place, {})[car] = answers
    if not os.environ.get("RECORD"):
        assert answers == json.loads(Path(RECORD).read_text())[place][car]
