"""The node itself: it leaves nothing behind, however it ends. These have nodes of their own."""

import os
import signal
import subprocess
import sys

import pytest

import machine
from conftest import HERE, PATIENCE, ROOT, RUNTIME, Cluster, Space, bare, busybox, model_of, wait_for
from images import BASE, image
from node import Node, standing
from test_life import link, pod, read, running

# What make does: a process that keeps a node, in a process group of its own.
HOLDER = "import sys, time; sys.path.insert(0, sys.argv[1]); from node import Node; n = Node(*sys.argv[2:]).start(); print('up', flush=True); time.sleep(600)"

ENDS = pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=["killed", "Ctrl-C", "terminated"]
)


def interruptible(command, **kwargs):
    """In a session of its own, and with an ear for Ctrl-C also if these tests run where a shell has put them: behind `&`."""
    return subprocess.Popen(
        command,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **kwargs,
    )


def holder(folder):
    command = [sys.executable, "-c", HOLDER, str(HERE), str(folder), RUNTIME]
    process = interruptible(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
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


@ENDS
def test_a_node_ends_with_who_keeps_it(own, number):
    process = holder(own)
    os.killpg(process.pid, number)
    process.wait()
    ended(own)
    Node(own, RUNTIME).start().stop()  # the next run works
    ended(own)


def test_a_node_ends_with_its_keeper_and_the_next_one_tidies_up(own):
    node = Node(own, RUNTIME).start()
    assert standing(own)
    os.kill(node.keeper.pid, signal.SIGKILL)
    node.keeper.wait()
    ended(own)
    assert (own / "ready").exists() and not standing(own), "what is left is no node for the next run of tests"
    Node(own, RUNTIME).start().stop()


@ENDS
def test_all_ends_with_make(own, tmp_path, number):
    """`make cluster` itself: Ctrl-C meets all in its group, the others the outermost process alone."""
    command = ["make", "--no-print-directory", "--directory", str(ROOT), "cluster", "TESTS=waits.py"]
    with open(tmp_path / "log", "w") as log:
        process = interruptible(command, env=os.environ | {"NODE": str(own)}, stdout=log, stderr=log)
    try:
        wait_for("a node", lambda: process.poll() is not None or (own / "ready").exists())
        assert process.poll() is None, (tmp_path / "log").read_text()
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        assert process.wait(PATIENCE) != 0
        ended(own)
        wait_for("the end of all that make has started", lambda: not in_session(process.pid), 10)
    finally:
        for pid in in_session(process.pid):
            os.kill(pid, signal.SIGKILL)


def in_session(leader):
    """The processes of its session."""
    found = subprocess.run(["ps", "-o", "pid=,stat=", "--sid", str(leader)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "Z" not in line.split()[1]]


def test_pods_come_back_after_the_whole_node_was_killed(own, tmp_path):
    """Their volumes are there still, with a link in each that leads to nowhere or, worse, to another process."""

    def default(node):
        return Space(bare(Cluster(node)), "default")

    def inode(space):
        return space.exec("pod", "kserve-container", "stat", "-c", "%i", "/mnt/models").stdout

    node = Node(own, RUNTIME).start()
    space = default(node)
    images = {
        name: space.cluster.push(image(tmp_path / name, files, base), f"{name}:1")
        for name, files, base in (("modelcar-one", model_of("one"), BASE), ("server", busybox(), None))
    }
    running(space, pod(images["modelcar-one"], images["server"]))
    before = inode(space)
    os.kill(node.keeper.pid, signal.SIGKILL)
    node.keeper.wait()
    ended(own)
    node = Node(own, RUNTIME).start()
    try:
        space = default(node)
        wait_for("the model again", lambda: read(space) == "I am one\n" and inode(space) != before)
        space.wait("pod/pod", "condition=Ready")
        assert space.logs("pod", "modelcar") == f"link-model-and-wait: /mnt/models -> {link(space)}\n"
    finally:
        node.stop()
    ended(own)


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
        known = {"lo", "node", "node-peer", "cni0", "tunl0", "sit0", "ip6tnl0"}
        assert {line.split("@")[0].split()[0] for line in said.splitlines()} <= known, said
        outside = subprocess.run(node.enter("curl", "--silent", "--max-time", "3", "http://192.0.2.1/"))
        assert outside.returncode in (7, 28)
    finally:
        node.stop()
