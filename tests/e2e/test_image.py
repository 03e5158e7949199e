"""The image, built by the command lines that its Containerfile names, word for word but for the names of what is built."""

import json
import os
import pty
import re
import subprocess
import tarfile
from io import BytesIO

import pytest

from conftest import ROOT
from podman import podman, wait_for

NAME = f"e2e-own-{os.getpid()}"


def nameless():
    return set(podman("images", "--quiet", "--no-trunc", "--filter", "dangling=true").stdout.split())


@pytest.fixture(scope="module", autouse=True)
def builder(tmp_path_factory):
    """Where the official Rust image cannot be pulled, the stand-in of `make image` bears its name meanwhile, and the
    machine's toolchain is mounted by podman's configuration: the command lines stay as they are."""
    stand_in, volumes = os.environ.get("STAND_IN"), os.environ.get("BUILDER_VOLUMES", "").split()
    before = os.environ.get("CONTAINERS_CONF")
    os.environ["BUILDAH_LAYERS"] = "false"  # compiled now, and nothing left over
    if stand_in:
        (official,) = [line.partition("=")[2] for line in (ROOT / "Containerfile").read_text().splitlines() if line.startswith("ARG RUST_IMAGE=")]
        podman("tag", stand_in, official)
        conf = open(before).read() if before else "[containers]\n"
        own = tmp_path_factory.mktemp("conf") / "containers.conf"
        own.write_text(conf.replace("[containers]\n", f"[containers]\nvolumes = {json.dumps(volumes)}\n"))
        os.environ["CONTAINERS_CONF"] = str(own)
    former = nameless()
    yield
    del os.environ["BUILDAH_LAYERS"]
    if before:
        os.environ["CONTAINERS_CONF"] = before
    else:
        os.environ.pop("CONTAINERS_CONF", None)
    podman("manifest", "rm", NAME, check=False)
    podman("rmi", "--force", "--ignore", NAME, f"{NAME}-nonroot", *([official] if stand_in else []), check=False)
    podman("rmi", "--force", "--ignore", *(nameless() - former), check=False)  # what was in the list


def documented(line, **names):
    """A command line that the Containerfile or the README shows."""
    assert line in (ROOT / "Containerfile").read_text() + (ROOT / "README.md").read_text(), f"not documented: {line}"
    words = [names.get(word, word) for word in line.split()]
    assert words[0] == "podman"
    return podman(*words[1:], cwd=ROOT)


def test_image_built_for_this_machine_and_run():
    documented("podman build -f Containerfile -t mio .", mio=NAME)
    terminal, ours = pty.openpty()
    command = ["podman", "run", "--network", "none", "--name", NAME, "-it", NAME]
    run = subprocess.Popen(command, stdin=ours, stdout=ours, stderr=ours)
    try:
        wait_for("the container", lambda: podman("inspect", "--format", "{{.State.Running}}", NAME, check=False).stdout == "true\n")
        podman("stop", "--time", 10, NAME)
        assert run.wait(10) == 0
    finally:
        run.kill()
        podman("rm", "--force", "--ignore", "--time", 0, NAME)
        os.close(terminal)
        os.close(ours)


def test_image_built_for_two_platforms_and_pushed_as_a_list(tmp_path):
    documented("podman manifest create mios", mios=f"{NAME}-list")
    documented("podman build --platform linux/amd64,linux/arm64 -f Containerfile --manifest mios .", mios=f"{NAME}-list")
    podman("manifest", "push", "--all", "--rm", f"{NAME}-list", f"oci:{tmp_path}:1")
    assert podman("manifest", "exists", f"{NAME}-list", check=False).returncode == 1

    def blob(descriptor):
        return (tmp_path / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()

    (index,) = json.loads((tmp_path / "index.json").read_text())["manifests"]
    found = {m["platform"]["architecture"]: json.loads(blob(m)) for m in json.loads(blob(index))["manifests"]}
    assert sorted(found) == ["amd64", "arm64"]
    for arch, manifest in found.items():
        files, links = {}, {}
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=BytesIO(blob(layer))) as tar:
                files |= {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
                links |= {m.name: m.linkname for m in tar if m.issym()}
        assert sorted(files) == ["bin/link-model-and-wait", "etc/group", "etc/passwd"]
        (names,) = re.findall(r"has a link for each of (.*?)\.\n", (ROOT / "docs/contract.md").read_text(), re.S)
        assert sorted(links) == sorted(f"bin/{name}" for name in re.findall(r"`([^`]+)`", names))
        assert set(links.values()) == {"link-model-and-wait"}
        # Of the same Rust only if it is this machine's.
        if os.environ.get("STAND_IN"):
            assert files["bin/link-model-and-wait"] == (ROOT / f"dist/linux/{arch}/link-model-and-wait").read_bytes()


def test_nonroot_image_built_by_its_target():
    podman("build", "--target", "nonroot", "-f", "Containerfile", "-t", f"{NAME}-nonroot", ".", cwd=ROOT)
    assert podman("image", "inspect", "--format", "{{.Config.User}}", f"{NAME}-nonroot").stdout == "1001\n"
