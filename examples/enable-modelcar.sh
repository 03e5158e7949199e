#!/usr/bin/env bash
# Turns ModelCars on in KServe's configuration, for storage URIs oci://..., and has KServe read it anew.
# UID_MODELCAR: the user that the ModelCar and the server run as (1010); empty where the cluster chooses it, as OpenShift does.
# NAMESPACE: where KServe is (kserve).
set -euo pipefail

uid=${UID_MODELCAR-1010}
namespace=${NAMESPACE:-kserve}

kubectl=(kubectl --namespace "$namespace")
before=$("${kubectl[@]}" get configmap inferenceservice-config --output 'jsonpath={.data.storageInitializer}')
# The configuration is JSON in a string of the ConfigMap. All else in it stays.
after=$(jq --arg uid "$uid" '.enableModelcar = true | if $uid == "" then del(.uidModelcar) else .uidModelcar = ($uid | tonumber) end' <<<"$before")
"${kubectl[@]}" patch configmap inferenceservice-config --type merge \
  --patch "$(jq --null-input --arg after "$after" '{data: {storageInitializer: $after}}')"
"${kubectl[@]}" rollout restart deployment kserve-controller-manager
"${kubectl[@]}" rollout status deployment kserve-controller-manager --timeout 2m
