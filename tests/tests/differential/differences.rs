//! Where the program differs from the shells on purpose.
//!
//! Each difference has a name, a reason, and a script that shows it; one that does not show any more is stale, and
//! that is a failure. So that a difference hides nothing else, it is not left out of the comparison: it is worked
//! into the shells' own tools, and then all must be the same.

use super::arena::Shell;
use super::setup::Setup;

/// One difference, and a script that shows it.
pub struct Difference {
    pub name: &'static str,
    pub reason: &'static str,
    pub setup: Setup,
    pub script: &'static str,
    /// How the script ends here, and what it prints.
    pub ours: (i32, &'static str),
    /// The shells that do something else: all, or only one.
    pub differs: &'static [Shell],
}

const BOTH: &[Shell] = &[Shell::Dash, Shell::Busybox];
const DASH: &[Shell] = &[Shell::Dash];
const BUSYBOX: &[Shell] = &[Shell::Busybox];

/// All of them.
pub fn all() -> Vec<Difference> {
    let setup = Setup::default;
    let show = |name, differs, script, ours, setup, reason| Difference { name, reason, setup, script, ours, differs };
    vec![
        show(
            "ln-replaces-a-link",
            BOTH,
            "ln -s /proc/$$/root/models models && ls -A d",
            (0, ""),
            setup().directory("/mnt/d").link("/mnt/models", "d"),
            "a link at the link's path is what an earlier start has left; where it leads now is chance",
        ),
        show(
            "ln-loses-nothing",
            BUSYBOX,
            "ln -sf '' l",
            (1, ""),
            setup().link("/mnt/l", "old"),
            "BusyBox removes the old link before it finds that there can be no new one",
        ),
        show(
            "ln-with-one-operand",
            BUSYBOX,
            "ln -s /proc/1/root/models",
            (1, ""),
            setup().directory("/mnt/models"),
            "the link goes into the current directory, as with coreutils; BusyBox would go one directory deeper",
        ),
        show(
            "ln-onto-itself",
            DASH,
            "ln -sf /mnt/f f",
            (0, ""),
            setup().file("/mnt/f"),
            "-f takes the place of a file, as in BusyBox; coreutils look whether the new link would lead to that file",
        ),
        show(
            "echo-keeps-backslashes",
            DASH,
            r"echo 'a\tb'",
            (0, "a\\tb\n"),
            setup(),
            "POSIX leaves it open; dash interprets, BusyBox and bash do not",
        ),
        show(
            "echo-takes-each-n",
            DASH,
            "echo -n -nn x",
            (0, "x"),
            setup(),
            "dash takes one -n, BusyBox and bash take all; POSIX leaves it open",
        ),
        show(
            "ls-printed-an-option",
            BOTH,
            "ls \"$(ls)\"",
            (1, ""),
            setup().link("/mnt/-x", "d"),
            "what ls printed is known when it runs: an option that is not supported is a failure then",
        ),
        show(
            "ls-fails-with-1",
            DASH,
            "ls missing",
            (1, ""),
            setup(),
            "GNU ls has 2 for a path that it cannot list, BusyBox 1; every command here has 1 for a failure",
        ),
        show(
            "ls-of-a-dangling-link",
            DASH,
            "ls dangling",
            (1, ""),
            setup().link("/mnt/dangling", "nowhere"),
            "BusyBox fails too: what cannot be looked into is no model",
        ),
        show(
            "ls-a-beats-A",
            DASH,
            "ls -aA d",
            (0, ".\n..\n"),
            setup().directory("/mnt/d"),
            "with GNU the last of the two counts, with BusyBox -a, in POSIX it is open",
        ),
        show(
            "ls-prints-names-as-they-are",
            BUSYBOX,
            "ls d",
            (0, "m\u{f6}del\n"),
            setup().directory("/mnt/d").file("/mnt/d/m\u{f6}del"),
            "BusyBox prints a question mark for each byte beyond ASCII, GNU prints the name",
        ),
        show(
            "mkdir-of-what-is-there",
            BUSYBOX,
            "mkdir .",
            (1, ""),
            setup(),
            "without -p a directory that is there is an error; BusyBox lets `.` pass",
        ),
        show(
            "chmod-R-stays-out",
            DASH,
            "chmod -R 700 /mnt",
            (1, ""),
            Setup { uid: 1010, ..setup() }.file("/mnt/f"),
            "with GNU chmod goes on below a directory that it may not change; here and in BusyBox that ends there",
        ),
        show(
            "chmod-R-follows-its-operand",
            BUSYBOX,
            "chmod -R 700 d",
            (0, ""),
            setup().directory("/mnt/real").file("/mnt/real/f").link("/mnt/d", "real"),
            "a link that is named is followed, as in coreutils and POSIX; BusyBox changes only what it leads to",
        ),
        show(
            "ls-only-reads",
            BUSYBOX,
            "ls d",
            (0, "f\n"),
            Setup { uid: 1010, ..setup() }.directory("/mnt/d").file("/mnt/d/f").mode("/mnt/d", 0o444),
            "names need no more than the right to read the directory; BusyBox looks at each file too",
        ),
        show(
            "chmod-X-looks-at-what-was",
            BUSYBOX,
            "chmod a=rX f",
            (0, ""),
            setup().file("/mnt/f").mode("/mnt/f", 0o755),
            "X asks for the bits that the file had before, says POSIX; BusyBox looks after it has removed them",
        ),
        show(
            "built-ins-have-a-path",
            BOTH,
            "/bin/exit 3; echo on",
            (3, ""),
            setup(),
            "every command can be called by /bin/NAME; in a shell `exit` and `:` are no files",
        ),
        show(
            "exec-of-a-built-in",
            BOTH,
            "exec exit 3",
            (3, ""),
            setup(),
            "there is no program to run but this one, so exec takes all commands, also those that are no files",
        ),
        show(
            "no-files-are-run",
            BOTH,
            "/models/f",
            (127, ""),
            setup().directory("/models").file("/models/f"),
            "no other program is ever run, so a file that is there is no more found than one that is not; shells have 126",
        ),
        show(
            "test-negates-twice",
            DASH,
            "[ ! ! -f missing ]",
            (1, ""),
            setup(),
            "dash 0.5.12 goes wrong; bash, BusyBox, coreutils and POSIX negate twice",
        ),
        show(
            "understood-whole",
            BOTH,
            "mkdir a; ls -Z",
            (2, ""),
            setup(),
            "a script is understood before anything of it runs; what is not supported is refused with 2, and nothing is done",
        ),
        show(
            "capabilities-go",
            BOTH,
            "ln -s t l; sleep 0; mkdir private/d",
            (1, ""),
            setup().directory("/mnt/private").mode("/mnt/private", 0o000),
            "whoever reads the model may look into this process only if it has no capability that the reader lacks",
        ),
    ]
}

/// Before each script for dash: what `echo` does here.
pub const DASH_PRELUDE: &str = "echo() {
  case \"$*\" in *\\\\*) printf . >>/hits/echo-keeps-backslashes ;; esac
  if [ \"${1-}\" = -n ]; then shift; printf %s \"$*\"; else printf '%s\\n' \"$*\"; fi
}
";

/// Before each script for BusyBox, which runs its own tools without looking at PATH.
pub const BUSYBOX_PRELUDE: &str = "ln() { /bin/ln \"$@\"; }
ls() { /bin/ls \"$@\"; }
";

/// `ln`, but a link at the link's path is replaced.
pub fn ln(sh: &str, replace: &str) -> String {
    let remove = if sh == "/real/dash" { "/real/rm" } else { "/bin/busybox rm" };
    let plain = replace.rsplit_once(' ').map_or(replace, |(tool, _)| tool);
    format!(
        r#"#!{sh}
options=1 operands=0 target= path=. force= slash=
for word; do
  case $options$word in
  1--) options= ;;
  1-?*) case $word in *f*) force=1 ;; esac ;;
  *)
    operands=$((operands + 1))
    if [ $operands = 1 ]; then target=$word; else path=$word; fi
    ;;
  esac
