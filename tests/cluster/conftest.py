"""A Kubernetes node for the whole session, KServe in it, and what a case needs: a namespace, images."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import machine
from images import BASE, Link, image
from node import BIN, REGISTRY, Node, standing

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target/cluster"
NODE = Path(os.environ.get("NODE", WORK / "node"))
HERE = Path(__file__).parent
RUNTIME, KSERVE = os.environ["RUNTIME"], os.environ["KSERVE"]
KSERVE_FILES = WORK / f"kserve-{KSERVE}"
CERT_MANAGER = HERE / "cert-manager.yaml"
INSTALL = NODE / "install"
PATIENCE = 240  # seconds: what takes two on a machine with nothing else to do takes thirty on a busy one
STOP = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"  # what a document's reader stops by hand


def interrupted(*_):
    """SIGTERM as Ctrl-C, and none behind either: the node ends, and what it stood on is looked at."""
    signal.signal(signal.SIGTERM, lambda *_: None)
    raise KeyboardInterrupt


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, interrupted)


def before(version):
    """Whether this KServe is an older one."""
    return [int(part) for part in KSERVE.split(".")] < [int(part) for part in version.split(".")]


def wait_for(what, condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.2)
    return value


class Cluster:
    """What is asked of the node from outside."""

    def __init__(self, node):
        self.node = node

    def run(self, *command, check=True, timeout=2 * PATIENCE, cwd="/", **kwargs):
        done = subprocess.run(
            self.node.enter(*command, cwd=cwd), capture_output=True, text=True, timeout=timeout, **kwargs
        )
        if check and done.returncode:
            raise AssertionError(f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def kubectl(self, *words, **kwargs):
        return self.run("kubectl", *words, **kwargs)

    def get(self, kind, name, namespace):
        done = self.kubectl("get", kind, name, "--namespace", namespace, "--output", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def apply(self, *objects, namespace=None, **kwargs):
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        place = ["--namespace", namespace] if namespace else []
        return self.kubectl("apply", *place, "--filename", "-", input=given, **kwargs)

    def push(self, layout, name):
        """To the registry that stands for all; returns what it is called by."""
        source = f"oci:{layout}" if Path(layout).is_dir() else f"oci-archive:{layout}"
        self.run("skopeo", "copy", "--quiet", source, f"docker://{REGISTRY}/{name}")
        return f"{REGISTRY}/{name}"


class Space:
    """A namespace, and the pods in it."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name

    def kubectl(self, *words, **kwargs):
        return self.cluster.kubectl("--namespace", self.name, *words, **kwargs)

    def apply(self, *objects, **kwargs):
        return self.cluster.apply(*objects, namespace=self.name, **kwargs)

    def pod(self, name):
        return self.cluster.get("pod", name, self.name)

    def pods(self, selector):
        done = self.kubectl("get", "pods", "--selector", selector, "--output", "json")
        return [pod for pod in json.loads(done.stdout)["items"] if "deletionTimestamp" not in pod["metadata"]]

    def one(self, selector):
        """The one pod that there is in the end."""
        return wait_for("one pod", lambda: found if len(found := self.pods(selector)) == 1 else None)[0]

    def wait(self, what, condition, seconds=PATIENCE):
        """`kubectl wait`, with what the cluster says about it if it does not come true."""
        done = self.kubectl(
            "wait", "--for", condition, "--timeout", f"{seconds}s", what, check=False, timeout=seconds + 30
        )
        assert done.returncode == 0, f"{done.stderr}{self.kubectl('describe', what, check=False).stdout}"

    def logs(self, pod, container, **kwargs):
        return self.kubectl("logs", pod, "--container", container, **kwargs).stdout

    def exec(self, pod, container, *command, **kwargs):
        return self.kubectl("exec", pod, "--container", container, "--", *command, **kwargs)

    def status(self, pod, container, kind="containerStatuses"):
        found = self.pod(pod)
        for status in (found or {}).get("status", {}).get(kind, []):
            if status["name"] == container:
                return status
        return None


def bare(cluster):
    """What the node itself needs."""
    layout = cluster.node.folder / "images/pause"
    if not layout.exists():
        layout.parent.mkdir(exist_ok=True)
        image(layout, {"pause": (BIN / "pause", 0o755)}, User="65535:65535", Entrypoint=["/pause"])
    cluster.push(layout, "pause:1")
    return cluster


@pytest.fixture(scope="session")
def cluster():
    """A node of its own; or the one that `make cluster-up` has left standing."""
    node = Node(NODE, RUNTIME)
    if standing(NODE):
        yield bare(Cluster(node))
        return
    shutil.rmtree(NODE, ignore_errors=True)
    before = machine.look()
    try:
        yield bare(Cluster(node.start()))
    finally:
        node.stop()
    machine.compare(before)


