# shellcheck shell=sh disable=SC2034,SC2154 # with what stands before it: see install in arena.rs
# `chmod`, which finds no fault with `-w` where the umask keeps a bit.

but_for '*new permissions are*' real chmod "$@"
status=$?
[ -z "$matched" ] || [ $status != 0 ] || hit chmod-without-who
exit $status
