"""One line per case, the sum alone on the last line, and what a case needs: images, and pods that are removed after it."""

import shutil
import time
from pathlib import Path

import pytest

from podman import podman

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/modelcar-base:latest"
counts = {"passed": 0, "failed": 0, "skipped": 0}


def say(outcome, name, text=""):
    print(f"{outcome.upper():7} {name}{text}", flush=True)


def pytest_runtest_logreport(report):
    if report.when != "call" and report.passed:
        return
    outcome = {"passed": "pass", "failed": "fail", "skipped": "skip"}[report.outcome]
    counts[report.outcome] += 1
    name = report.nodeid.partition("::")[2].removeprefix("test_").replace("_", " ")
    if report.when != "call" and report.failed:
        name += f" ({report.when})"
    notes = "".join(f", {value}" for key, value in report.user_properties if key == "note")
    reason = f": {report.longrepr[2].removeprefix('Skipped: ')}" if report.skipped else ""
    say(outcome, name, f" ({report.duration:.1f} s{notes}){reason}")
    if report.failed:
        print(report.longreprtext, flush=True)


def pytest_collectreport(report):
    if report.failed:
        counts["failed"] += 1
        say("fail", report.nodeid)
        print(report.longreprtext, flush=True)


def pytest_sessionfinish():
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}", flush=True)


@pytest.fixture
def note(record_property):
    """Adds a word to the line of the case."""
    return lambda text: record_property("note", text)


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Builds an image from the text of a Containerfile and files beside it, as a user does."""
    built = []

    def build(tag, containerfile, files=None, context=None):
        context = context or tmp_path_factory.mktemp("context")
        for name, content in (files or {}).items():
            (context / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        (context / "Containerfile").write_text(containerfile)
        done = podman("build", "--quiet", "--layers=false", "--network", "none", "--tag", tag, context)
        built.append(done.stdout.split()[-1])  # its ID: the tag may go to another one
        return tag

    yield build
    podman("rmi", "--force", "--ignore", *built) if built else None


@pytest.fixture(scope="session")
def modelcar(build):
    """A ModelCar that bears its name in model.txt, on the base image or another."""
    made = {}

    def modelcar(name="one", base=BASE):
        if (name, base) not in made:
            tag = f"localhost/e2e-{name}{'-nonroot' if base.endswith('nonroot') else ''}:1"
            made[name, base] = build(tag, f"FROM {base}\nCOPY --chmod=0644 model.txt /models/\n", {"model.txt": f"I am {name}\n"})
        return made[name, base]

    return modelcar


@pytest.fixture(scope="session")
def server(build):
    """A container that stands for the runtime: BusyBox, which waits to be told what to read."""
    busybox = Path(shutil.which("busybox")).read_bytes()
    image = build(
        "localhost/e2e-server:1",
        "FROM scratch\nCOPY --chmod=0755 busybox /bin/\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n",
        {"busybox": busybox},
    )
    return {"name": "kserve-container", "image": image, "command": ["/bin/sleep", "1000000"]}


@pytest.fixture
def seconds():
    """How long something took so far."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
