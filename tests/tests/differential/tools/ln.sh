# shellcheck shell=sh disable=SC2034,SC2154 # with what stands before it: see install in arena.rs
# `ln`, but a link at the link's path is replaced.

letters='' options=1
for word; do
  shift
  case $options$word in
  1--) options= ;;
  1-?*) letters=$letters${word#-} ;;
  *) set -- "$@" "$word" ;;
  esac
done

# link TARGET PATH, with `exactly` never inside what is there
link() {
  target=$1
  trim "$2"
  slash=
  [ "$trimmed" = "$2" ] || slash=1
  path=$trimmed
  if [ ! -L "$path" ] && [ -d "$path" ] && [ -z "$exactly" ]; then
    slash=
    trim "$target"
    path=$path/${trimmed##*/}
  fi
  if [ -L "$path" ]; then
    hit ln-replaces-a-link
  elif has f && [ -z "$slash" ] && [ -f "$path" ] && [ "$path" -ef "$target" ]; then
    hit ln-onto-itself
    real rm "$path" || return 1
  else
    real ln "-$letters$exactly" -- "$1" "$2"
    return
  fi
  verbose=
  has v && verbose=v
  if [ "$me" = dash ]; then real ln -sfT$verbose -- "$target" "$path"; else real ln -sfn$verbose -- "$target" "$path"; fi
}

exactly=
if has T; then exactly=T; fi
if [ $# = 1 ]; then
  hit ln-with-one-operand
  link "$1" .
elif [ $# = 2 ]; then
  link "$1" "$2"
else
  for last; do :; done
  result=0
  trim "$last"
  if [ ! -d "$last" ] || [ -L "$trimmed" ]; then
    echo "ln: $last: Not a directory" >&2
    exit 1
  fi
  last=$trimmed
  exactly=T
  while [ $# != 1 ]; do
    trim "$1"
    link "$1" "$last/${trimmed##*/}" || result=1
    shift
  done
  exit $result
fi
