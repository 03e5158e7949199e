"""Measures cp beside GNU's and BusyBox's: one large file and many small ones, from and to several file systems.

Mounts are made below the directory given, which must lie in a mount namespace of this process's own.
"""

import ctypes
import os
import shutil
import statistics
import subprocess
import time

MIB = 1 << 20
LARGE, SMALL, LIMITED = 1024 * MIB, 10_000, 256 * MIB
OURS, GNU, BUSYBOX = "link-model-and-wait", "GNU cp", "BusyBox cp"
# Name of the row, whether caches can be emptied.
PLACES = [("ext4", True), ("tmpfs", False), ("overlay to ext4", True)]


def commands():
    return {
        OURS: [os.path.abspath(f"dist/linux/amd64/{OURS}"), "cp"],
        GNU: ["/bin/cp"],
        BUSYBOX: ["/bin/busybox", "cp"],
    }


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Disks:
    """Two ext4 file systems in files, read and written past this machine's page cache, and an overlay on the first."""

    def __init__(self, root):
        self.root, self.loops = root, []
        for name in ("image", "volume"):
            path = f"{root}/{name}.ext4"
            with open(path, "wb") as file:
                file.truncate(4096 * MIB)
            run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", path)
            loop = subprocess.run(["losetup", "--find", "--show", "--direct-io=on", path], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout.strip()
            self.loops.append(loop)
        for name in ("image", "volume", "overlay", "memory"):
            os.makedirs(f"{root}/{name}", exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "size=3g", "none", f"{root}/memory")
        self.mount()

    def mount(self):
        for loop, name in zip(self.loops, ("image", "volume")):
            run("mount", loop, f"{self.root}/{name}")
        for directory in ("lower", "upper", "work"):
            os.makedirs(f"{self.root}/image/{directory}", exist_ok=True)
        layers = ",".join(f"{name}dir={self.root}/image/{name}" for name in ("lower", "upper", "work"))
        run("mount", "-t", "overlay", "-o", layers, "none", f"{self.root}/overlay")

    def unmount(self):
        for name in ("overlay", "image", "volume"):
            run("umount", f"{self.root}/{name}")

    def forget(self):
        """What these file systems have in caches goes with their mounts."""
        self.unmount()
        self.mount()

    def close(self):
        for name in ("overlay", "image", "volume", "memory"):
            subprocess.run(["umount", f"{self.root}/{name}"], check=False, stderr=subprocess.DEVNULL)
        for loop in self.loops:
            run("losetup", "--detach", loop)
        shutil.rmtree(self.root)

    def source(self, place):
        return {"ext4": f"{self.root}/volume", "tmpfs": f"{self.root}/memory", "overlay to ext4": f"{self.root}/overlay"}[place]

    def target(self, place):
        return f"{self.root}/{'memory' if place == 'tmpfs' else 'volume'}/copy"


def fill(directory):
    """The files to copy."""
    block = os.urandom(MIB)
    for name, size in (("large", LARGE), ("limited", LIMITED)):
        with open(f"{directory}/{name}", "wb") as file:
            for _ in range(size // MIB):
                file.write(block)
    for index in range(SMALL):
        os.makedirs(f"{directory}/small/{index // 1000}", exist_ok=True)
        with open(f"{directory}/small/{index // 1000}/{index}", "wb") as file:
            file.write(block[index:index + 2048])


def settle(path):
    """All that was written lies on the disk."""
    file = os.open(path, os.O_RDONLY)
    ctypes.CDLL(None).syncfs(file)
    os.close(file)


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def timed(command, groups=()):
    """Seconds from exec to the end, and of a processor, in these control groups."""

    def enter():
        for group in groups:
            with open(f"{group}/cgroup.procs", "w", encoding="utf-8") as file:
                file.write("0")

    begun = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=enter if groups else None)
    _, status, used = os.wait4(process.pid, 0)
    taken = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"copying.py: {' '.join(command)}: exit {process.returncode}")
    return taken, used.ru_utime + used.ru_stime


def compared(disks, place, name, cold, runs, groups=()):
    """What timed() says of each program, run by run, in turns."""
    source, target = f"{disks.source(place)}/{name}", disks.target(place)
    options = ["-r"] if os.path.isdir(source) else []
    times = {program: [] for program in commands()}
    for number in range(0 if cold else -1, runs):  # the first time, caches are still to be filled
        for program, command in commands().items():
            remove(target)
            settle(os.path.dirname(target))
            if cold:
                disks.forget()
            taken = timed([*command, *options, source, target], groups)
            if number >= 0:
                times[program].append(taken)
    check(source, target)
    remove(target)
    return times


def check(source, target):
    """The last copy is one."""
    run("diff", "-r", source, target)


