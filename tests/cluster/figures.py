"""`make cluster-figures`: what a ModelCar costs on a node, beside the same with other bases. Writes docs/benchmarks-cluster.json
and, from it, docs/benchmarks-cluster.md. Not a test of anything but that all of it works; it needs the node for itself."""

import json
import os
import platform
import re
import shutil
import statistics
import time
from pathlib import Path

import pytest

from conftest import NODE, ROOT, wait_for
from images import BASE, Link
from node import CGROUPS, hierarchies
from test_life import SMALL

DATA, PAGE = (ROOT / f"docs/benchmarks-cluster.{kind}" for kind in ("json", "md"))
SCRIPT = "ln -sf /proc/$$$$/root/models /mnt/models && sleep infinity"
OURS, BUSYBOX, GO = "this one", "BusyBox", "today's base image (Go)"
BASES = [OURS, BUSYBOX, GO]
FEW, MANY = map(int, os.environ.get("CARS", "40 100").split())
ROUNDS = {FEW: 3, MANY: 1}
SIZE = int(os.environ.get("COPY_MIB", 1024))  # MiB of the file that is copied


@pytest.fixture(scope="module")
def figures():
    """What was measured; written when all of it is there."""
    found = {}
    yield found
    if set(found) == {"pods", "cgroup", "link", "copy"}:
        found["machine"] = {
            "cpu": re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1],
            "processors": os.cpu_count(),
            "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30,
            "kernel": platform.release(),
            "cgroups": 2 if (CGROUPS / "cgroup.controllers").exists() else 1,
        }
        DATA.write_text(json.dumps(found, indent=1) + "\n")
        PAGE.write_text(page(found))


@pytest.fixture(scope="module")
def cars(make):
    """{base: its ModelCar}, of one small file."""
    busybox = Path(shutil.which("busybox"))
    model = {"models": None, "models/model.txt": "I am one\n"}
    shell = {"bin": None, "bin/busybox": (busybox, 0o755)} | {
        f"bin/{name}": Link("busybox") for name in ("sh", "ln", "sleep", "cp")
    }
    go = (ROOT / "target/bench/go", 0o755)
    return {
        OURS: make("figures-ours:1", model, BASE),
        BUSYBOX: make("figures-busybox:1", shell | model, base=None),
        GO: make("figures-go:1", {"link": go} | model, base=None, Entrypoint=["/link"]),
    }


@pytest.fixture(scope="module")
def space(space_factory, cluster):
    space = space_factory("figures")
    yield space
    cluster.kubectl("delete", "namespace", space.name, "--wait=false")


