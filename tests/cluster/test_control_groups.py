"""The control group of a ModelCar with the limits that KServe gives it: of version 1 or 2, as the machine has it."""

from figures import charged, group
from node import CGROUPS
from test_life import pod, running

# Of the folder with each: (file, what it says).
LIMITS = {
    1: [("memory.limit_in_bytes", "15728640"), ("cpu.cfs_quota_us", "1000"), ("cpu.cfs_period_us", "100000")],
    2: [("memory.max", "15728640"), ("cpu.max", "1000 100000")],
}


def test_modelcar_keeps_far_below_its_limits(space, modelcar, server, note):
    running(space, pod(modelcar(), server))
    container = space.status("pod", "modelcar")["containerID"].partition("://")[2]
    version = 2 if (CGROUPS / "cgroup.controllers").exists() else 1
    for file, said in LIMITS[version]:
        assert (group(container, file) / file).read_text() == f"{said}\n", file
    assert len((group(container, "pids.current") / "cgroup.procs").read_text().split()) == 1
    everything, kernel = charged(container)
    note(f"control groups of version {version}: charged {everything:,} bytes, the kernel's part {kernel:,}")
    assert kernel <= everything < 1 << 20
