#!/usr/bin/env bash
# Installs KServe (KSERVE=v0.20.0) in the kind cluster `modelcar`, turns ModelCars on, and has ModelCars used that are built
# on localhost/modelcar-base: one with a model, which must answer; two in one pod; one without, whose init container must
# fail and say why. `make image load` first. Needs a cluster and the internet: it has not been run where the tests of this
# repository run.
set -euo pipefail
cd "$(dirname "$0")/.."

kserve=${KSERVE:?which release}
work=$(mktemp -d)
forward=
trap 'rm -rf "$work"; [ -z "$forward" ] || kill "$forward"' EXIT
die() { echo "$*" >&2; kubectl describe pods >&2; exit 1; }
again() { for _ in {1..20}; do ! "$@" || return 0; sleep 10; done; return 1; }

kubectl apply -f https://github.com/cert-manager/cert-manager/releases/download/v1.16.1/cert-manager.yaml
kubectl wait --for condition=Available --timeout 5m --namespace cert-manager deployment --all
kubectl create namespace kserve # not every release brings it
again kubectl apply --server-side -f "https://github.com/kserve/kserve/releases/download/$kserve/kserve.yaml"
kubectl wait --for condition=Available --timeout 5m --namespace kserve deployment/kserve-controller-manager
again kubectl apply --server-side --force-conflicts -f "https://github.com/kserve/kserve/releases/download/$kserve/kserve-cluster-resources.yaml"
kubectl patch configmap/inferenceservice-config --namespace kserve --type strategic \
  --patch '{"data": {"deploy": "{\"defaultDeploymentMode\": \"RawDeployment\"}"}}'
examples/enable-modelcar.sh

# The model is trained here, with scikit-learn, as in the tests.
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --constraint tests/e2e/predictor/requirements.txt scikit-learn
mkdir "$work/iris" "$work/empty"
"$work/venv/bin/python" tests/e2e/predictor/train.py "$work/iris/model.joblib"
printf 'FROM localhost/modelcar-base:latest\nWORKDIR /models\n' >"$work/empty/Containerfile"
podman build --quiet -t localhost/iris-modelcar:1 -t localhost/iris-modelcar:2 -f examples/iris/Containerfile "$work/iris"
podman build --quiet -t localhost/iris-modelcar:empty "$work/empty"
for tag in 1 2 empty; do
  podman save --quiet --output "$work/$tag.tar" "localhost/iris-modelcar:$tag"
  kind load image-archive "$work/$tag.tar" --name modelcar
done

pods=(--selector serving.kserve.io/inferenceservice=my-inference-service)
start() { # start EXAMPLE: with the images that are in the cluster
  sed 's|registry.example.com|localhost|' "$1" | kubectl apply -f -
}
stop() {
  kubectl delete inferenceservice/my-inference-service
  kubectl wait --for delete --timeout 2m pod "${pods[@]}"
}
answers() {
  kubectl wait --for condition=Ready --timeout 10m inferenceservice/my-inference-service || die "not ready"
  kubectl logs "${pods[@]}" --container modelcar-init
  kubectl logs "${pods[@]}" --container modelcar
  kubectl port-forward service/my-inference-service-predictor 8080:80 &
  forward=$!
  again curl --silent --fail http://127.0.0.1:8080/v2/models
  local answers
  answers=$(examples/repeat.sh http://127.0.0.1:8080 1)
  kill "$forward"
  forward=
  [ "$answers" = $'setosa [0,0]\nversicolor [1,1]\nvirginica [2,2]' ] || die "not the classes of the three inputs: $answers"
}

echo "== one ModelCar"
start examples/isvc-modelcar.yaml
answers
stop

echo "== two ModelCars"
if [[ $kserve == v0.19.* ]]; then
  echo "KServe $kserve takes no more than one"
else
  start examples/isvc-two-modelcars.yaml
  answers
  pod=$(kubectl get pods "${pods[@]}" --output name | head -n 1)
  kubectl exec "$pod" --container kserve-container -- ls -l /mnt/models/ /mnt/second/models/ /mnt/models/model.joblib /mnt/second/models/model.joblib
  stop
fi

echo "== a ModelCar without a model"
start <(sed 's|iris-modelcar:1|iris-modelcar:empty|' examples/isvc-modelcar.yaml)
told() { kubectl get pods "${pods[@]}" --output 'jsonpath={.items[*].status.initContainerStatuses[*]..terminated.message}' | grep 'NOK'; }
again told || die "the init container does not say that there is no model"
stop
