#!/usr/bin/env bash
# Installs KServe (KSERVE=v0.20.0) in the kind cluster `modelcar`, turns ModelCars on, and asks a model for predictions
# whose ModelCar is built on localhost/modelcar-base. `make image` first. Needs a cluster and the internet: it has not
# been run where the tests of this repository run.
set -euo pipefail
cd "$(dirname "$0")/.."

kserve=${KSERVE:?which release}
work=$(mktemp -d)
again() { for _ in {1..20}; do ! "$@" || return 0; sleep 10; done; return 1; }

kubectl apply -f https://github.com/cert-manager/cert-manager/releases/download/v1.16.1/cert-manager.yaml
kubectl wait --for condition=Available --timeout 5m --namespace cert-manager deployment --all
again kubectl apply --server-side -f "https://github.com/kserve/kserve/releases/download/$kserve/kserve.yaml"
kubectl wait --for condition=Available --timeout 5m --namespace kserve deployment/kserve-controller-manager
again kubectl apply --server-side -f "https://github.com/kserve/kserve/releases/download/$kserve/kserve-cluster-resources.yaml"
kubectl patch configmap/inferenceservice-config --namespace kserve --type strategic \
  --patch '{"data": {"deploy": "{\"defaultDeploymentMode\": \"RawDeployment\"}"}}'
examples/enable-modelcar.sh

# The model is trained here, with scikit-learn, as in the tests.
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet scikit-learn
mkdir "$work/iris"
"$work/venv/bin/python" tests/e2e/predictor/train.py "$work/iris/model.joblib"
podman build --quiet -t localhost/iris-modelcar:1 -f examples/iris/Containerfile "$work/iris"
podman save --quiet --output "$work/iris.tar" localhost/iris-modelcar:1
kind load image-archive "$work/iris.tar" --name modelcar

sed 's|oci://.*|oci://localhost/iris-modelcar:1|' examples/isvc-modelcar.yaml | kubectl apply -f -
kubectl wait --for condition=Ready --timeout 10m inferenceservice/my-inference-service
kubectl logs --selector serving.kserve.io/inferenceservice=my-inference-service --container modelcar
kubectl port-forward service/my-inference-service-predictor 8080:80 &
forward=$!
trap 'kill $forward; rm -rf "$work"' EXIT
again curl --silent --fail http://127.0.0.1:8080/v2/models
answers=$(examples/repeat.sh http://127.0.0.1:8080 1)
echo "$answers"
[ "$answers" = $'setosa [0]\nversicolor [1]\nvirginica [2]' ] || { echo "not the classes of the three inputs" >&2; exit 1; }
