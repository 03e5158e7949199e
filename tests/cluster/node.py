#!/usr/bin/python3
"""A Kubernetes of one node, in mount, network, process, IPC and host name namespaces of its own. As root:

    node.py up DIR [crio]     starts it, its state being in DIR; it stays until `down`
    node.py down DIR          ends it
    node.py hold DIR [crio]   the same as `up`, until standard input ends: how tests keep a node no longer than they live

Of the machine nothing is changed. /etc and /run are the node's own, in memory; /var is a folder in DIR; sysctls that the
kubelet wants to set are files that say so already. The one thing that is seen from outside are control groups, all in one
of the node's name, which is removed at the end."""

import fcntl
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "target/cluster/bin"
ADDRESS, SERVICES, PODS = "10.250.0.1", "10.96.0.0/16", "10.244.0.0/16"
REGISTRY = "registry.example.com"  # stands for every registry there is
CGROUPS = Path("/sys/fs/cgroup")
PATH = f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]  # as openssl is asked for a new one
# What the kubelet would set, were it not so already.
SYSCTLS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}


def run(*command, **kwargs):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **kwargs)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def until(what, condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"after {seconds} s still not: {what}")
        time.sleep(0.2)


def may(capability):
    return subprocess.run(["capsh", f"--has-p={capability}"], capture_output=True).returncode == 0


# ---- outside: the keeper of the node


def hierarchies():
    """Each hierarchy of control groups: one with version 2, several with version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [
        path
        for path in CGROUPS.iterdir()
        if path.is_dir() and not path.is_symlink() and (path / "cgroup.procs").exists()
    ]


def remove_cgroups(name):
    for top in hierarchies():
        for folder, _, _ in os.walk(top / name, topdown=False):
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass


def remove_stale_cgroups():
    """Those of nodes whose keeper was killed: a name ends with the keeper's process id."""
    for top in hierarchies():
        for path in top.glob("modelcar-cluster-*"):
            if not Path(f"/proc/{path.name.rpartition('-')[2]}").exists():
                remove_cgroups(path.name)


class Keeper:
    """Starts the node, and sees to it that nothing of it is left."""

    def __init__(self, folder, runtime, held):
        self.folder, self.runtime, self.held = Path(folder).resolve(), runtime, held
        self.name = f"modelcar-cluster-{os.getpid()}"

    def run(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = open(self.folder / "lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"node.py: there is a node in {self.folder} already: node.py down {self.folder}")
        remove_stale_cgroups()
        for name in ("ready", "failed", "pid"):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / "keeper").write_text(str(os.getpid()))
        subtree = {
            top: (top / "cgroup.subtree_control").read_text().split()
            for top in hierarchies()
            if (top / "cgroup.controllers").exists()
        }
        for top in hierarchies():
            (top / self.name).mkdir(exist_ok=True)
        stopped = []
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: stopped.append(1))
        # If this process is killed, `unshare` is, and with it the first process of the node, and with that all.
        command = [
            "setpriv", "--pdeathsig", "KILL",
            "unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL", "--mount-proc",
            "--propagation", "private", sys.executable, __file__, "inside", self.folder, self.runtime, self.name,
        ]  # fmt: skip
        node = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            children = Path(f"/proc/{node.pid}/task/{node.pid}/children")
            until("the first process of the node", lambda: node.poll() is not None or children.read_text(), 10)
            if node.poll() is None:
                (self.folder / "pid").write_text(children.read_text().split()[0])
            while node.poll() is None and not stopped:
                if select.select([0] if self.held else [], [], [], 0.1)[0]:
                    break
        finally:
            self.end(node, subtree)

    def end(self, node, subtree):
        for name in ("ready", "pid"):
            (self.folder / name).unlink(missing_ok=True)
        node.kill()
        node.wait()

        def gone():
            try:
                remove_cgroups(self.name)
            except OSError:
                return False
            return True

        until("the end of all processes of the node", gone, 30)
        for top, before in subtree.items():
            added = set((top / "cgroup.subtree_control").read_text().split()) - set(before)
            if added:
                (top / "cgroup.subtree_control").write_text(" ".join(f"-{controller}" for controller in added))
        (self.folder / "keeper").unlink(missing_ok=True)


# ---- inside: the first process of the node


