# shellcheck shell=sh disable=SC2034,SC2154 # with what stands before it: see install in arena.rs
# `ls`, but as the contract has it.

letters='' options=1 count=0 result=0
for word; do
  shift
  case $options$word in
  1--) options= ;;
  1-?*) letters=$letters${word#-} ;;
  *)
    set -- "$@" "$word"
    count=$((count + 1))
    ;;
  esac
done
[ $count != 0 ] || set -- .

flags=-1$letters long=
if has l || has n; then long=1; fi
if has a && has A; then
  hit ls-a-beats-A
  flags=$flags' -a'
fi

# What cannot be looked into.
shows_links=$long
if has d || has F; then shows_links=1; fi
for path; do
  shift
  if [ -z "$shows_links" ] && [ -L "$path" ] && [ ! -e "$path" ]; then
    hit ls-of-a-dangling-link
    echo "ls: $path: No such file or directory" >&2
    result=1
  else
    set -- "$@" "$path"
  fi
done
[ $# != 0 ] || exit 1

list() {
  # shellcheck disable=SC2086
  if [ "$long" ]; then
    exec 4>&1
    code=$({ {
      real ls $flags -n '--time-style=+%Y-%m-%d %H:%M' -- "$@"
      echo $? >&3
    } | real sed '/^.?????????/d' >&4; } 3>&1)
  else
    real ls $flags -- "$@"
    code=$?
  fi
  [ "$code" -lt 2 ] || hit ls-fails-with-1
  [ "$code" = 0 ] || result=1
}
lists() { ! has d && { [ ! -L "$1" ] || [ -z "$shows_links" ]; } && [ -d "$1" ]; }

files() {
  for path; do
    shift
    lists "$path" || set -- "$@" "$path"
  done
  [ $# = 0 ] || list "$@"
  for path; do
    if [ -e "$path" ] || [ -L "$path" ]; then return 0; fi
  done
  return 1
}

directories() {
  for path; do
    shift
    ! lists "$path" || set -- "$@" "$path"
  done
  [ $# != 0 ] || return
  [ -z "$before" ] || echo
  # Beside files it would have its name before it.
  if [ $# = 1 ] && [ $count -gt 1 ] && ! has R && [ -r "$1" ]; then printf '%s:\n' "$1"; fi
  list "$@"
}

if [ $count -gt 1 ]; then
  # As if all were there; and the columns of files and of directories are as wide as each needs.
  before=
  files "$@" && before=1
  directories "$@"
else
  list "$@"
fi
exit $result
