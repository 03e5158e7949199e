"""What KServe needs of cert-manager, in its place: `certificates.py FOLDER` makes the Secret of each Certificate, signed by
ca.key in FOLDER, and writes ca.crt where the annotation cert-manager.io/inject-ca-from asks for it."""

import base64
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from node import certificate

API = "https://127.0.0.1:6443"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
KINDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ASKED = "cert-manager.io/inject-ca-from"
os.chdir(sys.argv[1])
context = ssl.create_default_context(cafile="ca.crt")
context.load_cert_chain("admin.crt", "admin.key")
authority = base64.b64encode(Path("ca.crt").read_bytes()).decode()


def call(method, path, body=None, accept="application/json"):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        API + path, data, {"Content-Type": "application/json", "Accept": accept}, method=method
    )
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return json.load(answer)


def items(path, **kwargs):
    try:
        return call("GET", path, **kwargs)["items"] or []
    except urllib.error.HTTPError as error:
        if error.code == 404:  # the kind does not exist yet
            return []
        raise


def issue(wanted):
    namespace, name = wanted["metadata"]["namespace"], wanted["spec"]["secretName"]
    path = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        call("GET", f"{path}/{name}")
        return
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
    names = wanted["spec"]["dnsNames"]
    certificate(name, f"/CN={name[:60]}", ",".join(f"DNS:{one}" for one in names))
    files = {"tls.crt": f"{name}.crt", "tls.key": f"{name}.key", "ca.crt": "ca.crt"}
    data = {key: base64.b64encode(Path(file).read_bytes()).decode() for key, file in files.items()}
    call(
        "POST",
        path,
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls", "data": data},
    )


def inject(path, found, clients):
    changed = [client for client in clients if client.get("caBundle") != authority]
    if changed and ASKED in found["metadata"].get("annotations", {}):
        for client in changed:
            client["caBundle"] = authority
        call("PUT", f"{path}/{found['metadata']['name']}", found)


done = set()
while True:
    try:
        for wanted in items("/apis/cert-manager.io/v1/certificates"):
            issue(wanted)
        for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
            for hook in items(f"{HOOKS}/{kind}"):
                inject(f"{HOOKS}/{kind}", hook, [each["clientConfig"] for each in hook.get("webhooks", [])])
        # Megabytes, these: each is read once only.
        for kind in items(KINDS, accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"):
            name = kind["metadata"]["name"]
            if name not in done and ASKED in kind["metadata"].get("annotations", {}):
                kind = call("GET", f"{KINDS}/{name}")
                client = kind["spec"].get("conversion", {}).get("webhook", {}).get("clientConfig")
                inject(KINDS, kind, [client] if client else [])
                done.add(name)
    except (OSError, RuntimeError) as error:  # someone else changed it, or the API server is busy: once more
        print(error, flush=True)
    time.sleep(1)
