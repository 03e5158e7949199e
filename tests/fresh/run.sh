#!/usr/bin/env bash
# Types the README's commands where nobody has typed them before: in minimal Debian 12 and 13 systems with make, git and
# this machine's Rust, as root and as a user who may use sudo. Then sees that nothing else has changed there, that no
# file in the checkout is root's, and that all of them made the same images. The systems come from this machine's package
# source, live in namespaces of their own, and are removed. As root; needs 3 GB of disk for each case.
#
# usage: tests/fresh/run.sh [CASE...]     bookworm-root bookworm-user trixie-root trixie-user; all by default
# MORE=yes also runs, in bookworm-user, all other targets and what else the workflows run. What was printed: target/fresh/
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../../tools/common.sh"

[ "$(id -u)" = 0 ] || die "systems in namespaces are made by root: sudo make fresh"
HERE=$PWD OUT=$PWD/target/fresh
CHECKOUT=link-model-and-wait
passed=0 failed=0

# Inside, by `unshare`: makes the root the only thing there is, then waits for what is to be run. A chroot would not do,
# as those in one may make no user namespace.
enter() { # enter ROOT
  mount --rbind "$1" "$1"
  cd "$1"
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  mount -t tmpfs -o mode=1777 tmpfs dev/shm
  mkdir -p old
  pivot_root . old
  cd /
  umount -l old
  rmdir old
  hostname fresh
  touch /entered
  exec sleep infinity
}
if [ "${1:-}" = --enter ]; then enter "$2"; fi

tools/packages.sh mmdebstrap
mkdir -p "$OUT"
root='' inside=''
leave() {
  [ -z "$inside" ] || { kill -KILL "$inside" 2>/dev/null || true; wait "$inside" 2>/dev/null || true; }
  [ -z "$root" ] || rm -rf --one-file-system "$root"
  root='' inside=''
}
cgroups() { find /sys/fs/cgroup -type d -name '*libpod*' 2>/dev/null | sort || true; }
cgroups_before=$(cgroups)
cleanup() {
  leave
  comm -13 <(echo "$cgroups_before") <(cgroups) | sort -r | xargs -r rmdir 2>/dev/null || true
}

base() { # base SUITE: a minimal system, as a file
  local mirror
  [ ! -e "$OUT/$1.tar" ] || return 0
  # shellcheck disable=SC2016 # apt-get fills in its own names
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
  [ -n "$mirror" ] || die "this machine has no package source of Debian"
  slow 60 "making a minimal $1, once"
  mmdebstrap --quiet --variant=minbase --include=make,git,ca-certificates,sudo "$1" "$OUT/$1.new" "$mirror" --format=tar 2>"$OUT/$1.log" ||
    die_of "$OUT/$1.log" "no minimal $1 can be made"
  mv "$OUT/$1.new" "$OUT/$1.tar"
}

