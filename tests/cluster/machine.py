"""What the machine looks like, to be compared before and after: nothing of a node may be left on it."""

import os
import re
import subprocess
import time
from pathlib import Path

from node import hierarchies

# Sysctls that count, or are random.
RESTLESS = re.compile(
    r"kernel/(random/|ns_last_pid|pty/nr|hotplug|tainted)|fs/(dentry-state|file-nr|inode-|aio-nr|quota)|/nf_conntrack_count|rpc"
)
# Control groups, mounts and folders in /run of others, who come and go.
OTHERS = re.compile(
    r"/(docker|libpod\w*|buildah\w*|crun|runc|machine\.slice|user\.slice|system\.slice|init\.scope|containers|netns|lock|cni\.lock|mmdebstrap)\b"
)


def sysctls():
    found = {}
    for folder, _, names in os.walk("/proc/sys"):
        for name in names:
            path = f"{folder}/{name}"
            if not RESTLESS.search(path) and "/binfmt_misc/" not in path:
                try:
                    found[path] = Path(path).read_bytes()
                except OSError:
                    pass
    return found


def other_node(folder):
    """One that somebody keeps: it has its keeper's process id in its name."""
    name = re.search(r"/modelcar-cluster-(\d+)", folder)
    return name and Path(f"/proc/{name[1]}").exists()


def cgroups():
    found = [folder for top in hierarchies() for folder, _, _ in os.walk(top)]
    return {folder: None for folder in found if not OTHERS.search(folder) and not other_node(folder)}


def listing(top, depth):
    command = ["find", top, "-xdev", "-maxdepth", str(depth), "-printf", "%p\t%y %m %U:%G %l\n"]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split("\t", 1) for line in lines if not OTHERS.search(line))


def output(*command):
    return {" ".join(command): subprocess.run(command, capture_output=True, text=True).stdout}


def look():
    return {
        "sysctls": sysctls(),
        "control groups": cgroups(),
        "/etc": listing("/etc", 9),
        "/run": listing("/run", 2),
        "/var": listing("/var", 1) | listing("/var/lib", 1) | listing("/var/log", 1),
        "/": listing("/", 1),
        "network": output("ip", "-brief", "link")
        | output("ip", "route")
        | output("ip", "netns", "list")
        | output("nft", "list", "ruleset"),
        "mounts": {
            line: None for line in Path("/proc/self/mounts").read_text().splitlines() if not OTHERS.search(line)
        },
    }


def changes(before, after):
    """Lines: what differs."""
    said = []
    for part, old in before.items():
        new = after[part]
        said += [f"{part}: {name} is new" for name in new.keys() - old.keys()]
        if part not in ("control groups", "/run", "mounts"):  # others end theirs whenever they like
            said += [f"{part}: {name} is gone" for name in old.keys() - new.keys()]
        said += [
            f"{part}: {name} was {old[name]!r}, is {new[name]!r}"
            for name in old.keys() & new.keys()
            if old[name] != new[name]
        ]
    return sorted(said)


def compare(before):
    """Fails unless all is as it was, after a moment."""
    end = time.monotonic() + 20
    while (said := changes(before, look())) and time.monotonic() < end:
        time.sleep(0.5)
    if said:
        raise AssertionError("\n".join(["the machine is not as it was:", *said]))
