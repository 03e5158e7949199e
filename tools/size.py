#!/usr/bin/env python3
"""How large the program is, against what is on record.

    size.py check      table of now, recorded, difference, budget; fails if a figure is not the recorded one
    size.py record     writes size.toml, docs/size.tsv, docs/size.svg and the figures in README.md and docs/

`make size` and `make size-record` build the files first. The record:

    size.toml          bytes per architecture of the file, its code and its compressed layer; the budget is in arches.txt
    docs/size.tsv      bytes per function and string, so that a difference has a name
    docs/size.md       the same figures per release, and the plot docs/size.svg
"""

import gzip
import io
import json
import os
import re
import struct
import sys
import tarfile

if sys.version_info < (3, 11):
    sys.exit("size.py: needs Python 3.11 or later")
import tomllib

from arches import ARCHES

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PROGRAM = "link-model-and-wait"
FIGURES = {"file": "the file", "text": "its machine code", "layer": "its compressed image layer"}
RECORD = "size.toml"
PARTS = "docs/size.tsv"
HISTORY = "docs/size.md"
BENCHMARKS = "docs/benchmarks.json"
GO = "today's base image (Go)"
PLOT = "docs/size.svg"
HEADERS = 64 + 3 * 56  # the ELF header and three program headers


def die(text):
    sys.exit(f"size.py: {text}")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    if not os.path.exists(path) or read(path) != text:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        print(f"size.py: wrote {path}")


# What is there now.


def segments(image):
    """Address, offset and length of each segment of an ELF file that is loaded."""
    order = "<" if image[5] == 1 else ">"
    headers = [struct.unpack_from(order + "II6Q", image, 64 + 56 * index) for index in range(image[56] | image[57])]
    return [(address, offset, size) for kind, _, offset, address, _, size, _, _ in headers if kind == 1]


def link_map(arch, image):
    """The linker's map of the shipped file: the newest of those whose sections end where its segments do."""
    ends = [address + size for address, _, size in segments(image)]
    directory = f"target/{ARCHES[arch]['target']}/release/build"
    maps = []
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        path = f"{directory}/{name}/out/link.map"
        if name.startswith(PROGRAM) and os.path.exists(path):
            maps.append((os.path.getmtime(path), path))
    for _, path in sorted(maps, reverse=True):
        text = read(path)
        sections = re.findall(r"^ *(\S+) +\S+ +(\S+) +\S+ \.(?:waiting|rest)$", text, re.M)
        if [int(address, 16) + int(size, 16) for address, size in sections] == ends:
            return text
    die(f"no linker map in {directory} is of dist/linux/{arch}/{PROGRAM}: make binaries")


def plain(symbol):
    """The name of a symbol as a person would write it, the same for all that a generic function was made for."""
    symbol = re.sub(r"\.llvm\.[0-9]+$|\[[0-9a-f]{15,16}\]|\blink_model_and_wait::", "", symbol)
    symbol = re.sub(r"(?<!::)<([\w:]+)>(?=::)", r"\1", symbol)
    while symbol != (symbol := re.sub(r"(?<=[\w>])(::)?<[^<>]*>", "", symbol)):
        pass
    return symbol.strip()


def shown(data):
    """Bytes of a constant as a name: its text, if it is one."""
    text = data.rstrip(b"\0").decode("latin-1")
    text = re.sub(r"[^ -~]", ".", text)
    if not data or text.count(".") > len(text) // 3:
        return None
    return '"' + text.replace("\t", " ")[:48] + '"' + ("..." if len(text) > 48 else "")


def parts(arch, image):
    """Bytes per function, string and table; the bytes of code."""
    found = {"ELF headers": HEADERS}
    code = 0
    wanted = re.compile(r"^ *([0-9a-f]+) +[0-9a-f]+ +([0-9a-f]+) +[0-9a-f]+ (.*)$")
    at = HEADERS

    def add(name, size):
        if size:
            found[name] = found.get(name, 0) + size

    lines = [wanted.match(line) for line in link_map(arch, image).splitlines()]
    lines = [line for line in lines if line]
    for index, line in enumerate(lines):
        section = re.search(r":\((\.[^)]*)\)$", line[3])
        if not section:
            continue
        start, size, section = int(line[1], 16), int(line[2], 16), section[1]
        start -= max(address - offset for address, offset, _ in segments(image) if address <= start)
        if not size or start + size > len(image) or start < at:
            continue
        add("alignment", start - at)
        at = start + size
        if section.startswith(".text"):
            code += size
            # Its symbol follows; on some machines one that only says that here is code comes first.
            follow = [line[3].strip() for line in lines[index + 1 : index + 3] if not line[3].strip().startswith("$")]
            name = follow[0] if follow and ":(" not in follow[0] else section.removeprefix(".text.")
            add(plain(name), size)
        elif re.search(r"\.str\d+\.\d+$", section):  # strings of the same kind, merged by the linker
            for text in image[start:at].removesuffix(b"\0").split(b"\0"):
                name = shown(text) or repr(text.decode("latin-1")) if text else "alignment"
                add(name, len(text) + 1)
        else:
            owner = re.findall(r"\d([a-z_]{2,})", section) if "._R" in section else []
            table = f"table of {owner[-1]}" if owner else f"constant of {size} bytes"
            add(shown(image[start:at]) or table, size)
    add("alignment", len(image) - at)
    return found, code


