"""Images as folders in the OCI's layout, for this machine's architecture, without a container tool."""

import gzip
import hashlib
import io
import json
import platform
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import arches  # noqa: E402

(ARCH,) = [image for image, row in arches.ARCHES.items() if row["kernel"] == platform.machine()]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BASE = ROOT / "dist/modelcar-base.oci.tar"


class Link(str):
    """Where a symbolic link leads."""


def layer(files):
    """A layer of {path: content} or {path: (content, mode)}: a folder if that is None, a link if it is a Link, else a file
    of this text, these bytes or what is at this Path."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o755 if content is None else 0o644)
            info = tarfile.TarInfo(path)
            info.mode = mode
            if content is None or isinstance(content, Link):
                info.type, info.linkname = (tarfile.DIRTYPE, "") if content is None else (tarfile.SYMTYPE, str(content))
                tar.addfile(info)
                continue
            data = content.read_bytes() if isinstance(content, Path) else content
            data = data.encode() if isinstance(data, str) else data
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Layout:
    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "blobs/sha256").mkdir(parents=True)

    def blob(self, data, kind):
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}


def image(folder, files, base=None, **config):
    """Writes an image of one layer, on the layers of `base` (an archive that `make image` wrote) if there is one."""
    layout = Layout(folder)
    layers = []
    whole = {"architecture": ARCH, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    if base:
        with tarfile.open(base) as tar:
            members = {member.name.removeprefix("./"): member for member in tar}

            def read(digest):
                return tar.extractfile(members[f"blobs/{digest.replace(':', '/')}"]).read()

            (index,) = json.load(tar.extractfile(members["index.json"]))["manifests"]
            platforms = json.loads(read(index["digest"]))["manifests"]
            (below,) = [m for m in platforms if m["platform"]["architecture"] == ARCH]
            manifest = json.loads(read(below["digest"]))
            whole = json.loads(read(manifest["config"]["digest"]))
            for former in manifest["layers"]:
                layers.append(layout.blob(read(former["digest"]), former["mediaType"]))
    data = layer(files)
    layers.append(layout.blob(gzip.compress(data, 1, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip"))
    whole["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(data).hexdigest()}")
    if "Env" in config:  # beside the base's
        config["Env"] = whole["config"].get("Env", []) + config["Env"]
    whole["config"] |= config
    whole.setdefault("history", []).append({"created_by": "tests/cluster/images.py"})
    whole["history"] = [entry for entry in whole["history"] if not entry.get("empty_layer")][-len(layers) :]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.blob(json.dumps(whole).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": layers,
    }
    index = {"schemaVersion": 2, "manifests": [layout.blob(json.dumps(manifest).encode(), MANIFEST)]}
    (layout.folder / "index.json").write_text(json.dumps(index))
    (layout.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return layout.folder
