#!/usr/bin/env python3
"""Checks what documents promise: links lead to files and headings that exist, `make` targets and scripts exist too,
and that those which tell the architectures tell all of arches.txt."""

import os
import re
import subprocess
import sys

from arches import ARCHES

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                        check=True, stdout=subprocess.PIPE, text=True)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def anchors(path):
    heads = re.findall(r"^#+ (.*)$", read(path), re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


targets = set(re.findall(r"^([a-z0-9-]+):", read("Makefile"), re.M))
wrong = []
for path in filter(os.path.exists, listed.stdout.split()):
    text = read(path)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        if not os.path.exists(target):
            wrong.append(f"{path}: {link} does not exist")
        elif anchor and anchor not in anchors(target):
            wrong.append(f"{path}: {link}: no such heading")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.S))
    for target in re.findall(r"(?:^ *|[`;&] ?|sudo )make ([a-z][a-z0-9-]*)", code, re.M):
        if target not in targets:
            wrong.append(f"{path}: make {target}: no such target")
    for script in re.findall(r"(?:^|[\s`])((?:tools|tests|bench|examples)/[\w./-]+\.(?:sh|py))", code, re.M):
        if not os.path.exists(script):
            wrong.append(f"{path}: {script} does not exist")
for path in ("README.md", "CHANGELOG.md", "docs/abi.md", "python/README.md", "python/pyproject.toml"):
    for arch, row in ARCHES.items():
        if not re.search(rf"\b({arch}|{row['kernel']})\b", read(path)):
            wrong.append(f"{path} says nothing of {arch}, which is in arches.txt")
sys.exit("\n".join(wrong) or 0)