def layer(arch, image):
    """Bytes of the compressed layer in dist/modelcar-base.oci.tar, if it holds this very file."""
    if not os.path.exists("dist/modelcar-base.oci.tar"):
        return None
    with tarfile.open("dist/modelcar-base.oci.tar") as archive:

        def blob(digest):
            return archive.extractfile("./blobs/" + digest.replace(":", "/")).read()

        index = json.load(archive.extractfile("./index.json"))
        for manifest in json.loads(blob(index["manifests"][0]["digest"]))["manifests"]:
            if manifest["platform"]["architecture"] != arch:
                continue
            layers = json.loads(blob(manifest["digest"]))["layers"]
            data = [blob(entry["digest"]) for entry in layers]
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data[0]))) as files:
                if files.extractfile(f"bin/{PROGRAM}").read() == image:
                    return sum(map(len, data))
    return None


def measure():
    now, details = {}, {}
    for arch in ARCHES:
        path = f"dist/linux/{arch}/{PROGRAM}"
        if not os.path.exists(path):
            die(f"there is no {path}: make binaries")
        with open(path, "rb") as file:
            image = file.read()
        details[arch], code = parts(arch, image)
        now[arch] = {"file": len(image), "text": code, "layer": layer(arch, image)}
    return now, details


# What is on record.


def recorded_parts():
    rows = read(PARTS).splitlines() if os.path.exists(PARTS) else []
    names = [row.split("\t") for row in rows if row and not row.startswith("#")]
    return {arch: {} for arch in ARCHES} | {
        arch: {row[-1]: int(row[column]) for row in names[1:] if row[column] != "-"}
        for column, arch in enumerate(names[0][:-1] if names else [])
    }


def format_parts(details):
    names = {name for parts in details.values() for name in parts}
    order = sorted(names, key=lambda name: (-max(parts.get(name, 0) for parts in details.values()), name))
    rows = ["# Written by `make size-record`: bytes per function, string and table.", "\t".join([*ARCHES, "part"])]
    rows += ["\t".join([*(str(details[arch].get(name, "-")) for arch in ARCHES), name]) for name in order]
    return "\n".join(rows) + "\n"


def format_record(record):
    # What stands before the first section is a person's.
    text = read(RECORD).partition("\n[")[0].rstrip("\n") + "\n" if os.path.exists(RECORD) else "# Bytes.\n"
    for arch in ARCHES:
        text += f"\n[{arch}]\n"
        for key in FIGURES:
            if record[arch].get(key) is not None:
                text += f"{key} = {record[arch][key]}\n"
    return text


# Texts.


def grown(details, before):
    """What differs between the two, the largest difference first: Markdown."""
    text = ""
    for arch in ARCHES:
        names = set(details[arch]) | set(before[arch])
        rows = [(details[arch].get(name, 0) - before[arch].get(name, 0), name) for name in names]
        rows = sorted((row for row in rows if row[0]), key=lambda row: (-abs(row[0]), row[1]))
        if rows:
            text += f"\n### {arch}: what changed\n\n| bytes | was | is | function, string or table |\n|--:|--:|--:|---|\n"
            for difference, name in rows[:40]:
                name_shown = name.replace("|", "\\|")
                text += f"| {difference:+} | {before[arch].get(name, 0)} | {details[arch].get(name, 0)} | `{name_shown}` |\n"
            if len(rows) > 40:
                text += f"| {sum(row[0] for row in rows[40:]):+} | | | {len(rows) - 40} more |\n"
    return text


def report(now, record):
    """The table, and whether all is as recorded."""
    text = "| | bytes of | now | recorded | difference | budget |\n|---|---|--:|--:|--:|--:|\n"
    wrong, notes = [], []
    for arch in ARCHES:
        budget = int(ARCHES[arch]["budget"])
        for key, meaning in FIGURES.items():
            is_now, was = now[arch][key], record.get(arch, {}).get(key)
            difference = "" if is_now is None or was is None else f"{is_now - was:+}"
            shown_budget = budget if key == "file" else ""
            text += f"| {arch} | {meaning} | {is_now or '-'} | {was or '-'} | {difference} | {shown_budget} |\n"
            if is_now is None:
                notes.append(f"{arch}: the layer was not measured, as dist/modelcar-base.oci.tar holds another file: make image")
            elif is_now != was:
                verb = "is not recorded" if was is None else "grew" if is_now > was else "shrank"
                wrong.append(f"{arch}: {meaning} {verb}: {was} -> {is_now} bytes")
        if now[arch]["file"] > budget:
            wrong.append(f"{arch}: {now[arch]['file'] - budget} bytes over the budget of {budget}")
    return text, wrong, notes


