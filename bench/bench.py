#!/usr/bin/env python3
"""The measurements that run.sh starts, and the pages made of them.

    bench.py unpack WHEEL FILE   takes the program out of the amd64 image in PyPI's modelcar-base-image
    bench.py run DIR RUNS        measures, writes docs/benchmarks.json and the pages; DIR has the peers
    bench.py copies DIR RUNS     measures only cp, and writes the pages
    bench.py pages               writes the pages from docs/benchmarks.json again
"""

import gzip
import io
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tarfile
import time
import zipfile

import copying

SCRIPT = "ln -sf /proc/$$/root/models /mnt/models && sleep infinity"
OURS = "link-model-and-wait"
DATA, PAGE, CHART = (f"{os.environ.get('BENCH_OUT', 'docs')}/benchmarks.{kind}" for kind in ("json", "md", "svg"))
LINK, NO_LINK, ENDS = 1, 0, 2  # as in measure.c
ASM = "assembly, link and wait only"
GO = "today's base image (Go)"


def programs(peers):
    """Name, the file whose bytes count, the command, whether it links."""
    file = f"dist/linux/amd64/{OURS}"
    kserve = ["sh", "-c", SCRIPT]
    return [
        (OURS, file, [file, *kserve], LINK),
        (GO, f"{peers}/go", [f"{peers}/go", *kserve], LINK),
        ("busybox sh", "/bin/busybox", ["/bin/busybox", *kserve], LINK),
        ("C, static glibc, link only", f"{peers}/link-glibc", [f"{peers}/link-glibc"], LINK),
        ("C, static musl, link only", f"{peers}/link-musl", [f"{peers}/link-musl"], LINK),
        (ASM, f"{peers}/link-asm", [f"{peers}/link-asm"], LINK),
        ("pause in C, static glibc", f"{peers}/pause-glibc", [f"{peers}/pause-glibc"], NO_LINK),
        ("pause in C, static musl", f"{peers}/pause-musl", [f"{peers}/pause-musl"], NO_LINK),
        ("tini and busybox sleep", "/usr/bin/tini-static",
         ["/usr/bin/tini-static", "/bin/busybox", "sleep", "infinity"], NO_LINK),
        ("catatonit and busybox sleep", "/usr/bin/catatonit",
         ["/usr/bin/catatonit", "/bin/busybox", "sleep", "infinity"], NO_LINK),
        ("exit(0), the floor", f"{peers}/exit-asm", [f"{peers}/exit-asm"], ENDS),
    ]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def image(read, index):
    """Of the amd64 image in an OCI layout: the bytes that a node pulls, and the layers. read(DIGEST) gives a blob."""
    blob = index
    while "layers" not in (manifest := json.loads(blob)):
        entries = manifest["manifests"]
        entry = next((entry for entry in entries if entry.get("platform", {}).get("architecture") == "amd64"), entries[0])
        blob = read(entry["digest"])
    layers = [read(layer["digest"]) for layer in manifest["layers"]]
    return sum(map(len, [blob, read(manifest["config"]["digest"]), *layers])), layers


def program(layers):
    """The program in them."""
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(OURS):
                    return archive.extractfile(member).read()
    sys.exit("bench.py: the image holds no such program")


def unpack(wheel, path):
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()

        def blob(digest):
            return files.read(next(name for name in names if name.endswith(digest.replace("sha256:", "sha256/"))))

        index = next(name for name in names if name.endswith("embedded_oci_layout/index.json"))
        pulled, layers = image(blob, files.read(index))
    with open(path, "wb") as file:
        file.write(program(layers))
    os.chmod(path, 0o755)
    with open(f"{path}.json", "w", encoding="utf-8") as file:
        json.dump({"layer": sum(map(len, layers)), "pull": pulled}, file)


def own_pull():
    with tarfile.open("dist/modelcar-base.oci.tar") as archive:
        def blob(digest):
            return archive.extractfile("./blobs/" + digest.replace(":", "/")).read()

        pulled, layers = image(blob, archive.extractfile("./index.json").read())
    with open(f"dist/linux/amd64/{OURS}", "rb") as file:
        if program(layers) != file.read():
            sys.exit("bench.py: dist/modelcar-base.oci.tar holds another program than dist/linux/amd64: make image")
    return pulled


