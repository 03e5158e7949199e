# shellcheck shell=sh disable=SC2034,SC2154 # with what stands before it: see install in arena.rs
# `tar`, whose failure is 1, and which says nothing of the `/` that a name has lost.

in=
for word; do
  shift
  case $before$word in
  -C*) in=${word#-C}/ ;;
  ?*/)
    # GNU and BusyBox cut it off.
    case $word in
    /*) at=${word%/} ;;
    *) at=$in${word%/} ;;
    esac
    [ ! -L "$at" ] || [ ! -d "$at/" ] || undecided
    if { [ -e "$at" ] || [ -L "$at" ]; } && [ ! -d "$at/" ]; then
      hit tar-of-a-file-as-a-directory
      word=missing/x
    fi
    ;;
  esac
  set -- "$@" "$word"
  before=
  [ "$word" != -C ] || before=-C
done
# A directory that may be read and not searched: the program goes into none, GNU fails at what is in it.
if [ "$me" = dash ] && [ "$(real find /mnt/ /models/ -type d -readable ! -executable 2>/dev/null)" ]; then undecided; fi
but_for '*emoving leading *' real tar "$@"
# GNU leaves out a directory that it cannot read, BusyBox only what is in it.
rest=$said
while [ "$rest" ]; do
  line=${rest%%: Cannot open: Permission denied*}
  [ "$line" != "$rest" ] || break
  path=${line##*tar: }
  if [ -d "$path" ] || [ -d "$in$path" ]; then undecided; fi
  rest=${rest#*: Cannot open: Permission denied}
done
exit "$status"
