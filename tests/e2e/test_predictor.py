"""From a model in an image to an answered inference, on KServe's own Python server."""

import json
import re
import subprocess

import pytest

from conftest import BASE, ROOT
from cluster import UID, VOLUME, kserve_pod
from podman import Pod, podman, wait_for

PYTHON = ROOT / "target/e2e/server/bin/python"
URL = "http://127.0.0.1:8080"
CLASSES = {"setosa": [0, 0], "versicolor": [1, 1], "virginica": [2, 2]}


@pytest.fixture(scope="module")
def iris(build, tmp_path_factory):
    """The ModelCar of examples/iris, with a model trained just now."""
    context = tmp_path_factory.mktemp("iris")
    subprocess.run([PYTHON, ROOT / "tests/e2e/train.py", context / "model.joblib"], check=True)
    return build("localhost/e2e-iris:1", (ROOT / "examples/iris/Containerfile").read_text(), context=context)


class Predictor(Pod):
    """A pod whose server is this machine's own file system with the packages in it, so that no image need be built."""

    def __init__(self, manifest, *args, **kwargs):
        super().__init__(manifest, *args, **kwargs)
        self.server = self.manifest["spec"]["containers"].pop(0)

    def __enter__(self):
        super().__enter__()
        volumes = [f"--volume={self.folder / mount['name']}:{mount['mountPath']}" for mount in self.server["volumeMounts"]]
        podman(
            "run", "--detach", "--pod", self.name, "--name", self.container(self.server["name"]),
            "--user", f"{UID}:0", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--workdir", "/tmp",
            "--env", "PYTHONDONTWRITEBYTECODE=1", *volumes, "--rootfs", "/:O", PYTHON, ROOT / "tests/e2e/server.py",
        )  # fmt: skip
        return self

    def run(self, *command):
        """Runs a command of this machine in the network of the pod."""
        pid = self.inspect(self.server["name"])["State"]["Pid"]
        return subprocess.run(["nsenter", "-t", str(pid), "-n", *map(str, command)], capture_output=True, text=True, timeout=60)

    def get(self, path):
        done = self.run("curl", "--silent", "--fail", f"{URL}{path}")
        return json.loads(done.stdout) if done.returncode == 0 else None


def test_inference_by_kserves_server_from_a_model_in_an_image(iris, note, seconds, record):
    manifest = kserve_pod("my-inference-service-predictor", {"name": "kserve-container", "image": "none"}, {"/mnt/models": iris})
    with Predictor(manifest) as pod:
        wait_for("an answer", lambda: pod.get("/v2/models") or not pod.inspect("kserve-container")["State"]["Running"], 60)
        assert pod.inspect("kserve-container")["State"]["Running"], "\n".join(pod.logs("kserve-container"))
        note(f"answers after {seconds():.0f} s")
        assert pod.get("/v2/models") == {"models": ["my-inference-service"]}
        assert any("loaded /mnt/models/model.joblib" in line for line in pod.logs("kserve-container"))
        url = f"{URL}/v2/models/my-inference-service/infer"
        recorded = []
        for name, classes in CLASSES.items():
            data = ROOT / "examples/data" / f"{name}.json"
            done = pod.run("curl", "-s", "-H", "Content-Type: application/json", "-d", f"@{data}", url)
            answer = json.loads(done.stdout)
            assert answer.get("model_name") == "my-inference-service", (answer, pod.logs("kserve-container")[-20:])
            assert answer["outputs"][0]["data"] == classes
            recorded.append([name, done.stdout])
        done = pod.run(ROOT / "examples/repeat.sh", URL, 2, 0)
        assert done.stdout.splitlines() == [f"{name} {json.dumps(c, separators=(',', ':'))}" for name, c in CLASSES.items()] * 2, done.stderr
        record("inference", recorded)
        record("log", [["init", *pod.logs("modelcar-init")], ["sidecar", *pod.logs("modelcar")]])
        ls = pod.exec("ls", "-l", "/mnt/models").stdout
        assert re.search(rf"/mnt/models -> /proc/{pod.pid('modelcar')}/root/models$", ls.strip())
        record("mount", [["ls -l /mnt/models", *ls.splitlines()], ["ls -l /mnt/models/", *pod.exec("ls", "-l", "/mnt/models/").stdout.splitlines()]])
        status, _ = pod.stop("modelcar")
        assert status == 0
