"""What KServe's webhook puts into pods, by its own hand: it works, and it is what tests/e2e/pods/ has on record for each
version; `make e2e` runs the newest's on podman. RECORD=1 writes the record anew."""

import copy
import json
import os

import pytest

from conftest import KSERVE, ROOT, before, wait_for

RECORDS = ROOT / "tests/e2e/pods" / KSERVE
RUNTIME = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "ServingRuntime",
    "metadata": {"name": "busybox"},
    "spec": {
        "supportedModelFormats": [{"name": "text", "version": "1", "autoSelect": True}],
        "protocolVersions": ["v1"],
        "containers": [
            {
                "name": "kserve-container",
                "command": ["httpd", "-f", "-p", "8080", "-h", "/"],
                "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}},
            }
        ],
    },
}


def since(version):
    return pytest.mark.skipif(before(version), reason=f"needs KServe {version}")


@pytest.fixture
def serving(space, kserve, server):
    """A namespace with a runtime that only waits."""
    runtime = copy.deepcopy(RUNTIME)
    runtime["spec"]["containers"][0]["image"] = server
    space.apply(runtime)
    return space


def service(storageUri=None, **predictor):
    """With a model from there, and these fields of the predictor beside it."""
    model = {"modelFormat": {"name": "text"}, "protocolVersion": "v1"}
    if storageUri:
        model["storageUri"] = storageUri
    predictor = {"model": model, "deploymentStrategy": {"type": "Recreate"}} | predictor
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "isvc"},
        "spec": {"predictor": predictor},
    }


def ready(serving, manifest):
    """The one pod of the service, once it is ready."""
    serving.apply(manifest)
    serving.wait("inferenceservice/isvc", "condition=Ready")
    return serving.one("serving.kserve.io/inferenceservice=isvc,component=predictor")


def reads(serving, pod, path, name, sidecar="modelcar", container="kserve-container"):
    name_of_pod = pod["metadata"]["name"]
    assert serving.exec(name_of_pod, container, "cat", f"{path}/model.txt").stdout == f"I am {name}\n"
    said = serving.logs(name_of_pod, sidecar)
    target = serving.exec(name_of_pod, container, "readlink", path).stdout.strip()
    assert said == f"link-model-and-wait: {path} -> {target}\n"


LEFT_OUT = ("imagePullPolicy", "terminationMessagePath", "ports", "readinessProbe")


def injected(pod, images):
    """What KServe has put into the pod, without what Kubernetes has, and by the images' short names."""
    text = json.dumps(pod["spec"])
    for image, name in images.items():
        text = text.replace(image, name)
    spec = json.loads(text)
    kept = {"shareProcessNamespace": spec.get("shareProcessNamespace", False)}
    for part in ("initContainers", "containers"):
        kept[part] = []
        for container in spec.get(part, []):
            mounts = container.get("volumeMounts", [])
            container["volumeMounts"] = [m for m in mounts if "serviceaccount" not in m["mountPath"]]
            kept[part].append({k: v for k, v in container.items() if v and k not in LEFT_OUT})
    kept["volumes"] = [v for v in spec.get("volumes", []) if not v["name"].startswith("kube-api-access")]
    return kept


def on_record(name, pod, images):
    """The same as last time; or it is written down."""
    path = RECORDS / f"{name}.json"
    found = injected(pod, images)
    if os.environ.get("RECORD"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(path.read_text()), f"KServe {KSERVE} does it otherwise than {path} says"


def test_one_modelcar(serving, modelcar, server):
    pod = ready(serving, service(storageUri=f"oci://{modelcar()}"))
    reads(serving, pod, "/mnt/models", "one")
    on_record("one", pod, {modelcar(): "registry/modelcar-one:1", server: "registry/server:1"})


THREE = {"/mnt/models": "one", "/mnt/my models/base": "two", "/mnt/it's/model": "three"}  # vectors have these paths


@since("0.18.0")
def test_modelcar_at_another_path(serving, modelcar, server):
    path = "/mnt/base/model"
    pod = ready(serving, service(storageUris=[{"uri": f"oci://{modelcar()}", "mountPath": path}]))
    reads(serving, pod, path, "one")
    on_record("path", pod, {modelcar(): "registry/modelcar-one:1", server: "registry/server:1"})


@since("0.20.0")
@pytest.mark.parametrize("number", [2, 3])
def test_several_modelcars(serving, modelcar, server, number):
    paths = dict(list(THREE.items())[:number])
    uris = [{"uri": f"oci://{modelcar(name)}", "mountPath": path} for path, name in paths.items()]
    pod = ready(serving, service(storageUris=uris))
    for index, (path, name) in enumerate(paths.items()):
        reads(serving, pod, path, name, f"modelcar-{index}" if index else "modelcar")
    images = {modelcar(name): f"registry/modelcar-{name}:1" for name in paths.values()}
    on_record({2: "two", 3: "three"}[number], pod, images | {server: "registry/server:1"})


def test_a_transformer_beside_it_reads_the_model(serving, modelcar, server):
    beside = {"name": "transformer-container", "image": server, "command": ["sleep", "infinity"]}
    if before("0.16.0"):  # docs/permissions.md: those set the user on the server alone
        beside["securityContext"] = {"runAsUser": 1010}
    pod = ready(serving, service(storageUri=f"oci://{modelcar()}", containers=[beside]))
    for container in ("kserve-container", "transformer-container"):
        reads(serving, pod, "/mnt/models", "one", container=container)
    on_record("transformer", pod, {modelcar(): "registry/modelcar-one:1", server: "registry/server:1"})


@since("0.20.0")
def test_image_volume(serving, modelcar):
    """oci+native://: no sidecar, nothing of the image runs."""
    pod = ready(serving, service(storageUri=f"oci+native://{modelcar()}"))
    name = pod["metadata"]["name"]
    assert serving.exec(name, "kserve-container", "cat", "/mnt/models/model.txt").stdout == "I am one\n"
    assert [c["name"] for c in pod["spec"]["containers"]] == ["kserve-container"]


def test_a_new_model_rolls_out(serving, modelcar):
    before = ready(serving, service(storageUri=f"oci://{modelcar('one')}"))["metadata"]["name"]
    serving.apply(service(storageUri=f"oci://{modelcar('two')}"))

    def rolled():
        pods = serving.pods("serving.kserve.io/inferenceservice=isvc")
        return pods[0] if len(pods) == 1 and pods[0]["metadata"]["name"] != before else None

    pod = wait_for("another pod alone", rolled)
    serving.wait(f"pod/{pod['metadata']['name']}", "condition=Ready")
    reads(serving, pod, "/mnt/models", "two")


def test_image_without_a_model_never_gets_ready_and_says_why(serving, make):
    image = make("modelcar-none:1", {"other": None})
    serving.apply(service(storageUri=f"oci://{image}"))
    # Its message, which begins a line: the script has these words, too.
    told = "\nNOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)\n"
    describe = ["describe", "pod", "--selector", "serving.kserve.io/inferenceservice=isvc"]
    wait_for("the reason", lambda: told in serving.kubectl(*describe).stdout)
    conditions = serving.cluster.get("inferenceservice", "isvc", serving.name)["status"]["conditions"]
    assert {c["status"] for c in conditions if c["type"] == "Ready"} == {"False"}
