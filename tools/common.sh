# shellcheck shell=bash
# Sourced by the other scripts here: the platforms, how to speak to the user, how to become root, how to end.

# Every script works from the root of the checkout.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# The list of architectures, by the name that an image has for them.
ARCHES=()
# shellcheck disable=SC2034 # used by those that source this
declare -A TARGET=() QEMU=() CPU=() DEBIAN=()
while read -r image kernel debian target _ _ _ _ cpu _; do
  ARCHES+=("$image")
  # shellcheck disable=SC2034
  TARGET[$image]=$target QEMU[$image]=$kernel CPU[$image]=$cpu DEBIAN[$image]=$debian
done < <(grep -vE '^(#|image )' arches.txt)
unset image kernel debian target cpu
# shellcheck disable=SC2034 # used by those that source this
PROGRAM=link-model-and-wait

triple() { echo "${TARGET[$1]}"; }

# This machine's architecture, as an image names it.
host_arch() {
  local arch
  for arch in "${ARCHES[@]}"; do
    [ "${QEMU[$arch]}" != "$(uname -m)" ] || echo "$arch"
  done
}

# The digest of the manifest list in an archive that `make image` wrote: what a registry will call it by.
digest_of() { tar -xOf "$1" ./index.json | jq -r '.manifests[0].digest'; }

# IMAGE=registry/name:tag as registries take it: an owner's capital letters are none in a name.
image_name() {
  [[ ${IMAGE:-} =~ /[^/]+:[^/]+$ ]] || die "which image? make $1 IMAGE=registry/name:tag"
  local name=${IMAGE%:*}
  echo "${name,,}:${IMAGE##*:}"
}

say() { echo "${0##*/}: $*"; }
SAID=3 # the exit status of a script that has told on its last line what happened and what to do
die() { echo "${0##*/}: $*" >&2; exit $SAID; }

# What a failure's log tells of causes that lie outside of this repository, and what to do; nothing if it tells none.
cause() { # cause [LOG]
  if grep -qsiE 'no space left on device|StorageFull' "$@" || [ "$(df -Pm . target "${TMPDIR:-/tmp}" 2>/dev/null | awk 'NR > 1 { print $4 }' | sort -n | head -n 1)" -lt 2 ]; then
    echo "the disk is full: free some space, then run the same command again"
  elif grep -qsiE 'could not resolve|temporary failure|name resolution|unreachable|no such host|could not connect|cannot initiate the connection|i/o timeout' "$@"; then
    echo "the network cannot be reached: run the same command again when it can"
  fi
}
# The end of a log, and on the last line what failed and why.
die_of() { # die_of LOG TEXT
  local why
  why=$(cause "$1")
  [ -n "$why" ] || tail -n 20 "$1" >&2 || true
  die "$2: ${why:-see above}"
}

# However a script ends, `cleanup` runs, which it may define, and `tidy`, which what it sources may; and the last line
# says what happened: by the first script of those that start each other. Two that a script sources may both source this.
declare -F cleanup >/dev/null || cleanup() { :; }
declare -F tidy >/dev/null || tidy() { :; }
ended() { # ended [STATUS]
  local status=${1:-$?} why
  trap '' INT TERM HUP
  trap - EXIT
  [ "$status" = 0 ] || why=$(cause /dev/null)
  silence
  [ -z "$APART" ] || { kill -- "-$APART" && wait "$APART"; } 2>/dev/null || true
  cleanup || true
  tidy || true
  if [ "$FIRST" = $$ ]; then
    case $status in
      0 | "$SAID") ;;
      129 | 130 | 143) echo "${0##*/}: interrupted: nothing is left half done; the same command starts over" >&2 ;;
      *) echo "${0##*/}: failed with exit status $status: ${why:-see above}" >&2 ;;
    esac
  fi
  exit "$status"
}
export FIRST=${FIRST:-$$}
trap ended EXIT
# Not by `exit`: a signal may come when it has begun to end, and an `exit` there would be the end of this.
trap 'ended 129' HUP
trap 'ended 130' INT
trap 'ended 143' TERM

# In a process group of its own, which ends with us: mmdebstrap, when it fails, sends SIGHUP to the group that it is in.
# Only its own output is redirected: where a function's or a group's is, the last line of an interrupted script goes there.
APART=
apart() { # apart OUTPUT LOG COMMAND...
  local status=0 output=$1 log=$2
  shift 2
  set -m
  "$@" </dev/null >"$output" 2>"$log" &
  APART=$!
  set +m
  wait "$APART" || status=$?
  APART=
  return $status
}

# Says what begins and how many seconds it usually takes; then, where a person watches, every ten that it goes on.
HEART=
slow() { # slow SECONDS TEXT
  silence
  say "$2 (usually $1 s)"
  [ -t 2 ] || return 0
  local begun=$SECONDS
  (
    trap 'kill $! 2>/dev/null; exit' TERM
    while :; do
      sleep 10 &
      wait $!
      echo "${0##*/}: $2: $((SECONDS - begun)) s" >&2
    done
  ) &
  HEART=$!
}
silence() {
  [ -z "$HEART" ] || kill "$HEART" 2>/dev/null || true
  HEART=
}

# A Python with the packages that a list names, all of them and no others; made anew when the list changes.
venv() { # venv DIRECTORY LIST SECONDS
  local log=$1.log
  tools/packages.sh python3-venv
  ! cmp -s "$2" "$1/packages" || return 0
  slow "$3" "installing the packages of $2"
  rm -rf "$1"
  mkdir -p "${1%/*}"
  (/usr/bin/python3 -m venv "$1" && "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$2") >"$log" 2>&1 ||
    die_of "$log" "the packages of $2 could not be installed"
  silence
  cp "$2" "$1/packages"
}

# This machine's package sources that are Debian's, each with its label: where apt has no lists, by some of our own.
debian_sources() {
  local own
  # shellcheck disable=SC2016 # apt-get fills in its own names
  labelled() { apt-get "$@" indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep '^Debian' | sort -u; }
  labelled && return
  own=$(mktemp -d)
  mkdir -p "$own"/{lists,cache/archives}/partial
  chmod -R a+rX "$own" # apt's own user reads it
  apt-get -qq -o Dir::State::Lists="$own/lists" -o Dir::Cache="$own/cache" update >/dev/null 2>&1 || true
  labelled -o Dir::State::Lists="$own/lists" -o Dir::Cache="$own/cache" || true
  rm -rf "$own"
}
debian_mirror() { debian_sources | sed -n 's/^Debian //p' | head -n 1; }

# What needs root, and nothing else, goes by `as_root`; a user is told before it starts.
needs_root() { # needs_root WHAT
  [ "$(id -u)" != 0 ] || return 0
  command -v sudo >/dev/null || die "$1 needs root, and there is no sudo: run the same command as root"
  say "$1 needs root: by sudo"
  sudo -v 2>/dev/null || sudo -n true 2>/dev/null || die "$1 needs root, and sudo does not let you: run the same command as root"
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
