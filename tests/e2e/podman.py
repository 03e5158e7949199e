"""Pods on podman, from Kubernetes manifests."""

import copy
import json
import os
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import yaml

from cluster import expand

LIMITLESS = os.environ.get("LIMITS") == "none"  # run.sh has tried


def podman(*args, check=True, timeout=120, **kwargs):
    done = subprocess.run(["podman", *map(str, args)], capture_output=True, text=True, timeout=timeout, **kwargs)
    if check and done.returncode:
        raise AssertionError(f"podman {args[0]}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


def wait_for(what, condition, seconds=15):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.05)
    return value


@cache
def podman_expands():
    """Whether this podman expands `$$` in a manifest as the kubelet does: newer ones do."""
    name = f"e2e-expands-{os.getpid()}"
    container = {"name": "c", "image": "localhost/modelcar-base:latest", "args": ["sh", "-c", "echo $$$$"]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    try:
        podman("kube", "play", "--network", "none", "--start=false", "-", input=yaml.safe_dump(manifest))
        return "$$$$" not in podman("inspect", f"{name}-c").stdout
    finally:
        podman("pod", "rm", "--force", "--ignore", "--time", 0, name)


def adapted(manifest, folder, images=None):
    """The manifest for `podman kube play`, which knows neither the kubelet's expansion nor an emptyDir that all may
    write to, and which starts an init container for ever if the pod is to be restarted."""
    pod = copy.deepcopy(manifest)
    spec = pod["spec"]
    spec["restartPolicy"] = "Never"
    # Otherwise an init container is gone after it has run, and its log with it.
    pod["metadata"].setdefault("annotations", {})["io.podman.annotations.init.container.type"] = "always"
    # What stands at the pod applies to each container that does not say otherwise.
    common = spec.pop("securityContext", {})
    common.pop("seccompProfile", None)
    for container in spec.get("initContainers", []) + spec["containers"]:
        if not podman_expands():
            env = {e["name"]: e["value"] for e in container.get("env", [])}
            for field in ("command", "args"):
                if field in container:
                    container[field] = [expand(text, env) for text in container[field]]
        container["image"] = (images or {}).get(container["image"], container["image"])
        if common or "securityContext" in container:
            container["securityContext"] = common | container.get("securityContext", {})
        if LIMITLESS:
            container.pop("resources", None)
        for field in ("readinessProbe", "ports"):  # there is no network to be reached by
            container.pop(field, None)
    for volume in spec.get("volumes", []):
        if volume.pop("emptyDir", None) is not None:
            path = folder / volume["name"]
            path.mkdir(exist_ok=True)
            path.chmod(0o777)
            volume["hostPath"] = {"path": str(path), "type": "Directory"}
    return pod


class Pod:
    """A pod that runs until the end of the `with` block."""

    def __init__(self, manifest, images=None, starts=True):
        self.folder = Path(tempfile.mkdtemp(prefix="e2e-", dir=os.environ["TEMPORARY"]))
        self.folder.chmod(0o755)
        self.starts = starts
        self.manifest = adapted(manifest, self.folder, images)
        self.name = f"{manifest['metadata']['name']}-{os.getpid()}"
        self.manifest["metadata"]["name"] = self.name

    def __enter__(self):
        text = yaml.safe_dump(self.manifest, sort_keys=False, default_flow_style=False)
        self.played = podman("kube", "play", "--network", "none", "-", input=text, check=False)
        if self.starts and self.played.returncode:
            self.__exit__()
            raise AssertionError(f"podman kube play: {self.played.stdout}{self.played.stderr}")
        return self

    def __exit__(self, *_):
        podman("pod", "rm", "--force", "--ignore", "--time", 0, self.name, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def container(self, name):
        return f"{self.name}-{name}"

    def inspect(self, name):
        return json.loads(podman("inspect", self.container(name)).stdout)[0]

    def logs(self, name):
        """What the container has written, on both streams: from the file, as podman may warn on one of them."""
        path = self.inspect(name)["HostConfig"]["LogConfig"]["Path"]
        return [line.split(" ", 3)[3] for line in Path(path).read_text().splitlines()]

    def pid(self, name):
        """The container's process, as the pod sees it."""
        host = self.inspect(name)["State"]["Pid"]
        for line in Path(f"/proc/{host}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])

    def exec(self, *command, name="kserve-container", check=True):
        return podman("exec", self.container(name), *command, check=check)

    def read(self, path, **kwargs):
        return self.exec("/bin/cat", path, **kwargs).stdout

    def wait_for_model(self, path="/mnt/models", **kwargs):
        wait_for(f"a model at {path}", lambda: self.exec("/bin/test", "-d", path, check=False, **kwargs).returncode == 0)

    def stop(self, name, seconds=10):
        """Asks the container to end, as the kubelet does, and returns its exit status and how long it took."""
        start = time.monotonic()
        podman("stop", "--time", seconds, self.container(name))
        took = time.monotonic() - start
        return self.inspect(name)["State"]["ExitCode"], took