def room(part):
    """Which part of the house a function, string or table is of."""
    if part.startswith('"'):
        return "strings and tables"
    if part in ("ELF headers", "alignment"):
        return "headers and alignment"
    module, _, rest = part.partition("::")
    if module == "command":
        name = rest.partition("::")[0]
        if name in ("cp", "tar", "ls", "tree"):
            return f"`{name}`" if name != "tree" else "walks through trees, for four commands"
        return "words, options, errors of commands" if name == "Context" else "all other commands"
    return "the language" if module == "shell" else "start, memory, reports, system calls"


def rooms(details):
    sums = {}
    for arch, parts_of in details.items():
        for part, size in parts_of.items():
            sums.setdefault(room(part), dict.fromkeys(ARCHES, 0))[arch] += size
    rows = "| | " + " | ".join(ARCHES) + " |\n|---|" + "--:|" * len(ARCHES) + "\n"
    for name, sizes in sorted(sums.items(), key=lambda item: -max(item[1].values())):
        rows += f"| {name} | " + " | ".join(number(size) for size in sizes.values()) + " |\n"
    return f"\n\n{rows}\n"


def peers(record):
    """What else a ModelCar can be based on. Measured figures are those of `make bench`, the others are quoted."""
    rows = "| base | compressed layer, bytes | the program in it, bytes | platforms | from |\n|---|--:|--:|---|---|\n"
    rows += (f"| this one, amd64 | {number(record['amd64'].get('layer'))} | {number(record['amd64'].get('file'))} | "
             f"{', '.join(ARCHES)} | measured |\n")
    if os.path.exists(BENCHMARKS):
        data = json.loads(read(BENCHMARKS))
        files = {row["name"]: row["file"] for row in data["programs"]}
        rows += (f"| today's ModelCar base image, in Go | {number(data['go_layer'])} | "
                 f"{number(files[GO])} | amd64; arm64 holds an amd64 file | "
                 "measured: PyPI's modelcar-base-image 0.1.0 |\n")
        rows += f"| busybox | | {number(files['busybox sh'])} | many | measured: Debian's busybox-static; no image |\n"
    rows += "| busybox image | about 5 MB | | many | quoted from the README of today's base image |\n"
    rows += "| ubi-micro image | about 30 MB | | amd64, arm64, ppc64le, s390x | quoted from the same |\n"
    return f"\n\n{rows}\n"


# Figures in the documents: <!-- size:NAME -->...<!-- /size -->, one line or several.


def fill(path, values):
    text = read(path)

    def put(match):
        if match[1] not in values:
            die(f"{path}: no figure is called {match[1]}")
        value = values[match[1]]
        return f"<!-- size:{match[1]} -->{value}<!-- /size -->"

    return re.sub(r"<!-- size:([\w.-]+) -->.*?<!-- /size -->", put, text, flags=re.S)


def number(value):
    return "not recorded" if value is None else f"{value:,}"


def values(record, history):
    result = {}
    for arch in ARCHES:
        for key in FIGURES:
            result[f"{arch}.{key}"] = number(record[arch].get(key))
        result[f"{arch}.budget"] = number(int(ARCHES[arch]["budget"]))
    rows = "| platform | file | code in it | compressed layer | budget for the file |\n|---|--:|--:|--:|--:|\n"
    for arch in ARCHES:
        cells = " | ".join([*(number(record[arch].get(key)) for key in FIGURES), result[f"{arch}.budget"]])
        rows += f"| linux/{arch} | {cells} |\n"
    result["table"] = f"\n\n{rows}\n"
    for key in FIGURES:
        figures = [record[arch][key] for arch in ARCHES if record[arch].get(key) is not None]
        result[f"{key}.range"] = f"{min(figures):,} to {max(figures):,}" if figures else "not recorded"
    result["platforms"] = " and ".join(", ".join(ARCHES).rsplit(", ", 1))
    result["peers"] = peers(record)
    result["rooms"] = rooms(recorded_parts())
    rows = "| version | " + " | ".join(ARCHES) + " |\n|---|" + "--:|" * len(ARCHES) + "\n"
    for version, figures in history:
        rows += f"| {version} | " + " | ".join("-" if figure is None else f"{figure:,}" for figure in figures) + " |\n"
    result["history"] = f"\n\n{rows}\n"
    return result