class Inside:
    def __init__(self, folder, runtime, cgroup):
        self.folder, self.runtime, self.cgroup = Path(folder), runtime, cgroup
        self.daemons = {}

    def path(self, *names):
        return self.folder.joinpath(*names)

    def write(self, name, text):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def files(self):
        run("hostname", "node")
        run("mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run")  # the first: mount(8) has notes of its own in it
        run("mount", "-t", "tmpfs", "-o", "mode=755", "etc", "/mnt")  # for a moment, until it is where it belongs
        run("cp", "-a", "/etc/.", "/mnt")
        run("mount", "--move", "/mnt", "/etc")
        for path in ("/run/netns", "/run/lock", "/run/tmp"):
            Path(path).mkdir()
        for name in ("lib/kubelet", "lib/cni", "lib/containers", "log", "tmp"):
            self.path("var", name).mkdir(parents=True, exist_ok=True)
        if not self.path("var/run").is_symlink():
            self.path("var/run").symlink_to("/run")
        self.path("var/lib/dpkg").mkdir(exist_ok=True)
        if Path("/var/lib/dpkg").is_dir():  # what is installed is as it is
            run("mount", "--bind", "/var/lib/dpkg", self.path("var/lib/dpkg"))
        run("mount", "--rbind", self.path("var"), "/var")
        for name, value in SYSCTLS.items():
            run("mount", "--bind", self.write(f"sysctl/{name}", f"{value}\n"), f"/proc/sys/{name}")
        # With files over some of it, /proc is not whole; and a user namespace may mount one only where a whole one is.
        Path("/run/proc").mkdir()
        run("mount", "-t", "proc", "proc", "/run/proc")
        with open("/etc/hosts", "a") as hosts:
            hosts.write(f"\n{ADDRESS} {REGISTRY} node\n127.0.0.1 localhost\n")

    def podman(self):
        """For those who build images here: limits that about any machine grants, no systemd."""
        Path("/etc/containers").mkdir(exist_ok=True)
        Path("/etc/containers/containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nlock_type = "file"\n'
        )
        Path("/etc/containers/storage.conf").write_text(
            '[storage]\ndriver = "overlay"\ngraphroot = "/var/lib/containers/storage"\nrunroot = "/run/containers/storage"\n'
        )

    def network(self):
        """An interface of which the other end is here too, and a route to where nobody is: nothing leaves."""
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "node", "type", "veth", "peer", "name", "node-peer")
        run("ip", "address", "add", f"{ADDRESS}/24", "dev", "node")
        run("ip", "link", "set", "node", "up")
        run("ip", "link", "set", "node-peer", "up")
        run("ip", "route", "add", "default", "via", "10.250.0.254", "dev", "node")
        for name in ("ip_forward", "conf/all/route_localnet"):
            Path(f"/proc/sys/net/ipv4/{name}").write_text("1")

    def certificates(self):
        pki = self.path("pki")
        pki.mkdir(exist_ok=True)
        os.chdir(pki)
        if not Path("ca.crt").exists():
            files = ["-keyout", "ca.key", "-out", "ca.crt"]
            run("openssl", "req", "-x509", *KEY, "-days", "30", "-subj", "/CN=node", *files)
            run("openssl", "genrsa", "-out", "sa.key", "2048")
            run("openssl", "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
        for name, subject, names in (
            ("apiserver", "/CN=apiserver", f"IP:127.0.0.1,IP:{ADDRESS},IP:10.96.0.1,DNS:kubernetes.default.svc"),
            ("kubelet-server", "/CN=node", f"DNS:node,IP:{ADDRESS}"),
            ("registry", f"/CN={REGISTRY}", f"DNS:{REGISTRY}"),
            ("admin", "/O=system:masters/CN=admin", None),
            ("apiserver-kubelet", "/O=system:masters/CN=apiserver-kubelet", None),
            ("node", "/O=system:nodes/CN=system:node:node", None),
            ("controller", "/CN=system:kube-controller-manager", None),
            ("scheduler", "/CN=system:kube-scheduler", None),
            ("proxy", "/CN=system:kube-proxy", None),
        ):
            if not Path(f"{name}.crt").exists():
                certificate(name, subject, names or f"DNS:{name}")
            cluster = {"server": "https://127.0.0.1:6443", "certificate-authority": f"{pki}/ca.crt"}
            user = {"client-certificate": f"{pki}/{name}.crt", "client-key": f"{pki}/{name}.key"}
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
            self.write(f"{name}.kubeconfig", json.dumps(config))
        trusted = Path("/etc/ssl/certs/ca-certificates.crt")
        trusted.write_text(trusted.read_text() + Path("ca.crt").read_text())

    def start(self, name, *command):
        log = open(self.write(f"log/{name}.log", ""), "a")
        command = [str(word) for word in command]
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.daemons[daemon.pid] = name

    def kubectl(self, *words):
        return subprocess.run([BIN / "kubectl", *words], capture_output=True, text=True)

    def registry(self):
        self.write(
            "registry.yaml",
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.path('registry')}}}}}\n"
            f"http: {{addr: '{ADDRESS}:443', tls: {{certificate: {self.path('pki/registry.crt')}, key: {self.path('pki/registry.key')}}}}}\n",
        )
        self.start("registry", "docker-registry", "serve", self.path("registry.yaml"))

    def control_plane(self):
        pki, url = self.path("pki"), "http://127.0.0.1:2379"
        peer = "http://127.0.0.1:2380"
        self.start(
            "etcd", "etcd", "--name", "node", "--data-dir", self.path("etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", url, "--advertise-client-urls", url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"node={peer}",
        )  # fmt: skip
        self.start(
            "apiserver", BIN / "kube-apiserver", f"--etcd-servers={url}", f"--service-cluster-ip-range={SERVICES}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key", f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
            "--kubelet-preferred-address-types=InternalIP", f"--advertise-address={ADDRESS}",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt", f"--kubelet-client-key={pki}/apiserver-kubelet.key",
            f"--kubelet-certificate-authority={pki}/ca.crt", "--feature-gates=ImageVolume=true",
        )  # fmt: skip
        until(
            "an answer of the API server",
            lambda: self.alive() and self.kubectl("get", "--raw", "/readyz").returncode == 0,
            300,
        )
        for name, *more in (
            ("controller-manager", "--use-service-account-credentials", f"--service-account-private-key-file={pki}/sa.key",
             f"--root-ca-file={pki}/ca.crt", f"--cluster-cidr={PODS}", "--leader-elect=false"),
            ("scheduler", "--leader-elect=false"),
        ):  # fmt: skip
            config = self.path(f"{name.partition('-')[0]}.kubeconfig")
            kinds = ("", "authentication-", "authorization-")
            self.start(name, BIN / f"kube-{name}", *(f"--{kind}kubeconfig={config}" for kind in kinds), *more)
        self.start(
            "proxy", BIN / "kube-proxy", f"--kubeconfig={self.path('proxy.kubeconfig')}", "--proxy-mode=nftables", "--masquerade-all",
            "--conntrack-max-per-core=0", "--conntrack-min=0", f"--bind-address={ADDRESS}", f"--cluster-cidr={PODS}",
            "--hostname-override=node",
        )  # fmt: skip

    def container_network(self):
        ipam = {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": ipam}
        plugins = [bridge, {"type": "loopback"}]
        self.write("cni/10-bridge.conflist", json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}))

    def containerd(self):
        self.write(
            "hosts/_default/hosts.toml",
            f'server = "https://{REGISTRY}"\n[host."https://{REGISTRY}"]\n  capabilities = ["pull", "resolve"]\n',
        )
        self.write("runsc.toml", f'binary_name = "{BIN}/runsc"\n[runsc_config]\n  platform = "systrap"\n')
        runtimes = '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes'
        self.write(
            "containerd.toml",
            f"""version = 3
root = "{self.path("containerd")}"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{REGISTRY}/pause:1"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "{self.path("hosts")}"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = {str(not may("cap_sys_resource")).lower()}
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{self.path("cni")}"
  {runtimes}.runc]
    runtime_type = "io.containerd.runc.v2"
    {runtimes}.runc.options]
      BinaryName = "{BIN}/runc"
  {runtimes}.runsc]
    runtime_type = "io.containerd.runsc.v1"
    {runtimes}.runsc.options]
      TypeUrl = "io.containerd.runsc.v1.options"
      ConfigPath = "{self.path("runsc.toml")}"
""",
        )
        self.start("containerd", BIN / "containerd", "--config", self.path("containerd.toml"))
        return "/run/containerd/containerd.sock"

    def crio(self):
        self.write("crio/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
        Path("/etc/containers/registries.conf").write_text(
            f'unqualified-search-registries = ["{REGISTRY}"]\n'
            + "".join(f'[[registry]]\nprefix = "*.{top}"\nlocation = "{REGISTRY}"\n' for top in ("io", "com")),
        )
        # gVisor's documentation asks for CRI-O 1.37, the first that takes its shim.
        runc = ROOT / "tests/cluster/runc-where-less-is-allowed" if self.less_is_allowed() else BIN / "runc"
        self.write(
            "crio.conf",
            f"""[crio]
root = "{self.path("crio/root")}"
runroot = "/run/crio/run"
log_dir = "/var/log/crio"
version_file = "/run/crio/version"
clean_shutdown_file = "{self.path("crio/clean")}"
storage_driver = "overlay"
[crio.api]
listen = "/run/crio/crio.sock"
[crio.runtime]
conmon = "/usr/bin/conmon"
conmon_cgroup = "pod"
cgroup_manager = "cgroupfs"
pinns_path = "{BIN}/pinns"
default_runtime = "runc"
container_exits_dir = "/run/crio/exits"
container_attach_socket_dir = "/run/crio/attach"
namespaces_dir = "/run/crio/ns"
hooks_dir = []
apparmor_profile = "unconfined"
[crio.runtime.runtimes.runc]
runtime_path = "{runc}"
runtime_root = "/run/crio/runc"
monitor_path = "/usr/bin/conmon"
monitor_cgroup = "pod"
[crio.image]
pause_image = "{REGISTRY}/pause:1"
pause_command = "/pause"
signature_policy = "{self.path("crio/policy.json")}"
[crio.network]
network_dir = "{self.path("cni")}"
plugin_dirs = ["/usr/lib/cni"]
""",
        )
        self.start("crio", BIN / "crio", "--config", self.path("crio.conf"), "--config-dir", "")
        return "/run/crio/crio.sock"

    def less_is_allowed(self):
        """CRI-O has no setting for a machine where a process may not lower its OOM score, nor for one without hugetlb."""
        return not may("cap_sys_resource") or "hugetlb" not in Path("/proc/cgroups").read_text()

    def kubelet(self, socket):
        pki = self.path("pki")
        self.write(
            "kubelet.yaml",
            json.dumps(
                {
                    "apiVersion": "kubelet.config.k8s.io/v1beta1",
                    "kind": "KubeletConfiguration",
                    "cgroupDriver": "cgroupfs",
                    "cgroupRoot": f"/{self.cgroup}",
                    "failSwapOn": False,
                    "failCgroupV1": False,
                    "containerRuntimeEndpoint": f"unix://{socket}",
                    "authentication": {
                        "anonymous": {"enabled": False},
                        "webhook": {"enabled": True},
                        "x509": {"clientCAFile": f"{pki}/ca.crt"},
                    },
                    "authorization": {"mode": "Webhook"},
                    "tlsCertFile": f"{pki}/kubelet-server.crt",
                    "tlsPrivateKeyFile": f"{pki}/kubelet-server.key",
                    "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
                    "imageGCHighThresholdPercent": 100,
                    "serializeImagePulls": False,
                    "featureGates": {"ImageVolume": True},
                    "resolvConf": "",
                    "maxPods": 150,
                }
            ),
        )
        self.start(
            "kubelet", BIN / "kubelet", f"--kubeconfig={self.path('node.kubeconfig')}", f"--config={self.path('kubelet.yaml')}",
            f"--node-ip={ADDRESS}", "--hostname-override=node", f"--cert-dir={pki}",
        )  # fmt: skip

    def ready(self):
        status = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        return self.alive() and self.kubectl("get", "node", "node", "-o", status).stdout == "True"

    def alive(self):
        """Collects processes that have ended, as the first process must; a daemon must not have."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return True
            if pid in self.daemons:
                name = self.daemons.pop(pid)
                lines = self.path(f"log/{name}.log").read_text().splitlines()[-5:]
                raise RuntimeError(
                    "\n".join([f"{name} has ended with status {os.waitstatus_to_exitcode(status)}:", *lines])
                )

    def run(self):
        for name in list(os.environ):  # what is meant for programs outside
            if name.lower().endswith("_proxy") or name.startswith(("CONTAINERS_", "XDG_")):
                del os.environ[name]
        os.environ |= {
            "PATH": PATH,
            "HOME": str(self.path("var")),
            "TMPDIR": "/run/tmp",
            "KUBECONFIG": str(self.path("admin.kubeconfig")),
        }
        try:
            self.files()
            self.podman()
            self.network()
            self.certificates()
            self.registry()
            self.container_network()
            socket = self.crio() if self.runtime == "crio" else self.containerd()
            self.control_plane()
            self.kubelet(socket)
            self.start("certificates", sys.executable, Path(__file__).with_name("certificates.py"), self.path("pki"))
            until("a node that is ready", self.ready, 300)
            # Without it nothing can be created in a namespace.
            until(
                "a service account",
                lambda: self.alive() and self.kubectl("get", "serviceaccount", "default").returncode == 0,
                300,
            )
            self.write("ready", "")
            while self.alive():
                time.sleep(0.1)
        except Exception as error:
            self.write("failed", f"{error}\n")
            sys.exit(1)


def certificate(name, subject, names):
    """NAME.key and NAME.crt, signed by ca.key, in the current folder."""
    run("openssl", "req", *KEY, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
    Path(f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    ca = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"]
    run("openssl", "x509", "-req", "-in", f"{name}.csr", *ca, "-out", f"{name}.crt", "-extfile", f"{name}.ext")


# ---- for those who use it


def standing(folder):
    """Whether somebody keeps a node there: one that was killed has left its files."""
    try:
        with open(Path(folder) / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


class Node:
    """A node that runs until `stop`."""

    def __init__(self, folder, runtime="containerd", held=True):
        self.folder, self.runtime, self.held = Path(folder).resolve(), runtime, held
        self.keeper = None

    def start(self, seconds=900):
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("ready", "failed"):
            (self.folder / name).unlink(missing_ok=True)
        with open(self.folder / "keeper.log", "w") as log:
            self.keeper = subprocess.Popen(
                [sys.executable, __file__, "hold" if self.held else "keep", str(self.folder), self.runtime],
                stdin=subprocess.PIPE if self.held else subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until("ready or failed", lambda: (self.folder / "ready").exists() or self.keeper.poll() is not None, seconds)
        if self.keeper.poll() is not None:
            failed = self.folder / "failed"
            raise RuntimeError(
                f"no node: {failed.read_text() if failed.exists() else (self.folder / 'keeper.log').read_text()}"
            )
        kubectl = self.folder / "kubectl"  # for who develops
        kubectl.write_text(
            f'#!/bin/sh\n[ "$(id -u)" = 0 ] || exec sudo "$0" "$@"\nexec {shlex.join(self.enter("kubectl"))} "$@"\n'
        )
        kubectl.chmod(0o755)
        return self

    def stop(self):
        if self.keeper:
            self.keeper.send_signal(signal.SIGTERM)
            self.keeper.communicate()
            self.keeper = None

    def enter(self, *command, cwd="/"):
        """The command, as it has to be started on the machine to run in the node."""
        pid = (self.folder / "pid").read_text()
        spaces = ["nsenter", "--target", pid, "--mount", "--net", "--pid", "--ipc", "--uts", "--"]
        environment = {
            "PATH": PATH,
            "HOME": self.folder / "var",
            "TMPDIR": "/run/tmp",
            "LANG": "C.UTF-8",
            "KUBECONFIG": self.folder / "admin.kubeconfig",
        }
        variables = [f"{name}={value}" for name, value in environment.items()]
        return [*spaces, "env", "-i", "-C", str(cwd), *variables, *map(str, command)]


def down(folder):
    if not standing(folder):
        sys.exit(f"node.py: there is no node in {folder}")
    keeper = int((Path(folder) / "keeper").read_text())
    os.kill(keeper, signal.SIGTERM)
    until("the end of the node", lambda: not Path(f"/proc/{keeper}").exists(), 60)


def main(command, folder, runtime="containerd", *more):
    if command == "inside":
        Inside(folder, runtime, *more).run()
    elif command in ("hold", "keep"):
        Keeper(folder, runtime, command == "hold").run()
    elif command == "down":
        down(folder)
    elif command == "up":
        try:
            Node(folder, runtime, held=False).start()
        except RuntimeError as error:
            sys.exit(f"node.py: {error}")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    if os.getuid() != 0:
        sys.exit("node.py: a node needs root")
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
