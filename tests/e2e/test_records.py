"""The pods of these tests are those that KServe makes: pods/VERSION/*.json is what its webhook put in on a real cluster,
written by tests/cluster. What any version sends is a vector; the pods are the newest's."""

import json
import re

import pytest

from cluster import expand, kserve_pod
from conftest import ROOT

PODS = ROOT / "tests/e2e/pods"
NEWEST = max((folder.name for folder in PODS.iterdir()), key=lambda version: [int(part) for part in version.split(".")])
RECORDS = {path.stem: json.loads(path.read_text()) for path in sorted((PODS / NEWEST).glob("*.json"))}
VECTORS = [
    vector["argv"] for path in (ROOT / "tests/vectors").glob("*.json") for vector in json.loads(path.read_text())
]
IMAGE = re.compile(r"(?<=Pre-fetching modelcar )\S+(?=: ')")
# Which ModelCar lies where in each.
PATHS = {"one": ["/mnt/models"], "transformer": ["/mnt/models"]}
PATHS["path"] = ["/mnt/base/model"]
PATHS["two"] = [*PATHS["one"], "/mnt/my models/base"]
PATHS["three"] = [*PATHS["two"], "/mnt/it's/model"]


def scripts():
    for path in sorted(PODS.glob("*/*.json")):
        pod = json.loads(path.read_text())
        for container in pod["initContainers"] + pod["containers"]:
            if container["name"].startswith("modelcar"):
                yield pytest.param(container["args"], id=f"{path.parent.name}, {path.stem}, {container['name']}")


def test_all_shapes_are_on_record():
    assert sorted(RECORDS) == sorted(PATHS)


@pytest.mark.parametrize("args", list(scripts()))
def test_what_kserve_sends_is_a_vector(args):
    wanted = [*args[:2], IMAGE.sub("IMAGE", expand(args[2]))]
    assert wanted in [[*argv[:2], IMAGE.sub("IMAGE", argv[-1])] for argv in VECTORS if len(argv) == 3]


@pytest.mark.parametrize("name", PATHS)
def test_kserves_pod_is_made_alike(name):
    recorded = RECORDS[name]
    names = ["one", "two", "three"]
    models = {path: f"registry/modelcar-{model}:1" for path, model in zip(PATHS[name], names)}
    servers = [c for c in recorded["containers"] if not c["name"].startswith("modelcar")]
    for server in servers:
        made = kserve_pod("pod", {"name": server["name"], "image": server["image"]}, models)["spec"]
        assert made["shareProcessNamespace"] == recorded["shareProcessNamespace"]
        assert made["initContainers"] == recorded["initContainers"]
        assert made["volumes"] == recorded["volumes"]
        ours, *sidecars = made["containers"]
        assert sidecars == [c for c in recorded["containers"] if c not in servers]
        for field in ("volumeMounts", "securityContext"):
            assert ours[field] == server[field]
        assert all(variable in server["env"] for variable in ours["env"])