def gone(path="/mnt/models"):
    if os.path.lexists(path):
        os.unlink(path)


def start(command):
    with open(os.devnull, "r+b") as null:
        return subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)


def stop(process):
    for pid in tree(process.pid):  # a shell's sleep may have a group of its own
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def tree(pid):
    """The process and all below it."""
    pids = [pid]
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            pids += map(int, read(f"/proc/{pid}/task/{task}/children").split())
    return pids


def field(text, name):
    return int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1])


def memory(command):
    """KiB resident, private and dirty, in page tables; threads. The median of nine: stack randomisation moves it."""
    rows = []
    for _ in range(9):
        gone()
        process = start(command)
        time.sleep(0.1)
        row = [0, 0, 0, 0]
        for pid in tree(process.pid):
            status, rollup = read(f"/proc/{pid}/status"), read(f"/proc/{pid}/smaps_rollup")
            values = [field(rollup, "Rss"), field(rollup, "Private_Dirty"), field(status, "VmPTE"), field(status, "Threads")]
            row = [a + b for a, b in zip(row, values)]
        rows.append(row)
        stop(process)
    return [int(statistics.median(column)) for column in zip(*rows)]


def system_calls(peers, command, links):
    log = f"{peers}/strace.log"
    gone()
    process = start(["strace", "-f", "-o", log, *command])
    time.sleep(0.7 if links != ENDS else 0.2)
    text = read(log)
    stop(process)
    calls = [line for line in text.splitlines() if re.match(r"\d+ +\w+\(", line)]
    return len(calls) - 1  # without the execve that starts it


def idle(commands):
    """CPU ticks and context switches of each in ten seconds, all at the same time."""
    gone()
    running = [start(command) for command in commands]
    time.sleep(1)

    def sample(process):
        ticks = switches = 0
        for pid in tree(process.pid):
            for task in os.listdir(f"/proc/{pid}/task"):
                stat = read(f"/proc/{pid}/task/{task}/stat").rsplit(")", 1)[1].split()
                ticks += int(stat[11]) + int(stat[12])
                status = read(f"/proc/{pid}/task/{task}/status")
                switches += field(status, "voluntary_ctxt_switches") + field(status, "nonvoluntary_ctxt_switches")
        return ticks, switches

    before = [sample(process) for process in running]
    time.sleep(10)
    after = [sample(process) for process in running]
    for process in running:
        stop(process)
    tick = 1000 / os.sysconf("SC_CLK_TCK")
    return [((b[0] - a[0]) * tick, b[1] - a[1]) for a, b in zip(before, after)]


def control_group(controller="memory"):
    """A control group of that kind, to be made and removed below this process's own, or None."""
    for line in read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return f"/sys/fs/cgroup/{controller}{path.rstrip('/')}/modelcar-bench-{os.getpid()}"
    path = "/sys/fs/cgroup"
    if controller in read(f"{path}/cgroup.subtree_control").split():
        return f"{path}/modelcar-bench-{os.getpid()}"
    return None


