# shellcheck shell=sh disable=SC2034,SC2154 # with what stands before it: see install in arena.rs
# Before each of the tools here: `me` is the shell they run in, `real TOOL` its own tool.

# A listed difference shows.
hit() { printf . >>"/hits/$1"; }

# What the oracle does and the program cannot do alike: the script says nothing.
undecided() {
  hit undecided
  exit 1
}

# PATH without slashes at its end, in `trimmed`.
trim() {
  trimmed=$1
  while :; do
    case $trimmed in
    ?*/) trimmed=${trimmed%/} ;;
    *) break ;;
    esac
  done
}

# Whether the options have this letter.
has() {
  case $letters in
  *"$1"*) return 0 ;;
  *) return 1 ;;
  esac
}

# Runs a tool, of whose complaints those that match PATTERN are left out: with them alone it has not failed.
matched=

but_for() {
  pattern=$1 other='' matched=''
  shift
  exec 4>&1
  said=$("$@" 2>&1 >&4)
  status=$?
  [ $status != 0 ] || [ "$said" ] || return 0
  rest=$said
  while [ "$rest" ]; do
    line=${rest%%
*}
    case $rest in
    *"
"*) rest=${rest#*
} ;;
    *) rest= ;;
    esac
    # shellcheck disable=SC2254 # it is a pattern
    case $line in
    $pattern) matched=1 ;;
    *) other="$other$line
" ;;
    esac
  done
  [ -z "$other" ] || printf %s "$other" >&2
  [ -z "$matched" ] || [ "$other" ] || status=0
  [ $status = 0 ] || status=1
  return $status
}
