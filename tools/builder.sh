# shellcheck shell=bash
# Sourced by scripts that build in images which others make. `debian_image` makes a minimal Debian from the machine's
# package source, for where those cannot be pulled. `choose_builder` sets BUILDER to what `podman build` needs to compile
# the program, and BUILDER_RUST to the version of Rust that does it where that is not this machine's own: the official
# Rust image that the Containerfile names (or RUST_IMAGE) where it can be pulled; otherwise a stand-in, such a Debian with
# a C compiler, and the machine's own Rust toolchain mounted into it by STAND_IN_VOLUMES.
# shellcheck source=tools/containers.sh
. "$(dirname "${BASH_SOURCE[0]}")/containers.sh"

# Named for the Debian it is made of, so that another release gets another one.
CODENAME=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
STAND_IN=localhost/modelcar-base-builder:${CODENAME:-none}
STAND_IN_VOLUMES=()
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

debian_image() { # debian_image TAG PACKAGE,...
  local mirror why log=$CONTAINERS/debian.log
  mirror=$(debian_mirror)
  [ -n "$CODENAME" ] && [ -n "$mirror" ] ||
    die "$1 cannot be made: this machine has no package source of Debian; name an image that has Rust with RUST_IMAGE="
  tools/packages.sh mmdebstrap ca-certificates
  slow 60 "making $1 from Debian $CODENAME, once"
  # By way of a file: half a system is never imported. What apt and dpkg say goes to the log, or it would not tell the cause.
  if ! apart "$CONTAINERS/debian.tar" "$log" \
    mmdebstrap --verbose --dpkgopt=force-unsafe-io --format=tar --variant=minbase --include="$2" "$CODENAME" - "$mirror" ||
    ! podman import --quiet --change ENV=PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin "$CONTAINERS/debian.tar" "$1" >/dev/null 2>>"$log"; then
    why=$(cause "$log") # while the disk is still full
    rm -f "$CONTAINERS/debian.tar"
    [ -z "$why" ] || die "$1 cannot be made from Debian $CODENAME: $why"
    die_of "$log" "$1 cannot be made from Debian $CODENAME"
  fi
  rm "$CONTAINERS/debian.tar"
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
  podman image exists "$STAND_IN" || debian_image "$STAND_IN" gcc,libc6-dev
  mkdir -p "$CONTAINERS/cargo" # what it downloads, checked by Cargo.lock
  STAND_IN_VOLUMES=("$(rustc --print sysroot):/usr/local/rust:ro" "$CERTIFICATES:$CERTIFICATES:ro" "$CONTAINERS/cargo:/root/.cargo")
  BUILDER+=(--build-arg "RUST_IMAGE=$STAND_IN" "${STAND_IN_VOLUMES[@]/#/--volume=}")
}
