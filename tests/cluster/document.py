"""The commands of docs/kserve.md, from the document itself, with what has to differ on a node without the internet."""

import re

from conftest import CERT_MANAGER, INSTALL, ROOT

# (what stands in the document, what is run, why). One that no longer occurs is an error: the list is to stay true.
SUBSTITUTIONS = [
    (
        "https://github.com/cert-manager/cert-manager/releases/download/v1.16.1/cert-manager.yaml",
        str(CERT_MANAGER),
        "cert-manager cannot be built from a Go module: certificates.py does its work",
    ),
    (
        "kubectl wait --for condition=Available --timeout 5m -n cert-manager deployment --all\n",
        "",
        "certificates.py is no deployment",
    ),
    (
        "https://github.com/kserve/kserve/releases/download/v0.20.0/kserve.yaml",
        str(INSTALL / "kserve.yaml"),
        "KServe's module holds what its release has",
    ),
    (
        "https://github.com/kserve/kserve/releases/download/v0.20.0/kserve-cluster-resources.yaml",
        str(INSTALL / "kserve-cluster-resources.yaml"),
        "the same; and its servers ask for less of a small node, see conftest.py",
    ),
    (
        "python3 -m venv target/venv\ntarget/venv/bin/pip install scikit-learn\n"
        "target/venv/bin/python tests/e2e/predictor/train.py examples/iris/model.joblib\n",
        'cp "$TRAINED" examples/iris/model.joblib\n',
        "the same has been done with the model server's own scikit-learn",
    ),
    ("make image\n", "", "it has been run: dist/ is there"),
    ("8080:80 &\n", "8080:80 &\nsleep 3\n", "who types it is slower"),
]


def sections():
    """{number: the commands of that section}, substituted."""
    found, used = {}, set()
    for part in re.split(r"^## ", (ROOT / "docs/kserve.md").read_text(), flags=re.M)[1:]:
        blocks = "".join(re.findall(r"^```sh\n(.*?)^```$", part, flags=re.M | re.S))
        for text, instead, _ in SUBSTITUTIONS:
            if text in blocks:
                used.add(text)
                blocks = blocks.replace(text, instead)
        if blocks:
            found[int(part.split(".")[0])] = blocks
    unused = [text for text, _, _ in SUBSTITUTIONS if text not in used]
    assert not unused, f"docs/kserve.md has no longer: {unused}"
    return found
