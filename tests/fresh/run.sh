#!/usr/bin/env bash
# Types the README's commands where nobody has typed them before: in minimal Debian 12 and 13 systems with make, git and
# this machine's Rust, as root and as a user who may use sudo. Then sees that nothing else has changed there, that no
# file in the checkout is root's, and that all of them made the same images. The systems come from this machine's package
# source, live in namespaces of their own, and are removed. As root; needs 3 GB of disk for each case.
#
# usage: tests/fresh/run.sh [CASE...]     {bookworm,trixie}-{root,user,trouble}; by default all but trixie-trouble, an hour
#
# In the cases named trouble there is no network, no sudo, no room on the disk, and Ctrl-C: the last line must say so.
# MORE=yes also runs, for users, what else the workflows run, e2e, sign-test and bench. What was printed: target/fresh/
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../../tools/common.sh"

[ "$(id -u)" = 0 ] || die "systems in namespaces are made by root: sudo make fresh"
HERE=$PWD OUT=$PWD/target/fresh
CHECKOUT=link-model-and-wait
passed=0 failed=0

# Inside, by `unshare`: makes the root the only thing there is, then waits for what is to be run. A chroot would not do,
# as those in one may make no user namespace.
enter() { # enter ROOT SUITE
  mount --rbind "$1" "$1"
  cd "$1"
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  mount -t tmpfs -o mode=1777 tmpfs dev/shm
  [ "$2" = bookworm ] || mount -t tmpfs -o mode=1777,nosuid,nodev,size=50%,nr_inodes=1m tmpfs tmp # as an installed trixie has it
  mkdir -p old
  pivot_root . old
  cd /
  umount -l old
  rmdir old
  hostname fresh
  touch /entered
  # Not sleep: it would leave those whom podman leaves to it unburied.
  exec bash -c 'while :; do sleep 3600 & wait; done'
}
if [ "${1:-}" = --enter ]; then enter "$2" "$3"; fi

tools/packages.sh mmdebstrap
mkdir -p "$OUT"
commit=$(git rev-parse HEAD) changes=$(git stash create) # all cases are of the same source
root='' first=''
leave() {
  [ -z "$first" ] || { kill -KILL "$first" 2>/dev/null || true; wait "$first" 2>/dev/null || true; }
  [ -z "$root" ] || rm -rf --one-file-system "$root"
  root='' first=''
}
cgroups() { find /sys/fs/cgroup -type d -name '*libpod*' 2>/dev/null | sort || true; }
cgroups_before=$(cgroups)
# shellcheck disable=SC2329 # common.sh calls it
cleanup() {
  leave
  comm -13 <(echo "$cgroups_before") <(cgroups) | sort -r | xargs -r rmdir 2>/dev/null || true
}

base() { # base SUITE: a minimal system, as a file
  local mirror
  [ ! -e "$OUT/$1.tar" ] || return 0
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "this machine has no package source of Debian"
  slow 60 "making a minimal $1, once"
  apart /dev/null "$OUT/$1.log" \
    mmdebstrap --quiet --variant=minbase --include=make,git,ca-certificates,sudo "$1" "$OUT/$1.new" "$mirror" --format=tar ||
    die_of "$OUT/$1.log" "no minimal $1 can be made"
  mv "$OUT/$1.new" "$OUT/$1.tar"
}

