#!/usr/bin/env python3
"""Writes dist/modelcar-base.provenance.json: from what, by what and where the images were built (SLSA provenance 1).

In a workflow it names the repository, the commit and the run. Elsewhere it says that it is of a local build, and names the
commit and the branch alone. `make sign` attests it.
"""

import json
import os
import subprocess
import tomllib

OUT = "dist/modelcar-base.provenance.json"
os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


env = os.environ.get
repository = f"{env('GITHUB_SERVER_URL')}/{env('GITHUB_REPOSITORY')}" if env("GITHUB_REPOSITORY") else None
commit = output("git", "rev-parse", "HEAD").strip()
changed = [line[3:] for line in output("git", "status", "--porcelain").splitlines()]
source = {"uri": f"git+{repository}" if repository else "git+local", "digest": {"gitCommit": commit}}
compiler = dict(line.split(": ", 1) for line in output("rustc", "-vV").splitlines() if ": " in line)
with open("Cargo.lock", "rb") as file:
    crates = [crate for crate in tomllib.load(file)["package"] if "checksum" in crate]

provenance = {
    "buildDefinition": {
        "buildType": f"{repository or 'urn:local'}/docs/releasing.md",
        "externalParameters": {"source": source, "ref": env("GITHUB_REF") or output("git", "rev-parse", "--symbolic-full-name", "HEAD").strip(), "command": "make image"},
        # What was not committed when it was built; in a release nothing.
        "internalParameters": {"changed": changed},
        "resolvedDependencies": [
            source,
            {"uri": f"pkg:generic/rustc@{compiler['release']}", "digest": {"gitCommit": compiler["commit-hash"]}},
            *({"uri": f"pkg:cargo/{crate['name']}@{crate['version']}", "digest": {"sha256": crate["checksum"]}} for crate in crates),
        ],
    },
    "runDetails": {
        "builder": {"id": f"{env('GITHUB_SERVER_URL')}/{env('GITHUB_WORKFLOW_REF')}" if repository else "urn:local"},
        "metadata": {"invocationId": f"{repository}/actions/runs/{env('GITHUB_RUN_ID')}/attempts/{env('GITHUB_RUN_ATTEMPT')}" if repository else "local build"},
    },
}
with open(OUT, "w", encoding="utf-8") as file:
    json.dump(provenance, file, indent=1)
    file.write("\n")
print(f"provenance.py: {OUT}: commit {commit}{', and changes' if changed else ''}{'' if repository else ', a local build'}")
