# shellcheck shell=sh disable=SC2034,SC2154 # with what stands before it: see install in arena.rs
# `chmod`, which finds no fault with `-w` where the umask keeps a bit.

# Into a directory that may be read and not searched the program does not go, be it empty.
case "$*" in
*-R*) if [ "$(real find /mnt/ -type d -readable ! -executable 2>/dev/null)" ]; then undecided; fi ;;
esac
but_for '*new permissions are*' real chmod "$@"
status=$?
[ -z "$matched" ] || [ $status != 0 ] || hit chmod-without-who
exit "$status"