def measured_times(measure, runs, chosen):
    """For each of the programs, a list of (nanoseconds to the link, nanoseconds to the end)."""
    arguments = []
    for _, _, command, links in chosen:
        arguments += (["--"] if arguments else []) + [str(links), *command]
    output = subprocess.run([measure, "times", str(runs), *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
    times = [[] for _ in chosen]
    for line in output.splitlines():
        index, linked, ended = map(int, line.split())
        times[index].append((linked, ended))
    return times


def run(peers, runs):
    measure = os.path.abspath(f"{peers}/measure")
    all_programs = [(name, file, [os.path.abspath(command[0]), *command[1:]], links)
                    for name, file, command, links in programs(peers)]
    load = int(read("/proc/loadavg").split()[3].split("/")[0]) - 1
    print(f"bench.py: {runs} interleaved runs", flush=True)
    times = measured_times(measure, runs, all_programs)
    print(f"bench.py: {runs} of the program and the assembly alone", flush=True)
    pair = dict(zip((OURS, ASM), measured_times(measure, runs, [row for row in all_programs if row[0] in (OURS, ASM)])))
    print("bench.py: ten idle seconds", flush=True)
    waiting = [entry for entry in all_programs if entry[3] != ENDS]
    idles = dict(zip([entry[0] for entry in waiting], idle([entry[2] for entry in waiting])))
    go = json.loads(read(f"{peers}/go.json"))
    pulls = {OURS: own_pull(), GO: go["pull"]}
    group, rows = control_group(), []
    for (name, file, command, links), taken in zip(all_programs, times):
        print(f"bench.py: {name}", flush=True)
        with open(file, "rb") as binary:
            content = binary.read()
        row = {"name": name, "file": len(content), "gzip": len(gzip.compress(content, 9, mtime=0)), "pull": pulls.get(name)}
        row["calls"] = system_calls(peers, command, links)
        row["end_us"] = statistics.median(ended for _, ended in taken) / 1000
        if links == LINK:
            row["link_us"] = statistics.median(linked for linked, _ in taken) / 1000
        if links != ENDS:
            row["rss"], row["dirty"], row["tables"], row["threads"] = memory(command)
            row["cpu_ms"], row["switches"] = idles[name]
        if group and links == LINK:
            row["limit"] = int(subprocess.run([measure, "limit", group, *command], check=True, stdout=subprocess.PIPE).stdout)
        if group and links != ENDS:
            crowd = int(subprocess.run([measure, "crowd", group, "500", *command], check=True, stdout=subprocess.PIPE).stdout)
            row["crowd"] = None if crowd < 0 else crowd // 1024
        rows.append(row)
    cpu = re.search(r"^model name\s*: (.*)$", read("/proc/cpuinfo"), re.M)
    data = {
        "machine": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}",
        "runs": runs,
        "load": load,
        "go_layer": go["layer"],
        "pair": [statistics.median(row[column] for row in pair[OURS]) / statistics.median(row[column] for row in pair[ASM])
                 for column in (0, 1)],
        "programs": rows,
        "copies": copying.measure(peers, copy_runs(runs), control_group),
    }
    write(data)


def copies(peers, runs):
    data = json.loads(read(DATA))
    data["copies"] = copying.measure(peers, copy_runs(runs), control_group)
    write(data)


def copy_runs(runs):
    """A copy takes a thousand times as long as a start."""
    return max(3, min(9, runs // 40))


def write(data):
    with open(DATA, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")
    pages()


def cell(row, key, digits=0):
    value = row.get(key)
    return "-" if value is None else f"{value:,.{digits}f}"


def table(head, rows):
    out = "| " + " | ".join(head) + " |\n|---|" + "--:|" * (len(head) - 1) + "\n"
    return out + "".join("| " + " | ".join(row) + " |\n" for row in rows)


def pages():
    data = json.loads(read(DATA))
    rows = {row["name"]: row for row in data["programs"]}
    ours, asm = rows[OURS], rows[ASM]

    def ratio(row, key, to):
        value = row.get(key)
        return "-" if not value or not to.get(key) else f"{value / to[key]:.2f}"

    held = [
        ("KiB resident while waiting", ours["rss"], "at most 20", ours["rss"] <= 20),
        ("KiB private and dirty while waiting", ours["dirty"], "at most 4", ours["dirty"] <= 4),
        ("system calls until it waits, KServe's string on a fresh volume", ours["calls"], "at most 10", ours["calls"] <= 10),
        ("time from exec to link, to the assembly's", f"{data['pair'][0]:.2f}", "at most 1.10", data["pair"][0] <= 1.1),
        ("time from SIGTERM to reaped, to the assembly's", f"{data['pair'][1]:.2f}", "at most 1.10", data["pair"][1] <= 1.1),
        ("smallest memory limit, to the assembly's", ratio(ours, "limit", asm), "at most 2.00",
         None if not ours.get("limit") or not asm.get("limit") else ours["limit"] <= 2 * asm["limit"]),
    ]
    text = f"""# Benchmarks

Written by `make bench`, which installs the peers, measures them beside the program in one run, and writes this page.

Machine: {data["machine"]}.

Times are medians of {data["runs"]} runs, interleaved, seen by a process that does nothing but look, on the first
processor, while the programs have the others. Memory is the median of nine, of all processes of a program together. The
program, busybox and the Go program get KServe's string; the others do less: they link one fixed path, or make no link.
Times depend on what else the machine does ({data["load"]} processes wanted a processor when the run began): compare
within a table, not between runs.

![Bytes, memory and time of five programs](benchmarks.svg)

## Size and memory

"Limit" is the smallest limit of a memory control group in which it links and waits, in steps of 4 KiB, with the file in
the page cache; a container runtime's own need, some MiB, comes on top. "500 at once" is what such a group is charged.
"Pull" is what a node downloads for the image on amd64: manifest, configuration and layers, without the model.

{table(["program", "file B", "gzip -9 B", "pull B", "resident KiB", "private dirty KiB", "page tables KiB", "threads", "limit KiB", "500 at once KiB"],
       [[row["name"], *(cell(row, key) for key in ("file", "gzip", "pull", "rss", "dirty", "tables", "threads", "limit", "crowd"))] for row in data["programs"]])}
## Work and time

System calls are counted from exec, which is not one of them, to the one that it waits in, which is. Time to the end is
from SIGTERM to reaped; of `exit(0)`, from exec. Ratios are to the assembly, which does only the link and the wait.

{table(["program", "system calls", "exec to link µs", "ratio", "time to the end µs", "ratio", "CPU ms in 10 s", "wake-ups in 10 s"],
       [[row["name"], cell(row, "calls"), cell(row, "link_us"), ratio(row, "link_us", asm), cell(row, "end_us"),
         ratio(row, "end_us", asm), cell(row, "cpu_ms"), cell(row, "switches")] for row in data["programs"]])}
{copying.section(data["copies"], table) if "copies" in data else ""}
## What the program is held to

{table(["figure", "measured", "wanted", "kept"], [[name, str(value), wanted, "not measured" if kept is None else "yes" if kept else "**no**"]
        for name, value, wanted, kept in held])}
The two times are of {data["runs"]} runs in which only the program and the assembly take turns. In the tables above each
start follows those of much larger programs, which leave nothing of these two in the processor's caches; the larger one
then takes longer to come back.

System calls, memory and threads are exact and are tests too (`tests/tests/counts.rs`); times are here only.
"""
    for path, content in ((PAGE, text), (CHART, chart(rows))):
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        print(f"bench.py: wrote {path}")


def chart(rows):
    shown = [(OURS, "link-model-and-wait"), (ASM, "assembly, the limit"), ("C, static glibc, link only", "C, static glibc"),
             ("busybox sh", "busybox sh"), (GO, "today's image (Go)")]
    panels = [("file, bytes", lambda row: row["file"]), ("memory waiting, KiB", lambda row: row["rss"] + row["tables"]),
              ("exec to link, µs", lambda row: row["link_us"])]
    width, label, left, bar, gap = 860, 150, 160, 18, 8
    panel = (width - left) / len(panels)
    height = 44 + len(shown) * (bar + gap)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="12">',
           "<title>Bytes, memory and time of five programs; shorter is better</title>",
           f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
    for index, (name, text) in enumerate(shown):
        y = 36 + index * (bar + gap)
        weight = ' font-weight="bold"' if name == OURS else ""
        out.append(f'<text x="{label}" y="{y + 13}" text-anchor="end" fill="#222222"{weight}>{text}</text>')
    for column, (title, value) in enumerate(panels):
        x = left + column * panel
        top = max(value(rows[name]) for name, _ in shown)
        out.append(f'<text x="{x:.0f}" y="22" fill="#222222" font-weight="bold">{title}</text>')
        for index, (name, _) in enumerate(shown):
            y, length = 36 + index * (bar + gap), (panel - 84) * value(rows[name]) / top
            colour = "#3b6fb6" if name == OURS else "#b8bec6"
            out.append(f'<rect x="{x:.0f}" y="{y}" width="{max(length, 1):.1f}" height="{bar}" fill="{colour}"/>')
            out.append(f'<text x="{x + length + 6:.1f}" y="{y + 13}" fill="#222222">{value(rows[name]):,.0f}</text>')
    return "\n".join(out) + "\n</svg>\n"


if __name__ == "__main__":
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    if len(sys.argv) == 4 and sys.argv[1] == "unpack":
        unpack(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 4 and sys.argv[1] == "run":
        run(sys.argv[2], int(sys.argv[3]))
    elif len(sys.argv) == 4 and sys.argv[1] == "copies":
        copies(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1:] == ["pages"]:
        pages()
    else:
        sys.exit(__doc__)
