#!/usr/bin/env bash
# Runs the shipped files on real kernels: boots Debian's kernels in emulated machines, from a memory file system that
# holds the program. Emulators of user space hide the page size and much of what the kernel says to capset and seccomp.
#
# usage: tests/kernels/run.sh [KERNEL...]     all kernels by default; `make binaries` first
#
# Each kernel is booted twice: once with init.pl as its first process, which starts the program, watches it and at last
# becomes it; once with the program itself as the first process, as the kernel starts it. One line for each check.
# Kernels, and Perl for init.pl, come from Debian's mirrors, checked by apt, into target/kernels, where
# the consoles' logs are too; delete it to renew them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tools/common.sh
. "$here/../../tools/common.sh"

CACHE=target/kernels
declare -A SUITES=([riscv64]=trixie) # Debian's first with it
OTHER_SUITES='bookworm bookworm-backports'
BOOT_SECONDS=900 # after which a machine is given up
# The name of an architecture, and the kind of kernel where there are several.
KERNELS=(amd64 arm64 arm64-16k ppc64le s390x riscv64)

# kernel -> Debian's package of it, and the size of its pages
declare -A PACKAGE=([amd64]=linux-image-cloud-amd64 [arm64]=linux-image-cloud-arm64 [arm64-16k]=linux-image-arm64-16k
  [ppc64le]=linux-image-powerpc64le [s390x]=linux-image-s390x [riscv64]=linux-image-riscv64)
declare -A PAGES=([amd64]=4096 [arm64]=4096 [arm64-16k]=16384 [ppc64le]=65536 [s390x]=4096 [riscv64]=4096)
# kernel -> the emulated machine, and the console of it. Software emulation everywhere: it needs no right and no host.
declare -A MACHINE=(
  [amd64]='qemu-system-x86_64 -M q35 -cpu max -serial stdio'
  [arm64]='qemu-system-aarch64 -M virt -cpu cortex-a57 -serial stdio'
  [arm64-16k]='qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on -serial stdio' # cortex-a57 has no 16 KiB pages
  # the emulator does not offer what these four ask for by default
  [ppc64le]='qemu-system-ppc64 -M pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off -cpu power9 -serial stdio'
  [s390x]='qemu-system-s390x -M s390-ccw-virtio -cpu max -chardev stdio,id=console -device sclpconsole,chardev=console'
  [riscv64]='qemu-system-riscv64 -M virt -cpu rv64 -serial stdio'
)
declare -A CONSOLE=([amd64]=ttyS0 [arm64]=ttyAMA0 [arm64-16k]=ttyAMA0 [ppc64le]=hvc0 [s390x]=ttyS0 [riscv64]=ttyS0)

pass() { echo "PASS $1"; }
fail() { echo "FAIL $1: $2"; }

