"""A registry on loopback, and ModelCars as containers."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import arches  # noqa: E402

ARCHES = list(arches.ARCHES)
(HOST,) = [image for image, row in arches.ARCHES.items() if row["kernel"] == platform.machine()]

# The pod's arguments as the kubelet hands them over, `$$` already being one `$`: KServe's init container and sidecar.
INIT = (
    "echo 'Pre-fetching modelcar registry/model:1: ' && [ -d /models ] && [ \"$(ls -A /models)\" ] && "
    "echo 'OK ... Prefetched and valid (/models exists)' || "
    "(echo 'NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)' && exit 1)"
)
SIDECAR = "ln -sf /proc/$$/root/models /mnt/models && sleep infinity"


def run(*command, check=True, timeout=180, **kwargs):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout, **kwargs)
    if check and done.returncode:
        raise AssertionError(f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.05)
    return value


def runs_as_modelcar(image, folder, models=None, podman=("podman",)):
    """Runs an image as KServe does: its init container, then its sidecar, which is stopped. `models` are files that
    must be found through the link, as name: content; without any the init container must fail."""
    strict = ["--pull", "never", "--network", "none", "--read-only", "--cap-drop", "all"]
    init = run(*podman, "run", "--rm", *strict, image, "sh", "-c", INIT, check=False)
    if not models:
        assert init.returncode == 1 and "\nNOK" in init.stdout, init
    else:
        assert init.returncode == 0 and "\nOK" in init.stdout, init
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    link = folder / "models"
    link.unlink(missing_ok=True)
    name = f"clients-{os.getpid()}"
    try:
        run(*podman, "run", "--detach", "--name", name, *strict, "-v", f"{folder}:/mnt:z", image, "sh", "-c", SIDECAR)
        wait_for("the link", link.is_symlink)
        assert os.readlink(link) == "/proc/1/root/models"
        pid = run(*podman, "inspect", "--format", "{{.State.Pid}}", name).stdout.strip()
        for path, content in (models or {}).items():
            assert Path(f"/proc/{pid}/root/models/{path}").read_bytes() == content, path
        start = time.monotonic()
        run(*podman, "stop", "--time", 10, name)
        took = time.monotonic() - start
        assert run(*podman, "inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"
        assert took < 3, f"{took:.1f} s to stop"
    finally:
        run(*podman, "rm", "--force", "--ignore", "--time", 0, name)


@pytest.fixture
def folder(tmp_path):
    """Where all may look, as a container's user must."""
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    return tmp_path


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A registry server, empty, as host:port. Programs that call skopeo and cannot tell it to
    speak plain HTTP get the home directory PLAIN_HTTP_HOME, whose registries.conf does."""
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\nhttp:\n  addr: {address}\n"
    )
    conf = folder / ".config" / "containers" / "registries.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)

    def answers():
        assert server.poll() is None, (folder / "log").read_text()
        try:
            return urllib.request.urlopen(f"http://{address}/v2/").status == 200
        except OSError:
            return False

    try:
        wait_for("an answer of the registry", answers)
        os.environ["PLAIN_HTTP_HOME"] = str(folder)
        yield address
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def pull():
    """Takes the image of one platform into podman's storage, and returns its ID; all go when the test ends."""
    pulled = []

    def pull(source, arch, *flags):
        tag = f"localhost/clients-{os.getpid()}:{len(pulled)}"
        run("skopeo", "--override-os", "linux", "--override-arch", arch, "copy", "--quiet", *flags, source, f"containers-storage:{tag}")
        pulled.append(tag)
        found = json.loads(run("podman", "image", "inspect", tag).stdout)[0]
        assert found["Architecture"] == arch
        return found["Id"]

    yield pull
    for tag in pulled:
        run("podman", "rmi", "--force", "--ignore", tag, check=False)


@pytest.fixture
def private():
    """podman's options for an empty storage; its path must be short."""
    folder = tempfile.mkdtemp(prefix="car-", dir=os.environ["TEMPORARY"])
    options = ["--root", f"{folder}/s", "--runroot", f"{folder}/r", "--storage-driver", "vfs"]
    yield options
    run("podman", *options, "rmi", "--all", "--force", check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def docker():
    """A docker daemon of these tests' own, by sudo where need be; returns what calls its client."""
    root = [] if os.geteuid() == 0 else ["sudo"]
    brought = [path for path in ("/etc/docker/key.json", "/opt/containerd", "/run/containerd") if not os.path.exists(path)]
    folder = Path(tempfile.mkdtemp(prefix="docker-", dir=os.environ["TEMPORARY"]))
    (folder / "daemon.json").write_text("{}\n")  # and not the machine's
    host = f"unix://{folder}/socket"
    command = [
        *root, "dockerd", "--group", str(os.getgid()), "--host", host, "--config-file", folder / "daemon.json",
        "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid",
        "--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
    ]  # fmt: skip
    with open(folder / "log", "w") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
    env = {**os.environ, "DOCKER_HOST": host, "DOCKER_CONFIG": str(folder)}

    def docker(*args, **kwargs):
        return run("docker", *args, env=env, **kwargs)

    def answers():
        assert daemon.poll() is None, (folder / "log").read_text()[-2000:]
        return docker("version", check=False).returncode == 0

    try:
        wait_for("an answer of dockerd", answers)
        yield docker
    finally:
        wait_for("dockerd's own pid, as sudo passes no signal on", lambda: daemon.poll() is not None or (folder / "pid").exists())
        run(*root, "sh", "-c", f"kill $(cat {folder}/pid)", check=False)
        daemon.wait(timeout=60)
        run(*root, "sh", "-c", f"awk '$2 ~ \"^{folder}/\" {{ print $2 }}' /proc/self/mounts | sort -r | xargs -r umount -l")
        run(*root, "rm", "-rf", folder, *brought)