# Names, kinds, sizes, owners of what must stay: of /etc all but what packages bring or their scripts write.
look() {
  # shellcheck disable=SC2016 # the inner shell expands it
  within_root sh -c '
    find /tmp /var/tmp -mindepth 1 -maxdepth 1
    find / /mnt /srv /opt -maxdepth 1 -printf "%p %y %m %U:%G %l\n"
    find "$1" -xdev \( -path "$1/$2" -o -path "$1/.cargo" -o -path "$1/.rustup" -o -path "$1/.cache/pip" \) -prune -o \
      ! -path "$1/.cache" -printf "%p %y %m %U:%G %s %l\n"
    find /var/lib/containers -printf "%p\n" 2>/dev/null
    find /etc -type f -o -type l | sort >/run/etc
    cat /var/lib/dpkg/info/*.list | sort -u | comm -23 /run/etc - |
      grep -vE "^/etc/(inputrc|networks|ld\.so\.cache|alternatives/|rc.\.d/|systemd/system/|systemd/user/|(passwd|group|g?shadow|sub[ug]id)-?$|ssl/certs/|xml/|sgml/|python3/|mime\.types|ca-certificates\.conf|apparmor\.d/local/|vim/|java)"
    rm /run/etc' sh "$home" $CHECKOUT
  cat /proc/sys/fs/binfmt_misc/* 2>/dev/null || true
}

note() { # note OUTCOME TEXT
  printf '%-5s %-14s %s\n' "$1" "$case" "$2"
  if [ "$1" = PASS ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# Something run in the system, by root; and by whoever the case is of: inside COMMAND [VARIABLE...].
within_root() { nsenter --target "$(pgrep -P "$first")" --mount --pid --uts --ipc --root --wd -- "$@"; }
inside() {
  within_root "${within[@]}" setpriv --reuid "$user" --regid "$user" --init-groups \
    env -i --default-signal HOME="$home" USER="$user" PATH="$home/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    LANG=C.UTF-8 "${passed_on[@]}" "${@:2}" bash -c "cd ~/$CHECKOUT && $1" >"$log" 2>&1 </dev/null &
  wait $! # where a signal to end reaches this script at once
}
within=()
logs=0
log_of() {
  logs=$((logs + 1))
  log=$OUT/$case.$(printf %02d $logs).$(tr -c 'a-zA-Z0-9=-' _ <<<"$*" | sed 's/_*$//').log
}
# What most people read, as make adds its own.
last_line() { grep -v '^make' "$log" | tail -n 1; }

# A command typed in the clone.
typed() { # typed COMMAND [VARIABLE...]
  local began=$SECONDS status=0
  log_of "$@"
  inside "$@" || status=$?
  if [ $status = 0 ]; then note PASS "$*: $((SECONDS - began)) s"
  else note FAIL "$*: exit $status after $((SECONDS - began)) s: $(last_line)"; fi
}

# One that must fail, and say why on its last line.
fails() { # fails WHY PATTERN COMMAND
  local status=0 began=$SECONDS
  log_of "$1" "$3"
  inside "$3" || status=$?
  if [ $status != 0 ] && [[ $(last_line) =~ $2 ]]; then note PASS "$1: $3: exit $status after $((SECONDS - began)) s: $(last_line)"
  else note FAIL "$1: $3: exit $status: $(last_line)"; fi
}

# One that is interrupted, as by Ctrl-C, two seconds after it printed what PATTERN is, or after so many.
interrupted() { # interrupted PATTERN COMMAND [SECONDS]
  local status=0 group i
  log_of "interrupted at $1" "$2"
  : >"$log"
  set -m # a process group of its own, as on a terminal
  (set +m && trap '' INT && inside "$2") &
  group=$!
  set +m
  for ((i = 0; i < 6000; i++)); do
    kill -0 $group 2>/dev/null || break
    ! grep -q "$1" "$log" || break
    sleep 0.2
  done
  sleep "${3:-2}"
  kill -INT -- -$group 2>/dev/null || true
  wait $group || status=$?
  if [ $status != 0 ] && [[ $(last_line) == *interrupted* ]]; then note PASS "interrupted at \"$1\": exit $status: $(last_line)"
  else note FAIL "interrupted at \"$1\": exit $status: $(last_line)"; fi
}

# Variables by which this machine's clients are told of proxies and certificates, and how patient the tests are here.
passed_on=()
for name in TEST_SECONDS PIP_CERT SSL_CERT_FILE http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  [ -z "${!name:-}" ] || passed_on+=("$name=${!name}")
done

start() { # start SUITE USER
  base "$1"
  user=$2 home=/home/$2
  [ "$2" != root ] || home=/root
  root=$(mktemp -d /var/tmp/modelcar-fresh.XXXXXX)
  chmod 755 "$root"
  tar -xf "$OUT/$1.tar" -C "$root"
  cp /etc/resolv.conf "$root/etc/"
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io" # it is removed soon: nothing need reach the disk
  echo '127.0.0.1 localhost fresh' >"$root/etc/hosts"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  if [ "$user" = root ]; then
    chroot "$root" env SUDO_FORCE_REMOVE=yes dpkg --purge sudo >/dev/null 2>&1
  else
    chroot "$root" useradd --create-home --shell /bin/bash "$user"
    echo "$user ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$user"
  fi
  mkdir -p "$root$home/.cargo" "$root$home/.rustup/toolchains"
  cp -a "${CARGO_HOME:-$HOME/.cargo}/bin" "$root$home/.cargo/"
  [ ! -e "${CARGO_HOME:-$HOME/.cargo}/config.toml" ] || cp "${CARGO_HOME:-$HOME/.cargo}/config.toml" "$root$home/.cargo/"
  cp "${RUSTUP_HOME:-$HOME/.rustup}/settings.toml" "$root$home/.rustup/"
  local sysroot name
  sysroot=$(rustc --print sysroot)
  name=$(basename "$sysroot")
  tar -C "$(dirname "$sysroot")" --exclude "$name/share/doc" -c "$name" | tar -x -C "$root$home/.rustup/toolchains"
  # One of the four has its core from Debian's source.
  if [ "$case" = trixie-user ]; then
    for target in "${TARGET[@]}"; do
      [ "$target" = "$(triple "$(host_arch)")" ] || RUSTUP_HOME=$root$home/.rustup rustup --quiet target remove "$target"
    done
    # It is in a suite whose mirror may lag behind.
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/valid"
  fi
  git clone --quiet --no-hardlinks "$HERE" "$root$home/$CHECKOUT"
  git -C "$root$home/$CHECKOUT" checkout --quiet -B fresh "$commit"
  # What is not committed yet is tried too.
  if [ -n "$changes" ]; then
    git archive "$changes" | tar -x -C "$root$home/$CHECKOUT"
    git -C "$root$home/$CHECKOUT" -c user.name=fresh -c user.email=fresh@localhost commit --quiet --all --message "not committed yet"
  fi
  chroot "$root" chown -R "$user:$user" "$home"
  unshare --mount --pid --uts --ipc --fork --kill-child --propagation private "$HERE/tests/fresh/run.sh" --enter "$root" "$1" &
  first=$!
  for _ in {1..100}; do [ ! -e "$root/entered" ] || break; sleep 0.1; done
  rm "$root/entered"
}

# A podman that warns of something with each call, which is what those of other machines do.
let_podman_warn() {
  printf '#!/bin/sh\necho >&2 "time=\\"now\\" level=warning msg=\\"something is not as it was\\""\nexec /usr/bin/podman "$@"\n' >"$root/usr/local/bin/podman"
  chmod 755 "$root/usr/local/bin/podman"
}

digests() { (cd "$root$home/$CHECKOUT" && sha256sum dist/*.oci.tar 2>/dev/null || echo "none of $case") | tee "$OUT/$case.digests"; }

# Each `run:` of the workflows, those of several lines as one.
workflow_lines() {
  awk '
    { indent = match($0, /[^ ]/) }
    block && indent > block { sub(/^ */, ""); line = line (line == "" ? "" : " && ") $0; next }
    block { print line; block = 0 }
    match($0, /^ *(- )?run: /) { at = index($0, "run:"); $0 = substr($0, RLENGTH + 1); if ($0 == "|") { block = at; line = "" } else print }
    END { if (block) print line }' .github/workflows/*.yaml
}

