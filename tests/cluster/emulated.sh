#!/usr/bin/env bash
# Starts the node of run.sh in an emulated machine of its own, with Debian's kernel and control groups of version 2, for
# machines that have version 1; and runs tests there. Needs no root but for installing packages, and no KVM.
#
# usage: tests/cluster/emulated.sh [PYTEST ARGUMENT...]     `make image` first
#
# RUNTIME: containerd or crio. The logs of the machine and of the node are left in target/cluster/emulated.
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/../../tools/common.sh"

export RUNTIME=${RUNTIME:-containerd} KSERVE=${KSERVE:-0.20.0}
[ "$(host_arch)" = amd64 ] || die "this emulates an amd64 machine, and what is built for the node here is for another"
[ -e dist/modelcar-base.oci.tar ] || die "there is no dist/modelcar-base.oci.tar yet: make image"
[ $# -gt 0 ] || set -- test_control_groups.py test_life.py::test_{modelcar_ended_by_a_signal_comes_again,pod_that_is_deleted_is_gone_at_once}
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release) mirror=$(debian_mirror)
[ -n "$codename" ] && [ -n "$mirror" ] || die "this machine has no package source of Debian: run this on Debian"

tools/packages.sh e2fsprogs fakeroot mmdebstrap qemu-system-x86 util-linux
tests/cluster/build.sh kubernetes runc "$RUNTIME"
venv target/e2e/venv tests/e2e/requirements.txt 20

work=target/cluster/emulated machine=
PATH=$PATH:/usr/sbin:/sbin # mke2fs, debugfs
mkdir -p $work
cleanup() {
  [ -z "$machine" ] || kill -KILL "$machine" 2>/dev/null || true
  rm -rf $work/{root,new.tar,disk}
}

# The system: what run.sh asks for, and a kernel.
packages=busybox-static,ca-certificates,containernetworking-plugins,curl,docker-registry,etcd-server,iproute2,jq,kmod
packages+=,libcap2-bin,linux-image-cloud-amd64,nftables,openssl,procps,python3,skopeo,conmon
# shellcheck disable=SC2016 # mmdebstrap's shell expands it
modules='cd "$1" && mkdir -p etc/initramfs-tools/conf.d usr/share/initramfs-tools/modules.d &&
  echo MODULES=list >etc/initramfs-tools/conf.d/emulated &&
  printf "%s\n" virtio_pci virtio_blk >usr/share/initramfs-tools/modules.d/emulated'
if [ "$(cat $work/made 2>/dev/null)" != "$codename $packages" ]; then
  rm -f $work/{made,debian.tar}
  slow 90 "making a Debian $codename for an emulated machine, once"
  apart $work/new.tar $work/debian.log mmdebstrap --verbose --dpkgopt=force-unsafe-io --format=tar --variant=minbase --include="$packages" \
    --essential-hook="$modules" \
    "$codename" - "$mirror" || die_of $work/debian.log "a Debian $codename cannot be made"
  tar -xOf $work/new.tar --wildcards './boot/vmlinuz-*' >$work/vmlinuz
  tar -xOf $work/new.tar --wildcards './boot/initrd.img-*' >$work/initrd
  mv $work/new.tar $work/debian.tar
  echo "$codename $packages" >$work/made
fi

slow 30 "writing the machine's disk"
mkdir -p $work/root
cat >$work/init <<END
#!/bin/bash
stty -opost </dev/ttyS1
exec </dev/null >/dev/ttyS1 2>&1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t cgroup2 cgroup2 /sys/fs/cgroup
sed 's/^/+/; s/ / +/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
mount -t tmpfs tmpfs /tmp
ip link set lo up
modprobe -a nf_conntrack ip_vs # or the kubelet's proxy loads them, and sysctls of theirs look like something left behind
cd '$PWD' || exit
echo "\$(cut -d ' ' -f 1 /proc/uptime) s after it was started: Linux \$(uname -r), \$(cat /sys/fs/cgroup/cgroup.subtree_control)"
RUNTIME=$RUNTIME KSERVE=$KSERVE PREDICTOR_ARCHIVE=none MODEL=none tests/cluster/run.sh test ${*@Q}
sync
echo o >/proc/sysrq-trigger
sleep infinity
END
# shellcheck disable=SC2016 # the inner shell expands it
# The file system has the owners that fakeroot remembers. The checkout is where it is here, for the venv's sake.
fakeroot sh -euc '
  tar -xf "$0/debian.tar" -C "$0/root" --exclude="./boot/*"
  install -m 0755 "$0/init" "$0/root/init"
  mkdir -p "$0/root$PWD"
  cp -a --parents arches.txt Makefile dist docs/kserve.md examples tests/clients tests/cluster tests/e2e tools target/e2e/venv target/cluster/bin "$0/root$PWD"
  chown -R 0:0 "$0/root$PWD"
  truncate --size 6G "$0/disk"
  mke2fs -q -t ext4 -m 0 -O ^has_journal -d "$0/root" "$0/disk"' $work
rm -rf $work/root

slow 480 "running tests in the emulated machine"
: >$work/tests.log
# While the machine works, its time is that of what it has executed, 1 ns for an instruction: no timeout in there comes too
# early, however slow the emulation is.
setpriv --pdeathsig KILL qemu-system-x86_64 -M q35 -accel tcg -icount shift=0 -rtc clock=vm -cpu max -m 6G -nodefaults -display none \
  -monitor none -no-reboot -serial file:$work/console.log -serial file:$work/tests.log \
  -drive file=$work/disk,format=raw,if=virtio,cache=unsafe -kernel $work/vmlinuz -initrd $work/initrd \
  -append "console=ttyS0 root=/dev/vda rw init=/init mitigations=off tsc=reliable panic=1" </dev/null &
machine=$!
tail --pid=$machine --lines=+1 --follow $work/tests.log &
wait $machine || die "the emulator has ended: see above"
wait
machine=
silence
debugfs -R "rdump $PWD/target/cluster/node/log $work" $work/disk 2>/dev/null || true
tail -n 1 $work/tests.log | grep -q '^[1-9][0-9]* passed, 0 failed$' || die "not all passed; the machine's console: $work/console.log"
