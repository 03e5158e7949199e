"""docs/kserve.md from its first command to its last, then what it says of other examples."""

import json
import re

import pytest

from conftest import STOP, Space, before, wait_for

SERVICE = "serving.kserve.io/inferenceservice=my-inference-service"
ANSWERS = "setosa [0,0]\nversicolor [1,1]\nvirginica [2,2]\n"
LINKED = r"link-model-and-wait: (\S+) -> (/proc/\d+/root/models)\n"


@pytest.fixture(scope="module")
def default(cluster):
    return Space(cluster, "default")


def logs(default, container, selector=SERVICE):
    return default.kubectl("logs", "--selector", selector, "--container", container, "--tail", "-1").stdout


def test_section_1_kserve_is_installed_and_modelcars_are_turned_on(kserve, cluster):
    config = cluster.get("configmap", "inferenceservice-config", "kserve")["data"]
    assert json.loads(config["deploy"])["defaultDeploymentMode"] == "RawDeployment"
    storage = json.loads(config["storageInitializer"])
    assert (storage["enableModelcar"], storage["uidModelcar"]) == (True, 1010)
    manager = cluster.get("deployment", "kserve-controller-manager", "kserve")
    assert manager["status"]["availableReplicas"] == 1
    assert "restartedAt" in json.dumps(manager["spec"]["template"]["metadata"]), "enable-modelcar.sh has restarted it"


def test_section_2_the_base_image_is_pushed(kserve, cluster):
    said = kserve(2).stdout
    digest = re.search(r"registry.example.com/modelcar-base:0.1.0@(sha256:\w+)", said)[1]
    raw = cluster.run("skopeo", "inspect", "--raw", "docker://registry.example.com/modelcar-base:0.1.0").stdout
    assert [m["platform"]["architecture"] for m in json.loads(raw)["manifests"]], digest


def test_section_3_the_model_is_put_on_it(kserve, cluster):
    kserve(3)
    assert cluster.run("skopeo", "inspect", "docker://registry.example.com/iris-modelcar:1").returncode == 0


def test_section_4_the_service_is_ready(kserve, predictor, default, record):
    kserve(4)
    assert logs(default, "modelcar-init") == (
        "Pre-fetching modelcar registry.example.com/iris-modelcar:1: \nOK ... Prefetched and valid (/models exists)\n"
    )
    assert re.fullmatch(LINKED, logs(default, "modelcar"))
    assert "loaded /mnt/models/model.joblib" in logs(default, "kserve-container")
    log = "kubectl logs -l serving.kserve.io/inferenceservice=my-inference-service -c"
    record("log", [(f"{log} {container}", logs(default, container)) for container in ("modelcar-init", "modelcar")])
    server = "exec deployment/my-inference-service-predictor -c kserve-container -- ls -l"
    paths = ("/mnt/models", "/mnt/models/")
    record("mount", [(f"kubectl {server} {path}", default.kubectl(*server.split(), path).stdout) for path in paths])


def test_section_5_three_inputs_are_answered(kserve, cluster, checkout, record):
    said = kserve(5).stdout
    assert '{"models":["my-inference-service"]}' in said
    assert "".join(line for line in said.splitlines(True) if line.endswith("]\n")) == ANSWERS
    # Once more one by one, in full.
    forward = f"{STOP}kubectl port-forward service/my-inference-service-predictor 8080:80 >/dev/null &\nsleep 3\n"
    answers = []
    for name, classes in (("setosa", [0, 0]), ("versicolor", [1, 1]), ("virginica", [2, 2])):
        command = (
            f"curl -s -H 'Content-Type: application/json' -d @examples/data/{name}.json \\\n"
            "       http://127.0.0.1:8080/v2/models/my-inference-service/infer"
        )
        said = cluster.run("bash", "-euc", forward + command, cwd=checkout).stdout
        assert json.loads(said)["outputs"][0]["data"] == classes
        answers.append((command, said))
    record("inference", answers)


def test_the_service_answers_from_its_address(cluster, checkout, kserve, default):
    """Not by a forwarded port, but by what the rest of the cluster is told."""
    selector = "kubernetes.io/service-name=my-inference-service-predictor"
    slices = default.kubectl("get", "endpointslices", "--selector", selector, "--output", "json")
    (found,) = json.loads(slices.stdout)["items"]
    address = f"http://{found['endpoints'][0]['addresses'][0]}:{found['ports'][0]['port']}"
    assert cluster.run(checkout / "examples/repeat.sh", address, "1", "0").stdout == ANSWERS


def test_two_modelcars_in_one_pod(kserve, cluster, checkout, default):
    """examples/isvc-two-modelcars.yaml, as it is."""
    former = {pod["metadata"]["name"] for pod in default.pods(SERVICE)}
    applied = default.kubectl("apply", "--filename", checkout / "examples/isvc-two-modelcars.yaml", check=False)
    if before("0.20.0"):  # docs/kserve.md says that this needs it: those before refuse it, or leave a ModelCar out
        if applied.returncode == 0:
            (pod,) = wait_for(
                "another pod", lambda: [p for p in default.pods(SERVICE) if p["metadata"]["name"] not in former]
            )
            assert sum(c["name"].startswith("modelcar") for c in pod["spec"]["containers"]) < 2
        return
    assert applied.returncode == 0, applied.stderr
    iris = "docker://registry.example.com/iris-modelcar"
    cluster.run("skopeo", "copy", "--quiet", f"{iris}:1", f"{iris}:2")
    default.wait("inferenceservice/my-inference-service", "condition=Ready")
    name = default.one(SERVICE)["metadata"]["name"]
    for container, path in (("modelcar", "/mnt/models"), ("modelcar-1", "/mnt/second/models")):
        linked = re.fullmatch(LINKED, default.logs(name, container))
        assert linked[1] == path
        listed = default.exec(name, "kserve-container", "ls", "-l", path, f"{path}/model.joblib").stdout
        assert f"{path} -> {linked[2]}\n" in listed and f"{path}/model.joblib\n" in listed
