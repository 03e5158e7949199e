"""Programs that put a model on the image, without any container tool."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
from conftest import ARCHES, ROOT, run, runs_as_modelcar
from layout import Layout, broken_blobs, without_history, wrong_machines

MODEL = {"model.bin": b"weights" * 1000, "config.json": b"{}\n"}
CARD = b"# A model\n"
FILES = {**MODEL, "README.md": CARD}


def write_model(folder):
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
    return folder


def holds_base_and_model(layout, base):
    """All platforms are there, each with its own layer of the base image below and the model's layers above."""
    assert broken_blobs(layout) == []
    assert wrong_machines(layout) == []
    assert without_history(layout) == []
    platforms, former = layout.platforms(), base.platforms()
    assert list(platforms) == list(former) == [f"linux/{arch}" for arch in ARCHES]
    for name, manifest in platforms.items():
        below = len(former[name]["layers"])
        assert manifest["layers"][:below] == former[name]["layers"]
        above = manifest["layers"][below:]
        found = {path: data for layer in above for path, data in layout.files(layer)}
        assert found == {f"/models/{path}": data for path, data in FILES.items()}
        config, bare = layout.json(manifest["config"]), base.json(former[name]["config"])
        assert config["rootfs"]["diff_ids"][:below] == bare["rootfs"]["diff_ids"]
        assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"])
        for field in ("Entrypoint", "Env", "User"):
            assert config["config"].get(field) == bare["config"].get(field), field
        assert manifest["annotations"]["io.opendatahub.layers.modelcard"] == above[-1]["digest"]


def python(code, *args, **kwargs):
    return run(sys.executable, "-c", code, *args, **kwargs)


OLOT = """
import sys
from modelcar_base_image.embedded_oci_layout import embedded_oci_layout
from olot.basics import oci_layers_on_top
target, model = sys.argv[1:]
embedded_oci_layout(target)
oci_layers_on_top(target, [model + "/model.bin", model + "/config.json"], modelcard=model + "/README.md")
"""


@pytest.fixture
def base(tmp_path):
    python("import sys; from modelcar_base_image.embedded_oci_layout import embedded_oci_layout as w; w(sys.argv[1])", tmp_path / "base")
    return Layout(tmp_path / "base")


@pytest.fixture
def car(folder):
    """A ModelCar for all platforms, made by olot on what our wheel writes."""
    python(OLOT, folder / "car", write_model(folder / "files"))
    return Layout(folder / "car")


def test_olot_takes_the_wheel_for_its_extra():
    """pip sees olot's demand for `modelcar-base-image` as met by it."""
    code = (
        "from importlib.metadata import requires, version\n"
        "(found,) = [r for r in requires('olot') if r.startswith('modelcar-base-image')]\n"
        "from pip._vendor.packaging.requirements import Requirement\n"
        "found = Requirement(found)\n"
        "print(found.specifier.contains(version('modelcar-base-image')))\n"
    )
    assert python(code).stdout == "True\n"
    run(sys.executable, "-m", "pip", "install", "--no-index", "olot[modelcar-base-image]")
    run(sys.executable, "-m", "pip", "check")


def test_olot_puts_a_model_on_all_platforms(car, base):
    holds_base_and_model(car, base)


@pytest.mark.parametrize("arch", ARCHES)
def test_olots_modelcar_runs(arch, car, pull, folder):
    runs_as_modelcar(pull(f"oci:{car.path}:latest", arch), folder / "mnt", FILES)


def test_olot_on_the_command_line_with_a_modelpack(base, folder):
    """On what skopeo copies from the archive, as its README has it."""
    model = write_model(folder / "files")
    run("skopeo", "copy", "--quiet", "--multi-arch", "all", f"oci-archive:{ROOT}/dist/modelcar-base.oci.tar", f"oci:{folder}/car:latest")
    run("olot", folder / "car", "--add-modelpack", "--modelcard", model / "README.md", model / "model.bin", model / "config.json")
    layout = Layout(folder / "car")
    holds_base_and_model(layout, base)
    assert len(layout.index()) == len(ARCHES) + 1


MAKER = """
import sys
from modelcar_maker.image.image import BaseImage, ModelcarImage, Skopeo
from modelcar_maker.model import Model
registry = sys.argv[1]
skopeo = Skopeo()
base = BaseImage(tagged_image=registry + "/modelcar-base:1", skopeo=skopeo, update=True)
base.pull()
# What its download of a model would have left behind: the files in place, and which commit they are of.
model = Model(repo_id="example/model", commit="0" * 40)
image = ModelcarImage(base_image=base, model=model, skopeo=skopeo, registry=registry, repository="cars", tag="1")
image.build()
print()
print(image.layout_dir, image.digest(), image.push())
"""


def test_modelcar_maker_builds_and_pushes(registry, base, folder, pull):
    """All of it but the download of a model, which needs a hub: the base image from the registry, the ModelCar to it."""
    write_model(folder / "work" / "models" / "example--model")
    run("skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false", f"oci:{base.path}:latest", f"docker://{registry}/modelcar-base:1")
    env = {**os.environ, "MODELCAR_MAKER_SKIP_LOAD_FILES": "true", "HOME": os.environ["PLAIN_HTTP_HOME"]}
    out = python(MAKER, registry, cwd=folder / "work", env=env).stdout.splitlines()[-1].split()  # skopeo writes to it too
    layout = Layout(out[0])
    holds_base_and_model(layout, base)
    raw = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry}/cars:1"], capture_output=True, check=True).stdout
    # On the way skopeo compresses the layers that olot left plain: another digest than the layout's, the one it is told.
    assert out[2] == "sha256:" + hashlib.sha256(raw).hexdigest()
    assert [m["platform"]["architecture"] for m in json.loads(raw)["manifests"]] == ARCHES
    for arch in ARCHES:
        runs_as_modelcar(pull(f"docker://{registry}/cars:1", arch, "--src-tls-verify=false"), folder / "mnt", FILES)
