"""The examples that need no KServe, as they are, where Pod Security enforces "restricted"; and what refuses KServe's own pods."""

import json
import re

import pytest

from conftest import ROOT, wait_for
from test_document import ANSWERS


@pytest.fixture
def restricted(space_factory, cluster, request):
    name = request.node.name.split("[")[1].rstrip("]")
    space = space_factory(f"restricted-{name}", **{"pod-security.kubernetes.io/enforce": "restricted"})
    yield space
    cluster.kubectl("delete", "namespace", space.name, "--wait=false")


@pytest.mark.parametrize("name", ["pod", "pod-native-sidecar", "pod-image-volume", "copy-init"])
def test_a_plain_pod_answers(name, restricted, predictor, iris, model, checkout, cluster, tmp_path):
    restricted.kubectl("apply", "--filename", checkout / f"examples/{name}.yaml")
    restricted.wait("pod/iris", "condition=Ready")
    address = f"http://{restricted.pod('iris')['status']['podIP']}:8080"
    wait_for(
        "an answer",
        lambda: cluster.run("curl", "--silent", "--fail", f"{address}/v2/models", check=False).returncode == 0,
    )
    assert cluster.run(checkout / "examples/repeat.sh", address, "1", "0").stdout == ANSWERS
    if name == "pod":
        (words,) = re.findall("^kubectl (cp .*)$", (ROOT / "docs/copying.md").read_text(), re.M)
        assert restricted.kubectl(*words.split(), cwd=tmp_path).stderr == ""
        assert (tmp_path / "copied/model.joblib").read_bytes() == model.read_bytes()
    restricted.kubectl("delete", "pod", "iris")


SERVICE = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "iris"},
    "spec": {
        "predictor": {
            "model": {
                "modelFormat": {"name": "sklearn"},
                "protocolVersion": "v2",
                "storageUri": "oci://registry.example.com/iris-modelcar:1",
            }
        }
    },
}


def test_kserves_pod_is_refused_where_restricted_is_enforced(space_factory, kserve, predictor, iris, cluster):
    """docs/permissions.md: KServe sets too little on the containers that it adds, whatever the base image."""
    space = space_factory("restricted-kserve", **{"pod-security.kubernetes.io/enforce": "restricted"})
    space.apply(SERVICE)

    def refused():
        return [
            e["message"]
            for e in json.loads(space.kubectl("get", "events", "--output", "json").stdout)["items"]
            if e["reason"] == "FailedCreate"
        ]

    said = wait_for("an event that says so", refused)[0]
    assert 'violates PodSecurity "restricted:latest"' in said
    assert '"modelcar"' in said and '"modelcar-init"' in said
    cluster.kubectl("delete", "namespace", space.name, "--wait=false")


def test_kserves_pod_runs_where_baseline_is_enforced(space_factory, kserve, predictor, iris, cluster):
    space = space_factory("baseline-kserve", **{"pod-security.kubernetes.io/enforce": "baseline"})
    space.apply(SERVICE)
    space.wait("inferenceservice/iris", "condition=Ready")
    cluster.kubectl("delete", "namespace", space.name, "--wait=false")
