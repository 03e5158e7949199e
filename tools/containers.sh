# shellcheck shell=bash
# Sourced by scripts that use podman; `use_podman` makes it work. The user's own podman with its own storage is taken
# where it can build and run an image. Where it cannot (a machine that may not raise limits, a cgroup set-up that crun
# refuses), a configuration and storage under target/containers/ are, and nothing of the user's is touched; then
#   . target/containers/env
# gives any shell the same podman. What was found is kept in that file: `make clean` forgets it.
# shellcheck source=tools/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CONTAINERS=$PWD/target/containers

# Without the right to raise limits, root's podman can do nothing until someone has configured it: no need to try.
podman_hopeless() {
  [ "$(id -u)" = 0 ] && [ -z "${CONTAINERS_CONF:-}" ] && [ ! -e /etc/containers/containers.conf ] &&
    ! (ulimit -n 1048576) 2>/dev/null
}

# One image built and one container run, from nothing but the program.
podman_works() {
  local dir id status=1
  dir=$(mktemp -d)
  install -m 0755 "dist/linux/$(host_arch)/$PROGRAM" "$dir/program"
  printf 'FROM scratch\nCOPY program /\nRUN ["/program", "echo", "built"]\n' >"$dir/Containerfile"
  if id=$(podman build --quiet --no-cache --network host -f "$dir/Containerfile" "$dir" 2>"$CONTAINERS/trial.log"); then
    [ "$(podman run --rm --network none "$id" /program echo run 2>>"$CONTAINERS/trial.log")" = run ] && status=0
    podman rmi --force "$id" >/dev/null 2>&1 || true
  fi
  rm -rf "$dir"
  return $status
}

# Limits that about any machine grants instead of podman's own high ones, runc instead of crun, no systemd for the cgroups.
private_podman() {
  command -v runc >/dev/null || tools/packages.sh runc
  mkdir -p "$CONTAINERS"
  cat >"$CONTAINERS/containers.conf" <<-END
	[containers]
	default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
	[engine]
	runtime = "runc"
	cgroup_manager = "cgroupfs"
	events_logger = "file"
	lock_type = "file"
	tmp_dir = "$CONTAINERS/tmp"
	END
  cat >"$CONTAINERS/storage.conf" <<-END
	[storage]
	driver = "overlay"
	graphroot = "$CONTAINERS/storage"
	runroot = "$CONTAINERS/run"
	END
  cat >"$CONTAINERS/env" <<-END
	export CONTAINERS_CONF='$CONTAINERS/containers.conf' CONTAINERS_STORAGE_CONF='$CONTAINERS/storage.conf'
	END
}

use_podman() {
  tools/packages.sh podman jq
  [ "$(id -u)" = 0 ] || tools/packages.sh uidmap slirp4netns
  if [ ! -e "$CONTAINERS/env" ]; then
    mkdir -p "$CONTAINERS"
    if ! podman_hopeless && podman_works; then
      : >"$CONTAINERS/env"
    else
      private_podman
      # shellcheck source=/dev/null
      . "$CONTAINERS/env"
      if ! podman_works; then
        rm "$CONTAINERS/env"
        tail -n 5 "$CONTAINERS/trial.log" >&2
        die "podman can build and run nothing here, neither as it is set up nor with runc: see above"
      fi
    fi
  fi
  # shellcheck source=/dev/null
  . "$CONTAINERS/env"
}