done
trim() {{
  trimmed=$1
  while :; do
    case $trimmed in
    ?*/) trimmed=${{trimmed%/}} ;;
    *) break ;;
    esac
  done
}}
if [ $operands = 1 ]; then
  printf . >>/hits/ln-with-one-operand
  set -- "$@" .
fi
trim "$path"
[ "$trimmed" = "$path" ] || slash=1
path=$trimmed
if [ ! -L "$path" ] && [ -d "$path" ]; then
  slash=
  trim "$target"
  path=$path/${{trimmed##*/}}
fi
if [ -L "$path" ]; then
  printf . >>/hits/ln-replaces-a-link
elif [ "$force" ] && [ -z "$slash" ] && [ -f "$path" ] && [ "$path" -ef "$target" ]; then
  printf . >>/hits/ln-onto-itself
  {remove} "$path" || exit 1
else
  exec {plain} "$@"
fi
exec {replace} -- "$target" "$path"
"#
    )
}

/// `ls`, but with the exit code that it has here.
pub fn ls(sh: &str, ls: &str) -> String {
    format!(
        r#"#!{sh}
hit() {{ printf . >>"/hits/$1"; }}
options=1 path=. all= almost= flags=-1
for word; do
  case $options$word in
  1--) options= ;;
  1-?*)
    case $word in *a*) all=1 ;; esac
    case $word in *A*) almost=1 ;; esac
    ;;
  *) path=$word ;;
  esac
done
[ -z "$almost" ] || flags=-1A
[ -z "$all" ] || flags=-1a
[ -z "$almost" ] || [ -z "$all" ] || hit ls-a-beats-A
if [ -L "$path" ] && [ ! -e "$path" ]; then
  hit ls-of-a-dangling-link
  exit 1
fi
{ls} $flags -- "$path"
status=$?
[ $status = 0 ] && exit 0
[ $status = 1 ] || hit ls-fails-with-1
exit 1
"#
    )
}
