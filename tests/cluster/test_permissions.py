"""Who can read a ModelCar's model: docs/permissions.md, by real pods. One pod for each kind of ModelCar, with a reader of
each kind in it. permissions.json is the record, of which the document's table is made; RECORD=1 writes both anew."""

import json
import os
import re

import pytest

from conftest import HERE, ROOT, RUNTIME, busybox, model_of, wait_for
from images import ARCH
from test_life import SMALL

RECORD, DOCUMENT = HERE / "permissions.json", ROOT / "docs/permissions.md"
DROP = {"capabilities": {"drop": ["ALL"]}}
READERS = {
    "root": {"runAsUser": 0, "runAsGroup": 0},
    "root, no capabilities": {"runAsUser": 0, "runAsGroup": 0, **DROP},
    "root, CAP_SYS_PTRACE": {"runAsUser": 0, "runAsGroup": 0, "capabilities": {"add": ["SYS_PTRACE"]}},
    "1010:0": {"runAsUser": 1010, "runAsGroup": 0},
    "1010:1010": {"runAsUser": 1010, "runAsGroup": 1010},
    "1010:4242": {"runAsUser": 1010, "runAsGroup": 4242},
    "1011:0": {"runAsUser": 1011, "runAsGroup": 0},
}
# What it is called by: its user, its environment, and which image it is.
CARS = {
    "root": ({"runAsUser": 0}, {}, "ours"),
    "root, no capabilities": ({"runAsUser": 0, **DROP}, {}, "ours"),
    "1010:0": ({"runAsUser": 1010, "runAsGroup": 0}, {}, "ours"),
    "1010:1010": ({"runAsUser": 1010, "runAsGroup": 1010}, {}, "ours"),
    "1010:0, file of mode 0711": ({"runAsUser": 1010, "runAsGroup": 0}, {}, "0711"),
    "1010:0, no capabilities, file of mode 0711": ({"runAsUser": 1010, "runAsGroup": 0, **DROP}, {}, "0711"),
    "root, another base image": ({"runAsUser": 0}, {}, "BusyBox"),
    "1010:0, another base image": ({"runAsUser": 1010, "runAsGroup": 0}, {}, "BusyBox"),
    "1010:0, MODELCAR_USERNS=off": ({"runAsUser": 1010, "runAsGroup": 0}, {"MODELCAR_USERNS": "off"}, "ours"),
    "1010:1010, MODELCAR_USERNS=off": ({"runAsUser": 1010, "runAsGroup": 1010}, {"MODELCAR_USERNS": "off"}, "ours"),
    "1010:1010, MODELCAR_MODE=copy": ({"runAsUser": 1010, "runAsGroup": 1010}, {"MODELCAR_MODE": "copy"}, "ours"),
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
def images(make, modelcar):
    program = ROOT / f"dist/linux/{ARCH}/link-model-and-wait"
    return {
        "ours": modelcar(),
        "0711": make("modelcar-0711:1", {"bin/link-model-and-wait": (program, 0o711)} | model_of("one")),
        "BusyBox": make("modelcar-busybox:1", busybox() | model_of("one"), base=None),
    }


@pytest.fixture(scope="module")
def found():
    """What was seen."""
    return {place: {} for place in PLACES}


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

    def settled():
        """Ready, or never: gVisor itself reads the file, as the container's user."""
        pod = space.pod(name)
        modelcar = space.status(name, "modelcar") or {}
        never = "failed to start" in json.dumps([modelcar.get("state"), modelcar.get("lastState")])
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        return "never" if never else ready

    if wait_for("a pod that is ready, or cannot be", settled) == "never":
        space.kubectl("delete", "pod", name, "--wait=false")
        return dict.fromkeys(READERS)
    answers = {}
    for number, reader in enumerate(READERS):
        said = wait_for("an answer", lambda: own_words(space, name, f"reader-{number}"))
        assert said == "I am one\n" or "Permission denied" in said, said
        answers[reader] = said == "I am one\n"
    space.kubectl("delete", "pod", name, "--wait=false")
    return answers


def own_words(space, pod, container):
    """Its log, without runc's warning of how CRI-O asks for a user namespace, which CRI-O puts into it."""
    lines = space.logs(pod, container).splitlines(True)
    return "".join(line for line in lines if not line.startswith('time="'))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("car", CARS)
def test_who_reads(car, place, space_of_all, found, images, server):
    if (RUNTIME, place) == ("crio", "gVisor"):
        pytest.skip("gVisor runs on CRI-O from 1.37 on")
    name = "".join(c if c.isalnum() else "-" for c in f"{car}-{place}".lower())
    context, environment, image = CARS[car]
    answers = seen(space_of_all, name, images[image], server, context, environment, PLACES[place])
    found[place][car] = answers
    if not os.environ.get("RECORD"):
        assert answers == json.loads(RECORD.read_text())[place][car]


SAID = {True: "yes", False: "no", None: "no start"}


def tables(record):
    """For the document: one for all places in which the same holds."""
    alike = {}
    for place, rows in record.items():
        alike.setdefault(json.dumps(rows), []).append(place)
    parts = []
    for rows, places in alike.items():
        lines = [f"**{'; '.join(places)}**:", ""]
        lines += [f"| ModelCar | {' | '.join(READERS)} |", "|---" * (len(READERS) + 1) + "|"]
        for car, answers in json.loads(rows).items():
            lines.append(f"| {car} | {' | '.join(SAID[answers[reader]] for reader in READERS)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def test_the_document_has_this_table(found):
    begin, end = "<!-- cluster:permissions -->", "<!-- /cluster -->"
    text = DOCUMENT.read_text()
    if os.environ.get("RECORD"):
        assert all(len(rows) == len(CARS) for rows in found.values()), "not all was seen"
        RECORD.write_text(json.dumps(found, indent=1) + "\n")
        text = re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n\n{tables(found)}\n\n{end}", text, flags=re.S)
        DOCUMENT.write_text(text)
    assert f"{begin}\n\n{tables(json.loads(RECORD.read_text()))}\n\n{end}" in text
