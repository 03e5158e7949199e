#!/usr/bin/env python3
"""Writes dist/modelcar-base.spdx.json (SPDX 2.3): what the program in the images is made of.

It names the crates in Cargo.lock, Rust's core library and the compiler; per platform the file and its hash; and the
manifest lists in dist/*.oci.tar. The same files give the same document: its name is the hash of what it tells.
"""

import hashlib
import json
import os
import subprocess
import tarfile
import tomllib

from arches import ARCHES

PROGRAM = "link-model-and-wait"
OUT = "dist/modelcar-base.spdx.json"
os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def package(identity, name, version, licence, download, purpose, **more):
    return {"SPDXID": f"SPDXRef-{identity}", "name": name, "versionInfo": version, "downloadLocation": download,
            "licenseConcluded": licence, "licenseDeclared": licence, "copyrightText": "NOASSERTION",
            "filesAnalyzed": False, "primaryPackagePurpose": purpose, **more}


def relation(one, kind, other):
    return {"spdxElementId": f"SPDXRef-{one}", "relationshipType": kind, "relatedSpdxElement": f"SPDXRef-{other}"}


def purl(text):
    return [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": text}]


own = tomllib.loads(read("Cargo.toml").decode())["package"]
rustc = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout
compiler = dict(line.split(": ", 1) for line in rustc.splitlines() if ": " in line)
packages, relations = [], []
metadata = json.loads(subprocess.run(["cargo", "metadata", "--format-version", "1", "--locked"],
                                     check=True, stdout=subprocess.PIPE).stdout)
licences = {entry["name"]: (entry["license"] or "NOASSERTION").replace("/", " OR ") for entry in metadata["packages"]}

for list_name in ("modelcar-base", "modelcar-base-nonroot"):
    if os.path.exists(f"dist/{list_name}.oci.tar"):
        with tarfile.open(f"dist/{list_name}.oci.tar") as archive:
            digest = json.load(archive.extractfile("./index.json"))["manifests"][0]["digest"]
        packages.append(package(list_name, list_name, digest, own["license"], "NOASSERTION", "CONTAINER",
                                checksums=[{"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}]))
        relations += [relation("DOCUMENT", "DESCRIBES", list_name), relation(list_name, "CONTAINS", "program")]
packages.append(package("program", PROGRAM, own["version"], own["license"], "NOASSERTION", "APPLICATION"))
relations.append(relation("DOCUMENT", "DESCRIBES", "program"))
for crate in tomllib.loads(read("Cargo.lock").decode())["package"]:
    if crate["name"] == PROGRAM:
        continue
    locator = f"pkg:cargo/{crate['name']}@{crate['version']}"
    packages.append(package(f"crate-{crate['name']}", crate["name"], crate["version"], licences[crate["name"]],
                            "NOASSERTION", "LIBRARY", externalRefs=purl(locator),
                            checksums=[{"algorithm": "SHA256", "checksumValue": crate["checksum"]}]))
    relations.append(relation("program", "STATIC_LINK", f"crate-{crate['name']}"))
packages.append(package("core", "core (Rust)", compiler["release"], "MIT OR Apache-2.0", "NOASSERTION", "LIBRARY"))
packages.append(package("rustc", "rustc", f"{compiler['release']} ({compiler['commit-hash']}), LLVM {compiler['LLVM version']}",
                        "MIT OR Apache-2.0", "NOASSERTION", "APPLICATION"))
relations += [relation("program", "STATIC_LINK", "core"), relation("rustc", "BUILD_TOOL_OF", "program")]
files = []
for arch in ARCHES:
    data = read(f"dist/linux/{arch}/{PROGRAM}")
    files.append({"SPDXID": f"SPDXRef-file-{arch}", "fileName": f"./linux/{arch}/{PROGRAM}", "fileTypes": ["BINARY"],
                  "licenseConcluded": own["license"], "copyrightText": "NOASSERTION",
                  "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(data).hexdigest()},
                                {"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()}]})
    relations.append(relation("program", "CONTAINS", f"file-{arch}"))
told = json.dumps([packages, files, relations], sort_keys=True).encode()
document = {
    "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "modelcar-base",
    "documentNamespace": f"urn:sha256:{hashlib.sha256(told).hexdigest()}",
    "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: tools/sbom.py"]},
    "packages": packages, "files": files, "relationships": relations,
}
with open(OUT, "w", encoding="utf-8") as file:
    json.dump(document, file, indent=1, sort_keys=True)
    file.write("\n")
print(f"sbom.py: {OUT}: {len(packages)} packages, {len(files)} files")
