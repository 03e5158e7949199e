"""The recipes of docs/copying.md and the examples that they name, as they stand there."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from cluster import expand, kserve_pod
from conftest import BASE, EXAMPLES, IRIS, ROOT, SERVER
from podman import Pod, podman, wait_for

TEXT = (ROOT / "docs/copying.md").read_text()


def blocks(heading, language="sh"):
    """The blocks of code below a heading."""
    (section,) = [part for part in TEXT.split("\n## ") if part.startswith(heading + "\n")]
    return re.findall(rf"```{language}\n(.*?)```", section, re.S)


def server_for(modelcar, server):
    manifest = yaml.safe_load((EXAMPLES / "copy-init.yaml").read_text())
    manifest["spec"]["containers"][0]["command"] = server["command"]
    return manifest, {IRIS: modelcar(), SERVER: server["image"]}


def test_init_container(modelcar, server):
    with Pod(*server_for(modelcar, server)) as pod:
        assert pod.read("/mnt/models/model.txt", name="server") == "I am one\n"
        # What it leaves is the model alone: no link, and no name for the time being.
        assert os.listdir(pod.folder / "model") == ["models"] and not (pod.folder / "model/models").is_symlink()
        assert "shareProcessNamespace" not in pod.manifest["spec"]


def test_init_container_of_an_image_without_a_model_fails(server):
    manifest, images = server_for(lambda: BASE, server)
    with Pod(manifest, images, starts=False) as pod:
        assert pod.played.returncode != 0
        assert pod.logs("model") == ["cp: /models/.: No such file or directory"]
        assert os.listdir(pod.folder / "model") == []


def test_sidecar_that_copies_and_stays(modelcar, tmp_path):
    (line,) = [block for block in blocks("An init container") if block.startswith("sh -c ")]
    script = line.removeprefix("sh -c '").removesuffix("'\n")
    tmp_path.chmod(0o777)
    volume = f"{tmp_path}:/mnt"
    name = podman("run", "--detach", "--network", "none", "--user", "1010:0", "--volume", volume, modelcar(), "sh", "-c", script).stdout.strip()
    try:
        wait_for("the sign", (tmp_path / "ready").exists)
        assert (tmp_path / "models/model.txt").read_text() == "I am one\n"
        podman("stop", "--time", 10, name)
        assert podman("inspect", "--format", "{{.State.ExitCode}}", name).stdout == "0\n"
    finally:
        podman("rm", "--force", "--time", 0, name)


def test_kserves_command_copies_where_the_image_says_so(modelcar, server, build):
    (env,) = blocks("In the place of KServe's link", "Dockerfile")
    image = build("localhost/e2e-copies:1", f"FROM {modelcar()}\n{env}")
    pod = kserve_pod("copies", server, {"/mnt/models": image})
    # Nothing that a link needs: another user, and no look at the other's processes.
    pod["spec"]["shareProcessNamespace"] = False
    pod["spec"]["containers"][0]["securityContext"] = {"runAsUser": 2000}
    with Pod(pod) as pod:
        pod.wait_for_model()
        assert pod.read("/mnt/models/model.txt") == "I am one\n"
        assert pod.exec("/bin/readlink", "-f", "/mnt/models/model.txt").stdout == "/mnt/models/model.txt\n"
        assert pod.logs("modelcar") == ["link-model-and-wait: copied 1 files, 9 bytes: /models -> /mnt/models"]
        assert pod.stop("modelcar")[0] == 0


def test_tekton_step(modelcar, tmp_path):
    task = yaml.safe_load((EXAMPLES / "copy-task.yaml").read_text())["spec"]
    values = {"params.image": modelcar(), "workspaces.model.path": "/workspace/model"}
    (step,) = task["steps"]
    assert step.keys() == {"name", "image", "env", "command", "args"}
    variables = [word for entry in step["env"] for word in ("--env", f"{entry['name']}={expand(entry['value'], values)}")]
    tmp_path.chmod(0o777)
    options = ["--rm", "--network", "none", "--user", "1010:0", "--volume", f"{tmp_path}:/workspace/model", *variables]
    # Tekton starts a step by its command, whatever the image's entrypoint is.
    command = ["--entrypoint", step["command"][0], expand(step["image"], values), *step["command"][1:], *step["args"]]
    first, second = (podman("run", *options, *command).stdout for _ in range(2))
    assert first.startswith("/workspace/model/model:\ntotal ") and first.endswith(" model.txt\n")
    assert second == "/workspace/model/model is there already\n"
    assert (tmp_path / "model/model.txt").read_text() == "I am one\n"


@pytest.mark.parametrize("number", range(3), ids=["directory", "volume", "without running"])
def test_podman(number, modelcar, tmp_path):
    block = blocks("podman and docker")[number]
    own = f"e2e-copying-{os.getpid()}"
    # The image, the container and the volume are this test's.
    text = re.sub(r"localhost/my-model\b", modelcar(), block)
    text = re.sub(r"\bmy-model\b", own, text).replace("volume create model", f"volume create {own}").replace("--volume model:", f"--volume {own}:")
    try:
        subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path, check=True, capture_output=True, text=True)
        if number == 1:
            tmp_path = Path(podman("volume", "inspect", "--format", "{{.Mountpoint}}", own).stdout.strip())
        (copied,) = tmp_path.rglob("model.txt")
        assert copied.read_text() == "I am one\n" and not list(tmp_path.rglob(".modelcar-*"))
    finally:
        podman("rm", "--force", "--ignore", "--time", 0, own)
        podman("volume", "rm", "--force", own, check=False)


def test_out_of_a_running_container(modelcar, tmp_path):
    own = f"e2e-copying-{os.getpid()}"
    (tmp_path / "copied").mkdir()
    podman("run", "--detach", "--network", "none", "--name", own, modelcar(), "sleep", "infinity")
    try:
        text = blocks("Out of a running pod")[1].replace("my-modelcar", own)
        subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path, check=True, capture_output=True, text=True)
        assert (tmp_path / "copied/model.txt").read_text() == "I am one\n"
    finally:
        podman("rm", "--force", "--time", 0, own)
