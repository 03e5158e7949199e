"""Reads an OCI layout, and says what is wrong with it."""

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from arches import ARCHES  # noqa: E402

# The architecture of an image -> what its programs' ELF headers say: e_machine, class in bits, byte order.
MACHINES = {arch: (int(row["e_machine"]), 64, row["order"]) for arch, row in ARCHES.items()}
NAMES = {header: ARCHES[arch]["kernel"] for arch, header in MACHINES.items()}
ATTESTATION = "unknown"  # the platform of what is no image, as builders put it into an index


def elf_header(data):
    """(e_machine, bits, byte order) of a program, or None if it is none."""
    if len(data) < 20 or data[:4] != b"\x7fELF":
        return None
    order = {1: "little", 2: "big"}.get(data[5], "?")
    return int.from_bytes(data[18:20], "big" if order == "big" else "little"), {1: 32, 2: 64}.get(data[4]), order


class Layout:
    def __init__(self, path):
        self.path = Path(path)

    def blob(self, descriptor):
        return (self.path / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()

    def json(self, descriptor):
        return json.loads(self.blob(descriptor))

    @property
    def root(self):
        return json.loads((self.path / "index.json").read_text())["manifests"]

    def index(self, tag="latest"):
        """The manifest list that goes by the tag."""
        (entry,) = [m for m in self.root if m.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag]
        return self.json(entry)["manifests"]

    def platforms(self, tag="latest"):
        """{"linux/arm64": manifest}, of the images in the index."""
        found = {}
        for descriptor in self.index(tag):
            platform = descriptor["platform"]
            if platform["architecture"] != ATTESTATION:
                name = f"{platform['os']}/{platform['architecture']}"
                assert name not in found, f"{name} is twice in the index"
                found[name] = self.json(descriptor)
        return found

    def files(self, layer):
        """Name and content of each regular file in a layer."""
        with tarfile.open(fileobj=io.BytesIO(self.blob(layer)), mode="r:*") as tar:
            for member in tar:
                if member.isfile():
                    yield "/" + member.name.lstrip("./"), tar.extractfile(member).read()

    def programs(self, manifest):
        """{path: ELF header} of all programs in the image."""
        headers = ((name, elf_header(data)) for layer in manifest["layers"] for name, data in self.files(layer))
        return {name: header for name, header in headers if header}


def broken_blobs(layout):
    """What is referred to and is not there, or is not what its digest and size say."""
    faults = []

    def visit(descriptor):
        try:
            data = layout.blob(descriptor)
        except FileNotFoundError:
            return faults.append(f"{descriptor['digest']} is not there")
        if len(data) != descriptor["size"]:
            faults.append(f"{descriptor['digest']} has {len(data)} bytes, not {descriptor['size']}")
        if "sha256:" + hashlib.sha256(data).hexdigest() != descriptor["digest"]:
            faults.append(f"{descriptor['digest']} is something else")
        if "manifest" in descriptor["mediaType"] or "index" in descriptor["mediaType"]:
            document = json.loads(data)
            for child in document.get("manifests") or [document["config"], *document["layers"]]:
                visit(child)

    for entry in layout.root:
        visit(entry)
    return faults


def wrong_machines(layout, tag="latest"):
    """Each program that is not for the platform under which the index gives it, and each platform without a program."""
    faults = []
    for platform, manifest in layout.platforms(tag).items():
        arch = platform.partition("/")[2]
        claimed = layout.json(manifest["config"])["architecture"]
        if claimed != arch:
            faults.append(f"{platform}: the image's configuration says {claimed}")
        programs = layout.programs(manifest)
        if not programs:
            faults.append(f"{platform}: no program in it")
        for name, header in programs.items():
            if header != MACHINES[arch]:
                machine, bits, order = header
                faults.append(f"{platform}: {name} is for {NAMES.get(header, f'machine {machine} ({order})')}, {bits} bits")
    return faults


def without_history(layout):
    """Platforms whose history counts other layers than there are: nothing can be put on top of those."""
    faults = []
    for platform, manifest in layout.platforms().items():
        history = layout.json(manifest["config"]).get("history", [])
        told = sum(not entry.get("empty_layer") for entry in history)
        if told != len(manifest["layers"]):
            faults.append(f"{platform}: {len(manifest['layers'])} layers, {told} in the history")
    return faults