# What the workflows run beside that, as the user that their machines have too, and the rest of make help.
more() {
  local line
  let_podman_warn # nothing here may take what it says on standard error for an answer
  while read -r line; do
    case $line in
      *GITHUB* | 'make push' | 'make sign' | .github/kserve.sh) say "not run, as it needs a hosted service: $line" ;;
      *rustup* | */miri.sh) say "not run, as it downloads a toolchain: $line" ;;
      'make image' | 'make test' | 'make size' | 'make image load') ;; # run by all cases
      'make test-long') say "not run, as the workflow does it as root: $line" ;;
      'make cluster') fails "without Go" 'there is no Go here' "$line" ;;
      *) typed "$line" ;;
    esac
  done < <(workflow_lines | sed 's/SECONDS=[0-9]*/SECONDS=20/' | sort -u)
  typed "make e2e"
  typed "make sign-test"
  fails "as a user" 'needs root' "make bench RUNS=20"
}

whole() { # all that the README says, and what the workflows run
  local before changed core=() owned left target
  before=$(look | sort -u)
  [ "$case" != trixie-user ] || core=(CORE_FROM=debian)
  typed "make image" "${core[@]}"
  typed "make test" "${core[@]}"
  typed "make size"
  if [ "${MORE:-}" = yes ] && [[ $case == *-user ]]; then more; fi
  if changed=$(diff <(echo "$before") <(look | sort -u)); then note PASS "home, /etc, /mnt, podman's storage and handlers are as they were"
  else note FAIL "changed, < before, > after: $changed"; fi
  if [ "$user" != root ]; then
    owned=$(find "$root$home/$CHECKOUT" -user root -print -quit)
    if [ -z "$owned" ]; then note PASS "no file in the checkout is root's"; else note FAIL "root's: $owned"; fi
  fi
  typed "make load && podman manifest exists localhost/modelcar-base:nonroot"
  digests
  if [ "$user" != root ]; then
    let_podman_warn
    typed "make verify-release DIGEST=\$(make -s digest)" PODMAN=warns
  fi
  typed "make clean"
  left=$(cd "$root$home/$CHECKOUT" && git -c safe.directory="$PWD" status --short --ignored)
  if [ -z "$left" ]; then note PASS "nothing is left of what was built"; else note FAIL "left: $left"; fi
}

