"""Container tools on the archives in dist/, and a registry."""

import hashlib
import json
import os
import shutil
import tarfile

import pytest
from conftest import ARCHES, HOST, INIT, ROOT, run, runs_as_modelcar
from layout import Layout, broken_blobs, wrong_machines

DIST = ROOT / "dist"
MODEL = {"model.bin": b"weights"}
VARIANTS = {"modelcar-base": None, "modelcar-base-nonroot": "1001"}  # and USER
TAGS = {"modelcar-base": "latest", "modelcar-base-nonroot": "nonroot"}


def unpacked(archive, folder):
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    return Layout(folder)


def modelcar(tag, base, folder):
    """Built as users do, from a Containerfile."""
    folder.mkdir()
    (folder / "model.bin").write_bytes(MODEL["model.bin"])
    (folder / "Containerfile").write_text(f"FROM {base}\nCOPY --chmod=0644 model.bin /models/\n")
    return run("podman", "build", "--quiet", "--layers=false", "--network", "none", "--tag", tag, folder).stdout.split()[-1]


@pytest.fixture
def tag():
    name = f"localhost/clients-built-{os.getpid()}:1"
    yield name
    run("podman", "rmi", "--force", "--ignore", name, check=False)


@pytest.mark.parametrize("variant", VARIANTS)
def test_archive_is_whole(variant, folder):
    layout = unpacked(DIST / f"{variant}.oci.tar", folder / "layout")
    assert broken_blobs(layout) == []
    assert wrong_machines(layout, TAGS[variant]) == []
    assert [m["platform"]["architecture"] for m in layout.index(TAGS[variant])] == ARCHES
    for manifest in layout.platforms(TAGS[variant]).values():
        assert layout.json(manifest["config"])["config"].get("User") == VARIANTS[variant]


@pytest.mark.parametrize("variant", VARIANTS)
def test_podman_load(variant, private):
    """It takes this machine's own platform out of the archive."""
    run("podman", *private, "load", "--input", DIST / f"{variant}.oci.tar")
    (image,) = json.loads(run("podman", *private, "images", "--format", "json").stdout)
    assert image["Names"] == [f"localhost/modelcar-base:{TAGS[variant]}"]
    found = json.loads(run("podman", *private, "image", "inspect", image["Id"]).stdout)[0]
    assert (found["Os"], found["Architecture"]) == ("linux", HOST)
    assert found["Config"]["Entrypoint"] == ["/bin/link-model-and-wait"]
    done = run("podman", *private, "run", "--rm", "--network", "none", image["Id"], "echo", "loaded")
    assert done.stdout == "loaded\n"


@pytest.mark.parametrize("variant", VARIANTS)
def test_docker_load(variant, docker):
    """Every platform, by a tag of its own, as docker knows no lists."""
    names = [f"localhost/modelcar-base:{TAGS[variant]}-{arch}" for arch in ARCHES]
    loaded = docker("load", "--input", DIST / f"{variant}.oci.tar").stdout.splitlines()
    assert loaded == [f"Loaded image: {name}" for name in names]
    for arch, name in zip(ARCHES, names):
        (found,) = json.loads(docker("image", "inspect", name).stdout)
        assert (found["Os"], found["Architecture"], found["Config"]["User"]) == ("linux", arch, VARIANTS[variant] or "")
        strict = ["--network", "none", "--read-only", "--cap-drop", "all", "--platform", f"linux/{arch}"]
        assert docker("run", "--rm", *strict, name, "sh", "-c", f"echo {arch}").stdout == f"{arch}\n"
        init = docker("run", "--rm", *strict, name, "sh", "-c", INIT, check=False)
        assert init.returncode == 1 and "\nNOK" in init.stdout, init


def test_skopeo_copy_all(folder):
    """From the archive to a layout and back into an archive, with the same digest."""
    source = DIST / "modelcar-base.oci.tar"
    run("skopeo", "copy", "--quiet", "--all", f"oci-archive:{source}", f"oci:{folder}/layout:latest")
    run("skopeo", "copy", "--quiet", "--all", f"oci:{folder}/layout:latest", f"oci-archive:{folder}/again.tar:latest")
    before, copy, again = unpacked(source, folder / "before"), Layout(folder / "layout"), unpacked(folder / "again.tar", folder / "after")
    assert before.root[0]["digest"] == copy.root[0]["digest"] == again.root[0]["digest"]
    assert broken_blobs(copy) == broken_blobs(again) == []