# Names, kinds, sizes, owners of what must stay: of /etc all but what packages bring or their scripts write.
look() {
  # shellcheck disable=SC2016 # the inner shell expands it
  chroot "$root" sh -c '
    find / /mnt /srv /opt -maxdepth 1 -printf "%p %y %m %U:%G %l\n"
    find "$1" -xdev \( -path "$1/$2" -o -path "$1/.cargo" -o -path "$1/.rustup" -o -path "$1/.cache/pip" \) -prune -o \
      -printf "%p %y %m %U:%G %s %l\n"
    find /var/lib/containers -printf "%p\n" 2>/dev/null
    find /etc -type f -o -type l | sort >/tmp/etc
    cat /var/lib/dpkg/info/*.list | sort -u | comm -23 /tmp/etc - |
      grep -vE "^/etc/(ld\.so\.cache|alternatives/|rc.\.d/|systemd/system/|systemd/user/|(passwd|group|g?shadow|sub[ug]id)-?$|ssl/certs/|xml/|sgml/|python3/|mime\.types|ca-certificates\.conf|apparmor\.d/local/|vim/|java)"
    rm /tmp/etc' sh "$home" $CHECKOUT
  cat /proc/sys/fs/binfmt_misc/* 2>/dev/null || true
}

note() { # note OUTCOME TEXT
  printf '%-5s %-14s %s\n' "$1" "$case" "$2"
  if [ "$1" = PASS ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# A command typed in the clone, by whoever the case is of. Its last line must be shown: that is all that most read.
typed() { # typed COMMAND [VARIABLE...]
  local began=$SECONDS status=0 log
  log="$OUT/$case.$(tr -c 'a-z0-9-' _ <<<"${1}_${*:2}" | sed 's/_*$//').log"
  log=${log//$'\n'/}
  nsenter --target "$(pgrep -P "$inside")" --mount --pid --uts --ipc --root --wd -- setpriv --reuid "$user" --regid "$user" --init-groups \
    env -i HOME="$home" USER="$user" PATH="$home/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    LANG=C.UTF-8 "${passed_on[@]}" "${@:2}" bash -c "cd ~/$CHECKOUT && $1" >"$log" 2>&1 </dev/null || status=$?
  if [ $status = 0 ]; then note PASS "$1 ${*:2}: $((SECONDS - began)) s"
  else note FAIL "$1 ${*:2}: exit $status after $((SECONDS - began)) s: $(grep -v '^make' "$log" | tail -n 1)"; fi
}

# Variables by which this machine's clients are told of proxies and certificates.
passed_on=()
for name in PIP_CERT SSL_CERT_FILE http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  [ -z "${!name:-}" ] || passed_on+=("$name=${!name}")
done

start() { # start SUITE USER
  base "$1"
  user=$2 home=/home/$2
  [ "$2" != root ] || home=/root
  root=$(mktemp -d /var/tmp/modelcar-fresh.XXXXXX)
  chmod 755 "$root"
  tar -xf "$OUT/$1.tar" -C "$root"
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  if [ "$user" = root ]; then
    chroot "$root" dpkg --purge sudo >/dev/null 2>&1
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
      [ "$target" = "$(triple "$(host_arch)")" ] || rm -rf "$root$home/.rustup/toolchains/$name/lib/rustlib"/{manifest-rust-std-,}"$target"
      sed -i "/^rust-std-$target$/d" "$root$home/.rustup/toolchains/$name/lib/rustlib/components"
    done
  fi
  git clone --quiet --no-hardlinks "$HERE" "$root$home/$CHECKOUT"
  # What is not committed yet is tried too.
  local changes
  changes=$(git stash create)
  if [ -n "$changes" ]; then
    git archive "$changes" | tar -x -C "$root$home/$CHECKOUT"
    git -C "$root$home/$CHECKOUT" -c user.name=fresh -c user.email=fresh@localhost commit --quiet --all --message "not committed yet"
  fi
  chroot "$root" chown -R "$user:$user" "$home"
  unshare --mount --pid --uts --ipc --fork --kill-child --propagation private "$HERE/tests/fresh/run.sh" --enter "$root" &
  inside=$!
  for _ in {1..100}; do [ ! -e "$root/entered" ] || break; sleep 0.1; done
  rm "$root/entered"
}

# A podman that warns of something with each call, which is what those of other machines do.
let_podman_warn() {
  printf '#!/bin/sh\necho >&2 "time=\\"now\\" level=warning msg=\\"something is not as it was\\""\nexec /usr/bin/podman "$@"\n' >"$root/usr/local/bin/podman"
  chmod 755 "$root/usr/local/bin/podman"
}

digests() { (cd "$root$home/$CHECKOUT" && sha256sum dist/*.oci.tar) | tee "$OUT/$case.digests"; }

[ $# -gt 0 ] || set -- bookworm-user trixie-root bookworm-root trixie-user
for case; do
  [[ $case =~ ^(bookworm|trixie)-(root|user)$ ]] || die "no such case: $case"
  who=${case#*-}
  start "${case%-*}" "${who/user/dev}"
  before=$(look | sort -u)
  core=()
  [ "$case" != trixie-user ] || core=(CORE_FROM=debian)
  typed "make image" "${core[@]}"
  typed "make test" "${core[@]}"
  typed "make size"
  if [ "${MORE:-}" = yes ] && [ "$case" = bookworm-user ]; then
    # shellcheck disable=SC2013 # words are wanted
    for target in wheel sbom provenance digest lint "fuzz SECONDS=20" clients e2e sign-test "bench RUNS=20"; do typed "make $target"; done
  fi
  if changed=$(diff <(echo "$before") <(look | sort -u)); then note PASS "home, /etc, /mnt, podman's storage and handlers are as they were"
  else note FAIL "changed, < before, > after: $changed"; fi
  if [ "$user" != root ]; then
    owned=$(find "$root$home/$CHECKOUT" -user root -print -quit)
    if [ -z "$owned" ]; then note PASS "no file in the checkout is root's"; else note FAIL "root's: $owned"; fi
  fi
  digests
  let_podman_warn
  typed "make image" MODELCAR_PODMAN=warns
  typed "make verify-release DIGEST=\$(make -s digest)"
  typed "make clean"
  left=$(cd "$root$home/$CHECKOUT" && git status --short --ignored)
  if [ -z "$left" ]; then note PASS "nothing is left of what was built"; else note FAIL "left: $left"; fi
  leave
done
case=all
if [ "$(for case; do cat "$OUT/$case.digests"; done | sort -u | wc -l)" = 2 ]; then case=all note PASS "the same images everywhere"
else case=all note FAIL "the images differ: $(cd "$OUT" && head -- *.digests)"; fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
