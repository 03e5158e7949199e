"""KServe's LLMInferenceService with a ModelCar. Its controller makes the pods itself, without a webhook."""

import json

import pytest

from conftest import KSERVE_FILES
from test_injection import RECORDS, injected, reads, since

NAME = "app.kubernetes.io/name=llm,kserve.io/component=workload"


def service(image, server):
    """KServe's own template, but for the server: BusyBox answers where vLLM would."""
    script = "mkdir -p /tmp/www; echo ok >/tmp/www/health; exec httpd -f -p 8000 -h /tmp/www"
    main = {
        "name": "main",
        "image": server,
        "command": ["sh", "-c", script],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}},
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "LLMInferenceService",
        "metadata": {"name": "llm"},
        "spec": {
            "model": {"uri": f"oci://{image}", "name": "one"},
            "replicas": 1,
            "template": {"containers": [main], "terminationGracePeriodSeconds": 20},
        },
    }


@pytest.fixture(scope="module")
def controller(kserve, cluster):
    """The kinds of others that it looks for, and the controller, which looks for them when it starts."""
    cluster.kubectl("apply", "--server-side", "--filename", KSERVE_FILES / "kinds")
    place = ["--namespace", "kserve", "deployment/llmisvc-controller-manager"]
    cluster.kubectl("rollout", "restart", *place)
    cluster.kubectl("rollout", "status", *place, "--timeout", "120s")


@since("0.16.0")
def test_its_server_reads_the_model(space, controller, modelcar, server):
    space.apply(service(modelcar(), server))
    space.wait("llminferenceservice/llm", "condition=WorkloadsReady")
    (pod,) = space.pods(NAME)
    reads(space, pod, "/mnt/models", "one", container="main")
    # docs/loaders.md: a server that makes the path canonical finds this, and no "No such file".
    assert space.exec(pod["metadata"]["name"], "main", "ls", "-A", "/models").stdout == ""
    # The same that the webhook puts into an InferenceService's pods.
    found = injected(pod, {modelcar(): "registry/modelcar-one:1"})
    recorded = json.loads((RECORDS / "one.json").read_text())

    def cars(pod):
        return [c for c in pod["initContainers"] + pod["containers"] if c["name"].startswith("modelcar")]

    assert cars(found) == cars(recorded)
    assert found["shareProcessNamespace"] and all(volume in found["volumes"] for volume in recorded["volumes"])