@pytest.fixture(scope="session")
def make(cluster, tmp_path_factory):
    """Pushes an image of these files, on the base that `make image` wrote; returns its name."""

    def make(name, files, base=BASE, **config):
        layout = image(tmp_path_factory.mktemp("image") / "layout", files, base, **config)
        return cluster.push(layout, name)

    return make


def model_of(name):
    return {"models": None, "models/model.txt": f"I am {name}\n"}


def busybox():
    """It stands for a model server that looks for its model."""
    file = Path(shutil.which("busybox"))
    names = subprocess.run([file, "--list"], capture_output=True, text=True, check=True).stdout.split()
    links = {f"bin/{name}": Link("busybox") for name in names if name != "busybox"}
    return {"bin": None, "bin/busybox": (file, 0o755), **links, "tmp": (None, 0o1777)}


@pytest.fixture(scope="session")
def modelcar(make):
    made = {}

    def modelcar(name="one"):
        if name not in made:
            made[name] = make(f"modelcar-{name}:1", model_of(name))
        return made[name]

    return modelcar


@pytest.fixture(scope="session")
def server(make):
    return make("server:1", busybox(), base=None)


@pytest.fixture(scope="session")
def space_factory(cluster):
    made = []

    def space(name, **labels):
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        wait_for("a service account", lambda: cluster.get("serviceaccount", "default", name))
        made.append(name)
        return Space(cluster, name)

    return space


@pytest.fixture
def space(request, space_factory, cluster):
    """A namespace of the case's own, gone after it."""
    words = "".join(c if c.isalnum() else "-" for c in request.node.name.removeprefix("test_").lower())
    made = space_factory(f"{words[:40].strip('-')}-{os.urandom(3).hex()}")
    yield made
    cluster.kubectl("delete", "namespace", made.name, "--wait=false")


@pytest.fixture(scope="session")
def checkout(cluster):
    """A checkout after `make image`, as the document's reader has it, in which files may be put."""
    folder = NODE / "checkout"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("tools", "examples", "dist"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Makefile", "arches.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="session")
def kserve(cluster, checkout, model):
    """KServe, by the first section of docs/kserve.md. Returns what runs another section."""
    from document import sections

    INSTALL.mkdir(exist_ok=True)
    shutil.copy(KSERVE_FILES / "kserve.yaml", INSTALL)
    # Its servers want a whole processor each: no second one would start beside the first on two.
    resources = (KSERVE_FILES / "kserve-cluster-resources.yaml").read_text()
    resources = re.sub(r"(requests:\n +cpu: )['\"]1['\"]\n( +memory: )2Gi", r"\g<1>50m\n\g<2>512Mi", resources)
    (INSTALL / "kserve-cluster-resources.yaml").write_text(resources)
    made = NODE / "images"
    for name, command in (("kserve-controller", "manager"), ("llmisvc-controller", "llmisvc")):
        if (KSERVE_FILES / command).exists():
            layout = made / f"{name}-{KSERVE}"
            if not layout.exists():
                files = {"manager": (KSERVE_FILES / command, 0o755), "tmp": (None, 0o777)}
                image(layout, files, User="65532", Entrypoint=["/manager"])
            cluster.push(layout, f"kserve/{name}:v{KSERVE}")
    # It guards KServe's metrics, which nobody asks for here.
    cluster.push(made / "pause", "brancz/kube-rbac-proxy:v0.18.0")
    commands = sections()

    def section(number):
        command = ["env", f"TRAINED={model}", "bash", "-euo", "pipefail", "-c", STOP + commands[number]]
        return cluster.run(*command, cwd=checkout, timeout=1800)

    if not cluster.get("deployment", "kserve-controller-manager", "kserve"):
        section(1)
    return section


@pytest.fixture(scope="session")
def model():
    """A classifier of iris flowers, trained by scikit-learn."""
    return Path(os.environ["MODEL"])


@pytest.fixture(scope="session")
def iris(make, model):
    """A ModelCar with it, where examples/iris/Containerfile puts it."""
    return make("iris-modelcar:1", {"models": None, "models/model.joblib": model})


@pytest.fixture(scope="session")
def predictor(cluster):
    """The model server of tests/e2e, by the names of the servers that KServe chooses for scikit-learn."""
    resources = (KSERVE_FILES / "kserve-cluster-resources.yaml").read_text()
    wanted = set(re.findall(r"image: (?:docker\.io/)?(\S*/(?:mlserver|sklearnserver):\S+)", resources))
    assert len(wanted) == 2
    for name in ("iris-server:1", *wanted):
        cluster.push(os.environ["PREDICTOR_ARCHIVE"], name)
    return f"{REGISTRY}/iris-server:1"


@pytest.fixture(scope="session")
def record():
    """Keeps commands and what they printed, for the pictures."""

    def record(name, said):
        (WORK / "record").mkdir(exist_ok=True)
        (WORK / "record" / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n")

    return record