def deployment(image):
    """As many pods as are wanted, of one ModelCar each with the fields that KServe gives it."""
    container = {
        "name": "modelcar",
        "image": image,
        "args": ["sh", "-c", SCRIPT],
        "resources": SMALL,
        "securityContext": {"runAsUser": 1010},
        "volumeMounts": [{"name": "mnt", "mountPath": "/mnt"}],
    }
    labels = {"app": "car"}
    spec = {
        "shareProcessNamespace": True,
        "containers": [container],
        "volumes": [{"name": "mnt", "emptyDir": {}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "car"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def scale(space, number):
    """Seconds until as many are ready, or until all are gone."""
    start = time.monotonic()
    space.kubectl("scale", "deployment/car", f"--replicas={number}")
    if number:
        # One process that waits, not one that is started again and again beside what is measured.
        space.kubectl(
            "wait", "deployment/car", "--for", f"jsonpath={{.status.readyReplicas}}={number}", "--timeout", "600s", timeout=620
        )
    else:
        space.kubectl("wait", "pod", "--selector", "app=car", "--for", "delete", "--timeout", "600s", timeout=620)
    return time.monotonic() - start


def containers(space):
    """{pod's uid: container's id} of those that run."""
    return {
        pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["containerID"].partition("://")[2]
        for pod in space.pods("app=car")
    }


def group(container, file):
    """The container's control group that has this file."""
    for top in hierarchies():
        for folder, _, names in os.walk(top):
            if folder.endswith(container) and file in names:
                return Path(folder)
    raise AssertionError(f"no control group of {container} with {file}")


def charged(container):
    """What the container's memory control group is charged: all of it, and the kernel's part."""
    if (CGROUPS / "cgroup.controllers").exists():
        here = group(container, "memory.current")
        kernel = re.search(r"^kernel (\d+)$", (here / "memory.stat").read_text(), re.M)
        return int((here / "memory.current").read_text()), int(kernel[1])
    here = group(container, "memory.usage_in_bytes")
    return int((here / "memory.usage_in_bytes").read_text()), int((here / "memory.kmem.usage_in_bytes").read_text())


def status(container):
    """What containerd keeps of a container; Kubernetes has its times in whole seconds only."""
    return json.loads((NODE / f"containerd/io.containerd.grpc.v1.cri/containers/{container}/status").read_text())


def delay(pod, container):
    """Milliseconds from when containerd calls the container started until the link was there."""
    link = NODE / f"var/lib/kubelet/pods/{pod}/volumes/kubernetes.io~empty-dir/mnt/models"
    made = wait_for("a link", lambda: link.lstat() if link.is_symlink() else None).st_mtime_ns
    return (made - status(container)["StartedAt"]) / 1e6


def test_pods_of_one_modelcar_each(space, cars, figures, note):
    pods = {base: {str(number): {"ready": [], "gone": []} for number in ROUNDS} for base in BASES}
    groups, delays = {base: [] for base in BASES}, {base: [] for base in BASES}
    for base in BASES:  # pulled, and everything that comes once has come
        space.apply(deployment(cars[base]))
        scale(space, 2)
        scale(space, 0)
    for number, rounds in ROUNDS.items():
        for _ in range(rounds):
            for base in BASES:
                space.apply(deployment(cars[base]))
                found = pods[base][str(number)]
                found["ready"].append(scale(space, number))
                if number == FEW:
                    time.sleep(3)
                    for pod, container in containers(space).items():
                        groups[base].append(charged(container))
                        delays[base].append(delay(pod, container))
                found["gone"].append(scale(space, 0))
                note(f"{number} of {base}: {found['ready'][-1]:.1f} s, {found['gone'][-1]:.1f} s")
    figures["pods"] = pods
    figures["cgroup"] = {
        base: {"all": statistics.median(a for a, _ in seen), "kernel": statistics.median(k for _, k in seen)}
        for base, seen in groups.items()
    }
    figures["link"] = {
        base: {
            "median": statistics.median(seen),
            "ninetieth": statistics.quantiles(seen, n=10)[-1],
            "of": len(seen),
        }
        for base, seen in delays.items()
    }


def test_copies_within_kserves_limits(space, make, cars, figures, note, tmp_path):
    """One large file, by an init container's `cp -r`, with KServe's limits and without."""
    file = tmp_path / "model.bin"
    block = os.urandom(4096) * 256
    with open(file, "wb") as out:
        for _ in range(SIZE):
            out.write(block)
    busybox = Path(shutil.which("busybox"))
    model = {"models": None, "models/model.bin": file}
    images = {
        OURS: make("figures-large:1", model, BASE),
        BUSYBOX: make(
            "figures-large-busybox:1",
            {"bin": None, "bin/busybox": (busybox, 0o755), "bin/cp": Link("busybox")} | model,
            base=None,
        ),
    }
    file.unlink()
    found = {}
    # The first brings the file into the page cache, and is left out; with the limits the processor decides, and time is long.
    for what, resources in [("first", {}), *[("without limits", {})] * 7, ("KServe's limits", SMALL)]:
        for base, image in images.items():
            os.sync()  # what the former one wrote
            mount = [{"name": "shared", "mountPath": "/shared"}]
            container = {
                "name": "copy",
                "image": image,
                "command": ["cp", "-r", "/models/.", "/shared/model"],
                "volumeMounts": mount,
                "resources": resources,
            }
            spec = {
                "restartPolicy": "Never",
                "containers": [container],
                "volumes": [{"name": "shared", "emptyDir": {}}],
            }
            space.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "copy"}, "spec": spec})
            space.wait("pod/copy", "jsonpath={.status.phase}=Succeeded", 900)
            ended = status(space.status("copy", "copy")["containerID"].partition("://")[2])
            seconds = (ended["FinishedAt"] - ended["StartedAt"]) / 1e9
            note(f"{what}, {base}: {seconds:.1f} s")
            found.setdefault(what, {}).setdefault(base, []).append(seconds)
            space.kubectl("delete", "pod", "copy")
    del found["first"]
    figures["copy"] = {"mib": SIZE, "seconds": found}


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|---{'|--:' * (len(head) - 1)}|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def page(found):
    machine = found["machine"]

    def pods(base, what):
        return [f"{statistics.median(found['pods'][base][str(number)][what]):.1f}" for number in ROUNDS]

    link = found["link"]
    turns = len(found["copy"]["seconds"]["without limits"][OURS])
    copies = {
        what: {base: statistics.median(seconds) for base, seconds in seen.items()}
        for what, seen in found["copy"]["seconds"].items()
    }
    return f"""# ModelCars on a cluster's node

Written by `make cluster-figures`, which measures on the node that `make cluster` starts: Kubernetes 1.34, containerd 2.2
with runc. One run; times depend on what else the machine does, so compare within a table.

Machine: {machine["cpu"]}, {machine["processors"]} processors, {machine["memory"]} GiB, Linux {machine["kernel"]}, control
groups of version {machine["cgroups"]}. Kubernetes itself is on the same processors.

## Pods of one ModelCar each

With the fields that KServe gives its sidecar, 10m of a CPU and 15 MiB among them, and its script; the image is on the node
already. From `kubectl scale` until all are Ready, and until all are gone; of {ROUNDS[FEW]} runs with {FEW} the median, one
run with {MANY}. Most of the time is Kubernetes' and the runtime's.

{table(["base", *[f"{n} Ready, s" for n in ROUNDS], *[f"{n} gone, s" for n in ROUNDS]],
       [[base, *pods(base, "ready"), *pods(base, "gone")] for base in BASES])}

## Of one such ModelCar

The memory is what its container's control group is charged while it waits, the median of {link[OURS]["of"]}: all, and the
kernel's part of that. The link: how long after the moment from which containerd calls the container started. With 10m of
a CPU a container gets 1 ms in each 100, and what the runtime does in it before the program starts counts, too.

{table(["base", "charged, bytes", "the kernel's, bytes", "start to link, ms: median", "nine of ten within"],
       [[base, f"{found['cgroup'][base]['all']:,.0f}", f"{found['cgroup'][base]['kernel']:,.0f}", f"{link[base]['median']:.1f}",
         f"{link[base]['ninetieth']:.1f}"] for base in BASES])}

## Copying a model

One file of {found["copy"]["mib"]:,} MiB, by `cp -r /models/. /shared/model` from the image (overlayfs, in the page cache) to an
`emptyDir` on ext4; seconds from the container's start to its end: without limits the median of {turns} in turns, with
KServe's of one run.

{table(["base", *[f"{what}, s" for what in copies], *[f"{what}, MiB/s" for what in copies]],
       [[base, *[f"{copies[what][base]:.1f}" for what in copies], *[f"{found['copy']['mib'] / copies[what][base]:,.0f}" for what in copies]]
        for base in (OURS, BUSYBOX)])}

Today's base image in Go cannot copy. [benchmarks.md](benchmarks.md) has the program beside others without a cluster.
"""
