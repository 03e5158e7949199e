#!/usr/bin/env bash
# Sends the inputs in data/ to a server again and again, and prints the predicted classes: 0, 1 and 2.
#   repeat.sh URL [TIMES [SECONDS]]     for ever and once a second, if not told otherwise
# MODEL: its name (my-inference-service). HOST: a Host header, where an ingress chooses the service by it.
set -euo pipefail

url=${1:?the URL of the server, such as http://127.0.0.1:8080}
times=${2:-0}
seconds=${3:-1}
model=${MODEL:-my-inference-service}
header=()
[ -z "${HOST:-}" ] || header=(--header "Host: $HOST")

cd "$(dirname "$0")/data"
for ((i = 1; times == 0 || i <= times; i++)); do
  for input in *.json; do
    answer=$(curl --silent --show-error --fail "${header[@]}" --header 'Content-Type: application/json' \
      --data "@$input" "$url/v2/models/$model/infer")
    printf '%s %s\n' "${input%.json}" "$(jq --compact-output '.outputs[0].data' <<<"$answer")"
  done
  sleep "$seconds"
done