def calls(disks, peers):
    """System calls for each small file."""
    counts = {}
    source, target = f"{disks.source('ext4')}/small", disks.target("ext4")
    for program, command in commands().items():
        log = f"{peers}/strace.log"
        run("strace", "-f", "-qq", "-o", log, *command, "-r", source, target)
        with open(log, "rb") as file:
            counts[program] = sum(1 for _ in file) / SMALL
        remove(target)
    return counts


def limits(group_of):
    """Control groups with KServe's limits for a sidecar, 10m of a processor and 15 MiB; none where that cannot be."""
    cpu, memory = group_of("cpu"), group_of("memory")
    if not cpu or not memory:
        return []
    cpu, memory = f"{cpu}-limits", f"{memory}-limits"  # the one without is the whole benchmark's
    made = []
    for group in dict.fromkeys((cpu, memory)):
        os.mkdir(group)
        made.append(group)
    for path, text in ((f"{cpu}/cpu.max", "1000 100000"), (f"{cpu}/cpu.cfs_period_us", "100000"),
                       (f"{cpu}/cpu.cfs_quota_us", "1000"), (f"{memory}/memory.max", str(15 * MIB)),
                       (f"{memory}/memory.limit_in_bytes", str(15 * MIB))):
        if os.path.exists(path):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    return made


def measure(peers, runs, group_of):
    """All rows, and the system calls."""
    root = os.path.abspath(f"{peers}/copying")
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    disks = Disks(root)
    with open("/proc/loadavg", encoding="utf-8") as file:
        load = int(file.read().split()[3].split("/")[0]) - 1
    rows = []

    def row(what, place, cache, times):
        entry = {"what": what, "place": place, "cache": cache}
        for column, name in enumerate(("time", "cpu")):
            of = {program: [run[column] for run in taken] for program, taken in times.items()}
            ratios = {peer: statistics.median(a / b for a, b in zip(of[OURS], of[peer])) for peer in (GNU, BUSYBOX)}
            entry[name] = {"ms": {program: statistics.median(taken) * 1000 for program, taken in of.items()}, "ratios": ratios}
        rows.append(entry)

    try:
        for directory in ("image/lower", "volume", "memory"):
            fill(f"{root}/{directory}")
        disks.forget()
        for name, what in (("large", "one file of 1 GiB"), ("small", "10,000 files of 2 KiB")):
            for place, can_be_cold in PLACES:
                for cold in (False, True) if can_be_cold else (False,):
                    cache = "cold" if cold else "warm"
                    print(f"copying.py: {what}, {place}, {cache}", flush=True)
                    row(what, place, cache, compared(disks, place, name, cold, runs))
        counts = calls(disks, peers)
        groups = limits(group_of)
        try:
            if groups:
                print("copying.py: at KServe's limits", flush=True)
                times = compared(disks, "overlay to ext4", "limited", True, max(3, runs // 3), groups)
                row("one file of 256 MiB, 10m and 15 MiB", "overlay to ext4", "cold", times)
        finally:
            for group in groups:
                os.rmdir(group)
    finally:
        disks.close()
    return {"runs": runs, "load": load, "rows": rows, "calls": counts, "gnu": version()}


def version():
    text = subprocess.run(["/bin/cp", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    busybox = subprocess.run(["/bin/busybox"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return f"coreutils {text.split()[3]}, {' '.join(busybox.split()[:2])}"


def section(data, table):
    """Of the page."""
    tables = {}
    for kind in ("time", "cpu"):
        rows = [[row["what"], row["place"], row["cache"], *(f"{row[kind]['ms'][name]:,.0f}" for name in (OURS, GNU, BUSYBOX)),
                 *(f"{row[kind]['ratios'][name]:.2f}" for name in (GNU, BUSYBOX))] for row in data["rows"]]
        tables[kind] = table(["what", "where", "cache", f"{OURS} ms", "GNU ms", "BusyBox ms", "to GNU", "to BusyBox"], rows)
    each = ", ".join(f"{name} {data['calls'][name]:.1f}" for name in (OURS, GNU, BUSYBOX))
    return f"""## Copying

`cp` beside {data["gnu"]}, on file systems of the benchmark's own: ext4 to itself, tmpfs to itself, and,
as from a ModelCar to a volume, overlay on one ext4 to another. They lie in files that are read and written past the
machine's page cache; cold is right after a mount. Medians of {data["runs"]} runs, in turns; a ratio is the median of the
runs' ratios, and below 1 the program is ahead. The last row has KServe's default limits for its sidecar, by control
groups.

From exec to the end, which depends on the disk and on all that the machine does ({data["load"]} processes wanted a processor
when these runs began):

{tables["time"]}
What a processor did for it, in the program and in the kernel:

{tables["cpu"]}
System calls for each of the small files: {each}.
"""
