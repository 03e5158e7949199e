"""The base image for all its platforms, as an OCI layout on disk."""

import logging
import os
import shutil
import subprocess
import typing
from pathlib import Path

import modelcar_base_image
from modelcar_base_image.constants import EMBEDDED_OCI_LAYOUT_DIR

logger = logging.getLogger(__name__)


def copy_base_image_to_oci_layout(base_image: str, dest: typing.Union[str, os.PathLike]):
    """Has skopeo copy an image from a registry, all its platforms, into an OCI layout under the tag `latest`.

    Returns what `subprocess.run` does; raises `subprocess.CalledProcessError` if skopeo fails.
    """
    destination = f"oci:{os.fspath(dest)}:latest"
    return subprocess.run(["skopeo", "copy", "--multi-arch", "all", f"docker://{base_image}", destination], check=True)


def embedded_oci_layout(target_path: typing.Union[str, os.PathLike]) -> None:
    """Writes the base image that comes with this package to a directory as an OCI layout, tagged `latest`.

    The directory and those above it are made where they are missing; what else is in it stays.
    """
    source = Path(modelcar_base_image.__file__).parent / EMBEDDED_OCI_LAYOUT_DIR
    if not source.is_dir():
        raise FileNotFoundError(f"no OCI layout at {source}: this package was not built with `make wheel`")
    target = Path(target_path).expanduser().resolve()
    target.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, dirs_exist_ok=True)
    logger.debug("wrote the base image to %s", target)
