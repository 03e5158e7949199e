# shellcheck shell=bash
# Sourced by scripts that use podman. `use_podman` gives them one with a configuration and storage of its own, under
# target/containers/, that asks little of the machine and needs no root: nothing of the caller's own podman is read or
# changed, and how that is set up does not matter. A shell gets the same by
#   . target/containers/env
# shellcheck source=tools/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CONTAINERS=$PWD/target/containers
# What podman forgets at a restart is in a folder of a short name, to which $CONTAINERS/runtime leads: before 5.1 podman
# cleans up no container whose place there has more than 50 characters, and waits 20 s for each. It goes with the
# script that made it.
RUNTIME_DIR='' RUNTIME_DIR_MADE=''
TEMPORARY='' # what temporary_folder made

# podman leaves a cache and control groups where it cannot be told otherwise, and docker leaves control groups: those
# that they brought go again.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}
left_outside() {
  local path
  for path in /var/lib/containers{,/cache} "$CACHE"{,/containers} /sys/fs/cgroup/{,*/}{libpod_parent,docker}; do [ ! -e "$path" ] || echo "$path"; done
}
OUTSIDE=$(left_outside)
tidy() {
  local path
  if [ -n "$TEMPORARY" ]; then
    # What containers' users own there becomes the caller's.
    [ "$(id -u)" = 0 ] || podman unshare sh -c 'chown -R 0:0 "$0" && chmod -R u+rwX "$0"' "$TEMPORARY" >/dev/null 2>&1 || true
    rm -rf --one-file-system "$TEMPORARY"
  fi
  if [ -n "$RUNTIME_DIR_MADE" ] && [ -z "$(podman ps --quiet 2>/dev/null)" ]; then
    [ "$(id -u)" = 0 ] || podman system migrate >/dev/null 2>&1 || true # ends the process that keeps a user's namespace
    rm -rf --one-file-system "$RUNTIME_DIR"
  fi
  left_outside | grep -vxF "$OUTSIDE" | sort -r | while read -r path; do # not what somebody else has begun to use
    case $path in
      "$CACHE"/containers) rm -f "$path/short-name-aliases.conf.lock" ;;&
      "$CACHE"*) rmdir "$path" 2>/dev/null ;;
      */cache) as_root rm -rf "$path" ;;
      *) as_root find "$path" -depth -type d -exec rmdir {} \; </dev/null 2>/dev/null ;;
    esac
  done
}

# A folder that goes with the script, for what leaves files behind, or some that are a container's users'. Others may go
# through it.
temporary_folder() { # temporary_folder DIRECTORY
  TEMPORARY=$(mktemp -d "$1/car.XXXXXX") && chmod 711 "$TEMPORARY" && export TEMPORARY
}

