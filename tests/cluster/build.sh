#!/usr/bin/env bash
# build.sh COMPONENT...: builds parts of a cluster from the Go modules that components/COMPONENT pins, into target/cluster/bin
# (KServe, of which there are several versions, into target/cluster/KSERVE-VERSION). What is built already stays.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../../tools/common.sh"

out=$PWD/target/cluster/bin
components=$PWD/tests/cluster/components
mkdir -p "$out" target/cluster/built
command -v go >/dev/null || die "there is no Go here: the cluster is built from Go modules, with Go 1.26 or later"
export GOFLAGS="-buildvcs=false ${GOFLAGS:-}" GOWORK=off

version() { go list -m -f '{{.Version}}' "$1"; }
directory() { go mod download "$1" && go list -m -f '{{.Dir}}' "$1"; }
# Without the right to do so gVisor's shim must not lower its OOM score, and has no option to leave that out.
may_lower_oom_score() { capsh --has-p=cap_sys_resource 2>/dev/null; }

build_kubernetes() {
  local full major minor prefix=k8s.io/component-base/version n
  full=$(version k8s.io/kubernetes)
  IFS=. read -r major minor _ <<<"${full#v}"
  go build -ldflags "-s -w -X $prefix.gitVersion=$full -X $prefix.gitMajor=$major -X $prefix.gitMinor=$minor" -o "$out/kube" .
  for n in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do ln -sf kube "$out/$n"; done
  ${CC:-cc} -Os -static -DVERSION="$full" -o "$out/pause" "$(directory k8s.io/kubernetes)/build/pause/linux/pause.c"
}

build_containerd() {
  CGO_ENABLED=0 go build -ldflags '-s -w' -o "$out/" github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}
}

build_runc() {
  ../../../../tools/packages.sh libseccomp-dev pkg-config
  go build -tags seccomp -ldflags '-s -w' -o "$out/" github.com/opencontainers/runc
}

build_crio() {
  ../../../../tools/packages.sh libseccomp-dev pkg-config
  local sources
  go build -tags 'containers_image_openpgp exclude_graphdriver_btrfs btrfs_noversion exclude_graphdriver_devicemapper seccomp' \
    -ldflags '-s -w' -o "$out/" github.com/cri-o/cri-o/cmd/crio
  sources=$(directory github.com/cri-o/cri-o)/pinns/src
  ${CC:-cc} -O2 -DVERSION="\"$(version github.com/cri-o/cri-o)\"" -I "$sources" -o "$out/pinns" "$sources"/*.c
}

build_gvisor() {
  local sources shim=() copy=$out/../gvisor
  if ! may_lower_oom_score; then
    sources=$(directory gvisor.dev/gvisor)
    grep -q 'oomScoreMax = -999' "$sources/pkg/shim/v1/manager.go" || die "gVisor's shim sets the OOM score otherwise than it did"
    rm -rf "$copy" && mkdir "$copy"
    cp -r --no-preserve=mode "$sources" "$copy/gvisor"
    sed -i 's/oomScoreMax = -999/oomScoreMax = 0/' "$copy/gvisor/pkg/shim/v1/manager.go"
    cp go.mod go.sum "$copy/"
    go mod edit -replace "gvisor.dev/gvisor=$(realpath "$copy")/gvisor" "$copy/go.mod"
    shim=(-modfile "$copy/go.mod")
  fi
  CGO_ENABLED=0 go build -ldflags '-s -w' -o "$out/runsc" gvisor.dev/gvisor/runsc
  CGO_ENABLED=0 go build "${shim[@]}" -ldflags '-s -w' -o "$out/containerd-shim-runsc-v1" gvisor.dev/gvisor/shim
}

# The manager's image is made of the file alone: no C library.
build_kserve() { # build_kserve NAME
  local manifests commands=(github.com/kserve/kserve/cmd/manager)
  ! go list github.com/kserve/kserve/cmd/llmisvc >/dev/null 2>&1 || commands+=(github.com/kserve/kserve/cmd/llmisvc)
  mkdir -p "$out/../$1"
  CGO_ENABLED=0 go build -ldflags '-s -w' -o "$out/../$1/" "${commands[@]}"
  # What the release has to install it with. One version's module came without; the newest has those of all.
  manifests=$(directory github.com/kserve/kserve)/install/v${1#kserve-}
  [ -e "$manifests" ] || manifests=$(cd ../kserve-0.20.0 && directory github.com/kserve/kserve)/install/v${1#kserve-}
  install -m 0644 "$manifests"/{kserve,kserve-cluster-resources}.yaml "$out/../$1/"
  # Kinds of others that its LLMInferenceService looks for.
  [ -e "$out/../$1/llmisvc" ] || return 0
  rm -rf "$out/../$1/kinds" && mkdir "$out/../$1/kinds"
  install -m 0644 "$(directory sigs.k8s.io/gateway-api)"/config/crd/standard/*.yaml "$(directory sigs.k8s.io/lws)"/config/crd/bases/*.yaml \
    "$out/../$1/kinds/"
}

build_tekton() {
  local config
  mkdir -p "$out/../tekton/config"
  CGO_ENABLED=0 go build -ldflags '-s -w' -o "$out/../tekton/" github.com/tektoncd/pipeline/cmd/{controller,entrypoint,webhook}
  config=$(directory github.com/tektoncd/pipeline)/config
  install -m 0644 "$config"/{100-namespace,300-crds}/*.yaml "$config"/*.yaml "$out/../tekton/config/"
  rm "$out"/../tekton/config/{events,webhook-hpa}.yaml # one controller more, and more than one webhook
}

usually() { # in seconds, on two processors
  case $1 in
    kubernetes) echo 300 ;;
    kserve-*) echo 180 ;;
    gvisor | crio | tekton) echo 120 ;;
    *) echo 60 ;;
  esac
}

for name; do
  [ -e "$components/$name/go.mod" ] || die "no such component: $name; there are $(cd "$components" && echo *)"
  key=$(cat "$components/$name"/* <(declare -f "build_${name%%-*}") <(go version) | sha256sum)
  [ "$(cat "target/cluster/built/$name" 2>/dev/null)" != "$key" ] || continue
  start=$SECONDS
  slow "$(usually "$name")" "building $name"
  (cd "$components/$name" && "build_${name%%-*}" "$name") || die "$name cannot be built: see above"
  echo "$key" >"target/cluster/built/$name"
  say "$name: built in $((SECONDS - start)) s"
done
