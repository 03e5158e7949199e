"""The same ModelCar on the container runtimes that clusters use."""

import subprocess

import pytest

from conftest import ROOT


@pytest.mark.parametrize("runtime", ["runc", "crun", "containerd", "docker", "runsc"])
def test_runtime(runtime, modelcar, note):
    done = subprocess.run([ROOT / "tests/e2e/runtimes.sh", runtime, modelcar()], capture_output=True, text=True, timeout=300)
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode == 77:
        pytest.skip(last)
    assert done.returncode == 0, done.stdout + done.stderr
    note(last)
