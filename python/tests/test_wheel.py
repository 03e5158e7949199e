"""The wheel: what it can be called with, compared with the package in whose place it is put, and what is in it.

WHEEL is ours, PEER the wheel of that package; both are unpacked, never installed together.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from layout import MACHINES, Layout, broken_blobs, without_history, wrong_machines

ROOT = Path(__file__).resolve().parents[2]
PLATFORMS = {f"linux/{arch}" for arch in MACHINES}


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """Where a wheel is unpacked: for PYTHONPATH."""
    folders = {}

    def package(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            zipfile.ZipFile(os.environ[name]).extractall(folders[name])
        return folders[name]

    return package


@pytest.fixture
def call(package, tmp_path):
    """Runs Python with one of the two packages, and a skopeo that only writes down how it was called."""
    fake = tmp_path / "bin" / "skopeo"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nfor arg; do echo "$arg"; done >"$SKOPEO_CALLED"\nexit "${SKOPEO_EXIT:-0}"\n')
    fake.chmod(0o755)

    def call(name, code, cwd=tmp_path, **env):
        env = {**os.environ, "PYTHONPATH": str(package(name)), "PATH": f"{fake.parent}:{os.environ['PATH']}", "SKOPEO_CALLED": str(tmp_path / "called"), **env}
        return subprocess.run([sys.executable, "-c", code], env=env, cwd=cwd, capture_output=True, text=True)

    return call


# Runs inside: each module's public functions with their parameters, and the names of its constants.
API = """
import inspect, json, importlib, types
api = {}
for module in ("", ".constants", ".embedded_oci_layout"):
    found = importlib.import_module("modelcar_base_image" + module)
    for name, value in vars(found).items():
        if inspect.isfunction(value) and value.__module__ == found.__name__:
            api[module + "." + name] = str(inspect.signature(value))
        elif name.isupper():
            api[module + "." + name] = type(value).__name__
        elif name == "logger":
            api[module + "." + name] = value.name
    if hasattr(found, "EMBEDDED_OCI_LAYOUT_DIR"):
        api["directory"] = found.EMBEDDED_OCI_LAYOUT_DIR
print(json.dumps(api))
"""


def test_same_calls_as_the_peer(call):
    ours, theirs = (json.loads(call(name, API).stdout) for name in ("WHEEL", "PEER"))
    assert ".embedded_oci_layout.embedded_oci_layout" in theirs
    assert ours == theirs


def test_same_files_as_the_peer(package):
    def files(name):
        folder = package(name) / "modelcar_base_image"
        return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and "blobs" not in p.parts}

    assert files("WHEEL") == files("PEER")


def test_same_command_for_skopeo_as_the_peer(call, tmp_path):
    code = """
from pathlib import Path
from modelcar_base_image.embedded_oci_layout import copy_base_image_to_oci_layout as copy
done = copy({image!r}, {dest})
print(type(done).__name__, done.returncode)
"""
    for dest in ("'out'", "Path('a/b')"):
        results = []
        for name in ("WHEEL", "PEER"):
            done = call(name, code.format(image="registry.example/base:1", dest=dest))
            results.append((done.stdout, done.returncode, (tmp_path / "called").read_text()))
        assert results[0] == results[1]
    results = [call(name, code.format(image="x", dest="'out'"), SKOPEO_EXIT="3") for name in ("WHEEL", "PEER")]
    for done in results:
        assert done.returncode == 1 and "CalledProcessError" in done.stderr


@pytest.mark.parametrize("name", ["WHEEL", "PEER"])
def test_writes_the_layout(name, call, package, tmp_path):
    """To a string, a Path, below a directory that is not there, under ~, and into one that holds something already."""
    (tmp_path / "home").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("kept")
    done = call(
        name,
        "from pathlib import Path\n"
        "from modelcar_base_image.embedded_oci_layout import embedded_oci_layout as write\n"
        "print([write('text'), write(Path('not/there')), write('~/mine'), write('full'), write('full')])",
        HOME=str(tmp_path / "home"),
    )
    assert done.stdout == "[None, None, None, None, None]\n", done.stderr
    embedded = package(name) / "modelcar_base_image" / "embedded_oci_layout"
    expected = {p.relative_to(embedded): p.read_bytes() for p in embedded.rglob("*") if p.is_file()}
    for folder in ("text", "not/there", "home/mine", "full"):
        found = {p.relative_to(tmp_path / folder): p.read_bytes() for p in (tmp_path / folder).rglob("*") if p.is_file()}
        found.pop(Path("kept"), None)
        assert found == expected
    assert (tmp_path / "full" / "kept").read_text() == "kept"


def test_a_package_without_its_layout_says_so(tmp_path):
    empty, wheel = tmp_path / "package", zipfile.ZipFile(os.environ["WHEEL"])
    wheel.extractall(empty, [name for name in wheel.namelist() if name.endswith(".py")])
    done = subprocess.run(
        [sys.executable, "-c", "from modelcar_base_image.embedded_oci_layout import embedded_oci_layout as w; w('out')"],
        env={**os.environ, "PYTHONPATH": str(empty)}, cwd=tmp_path, capture_output=True, text=True,
    )
    assert "FileNotFoundError" in done.stderr and "make wheel" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="session")
def ours(package):
    return Layout(package("WHEEL") / "modelcar_base_image" / "embedded_oci_layout")


@pytest.fixture(scope="session")
def theirs(package):
    return Layout(package("PEER") / "modelcar_base_image" / "embedded_oci_layout")


def test_is_the_image_that_was_built(ours):
    """Byte for byte what is in the archive, but for what docker alone reads."""
    with tarfile.open(ROOT / "dist" / "modelcar-base.oci.tar") as tar:
        built = {m.name.removeprefix("./"): tar.extractfile(m).read() for m in tar if m.isfile()}
    assert built.pop("manifest.json")
    assert {str(p.relative_to(ours.path)): p.read_bytes() for p in ours.path.rglob("*") if p.is_file()} == built


def test_all_platforms_are_whole(ours, note):
    assert set(ours.platforms()) == PLATFORMS
    assert broken_blobs(ours) == []
    assert without_history(ours) == []
    note(f"{Path(os.environ['WHEEL']).stat().st_size} bytes")


def test_each_program_is_for_its_platform(ours):
    assert wrong_machines(ours) == []


def test_that_test_finds_the_fault_in_the_peer(theirs, note):
    """Its arm64 layer holds a program for another machine: what the test above is there for."""
    assert broken_blobs(theirs) == []
    assert wrong_machines(theirs) == ["linux/arm64: /bin/link-model-and-wait is for x86_64, 64 bits"]
    note(f"found: {wrong_machines(theirs)[0]}")


def test_version_is_the_programs(package):
    """As olot's extra asks for it, and newer than the peer's of that name."""
    (metadata,) = package("WHEEL").glob("*.dist-info/METADATA")
    text = metadata.read_text()
    program = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert f"\nName: modelcar-base-image\nVersion: {program}.post" in text
    assert "\nLicense-Expression: Apache-2.0\n" in text
