#!/usr/bin/env bash
# Runs a command, and fails if it leaves this machine's own files or its handlers of foreign programs other than they
# were: names, kinds, permission bits, owners, where links lead.
#
# usage: tools/unchanged.sh COMMAND...
set -euo pipefail

look() {
  find / -maxdepth 1 -printf '%p %y %m %U:%G %l\n'
  find /etc /mnt -xdev -printf '%p %y %m %U:%G %l\n' 2>/dev/null || true # a user cannot look everywhere
  grep -rs '' /proc/sys/fs/binfmt_misc || true # where it is mounted
}

before=$(look | sort -u)
status=0
"$@" || status=$?
if ! changed=$(diff <(echo "$before") <(look | sort -u)); then
  echo "${0##*/}: this was changed on the machine, < before, > after:" >&2
  echo "$changed" >&2
  exit 1
fi
exit $status