# Limits that about any machine grants instead of podman's own high ones, runc instead of crun, no systemd for the cgroups.
configure() { # configure DRIVER
  mkdir -p "$CONTAINERS"
  install -d -m 0700 "$CONTAINERS/data"
  if ! RUNTIME_DIR=$(readlink "$CONTAINERS/runtime"); then
    RUNTIME_DIR=$(mktemp -d /tmp/modelcar.XXXXXX)
    ln -s "$RUNTIME_DIR" "$CONTAINERS/runtime"
    RUNTIME_DIR_MADE=yes
  fi
  [ -e "$RUNTIME_DIR" ] || RUNTIME_DIR_MADE=yes
  cat >"$CONTAINERS/containers.conf" <<-END
	[containers]
	default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
	log_driver = "k8s-file"
	[network]
	network_config_dir = "$CONTAINERS/networks"
	[engine]
	runtime = "runc"
	cgroup_manager = "cgroupfs"
	events_logger = "file"
	lock_type = "file"
	tmp_dir = "$RUNTIME_DIR/libpod/tmp"
	END
  cat >"$CONTAINERS/storage.conf" <<-END
	[storage]
	driver = "$1"
	graphroot = "$CONTAINERS/storage"
	runroot = "$RUNTIME_DIR/containers"
	END
  # Who has logged in to a registry stays so.
  cat >"$CONTAINERS/env" <<-END
	REGISTRY_AUTH_FILE=\${REGISTRY_AUTH_FILE:-\${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/containers/auth.json}
	if [ -e "\$REGISTRY_AUTH_FILE" ]; then export REGISTRY_AUTH_FILE; else unset REGISTRY_AUTH_FILE; fi
	export CONTAINERS_CONF='$CONTAINERS/containers.conf' CONTAINERS_STORAGE_CONF='$CONTAINERS/storage.conf'
	export PODMAN_IGNORE_CGROUPSV1_WARNING=yes
	export XDG_DATA_HOME='$CONTAINERS/data' XDG_RUNTIME_DIR='$RUNTIME_DIR'
	[ -O '$RUNTIME_DIR' ] || mkdir -m 0700 '$RUNTIME_DIR'
	# podman 5 makes ~/.config where there is none.
	[ -n "\${XDG_CONFIG_HOME:-}" ] || [ -d "\$HOME/.config" ] || export XDG_CONFIG_HOME='$CONTAINERS/config'
	END
  # shellcheck source=/dev/null
  . "$CONTAINERS/env"
}

# One image built and one container run, from nothing but the program.
podman_works() {
  local dir id status=1
  dir=$(mktemp -d)
  install -m 0755 "dist/linux/$(host_arch)/$PROGRAM" "$dir/program"
  printf 'FROM scratch\nCOPY program /\nRUN ["/program", "echo", "built"]\n' >"$dir/Containerfile"
  if id=$(podman build --quiet --no-cache --network host -f "$dir/Containerfile" "$dir" 2>"$CONTAINERS/trial.log"); then
    [ "$(podman run --rm --network none --user 1001 "$id" /program echo run 2>>"$CONTAINERS/trial.log")" = run ] && status=0
    podman rmi --force "$id" >/dev/null 2>&1 || true
  fi
  rm -rf "$dir"
  return $status
}

use_podman() {
  local packages=(podman jq)
  command -v runc >/dev/null || packages+=(runc) # elsewhere it may come with another package, docker's for one
  [ "$(id -u)" = 0 ] || packages+=(uidmap)
  tools/packages.sh "${packages[@]}"
  if [ -s "$CONTAINERS/driver" ] && [ -L "$CONTAINERS/runtime" ]; then
    configure "$(<"$CONTAINERS/driver")"
    return
  fi
  local driver
  for driver in overlay vfs; do # the second one needs nothing of the file system below it
    remove_containers
    configure $driver
    if podman_works; then
      echo $driver >"$CONTAINERS/driver" # that works
      return
    fi
  done
  [ "$(id -u)" = 0 ] || grep -qs "^\($(id -un)\|$(id -u)\):" /etc/subuid ||
    die "podman needs more users than you: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un), or run this as root"
  die_of "$CONTAINERS/trial.log" "podman can build and run nothing here"
}

# All of it, containers and mounts first: what was interrupted may have left some. Never what is still mounted there.
remove_containers() {
  [ -e "$CONTAINERS" ] || return 0
  local places=("$CONTAINERS") runtime_dir
  # Never empty: what is mounted below it is unmounted.
  if runtime_dir=$(readlink "$CONTAINERS/runtime"); then places+=("${runtime_dir:?}"); fi
  # shellcheck disable=SC2016 # the inner shell expands it
  local remove='for place; do sed -n "s|^[^ ]* \($place/[^ ]*\) .*|\1|p" /proc/self/mounts; done | sort -r | xargs -r umount -l; rm -rf --one-file-system "$@"'
  if [ -s "$CONTAINERS/env" ] && command -v podman >/dev/null; then
    (
      # shellcheck source=/dev/null
      . "$CONTAINERS/env"
      podman rm --all --force --time 0
      # A user's namespace has what his containers own; migrate, which still needs the rest, ends what keeps it.
      [ "$(id -u)" = 0 ] || { podman unshare sh -c "$remove" sh "$CONTAINERS"/{storage,data}; podman system migrate; }
    ) >/dev/null 2>&1 || true
  fi
  sh -c "$remove" sh "${places[@]}" ||
    die "$CONTAINERS cannot be removed: see above; if a container of it still runs, end it, then run the same command again"
}
