"""Runs loaders.py in pods as KServe makes them, in link mode and in copy mode, and holds docs/loaders.md to what it says.

Each loader must read its model from a plain folder; from a copy, but where the document says no; and through the link if
it is in the table of those that work, or fail there with the words that the document quotes, which may leave out some (` ... `).
"""

import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from cluster import kserve_pod  # noqa: E402
from podman import Pod, podman  # noqa: E402

FOLDER = Path(os.environ["LOADERS"])
HERE = Path(__file__).resolve().parent
BASE = "localhost/modelcar-base:latest"


def table(heading):
    """The rows under a heading of the document: a dictionary each, by the names in its head."""
    text = (ROOT / "docs/loaders.md").read_text()
    part = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part[1].splitlines() if line.startswith("|")]
    head, _, *rows = rows
    return {row[0]: dict(zip(head, row)) for row in rows}


def build(mode):
    tag = f"localhost/loaders-{mode}:1"
    context = FOLDER / f"context-{mode}"
    context.mkdir(exist_ok=True)
    (context / "Containerfile").write_text(f"FROM {BASE}\nENV MODELCAR_MODE={mode}\nCOPY models /models/\n")
    podman("build", "--quiet", "--layers=false", "--network", "none", "-f", context / "Containerfile", "--tag", tag, FOLDER)
    return tag


def measure(mode, places):
    """What each loader says of each place, in a pod of a ModelCar of that mode."""
    server = {"name": "kserve-container", "image": os.environ["READER"], "command": ["sleep", "100000"]}
    image = build(mode)
    manifest = kserve_pod(f"loaders-{mode}", server, {"/mnt/models": image})
    container = manifest["spec"]["containers"][0]
    container["env"] += [
        {"name": name, "value": value}
        for name, value in {"HOME": "/tmp", "HF_HUB_OFFLINE": "1", "MLSERVER_VENV": str(FOLDER / "mlserver")}.items()
    ]
    for name, path, inside in [("loaders", FOLDER, FOLDER), ("tests", HERE, HERE), ("plain", FOLDER / "models", "/plain")]:
        container["volumeMounts"].append({"name": name, "mountPath": str(inside), "readOnly": True})
        manifest["spec"]["volumes"].append({"name": name, "hostPath": {"path": str(path), "type": "Directory"}})
    results = {}
    try:
        with Pod(manifest) as pod:
            pod.wait_for_model()
            for place in places:
                done = podman(
                    "exec", pod.container("kserve-container"), FOLDER / "venv/bin/python", HERE / "loaders.py", place, timeout=3600
                )
                lines = [json.loads(line) for line in done.stdout.splitlines()]
                results[place] = {line["title"]: line for line in lines}
    finally:
        podman("rmi", "--force", image, check=False)
    return results


def main():
    fail, work = table("Fail through the link"), table("Work through the link")
    link = measure("link", ["/plain", "/mnt/models"])
    copy = measure("copy", ["/mnt/models"])["/mnt/models"]
    plain, link = link["/plain"], link["/mnt/models"]
    (FOLDER / "results.json").write_text(json.dumps({"plain": plain, "link": link, "copy": copy}, indent=1))
    counts = {"PASS": 0, "FAIL": 0}

    def say(good, title, text=""):
        counts["PASS" if good else "FAIL"] += 1
        print(f"PASS {title}" if good else f"FAIL {title}{text}", flush=True)

    for title in [*fail.keys() - plain.keys(), *work.keys() - plain.keys()]:
        say(False, title, ": docs/loaders.md has it, tests/loaders/loaders.py has not")
    for title, wanted in plain.items():
        row = fail.get(title) or work.get(title)
        if "error" in wanted and not (title in fail and fail[title]["copy mode"] == "no"):
            say(False, f"{title}: from a plain folder", f": {wanted['error']}")
            continue
        if not row:
            say(False, title, f": not in docs/loaders.md; through the link: {link[title]}")
            continue
        say(row["version"] == wanted["version"], f"{title}: version", f" {wanted['version']}, the document has {row['version']}")
        if title in work:
            say(link[title].get("value") == wanted.get("value"), f"{title}: link", f": {link[title]}")
        else:
            words = row["says"].strip("`").split(" ... ")
            said = link[title].get("error", "")
            say(all(word in said for word in words), f"{title}: link fails", f" with {said!r}, the document has {words!r}")
        same = "value" in copy[title] and copy[title]["value"] == wanted.get("value")
        say(same == (row.get("copy mode", "yes") == "yes"), f"{title}: copy", f": {copy[title]}")
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed")
    sys.exit(counts["FAIL"] > 0)


if __name__ == "__main__":
    main()