full() { # full MIB DIRECTORY COMMAND: with so much room in one of the directories that are written to
  local there=$2
  [[ $there == /* ]] || there=$home/$CHECKOUT/$there
  [ -e "$root$there" ] || chroot "$root" install -d -o "$user" -g "$user" "$there"
  within_root mount -t tmpfs -o "size=$1m,uid=$(chroot "$root" id -u "$user"),mode=1777" tmpfs "$there"
  fails "$1 MiB in $2" 'disk is full' "$3"
  within_root umount -l "$there"
}

no_network() { # no_network COMMAND
  within=(unshare --net)
  fails "no network" 'network cannot be reached' "$1"
  within=()
}

# One after the other: there is none, none for this user.
sudoless=(usr/bin/sudo 'there is no sudo' etc/sudoers.d/dev 'sudo does not let you')
no_sudo() { # no_sudo COMMAND
  mv "$root/${sudoless[0]}" "$root/away"
  fails "without ${sudoless[0]}" "${sudoless[1]}: run the same command as root" "$1"
  mv "$root/away" "$root/${sudoless[0]}"
  sudoless=("${sudoless[@]:2}" "${sudoless[@]:0:2}")
}

trouble() { # what can come between, each at six points and more; then it works all the same
  local packages
  # Each time one more of what is installed on the way is there.
  for packages in '' 'gcc libc6-dev' 'python3 zopfli' 'podman jq runc uidmap' 'mmdebstrap ca-certificates'; do
    [ -z "$packages" ] || typed "tools/packages.sh $packages"
    no_network "make image"
    case $packages in
      '') interrupted 'installing gcc' "make image" ;;
      gcc*) interrupted 'building link-model-and-wait' "make image" ;;
      podman*) interrupted 'installing mmdebstrap' "make image" 0.1 ;; # before all is there
    esac
    [ "$packages" = 'mmdebstrap ca-certificates' ] || no_sudo "make image"
  done
  full 1 target "make image"
  full 8 target "make image"
  full 1 /tmp "make image"
  full 60 target "make image"
  full 450 target "make image"
  typed "make clean"
  interrupted 'making localhost' "make image"
  interrupted 'platforms by the Containerfile' "make image"
  interrupted 'running the images' "make image"
  typed "make image"
  within=(unshare --net)
  typed "make image" NETWORK=none
  within=()
  no_network "make test"
  no_sudo "make test"
  full 60 tests/target "make test"
  interrupted 'compiling and running' "make test"
  interrupted '^running [0-9]* tests' "make test"
  no_sudo "make test" # when all is installed
  digests
  typed "make clean"
}

main() {
  [ $# -gt 0 ] || set -- {bookworm,trixie}-{root,user} bookworm-trouble
  for case; do
    [[ $case =~ ^(bookworm|trixie)-(root|user|trouble)$ ]] || die "no such case: $case"
    if [ "${case#*-}" = root ]; then user=root; else user=dev; fi
    rm -f "$OUT/$case".*
    logs=0
    start "${case%-*}" "$user"
    if [ "${case#*-}" = trouble ]; then trouble; else whole; fi
    leave
  done
  digests=$(for case; do cat "$OUT/$case.digests"; done | sort | uniq -c)
  case=all
  if [ "$(wc -l <<<"$digests")" = 2 ]; then note PASS "the same images everywhere:"$'\n'"$digests"
  else note FAIL "the images differ:"$'\n'"$digests"; fi
  echo "$passed passed, $failed failed"
  [ $failed = 0 ] || exit $SAID
}

main "$@"
exit # and read no more of this file, which may have changed meanwhile