@pytest.mark.parametrize("arch", ARCHES)
def test_buildah_from_the_archive(arch, private, tag, folder):
    """Without a Containerfile: from, copy, commit. In a storage of its own, where the base's name then is this platform's."""
    buildah, podman = ("buildah", *private), ("podman", *private)
    (folder / "model.bin").write_bytes(MODEL["model.bin"])
    container = run(*buildah, "from", "--arch", arch, f"oci-archive:{DIST}/modelcar-base.oci.tar").stdout.split()[-1]
    run(*buildah, "copy", "--chmod", "0644", container, folder / "model.bin", "/models/")
    run(*buildah, "commit", "--quiet", "--rm", container, tag)
    assert json.loads(run(*podman, "image", "inspect", tag).stdout)[0]["Architecture"] == arch
    runs_as_modelcar(tag, folder / "mnt", MODEL, podman)


def test_ramalama_converts_a_model_to_a_car(tag, folder):
    """Its build stage is our image too, and has a RUN in it."""
    (folder / "tiny.gguf").write_bytes(b"GGUF\3" + bytes(19))
    # Builds by podman 4 know no such option; RamaLama names it always.
    shim = folder / "bin" / "podman"
    shim.parent.mkdir()
    shim.write_text(
        '#!/bin/bash\nfor arg; do shift; [ "$arg" = --security-opt=no-new-privileges ] || set -- "$@" "$arg"; done\n'
        f'exec {shutil.which("podman")} "$@"\n'
    )
    shim.chmod(0o755)
    env = {**os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}", "HOME": str(folder)}
    run(
        "ramalama", "--engine", "podman", "--store", folder / "store", "convert", "--carimage", "localhost/modelcar-base:latest", "--pull", "missing",
        "--type", "car", f"file://{folder}/tiny.gguf", f"oci://{tag}", env=env,
    )  # fmt: skip
    runs_as_modelcar(tag, folder / "mnt", {"model.file": b"GGUF\3" + bytes(19)})


@pytest.fixture(scope="session")
def pushed(registry):
    """The images, pushed by `make push`."""
    name = f"{registry}/team/modelcar-base:1.0"
    out = run("make", "--no-print-directory", "-s", "push", f"IMAGE={name}", "PUSH_FLAGS=--dest-tls-verify=false", cwd=ROOT).stdout
    return name, out


def raw(name):
    return run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}").stdout


@pytest.mark.parametrize("variant", VARIANTS)
def test_push(variant, pushed, folder):
    """Both tags: all platforms each, under the digest of the archive."""
    name, out = pushed
    name += "-nonroot" if VARIANTS[variant] else ""
    text = raw(name)
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert digest == unpacked(DIST / f"{variant}.oci.tar", folder / "built").root[0]["digest"]
    assert f"{name}@{digest}" in out
    index = json.loads(text)
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert [(m["platform"]["os"], m["platform"]["architecture"]) for m in index["manifests"]] == [("linux", arch) for arch in ARCHES]
    for arch in ARCHES:
        config = json.loads(run("skopeo", "--override-arch", arch, "inspect", "--config", "--tls-verify=false", f"docker://{name}").stdout)
        assert (config["architecture"], config["config"].get("User")) == (arch, VARIANTS[variant])


def test_push_wants_a_tag(registry):
    for name in ("", registry, f"{registry}/modelcar-base"):
        done = run("make", "-s", "push", f"IMAGE={name}", cwd=ROOT, check=False)
        assert done.returncode and "which image?" in done.stderr


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("arch", ARCHES)
def test_pulled_back_and_run(arch, variant, pushed, private, folder):
    """By podman into an empty storage, then as KServe runs it; without a model, so its init container must refuse."""
    name = pushed[0] + ("-nonroot" if VARIANTS[variant] else "")
    run("podman", *private, "pull", "--quiet", "--tls-verify=false", "--platform", f"linux/{arch}", name)
    runs_as_modelcar(name, folder / "mnt", podman=["podman", *private])


def test_a_modelcar_from_the_registry(pushed, registry, tag, folder):
    """FROM line to pulled image."""
    base = f"localhost/clients-pulled-{os.getpid()}:1"
    try:
        run("skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{pushed[0]}", f"containers-storage:{base}")
        modelcar(tag, base, folder / "car")
        run("podman", "push", "--quiet", "--tls-verify=false", tag, f"docker://{registry}/team/car:1")
        run("podman", "rmi", "--force", tag)
        run("skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{registry}/team/car:1", f"containers-storage:{tag}")
        runs_as_modelcar(tag, folder / "mnt", MODEL)
    finally:
        run("podman", "rmi", "--force", "--ignore", base, check=False)
