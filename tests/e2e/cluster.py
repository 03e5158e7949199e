"""What a cluster does with a ModelCar before a container runtime sees it: KServe's injection and the kubelet's expansion."""

import copy
import posixpath
import re

UID = 1010  # KServe's uidModelcar
SMALL = {"cpu": "10m", "memory": "15Mi"}
VOLUME = "kserve-provision-location"
PLAIN = re.compile(r"[A-Za-z0-9/._-]*")


def expand(text, env=None):
    """`$$` is `$`, `$(NAME)` a variable's value where there is one; everything else stays."""
    env = env or {}
    return re.sub(r"\$(?:\$|\(([^)]*)\))", lambda m: "$" if m[1] is None else env.get(m[1], m[0]), text)


def quote(path):
    return path if PLAIN.fullmatch(path) else "'" + path.replace("'", r"'\''") + "'"


def link_script(path):
    """KServe's sidecar command for a model path."""
    parent = "" if path == "/mnt/models" else f"mkdir -p {quote(posixpath.dirname(path))} && "
    return f"{parent}ln -sf /proc/$$$$/root/models {quote(path)} && sleep infinity"


def init_script(image):
    """KServe's command for the init container."""
    return (
        f"echo 'Pre-fetching modelcar {image}: ' && [ -d /models ] && [ \"$$(ls -A /models)\" ] && "
        "echo 'OK ... Prefetched and valid (/models exists)' || "
        "(echo 'NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)' && exit 1)"
    )


def modelcar(image, path, number=0):
    """The init container, the sidecar and the volume that KServe adds for one OCI source."""
    suffix = f"-{number}" if number else ""
    common = {
        "image": image,
        "resources": {"limits": dict(SMALL), "requests": dict(SMALL)},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    init = common | {"name": f"modelcar-init{suffix}", "args": ["sh", "-c", init_script(image)]}
    sidecar = copy.deepcopy(common) | {
        "name": f"modelcar{suffix}",
        "args": ["sh", "-c", link_script(path)],
        "volumeMounts": [{"name": VOLUME + suffix, "mountPath": posixpath.dirname(path)}],
        "securityContext": {"runAsUser": UID},
    }
    return init, sidecar, {"name": VOLUME + suffix, "emptyDir": {}}


def kserve_pod(name, server, models):
    """The Pod that KServe makes: `server` is the runtime's container, `models` maps paths to images."""
    server = server | {
        "env": [{"name": "MODEL_INIT_MODE", "value": "async"}],
        "volumeMounts": [],
        "securityContext": server.get("securityContext", {"runAsUser": UID}),
    }
    spec = {"shareProcessNamespace": True, "initContainers": [], "containers": [server], "volumes": []}
    for number, (path, image) in enumerate(models.items()):
        init, sidecar, volume = modelcar(image, path, number)
        spec["initContainers"].append(init)
        spec["containers"].append(sidecar)
        spec["volumes"].append(volume)
        server["volumeMounts"] += copy.deepcopy(sidecar["volumeMounts"])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
