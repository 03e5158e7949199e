"""The examples: each is checked by a tool that knows its kind, and what can run here runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conftest import BASE, EXAMPLES, IRIS, SERVER
from podman import Pod, podman, wait_for

BIN = Path(sys.executable).parent
GRANITE = "config.json generation_config.json merges.txt model.safetensors special_tokens_map.json tokenizer.json tokenizer_config.json vocab.json"


def clean(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["pod", "pod-native-sidecar", "pod-image-volume", "copy-init"])
def test_manifest_follows_the_schema_of_kubernetes(name):
    clean(BIN / "kubernetes-validate", "--strict", "--kubernetes-version", "1.35", EXAMPLES / f"{name}.yaml")


@pytest.mark.parametrize(
    ("name", "misspelt"),
    [("isvc-modelcar", None), ("isvc-two-modelcars", None), ("isvc-modelcar", ".spec.predictor.model.storageURL")],
    ids=["one", "two", "misspelt on purpose"],
)
def test_inference_service_has_the_fields_of_kserves_classes(name, misspelt):
    given = (EXAMPLES / f"{name}.yaml").read_text()
    if misspelt:
        given = given.replace("storageUri", "storageURL")
    command = ["run", "--rm", "--interactive", "--network", "none", "--entrypoint", "/venv/bin/python", os.environ["PREDICTOR"], "/known_fields.py"]
    done = podman(*command, input=json.dumps(yaml.safe_load(given)))
    assert done.stdout == (f"{misspelt}\n" if misspelt else "")


@pytest.mark.parametrize("name", ["iris", "granite"])
def test_containerfile_has_no_fault_that_hadolint_knows(name):
    clean(BIN / "hadolint", EXAMPLES / name / "Containerfile")


@pytest.mark.parametrize("name", ["enable-modelcar.sh", "repeat.sh"])
def test_script_has_no_fault_that_shellcheck_knows(name):
    clean("shellcheck", EXAMPLES / name)


@pytest.mark.parametrize(("uid", "expected"), [(None, 1010), ("2000", 2000), ("", None)], ids=["default", "chosen", "none"])
def test_enabling_keeps_the_rest_of_the_configuration(uid, expected, tmp_path):
    """Against a stand-in for kubectl, which tells a configuration and keeps the patch."""
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        "#!/bin/sh\ncase $* in\n"
        "*' get '*) echo '{\"image\": \"kserve/storage-initializer:latest\", \"enableModelcar\": false, \"uidModelcar\": 1}' ;;\n"
        f"*' patch '*) for last; do :; done; printf '%s' \"$last\" >{tmp_path}/patch ;;\nesac\n"
    )
    kubectl.chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"} | ({} if uid is None else {"UID_MODELCAR": uid})
    subprocess.run([EXAMPLES / "enable-modelcar.sh"], env=env, check=True, capture_output=True)
    config = json.loads(json.loads((tmp_path / "patch").read_text())["data"]["storageInitializer"])
    wanted = {"image": "kserve/storage-initializer:latest", "enableModelcar": True}
    assert config == wanted | ({} if expected is None else {"uidModelcar": expected})


def images(modelcar, server):
    return {IRIS: modelcar(), SERVER: server["image"]}


def test_plain_pod(modelcar, server):
    manifest = yaml.safe_load((EXAMPLES / "pod.yaml").read_text())
    manifest["spec"]["containers"][0]["command"] = server["command"]
    with Pod(manifest, images(modelcar, server)) as pod:
        pod.wait_for_model(name="server")
        assert pod.read("/mnt/models/model.txt", name="server") == "I am one\n"
        assert pod.stop("modelcar")[0] == 0


def test_native_sidecar(modelcar, server):
    """podman knows no such thing: the sidecar is started, probed as the kubelet does it, and only then read."""
    manifest = yaml.safe_load((EXAMPLES / "pod-native-sidecar.yaml").read_text())
    sidecar = manifest["spec"].pop("initContainers")[0]
    assert sidecar.pop("restartPolicy") == "Always"
    probe = sidecar.pop("startupProbe")["exec"]["command"]
    manifest["spec"]["containers"][0]["command"] = server["command"]
    manifest["spec"]["containers"].insert(0, sidecar)
    with Pod(manifest, images(modelcar, server)) as pod:
        wait_for("the probe", lambda: pod.exec(*probe, name="modelcar", check=False).returncode == 0)
        assert pod.read("/mnt/models/model.txt", name="server") == "I am one\n"
        (pod.folder / "link" / "models").unlink()
        assert pod.exec(*probe, name="modelcar", check=False).returncode == 1
        assert pod.stop("modelcar")[0] == 0


def test_image_volume(modelcar, server):
    """podman mounts an image as a whole; Kubernetes goes to its folder `models` by subPath."""
    mount = f"type=image,source={modelcar()},destination=/image"
    options = ["--rm", "--network", "none", "--user", "1010:1010", "--cap-drop", "all", "--mount", mount]
    done = podman("run", *options, server["image"], "/bin/cat", "/image/models/model.txt")
    assert done.stdout == "I am one\n"


def test_eight_files_of_a_language_model(build, tmp_path):
    names = GRANITE.split()
    image = build("localhost/e2e-granite:1", (EXAMPLES / "granite/Containerfile").read_text(), {name: name for name in names}, tmp_path)
    listed = podman("run", "--rm", "--network", "none", "--user", "1010", image, "sh", "-c", "ls -A /models").stdout
    assert listed.split() == names


@pytest.mark.parametrize(
    "lines",
    [
        "RUN mkdir /models && chmod 775 /models\nCOPY model.txt /models/",
        "COPY model.txt /models/\nRUN chmod -R a=rX /models\nUSER 1001",
        "RUN mkdir /models\nCOPY model.txt /models/",
    ],
    ids=["KServe", "Open Data Hub", "Kubeflow"],
)
def test_documented_build_lines(lines, build):
    image = build("localhost/e2e-documented:1", f"FROM {BASE}\n{lines}\n", {"model.txt": "I am one\n"})
    script = "[ -d /models ] && ls -A /models"
    assert podman("run", "--rm", "--network", "none", image, "sh", "-c", script).stdout == "model.txt\n"
