#!/usr/bin/env bash
# Pushes the images to a registry on this machine, signs and attests them with a key pair made for it, verifies both,
# and sees that another key and an unsigned image are refused. By the release of cosign that the workflow has too, in
# tools/cosign.txt: where it is not there, Debian's package of it is unpacked into target/sign.
# `make image sbom provenance` first.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

tools/packages.sh jq curl skopeo docker-registry
DIR=$PWD/target/sign
port=${PORT:-5555}
name=127.0.0.1:$port/modelcar-base
mkdir -p "$DIR"

# Debian 12 has no cosign: a later suite's, from the mirror that this machine uses, without touching its apt set-up.
release=$(<tools/cosign.txt)
fetch_cosign() {
  local mirror suite apt
  mirror=$(debian_mirror)
  apt=(-qq -o Dir::Etc::SourceList="$DIR/list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$DIR/lists"
    -o Dir::Cache="$DIR/cache" -o APT::Architectures="$(dpkg --print-architecture)")
  rm -rf "$DIR"/{lists,cache,cosign,log,cosign_*.deb}
  mkdir -p "$DIR/lists/partial" "$DIR/cache/archives/partial"
  for suite in trixie stable testing unstable; do
    echo "deb $mirror $suite main" >"$DIR/list"
    apt-get "${apt[@]}" update >>"$DIR/log" 2>&1 || continue
    (cd "$DIR" && apt-get "${apt[@]}" download "cosign=${release#v}-*" >>"$DIR/log" 2>&1) || continue
    dpkg-deb -x "$DIR"/cosign_*.deb "$DIR/cosign"
    return
  done
  die_of "$DIR/log" "no Debian suite reachable here has cosign $release"
}
export PATH=$DIR/cosign/usr/bin:$PATH
[[ $(cosign version 2>/dev/null || true) == *"${release#v}"* ]] || fetch_cosign

rm -rf "$DIR/store" "$DIR"/*.key "$DIR"/*.pub
cat >"$DIR/registry.yaml" <<END
version: 0.1
storage: {filesystem: {rootdirectory: $DIR/store}}
http: {addr: "127.0.0.1:$port"}
END
docker-registry serve "$DIR/registry.yaml" >"$DIR/registry.log" 2>&1 &
registry=$!
cleanup() { kill $registry; }
for _ in {1..50}; do ! curl --silent --fail "http://127.0.0.1:$port/v2/" >/dev/null || break; sleep 0.1; done

export COSIGN_PASSWORD='' XDG_DATA_HOME=$DIR/data XDG_CACHE_HOME=$DIR/cache # where skopeo and cosign remember things
(cd "$DIR" && cosign generate-key-pair >/dev/null 2>&1 && mkdir -p other && cd other && rm -f cosign.* && cosign generate-key-pair >/dev/null 2>&1)
IMAGE=$name:test PUSH_FLAGS=--dest-tls-verify=false tools/push.sh
target=$name@$(digest_of dist/modelcar-base.oci.tar)
verify=(--insecure-ignore-tlog=true --allow-http-registry)

expect() { # expect WHETHER WHAT COMMAND...: 0 it succeeds, 1 it does not
  local wanted=$1 what=$2 status=0
  shift 2
  "$@" >"$DIR/out" 2>"$DIR/err" || status=1
  [ $status = "$wanted" ] || { tail -n 5 "$DIR/err" >&2; die "signing test failed: not so: $what"; }
  say "$what"
}
expect 1 "unsigned: refused" cosign verify "${verify[@]}" --key "$DIR/cosign.pub" "$target"
IMAGE=$name:test COSIGN_KEY=$DIR/cosign.key COSIGN_FLAGS='--tlog-upload=false --allow-http-registry' tools/sign.sh 2>"$DIR/sign.log" ||
  { tail -n 5 "$DIR/sign.log" >&2; die "cosign could not sign: see above"; }
expect 0 "signed: verified" cosign verify "${verify[@]}" --key "$DIR/cosign.pub" "$target"
expect 1 "another key: refused" cosign verify "${verify[@]}" --key "$DIR/other/cosign.pub" "$target"
expect 0 "list of parts: verified" cosign verify-attestation "${verify[@]}" --type spdxjson --key "$DIR/cosign.pub" "$target"
parts=$(jq -r '.payload' "$DIR/out" | base64 -d | jq -r '[.predicate.packages[].name] | sort | join(" ")')
for part in cfg-if sc rustc link-model-and-wait; do [[ " $parts " == *" $part "* ]] || die "the list of parts lacks $part: $parts"; done
say "it names $parts"
expect 0 "provenance: verified" cosign verify-attestation "${verify[@]}" --type slsaprovenance1 --key "$DIR/cosign.pub" "$target"
jq -r '.payload' "$DIR/out" | base64 -d >"$DIR/statement"
commit=$(jq -r '.predicate.buildDefinition.externalParameters.source.digest.gitCommit' "$DIR/statement")
[ "$commit" = "$(git rev-parse HEAD)" ] || die "the provenance tells commit $commit, which is not this one"
jq -r '.subject[].digest.sha256' "$DIR/statement" | grep -qx "${target#*@sha256:}" || die "the provenance is of another digest"
say "it names commit $commit, and is of this digest"
expect 1 "provenance, another key: refused" cosign verify-attestation "${verify[@]}" --type slsaprovenance1 --key "$DIR/other/cosign.pub" "$target"
for digest in $(skopeo inspect --raw --tls-verify=false "docker://$target" | jq -r '.manifests[].digest'); do
  expect 0 "platform $digest: verified" cosign verify "${verify[@]}" --key "$DIR/cosign.pub" "$name@$digest"
done
