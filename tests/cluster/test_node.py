"""The node itself: it leaves nothing behind, however it ends. These have nodes of their own."""

import os
import signal
import subprocess
import sys

import pytest

import machine
from conftest import HERE, RUNTIME, wait_for
from node import Node

# What make does: a process that keeps a node, in a process group of its own.
HOLDER = "import sys, time; sys.path.insert(0, sys.argv[1]); from node import Node; n = Node(*sys.argv[2:]).start(); print('up', flush=True); time.sleep(600)"


def holder(folder):
    command = [sys.executable, "-c", HOLDER, str(HERE), str(folder), RUNTIME]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "up\n", process.stdout.read()
    return process


def processes(folder):
    """All on this machine that have the node's folder on their command lines."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if str(folder).encode() in open(f"/proc/{pid}/cmdline", "rb").read():
                found.append(int(pid))
        except OSError:
            pass
    return [pid for pid in found if pid != os.getpid()]


@pytest.fixture
def own(tmp_path):
    """A folder for a node, with what must be the same again afterwards."""
    before = machine.look()
    yield tmp_path / "node"
    machine.compare(before)


def ended(folder):
    wait_for(f"the end of what runs in {folder}", lambda: not processes(folder), 30)


def test_a_node_that_is_stopped_leaves_nothing(own):
    node = Node(own, RUNTIME).start()
    assert processes(own)
    node.stop()
    ended(own)


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=["killed", "Ctrl-C", "terminated"]
)
def test_a_node_ends_with_who_keeps_it(own, number):
    process = holder(own)
    os.killpg(process.pid, number)
    process.wait()
    ended(own)
    Node(own, RUNTIME).start().stop()  # the next run works
    ended(own)


def test_a_node_ends_with_its_keeper_and_the_next_one_tidies_up(own):
    node = Node(own, RUNTIME).start()
    os.kill(node.keeper.pid, signal.SIGKILL)
    node.keeper.wait()
    ended(own)
    Node(own, RUNTIME).start().stop()


def test_a_folder_has_one_node(own):
    node = Node(own, RUNTIME).start()
    try:
        with pytest.raises(RuntimeError, match="there is a node in"):
            Node(own, RUNTIME).start()
        node.enter("true")
    finally:
        node.stop()


def test_a_daemon_that_ends_ends_the_node_and_is_named(own):
    node = Node(own, RUNTIME).start()
    try:
        subprocess.run(node.enter("pkill", "-KILL", "-x", "etcd"), check=True)
        wait_for("the end of the node", lambda: node.keeper.poll() is not None)
        assert (own / "failed").read_text().startswith("etcd has ended with status -9:")
    finally:
        node.stop()
    ended(own)


def test_nothing_leaves_the_node(own):
    """Its one way out leads to nobody; names of elsewhere are not found."""
    node = Node(own, RUNTIME).start()
    try:
        said = subprocess.run(node.enter("ip", "-brief", "link"), capture_output=True, text=True).stdout
        assert {line.split("@")[0].split()[0] for line in said.splitlines()} <= {
            "lo",
            "node",
            "node-peer",
            "cni0",
            "tunl0",
            "sit0",
            "ip6tnl0",
        }, said
        assert subprocess.run(node.enter("curl", "--silent", "--max-time", "3", "http://192.0.2.1/")).returncode in (
            7,
            28,
        )
    finally:
        node.stop()