# Puts vmlinuz and what init.pl needs of Debian into $CACHE/KERNEL.
fetch() {
  local kernel=$1 arch=${1%%-*} work=$CACHE/$1.new suite image package
  [ ! -d "$CACHE/$kernel" ] || return 0
  rm -rf "$work"
  mkdir -p "$work"/{lists,cache/archives}/partial "$work/packages" "$work/root"
  local deb=${DEBIAN[$arch]} suites=${SUITES[$kernel]:-$OTHER_SUITES} mirror
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "no mirror of Debian among this machine's package sources: run this on Debian, a container will do"
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  for suite in $suites; do echo "deb [arch=$deb signed-by=$keyring] $mirror $suite main"; done >"$work/sources.list"
  local options=(-qq -o Dir::Etc::SourceList="$PWD/$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$PWD/$work/lists" -o Dir::Cache="$PWD/$work/cache" -o APT::Architectures::="$deb"
    -o Acquire::Languages=none -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update || die "$kernel: the package lists of $suites for $deb cannot be had: see above"
  image=$(apt-cache "${options[@]}" depends "${PACKAGE[$kernel]}:$deb" | sed -n 's/^ *Depends: \(linux-image-[^:]*\).*/\1/p')
  [ -n "$image" ] || die "$kernel: $suites have no ${PACKAGE[$kernel]} for $deb"
  (cd "$work/packages" && apt-get "${options[@]}" download {"$image",perl-base,libc6,libcrypt1}":$deb") ||
    die "$kernel: the packages cannot be downloaded: see above"
  for package in perl-base libc6 libcrypt1; do dpkg-deb -x "$work"/packages/"$package"_*.deb "$work/unpacked"; done
  # Since trixie the libraries are under /usr, and / has links to them.
  (cd "$work/unpacked" && shopt -s nullglob && cp -a --parents lib* usr/lib*/ld*.so* usr/lib/*/*.so* usr/bin/perl usr/lib/*/perl-base ../root &&
    for directory in usr/lib*; do [ -e "../root/${directory#usr/}" ] || ln -s "$directory" "../root/${directory#usr/}"; done)
  dpkg-deb --fsys-tarfile "$work/packages/$image"_*.deb | tar -xO --wildcards './boot/vmlinu*' >"$work/vmlinuz"
  rm -rf "$work"/{lists,cache,packages,unpacked,sources.list}
  mv "$work" "$CACHE/$kernel"
}

# Makes the memory file system: Perl, init.pl, and the program both as the first process and in a container root.
pack() {
  local kernel=$1 root=$2 file
  mkdir -p "$root"/{bin,mnt,models,car/bin,car/models,car/mnt}
  cp -a "$CACHE/$kernel/root/." "$root"
  cp "$here/init.pl" "$root/init"
  # For what Debian's own kernels can do, and not for this machine's.
  apparmor_parser --skip-kernel-load --skip-cache --features-file /usr/share/apparmor-features/features --stdout "$here/profiles" >"$root/profiles"
  chmod 755 "$root/init"
  for file in bin/$PROGRAM car/bin/$PROGRAM; do install -m 755 "dist/linux/${kernel%%-*}/$PROGRAM" "$root/$file"; done
  for file in sh sleep; do ln -s "$PROGRAM" "$root/car/bin/$file"; done # as in the image
  (cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0)
}

# Boots the kernel with these words on its command line and leaves the console in $CONSOLE_LOG, until the machine ends
# or, a second after it says what $UNTIL is, it is ended.
boot() {
  local kernel=$1 end=$((SECONDS + BOOT_SECONDS))
  shift
  : >"$CONSOLE_LOG"
  # shellcheck disable=SC2086 # a list of words
  ${MACHINE[$kernel]} -m 1024 -nodefaults -display none -monitor none -no-reboot -kernel "$CACHE/$kernel/vmlinuz" \
    -initrd "$INITRAMFS" -append "console=${CONSOLE[$kernel]} loglevel=1 panic=-1 $*" >"$CONSOLE_LOG" 2>&1 </dev/null &
  RUNNING=$!
  while kill -0 $RUNNING 2>/dev/null; do
    if [ -n "$UNTIL" ] && said "$UNTIL"; then sleep 1; break; fi
    if [ $SECONDS -gt $end ]; then echo "given up after $BOOT_SECONDS s" >>"$CONSOLE_LOG"; break; fi
    sleep 0.1
  done
  kill -KILL $RUNNING 2>/dev/null || true
  wait $RUNNING 2>/dev/null || true
  RUNNING=
  sed -i 's/\r//g' "$CONSOLE_LOG"
}

# Not as a whole line: some consoles have a word of the firmware's before it.
said() { grep -qF "$1" "$CONSOLE_LOG"; }
last_words() { { grep -F 'Kernel panic' "$CONSOLE_LOG" || tail -n 3 "$CONSOLE_LOG"; } | tr '\n' '|' | cut -c1-300; }

check_kernel() {
  local kernel=$1 started=$SECONDS
  WORK=$(mktemp -d "$CACHE/$kernel.work.XXXX") RUNNING=
  trap 'kill -KILL $RUNNING 2>/dev/null || true; rm -rf "$WORK"' EXIT
  INITRAMFS=$WORK/initramfs
  pack "$kernel" "$WORK/root" >"$INITRAMFS"

  CONSOLE_LOG=$CACHE/$kernel.process.log UNTIL=
  boot "$kernel" "rdinit=/init -- ${kernel%%-*} ${PAGES[$kernel]}"
  grep -E '^(PASS|FAIL|INFO) ' "$CONSOLE_LOG" || true
  if ! said READY; then fail 'the tests on this kernel came to their end' "$(last_words)"
  elif grep -qF 'Attempted to kill init! exitcode=0x00000000' "$CONSOLE_LOG"; then pass 'PID 1: SIGTERM: exit code 0'
  else fail 'PID 1: SIGTERM: exit code 0' "$(last_words)"; fi

  local line="$PROGRAM: /mnt/models -> /proc/1/root/models" name='started by the kernel: links and waits'
  # shellcheck disable=SC2016 # the program expands it
  CONSOLE_LOG=$CACHE/$kernel.init.log UNTIL=$line
  boot "$kernel" "rdinit=/bin/$PROGRAM -- sh -c \"ln -sf /proc/\$\$/root/models /mnt/models && sleep infinity\""
  if ! said "$line"; then fail "$name" "$(last_words)"
  elif grep -q 'Kernel panic' "$CONSOLE_LOG"; then fail "$name" "it ended: $(last_words)"
  else pass "$name"; fi
  echo "INFO seconds: $((SECONDS - started))"
}

for arch in "${ARCHES[@]}"; do
  printf '%s\n' "${KERNELS[@]}" | grep -q "^$arch\b" || say "linux/$arch: no kernel is known here, so it is not tested on one"
done
for kernel; do [ -n "${PACKAGE[$kernel]:-}" ] || die "no kernel '$kernel' here: ${KERNELS[*]}"; done
[ $# = 0 ] || KERNELS=("$@")
for kernel in "${KERNELS[@]}"; do
  [ -x "dist/linux/${kernel%%-*}/$PROGRAM" ] || die "no dist/linux/${kernel%%-*}/$PROGRAM: make binaries first"
done
for tool in apt-get dpkg-deb; do
  command -v $tool >/dev/null || die "no $tool here: run this on Debian, a container will do"
done
tools/packages.sh cpio apparmor
for kernel in "${KERNELS[@]}"; do
  emulator=${MACHINE[$kernel]%% *} # which is the name of a package too, if only of one that another provides
  command -v "$emulator" >/dev/null || tools/packages.sh "${emulator//_/-}"
done
mkdir -p "$CACHE"
slow 60 "downloading the kernels that are not there yet"
for kernel in "${KERNELS[@]}"; do fetch "$kernel"; done

slow 600 "booting ${#KERNELS[@]} kernels, each twice"
# As many machines at a time as there are processors; their lines are kept apart.
cleanup() { jobs -rp | xargs -r kill 2>/dev/null || true; }
for kernel in "${KERNELS[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
  check_kernel "$kernel" >"$CACHE/$kernel.result" 2>&1 &
done
wait

passed=0 failed=0
for kernel in "${KERNELS[@]}"; do
  tail -n 1 "$CACHE/$kernel.result" | grep -q '^INFO seconds: ' || fail 'the kernel was booted' 'see above' >>"$CACHE/$kernel.result"
  sed "s/^\(PASS\|FAIL\|INFO\) /\1 $kernel: /" "$CACHE/$kernel.result"
  passed=$((passed + $(grep -c '^PASS ' "$CACHE/$kernel.result" || true)))
  failed=$((failed + $(grep -c '^FAIL ' "$CACHE/$kernel.result" || true)))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