def documents():
    names = [name for name in sorted(os.listdir("docs")) if name.endswith(".md")] if os.path.isdir("docs") else []
    return [path for path in ["README.md", *(f"docs/{name}" for name in names)] if os.path.exists(path)]


def read_history():
    if not os.path.exists(HISTORY):
        return []
    block = re.search(r"<!-- size:history -->(.*?)<!-- /size -->", read(HISTORY), re.S)
    head, _, *rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in (block[1] if block else "").split("\n") if row] or [[], []]
    # By the name of the column: an architecture that came later has no figure in the rows above.
    rows = [dict(zip(head, row)) for row in rows]
    figures = [[row.get(arch, "-").replace(",", "") for arch in ARCHES] for row in rows]
    return [(row["version"], [None if cell == "-" else int(cell) for cell in cells]) for row, cells in zip(rows, figures)]


def with_version(history, record):
    version = tomllib.loads(read("Cargo.toml"))["package"]["version"]
    figures = [record[arch]["file"] for arch in ARCHES]
    if version in [row[0] for row in history]:
        return [(name, figures if name == version else old) for name, old in history]
    return [*history, (version, figures)]


def plot(history):
    """Grouped bars, one group per version, one bar per architecture."""
    colours = [f"hsl({215 + 360 * index // len(ARCHES)}, 55%, 50%)" for index in range(len(ARCHES))]
    top = max(figure for _, figures in history for figure in figures if figure is not None)
    width, height, left, bottom = 640, 300, 64, 40
    group = (width - left - 16) / len(history)
    bar = min(28, group * 0.8 / len(ARCHES))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-size="12">',
           '<g font-family="sans-serif">',
           "<title>Bytes of the program per version and architecture</title>",
           f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    scale = (height - bottom - 48) / top
    for step in range(5):
        value = top * step / 4
        y = height - bottom - value * scale
        out.append(f'<line x1="{left}" x2="{width - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#444444">{value:,.0f}</text>')
    for index, (version, figures) in enumerate(history):
        middle = left + group * (index + 0.5)
        for column, value in enumerate(figures):
            if value is None:
                continue
            x, y = middle + (column - len(ARCHES) / 2) * bar, height - bottom - value * scale
            out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{bar - 2:.1f}" height="{value * scale:.1f}" '
                       f'fill="{colours[column]}"><title>{version}: {value} bytes</title></rect>')
        out.append(f'<text x="{middle:.1f}" y="{height - bottom + 18}" text-anchor="middle" fill="#222222">{version}</text>')
    for column, arch in enumerate(ARCHES):
        x = left + column * (width - left) / len(ARCHES)
        out.append(f'<rect x="{x:.0f}" y="14" width="12" height="12" fill="{colours[column]}"/>')
        out.append(f'<text x="{x + 18:.0f}" y="24" fill="#222222">{arch}, bytes</text>')
    return "\n".join(out) + "\n</g>\n</svg>\n"


# The two commands.


def check():
    now, details = measure()
    record = tomllib.loads(read(RECORD)) if os.path.exists(RECORD) else {}
    table, wrong, notes = report(now, record)
    changes = grown(details, recorded_parts()) if wrong else ""
    for path in documents():
        if wrong or not record:
            break
        if fill(path, values(record, read_history())) != read(path):
            wrong.append(f"{path}: a figure in it is not the recorded one")
    if not wrong and os.path.exists(PLOT) and read(PLOT) != plot(read_history()):
        wrong.append(f"{PLOT} is not that of {HISTORY}")
    verdict = "".join(f"- {line}\n" for line in [*wrong, *notes]) or "All as recorded.\n"
    text = f"## Size\n\n{table}\n{verdict}{changes}"
    print(text)
    for variable in ("GITHUB_STEP_SUMMARY", "SIZE_REPORT"):
        if os.environ.get(variable):
            with open(os.environ[variable], "a", encoding="utf-8") as file:
                file.write(text)
    if wrong:
        die("not as recorded; if it is meant to be so: make size-record, and commit what that changed")


def record():
    now, details = measure()
    old = tomllib.loads(read(RECORD)) if os.path.exists(RECORD) else {}
    new = {arch: {**old.get(arch, {}), **now[arch]} for arch in ARCHES}
    missing = [arch for arch in ARCHES if now[arch]["layer"] is None]
    if missing:
        die(f"dist/modelcar-base.oci.tar does not hold the files in dist/linux/ for {', '.join(missing)}: make image")
    write(RECORD, format_record(new))
    write(PARTS, format_parts(details))
    history = with_version(read_history(), new)
    write(PLOT, plot(history))
    for path in documents():
        write(path, fill(path, values(new, history)))


if __name__ == "__main__":
    os.chdir(ROOT)
    commands = {"check": check, "record": record}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        die("what? check or record")
    commands[sys.argv[1]]()
