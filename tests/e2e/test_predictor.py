"""From a model in an image to an answered inference, on KServe's own Python server."""

import json
import os
import re
import subprocess

import pytest

from conftest import ROOT
from cluster import UID, kserve_pod
from podman import Pod, podman, wait_for

PREDICTOR = os.environ["PREDICTOR"]
URL = "http://127.0.0.1:8080"
CLASSES = {"setosa": [0, 0], "versicolor": [1, 1], "virginica": [2, 2]}


@pytest.fixture(scope="module")
def iris(build, tmp_path_factory):
    """The ModelCar of examples/iris, with a model trained just now."""
    context = tmp_path_factory.mktemp("iris")
    podman("run", "--rm", "--network", "none", "-v", f"{context}:/out:z", "--entrypoint", "/venv/bin/python", PREDICTOR, "/train.py", "/out/model.joblib")
    return build("localhost/e2e-iris:1", (ROOT / "examples/iris/Containerfile").read_text(), context=context)


class Predictor(Pod):
    def run(self, *command):
        """Runs a command of this machine in the network of the pod."""
        pid = self.inspect("kserve-container")["State"]["Pid"]
        enter = [*([] if os.geteuid() == 0 else ["podman", "unshare"]), "nsenter", "-t", str(pid), "-n"]
        return subprocess.run([*enter, *map(str, command)], capture_output=True, text=True, timeout=60)

    def answers(self):
        if not self.inspect("kserve-container")["State"]["Running"]:
            # It was there before the link. The kubelet starts it again, too.
            podman("start", self.container("kserve-container"))
        return self.get("/v2/models")

    def get(self, path):
        done = self.run("curl", "--silent", "--fail", f"{URL}{path}")
        return json.loads(done.stdout) if done.returncode == 0 else None


def test_inference_by_kserves_server_from_a_model_in_an_image(iris, note, seconds):
    strict = {"runAsUser": UID, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    server = {"name": "kserve-container", "image": PREDICTOR, "securityContext": strict}
    manifest = kserve_pod("my-inference-service-predictor", server, {"/mnt/models": iris})
    with Predictor(manifest) as pod:
        wait_for("an answer", pod.answers, 60)
        note(f"answers after {seconds():.0f} s")
        assert pod.get("/v2/models") == {"models": ["my-inference-service"]}
        assert any("loaded /mnt/models/model.joblib" in line for line in pod.logs("kserve-container"))
        url = f"{URL}/v2/models/my-inference-service/infer"
        for name, classes in CLASSES.items():
            data = ROOT / "examples/data" / f"{name}.json"
            done = pod.run("curl", "-s", "-H", "Content-Type: application/json", "-d", f"@{data}", url)
            answer = json.loads(done.stdout)
            assert answer.get("model_name") == "my-inference-service", (answer, pod.logs("kserve-container")[-20:])
            assert answer["outputs"][0]["data"] == classes
        done = pod.run(ROOT / "examples/repeat.sh", URL, 2, 0)
        assert done.stdout.splitlines() == [f"{name} {json.dumps(c, separators=(',', ':'))}" for name, c in CLASSES.items()] * 2, done.stderr
        ls = pod.exec("ls", "-l", "/mnt/models").stdout
        assert re.search(rf"/mnt/models -> /proc/{pod.pid('modelcar')}/root/models$", ls.strip())
        status, _ = pod.stop("modelcar")
        assert status == 0
