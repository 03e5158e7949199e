#!/usr/bin/env python3
"""Writes dist/modelcar-base.oci.tar and -nonroot from what the Containerfile built: the same bytes on every machine.

usage: pack.py DIRECTORY     with an OCI layout for each image, DIRECTORY/{root,nonroot}/ARCH

A container tool decides how it compresses, what it tells of itself in a config, and in which order it lists. So of its
images only the files and the settings are taken, and layers, configs and manifests are made here. An archive is an OCI
layout for all platforms, with the manifest.json by which docker loads images beside it.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from arches import ARCHES

os.chdir(Path(__file__).resolve().parents[1])
LISTS = {"root": ("latest", "dist/modelcar-base.oci.tar"), "nonroot": ("nonroot", "dist/modelcar-base-nonroot.oci.tar")}
NAME = "localhost/modelcar-base"
SETTINGS = ("User", "Env", "Entrypoint", "Labels")  # all that the Containerfile sets
EPOCH = "1970-01-01T00:00:00Z"
OCI = "application/vnd.oci.image"
# Debian 12, Debian 13 and Ubuntu 24.04 have one release of it, which gives the same bytes. More passes than it makes by
# itself take a minute for all platforms, and save five bytes of each.
COMPRESS = ("zopfli", "-c")


def compact(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def add(tar, name, kind=tarfile.REGTYPE, data=b"", mode=0o644, link=""):
    member = tarfile.TarInfo(name)
    member.type, member.size, member.mode, member.linkname = kind, len(data), mode, link
    tar.addfile(member, io.BytesIO(data))


def blob(layout, descriptor):
    data = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    if digest(data) != descriptor["digest"]:
        sys.exit(f"pack.py: {layout}: a blob is not what it is called")
    return data


def taken(layout):
    """The one layer of an image as a tar, made anew, and its settings."""
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = json.loads(blob(layout, entry))
    settings = json.loads(blob(layout, manifest["config"]))["config"]
    (layer,) = manifest["layers"]
    data = blob(layout, layer)
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as new:
        for member in sorted(old, key=lambda member: member.name):
            if not (member.isfile() or member.isdir() or member.issym()) or member.uid or member.gid or member.mtime:
                sys.exit(f"pack.py: {layout}: {member.name} is no file, directory or link of root's, of the time 0")
            content = old.extractfile(member).read() if member.isfile() else b""
            add(new, member.name.strip("/"), member.type, content, member.mode, member.linkname)
    # Python fills up to 10,240 bytes; two empty blocks are the end.
    end = out.getvalue().rstrip(b"\0")
    tar = end + bytes(-len(end) % 512 + 1024)
    if settings.get("WorkingDir") == "/":  # which newer tools say, and older ones do not
        del settings["WorkingDir"]
    if more := {key for key, value in settings.items() if value} - set(SETTINGS):
        sys.exit(f"pack.py: the Containerfile sets {', '.join(sorted(more))}: add it to SETTINGS")
    return tar, {key: settings[key] for key in SETTINGS if settings.get(key)}


def compressed(tar):
    with tempfile.NamedTemporaryFile() as file:
        file.write(tar)
        file.flush()
        data = subprocess.run([*COMPRESS, file.name], check=True, stdout=subprocess.PIPE).stdout
    if gzip.decompress(data) != tar:
        sys.exit("pack.py: zopfli did not give back what it was given")
    return data


def pack(images, tag):
    """{arch: (layer, gzipped layer, settings)} as an archive."""
    blobs = {}

    def described(kind, data, **more):
        blobs[digest(data)] = data
        return {"mediaType": f"{OCI}.{kind}", "digest": digest(data), "size": len(data), **more}

    manifests, for_docker = [], []
    for arch, (tar, layer, settings) in images.items():
        config = compact({
            "architecture": arch, "os": "linux", "created": EPOCH, "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
            # podman builds on no image without it.
            "history": [{"created": EPOCH, "created_by": "Containerfile"}],
        })  # fmt: skip
        manifest = {
            "schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json",
            "config": described("config.v1+json", config), "layers": [described("layer.v1.tar+gzip", layer)],
        }  # fmt: skip
        manifests.append(described("manifest.v1+json", compact(manifest), platform={"architecture": arch, "os": "linux"}))
        paths = ["blobs/" + digest(data).replace(":", "/") for data in (config, layer)]
        for_docker.append({"Config": paths[0], "RepoTags": [f"{NAME}:{tag}-{arch}"], "Layers": [paths[1]]})
    index = compact({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": manifests})
    # The one is the tag of a layout, for skopeo and olot; by the other podman and containerd name what they load.
    names = {"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": f"{NAME}:{tag}"}
    entry = described("index.v1+json", index, annotations=names)
    files = {f"./blobs/{key.replace(':', '/')}": data for key, data in blobs.items()}
    files["./index.json"] = compact({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [entry]})
    files["./manifest.json"] = compact(for_docker)
    files["./oci-layout"] = compact({"imageLayoutVersion": "1.0.0"})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in (".", "./blobs", "./blobs/sha256"):
            add(archive, folder, tarfile.DIRTYPE, mode=0o755)
        for name, data in sorted(files.items()):
            add(archive, name, data=data)
    return out.getvalue()


if len(sys.argv) != 2:
    sys.exit(__doc__)
built = {key: {arch: taken(Path(sys.argv[1]) / key / arch) for arch in ARCHES} for key in LISTS}
layers = {tar: compressed(tar) for tar in {tar for images in built.values() for tar, _ in images.values()}}
for key, (tag, path) in LISTS.items():
    archive = pack({arch: (tar, layers[tar], settings) for arch, (tar, settings) in built[key].items()}, tag)
    Path(path).parent.mkdir(exist_ok=True)
    Path(f"{path}.new").write_bytes(archive)
    Path(f"{path}.new").rename(path)
