# shellcheck shell=bash
# Sourced by image.sh: `choose_builder` sets BUILDER to what `podman build` needs to compile the program, and
# BUILDER_RUST to the version of Rust that does it where that is not this machine's own: the official
# Rust image that the Containerfile names (or RUST_IMAGE) where it can be pulled; otherwise a stand-in, a minimal Debian
# with a C compiler from the machine's package source, and the machine's own Rust toolchain mounted into it.
# shellcheck source=tools/containers.sh
. "$(dirname "${BASH_SOURCE[0]}")/containers.sh"

# Named for the Debian it is made of, so that another release gets another one.
CODENAME=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
STAND_IN=localhost/modelcar-base-builder:${CODENAME:-none}

make_stand_in() {
  local mirror
  tools/packages.sh mmdebstrap ca-certificates
  # shellcheck disable=SC2016 # apt-get fills in its own names
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
  if [ -z "$CODENAME" ] || [ -z "$mirror" ]; then
    die "$RUST_IMAGE cannot be pulled, and this is no Debian to make a stand-in from: name an image that has Rust with RUST_IMAGE="
  fi
  say "making the stand-in builder from Debian $CODENAME (once)"
  # By way of a file: half a system is never imported.
  as_root mmdebstrap --quiet --format=tar --variant=minbase --include=gcc,libc6-dev "$CODENAME" - "$mirror" >"$CONTAINERS/builder.tar"
  podman import --quiet --change ENV=PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin "$CONTAINERS/builder.tar" "$STAND_IN" >/dev/null
  rm "$CONTAINERS/builder.tar"
}

choose_builder() {
  RUST_IMAGE=${RUST_IMAGE:-$(sed -n 's/^ARG RUST_IMAGE=//p' Containerfile)}
  BUILDER=(--build-arg "BUILDPLATFORM=linux/$(host_arch)" --network host)
  if podman image exists "$RUST_IMAGE" || podman pull --quiet "$RUST_IMAGE" >/dev/null 2>"$CONTAINERS/pull.log"; then
    say "compiling in $RUST_IMAGE"
    BUILDER+=(--build-arg "RUST_IMAGE=$RUST_IMAGE")
    export BUILDER_RUST
    BUILDER_RUST=$(podman run --rm --network none --entrypoint rustc "$RUST_IMAGE" --version)
    return
  fi
  say "$RUST_IMAGE cannot be pulled ($(tail -n 1 "$CONTAINERS/pull.log" | grep -o '[^:]*$' | xargs)): compiling with the Rust of this machine"
  podman image exists "$STAND_IN" || make_stand_in
  BUILDER+=(--build-arg "RUST_IMAGE=$STAND_IN" -v "$(rustc --print sysroot):/usr/local/rust:ro"
    -v /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro)
}
