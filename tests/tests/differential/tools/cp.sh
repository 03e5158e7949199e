# shellcheck shell=sh disable=SC2034,SC2154 # with what stands before it: see install in arena.rs
# `cp`, but what is replaced is a new file, and a tree that is not whole is none.

letters='' options=1 given=''
for word; do
  shift
  case $options$word in
  1--) options= ;;
  1-?*)
    letters=$letters${word#-}
    given="$given $word"
    ;;
  *) set -- "$@" "$word" ;;
  esac
done
for to; do :; done
# GNU 9.7 takes it for the current directory.
if [ $# = 2 ] && [ -z "$to" ]; then
  echo 'cp: : No such file or directory' >&2
  exit 1
fi

# It may not be allowed to.
if [ "$me" = dash ]; then preserve='*: preserving times for *'; else preserve="*can't preserve *"; fi
# shellcheck disable=SC2086
plain() { but_for "$preserve" real cp $given -- "$@"; }
# shellcheck disable=SC2086,SC2329
replace() {
  if [ "$me" = dash ]; then
    but_for "$preserve" real cp $given --remove-destination -- "$@"
    return
  fi
  # BusyBox would write into what is there.
  if [ ! -e "$1" ] && { [ ! -L "$1" ] || ! keeps_links; }; then
    fail "$1: No such file or directory"
    return
  elif [ -d "$at" ] && [ ! -L "$at" ]; then
    if [ -d "$1" ]; then
      (cd "$1" && real find . ! -type d) | while read -r name; do
        [ -d "$at/$name" ] || real rm -f "$at/$name"
      done
    fi
  elif [ ! -d "$1" ] || { [ -L "$1" ] && keeps_links; }; then
    real rm -f "$at" || return 1
  fi
  plain "$@"
}
# shellcheck disable=SC2329
replace_and_say() {
  exec 5>&1
  code=$({ {
    replace "$@"
    echo $? >&3
  } | real sed "/^removed '/d" >&5; } 3>&1)
  return "$code"
}
fail() {
  echo "cp: $1" >&2
  return 1
}

if [ $# -gt 2 ] && { [ ! -d "$to" ] || has T; }; then
  plain "$@"
  exit 1
fi

keeps_links() { has r || has R || has a || has d || has P; }
recursive() { has r || has R || has a; }

# The permissions of files that are about to be replaced by those of SOURCE: they stay.
modes() {
  if has p || has a; then return; fi
  if [ -f "$at" ]; then
    if [ -f "$1" ] && { [ ! -L "$1" ] || ! keeps_links; }; then real stat -L -c '%a %n' "$at"; fi
  elif [ -d "$1" ]; then
    (cd "$1" && real find . -type f) | while read -r name; do
      [ ! -f "$at/$name" ] || real stat -L -c '%a %n' "$at/$name"
    done
  fi
}
keep() {
  [ "$1" ] || return 0
  printf '%s\n' "$1" | while read -r mode name; do
    case $mode in ????) mode=${mode#?} ;; esac
    real chmod "$mode" "$name"
  done
}

# Whether both are one name in one directory.
same_name() {
  [ "${1##*/}" = "${2##*/}" ] || return
  case $1 in */*) one=${1%/*}/ ;; *) one=. ;; esac
  case $2 in */*) other=${2%/*}/ ;; *) other=. ;; esac
  [ "$one" -ef "$other" ]
}

# A directory that may be read and not searched: the program goes into none, GNU fails at what is in it.
closed() { [ "$(real find "$1" -type d -readable ! -executable 2>/dev/null)" ]; }

# copy SOURCE
copy() {
  trim "$1"
  from=$trimmed
  at=$to
  if [ -d "$to" ] && ! has T; then
    case ${from##*/} in
    ..) ;;
    *) at=$to/${from##*/} ;;
    esac
  fi
  if [ ! -e "$at" ] && [ ! -L "$at" ]; then
    # GNU leaves a new directory what it has from one with set-group-id, and the program gives it the bits of its source.
    if [ -d "$1" ] && { has p || has a; } && [ -g "$(real dirname "$at")" ]; then undecided; fi
    plain "$1" "$to" && return
    # What was written of it.
    if [ -e "$at" ] || [ -L "$at" ]; then
      hit cp-takes-back
      [ ! -d "$at" ] || [ -L "$at" ] || real chmod -R u+rwX "$at"
      real rm -rf "$at"
    fi
    return 1
  fi
  if [ "$me" = dash ] && recursive && { closed "$1/" || { [ -d "$at" ] && [ ! -x "$at" ]; }; }; then undecided; fi
  if same_name "$from" "$at" || { [ "$1" -ef "$at" ] && ! { keeps_links && [ -L "$1" ] && [ -L "$at" ]; }; }; then
    plain "$1" "$to" && undecided
    return 1
  fi
  if [ -d "$at" ] && [ ! -L "$at" ]; then
    modes=$(modes "$1")
    if $replace "$1" "$to"; then
      keep "$modes"
      return
    fi
    # How far it came depends on the order of names.
    if recursive && [ -d "$1" ]; then undecided; fi
    return 1
  fi
  # A link that leads to itself is in the way, as it is to GNU without --remove-destination.
  case $(real cat "$at" 2>&1 >/dev/null) in
  *'symbolic link'*)
    plain "$1" "$to"
    return
    ;;
  # One that leads through a file: GNU asks it or not, by its options.
  *'Not a directory') undecided ;;
  esac
  # And what leads to a directory is one, for a file.
  if [ -L "$at" ] && [ -d "$at" ] && { [ ! -L "$1" ] || ! keeps_links; }; then
    plain "$1" "$to"
    return
  fi
  [ ! -L "$at" ] || hit cp-replaces-a-link
  if { [ ! -L "$1" ] || ! keeps_links; } && [ -f "$1" ] && [ ! -r "$1" ]; then
    fail "$1: Permission denied"
    return 1
  fi
  modes=$(modes "$1")
  $replace "$1" "$to" || return
  keep "$modes"
}

replace=replace
has v && replace=replace_and_say
result=0
while [ $# != 1 ]; do
  if ! copy "$1"; then
    # GNU has told it before it tried.
    if has v; then undecided; fi
    result=1
  fi
  shift
done
exit $result
