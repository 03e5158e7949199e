"""What a case needs: images, and pods that are removed after it."""

import shutil
from pathlib import Path

import pytest

from podman import podman

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/modelcar-base:latest"
EXAMPLES = ROOT / "examples"
IRIS, SERVER = "registry.example.com/iris-modelcar:1", "registry.example.com/iris-server:1"  # in them


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
            text = f"FROM {base}\nCOPY --chmod=0644 model.txt /models/\n"
            made[name, base] = build(tag, text, {"model.txt": f"I am {name}\n"})
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
