//! Where the program differs from the shells on purpose.
//!
//! Each difference has a name, a reason, and a script that shows it; one that does not show any more is stale, and
//! that is a failure. So that a difference hides nothing else, it is not left out of the comparison: it is worked
//! into the shells' own tools, and then all must be the same.

use super::arena::{Shell, WRAPPED};
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
            "mkdir-m-of-rwx",
            DASH,
            "mkdir -m +t d",
            (0, ""),
            setup(),
            "a mode in words begins from a=rwx, says POSIX; GNU has less where it is about s or t",
        ),
        show(
            "mkdir-p-by-the-umask",
            BOTH,
            "mkdir -p d/e",
            (0, ""),
            Setup { umask: Some(0o137), ..setup() },
            "matters with a umask that keeps rights from the owner only; to ask for it would be one more system call",
        ),
        show(
            "chmod-without-who",
            DASH,
            "chmod -w f",
            (0, ""),
            setup().file("/mnt/f").mode("/mnt/f", 0o666),
            "GNU finds fault with bits that the umask keeps, BusyBox does not",
        ),
        show(
            "cp-replaces-a-link",
            BOTH,
            "cp f l",
            (0, ""),
            setup().file("/mnt/f").file("/mnt/there").link("/mnt/l", "there"),
            "a copy gets its name by a rename, so what was there before is not written through",
        ),
        show(
            "cp-makes-a-new-file",
            BOTH,
            "cp f his",
            (0, ""),
            Setup { uid: 1010, gid: 1010, ..setup() }.file("/mnt/f").others_file("/mnt/his").mode("/mnt/his", 0o666),
            "what is replaced belongs to who copies, and his right to do it is that of the directory",
        ),
        show(
            "cp-takes-back",
            BOTH,
            "cp -r d new",
            (1, ""),
            Setup { uid: 1010, gid: 1010, ..setup() }.directory("/mnt/d").file("/mnt/d/f").mode("/mnt/d/f", 0),
            "half a model is none",
        ),
        show(
            "cp-v-tells-what-it-has-done",
            DASH,
            "cp -v f new/",
            (1, ""),
            setup().file("/mnt/f"),
            "GNU tells what it is about to do",
        ),
        show(
            "cp-is-silent-about-times",
            BOTH,
            "cp -a d/. .",
            (0, ""),
            Setup { uid: 1010, gid: 1010, ..setup() }.directory("/mnt/d").file("/mnt/d/f"),
            "the volume is another user's, and the copy is good all the same",
        ),
        show(
            "readlink-says-why",
            BOTH,
            "readlink f",
            (1, ""),
            setup().file("/mnt/f"),
            "one line for each failure; GNU and BusyBox are silent",
        ),
        show(
            "tar-fails-with-1",
            DASH,
            "tar cf - missing >/out/archive",
            (1, ""),
            setup(),
            "every command here has 1 for a failure",
        ),
        show(
            "tar-of-an-unreadable-directory",
            DASH,
            "tar cf - . >/out/archive",
            (1, ""),
            Setup { uid: 1010, gid: 1010, ..setup() }.directory("/mnt/d").mode("/mnt/d", 0o300),
            "the directory is there, and what is in it cannot be; GNU leaves out both",
        ),
        show(
            "tar-of-a-link-as-a-directory",
            BOTH,
            "tar cf - l/ >/out/archive",
            (0, ""),
            setup().directory("/mnt/d").link("/mnt/l", "d"),
            "a path with a slash at its end is that of a directory, says POSIX; GNU and BusyBox cut it off",
        ),
        show(
            "tar-of-a-file-as-a-directory",
            BOTH,
            "tar cf - f/ >/out/archive",
            (1, ""),
            setup().file("/mnt/f"),
            "a path with a slash at its end is that of a directory, says POSIX; GNU and BusyBox cut it off",
        ),
        show(
            "tar-says-nothing-of-slashes",
            BOTH,
            "tar cf - /mnt/f >/out/archive",
            (0, ""),
            setup().file("/mnt/f"),
            "standard error is for failures",
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
            "test-asks-the-kernel",
            BUSYBOX,
            "[ -w /models ]",
            (1, ""),
            setup().directory("/models"),
            "root, too, cannot write to what is mounted read-only; BusyBox looks at the bits alone",
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
pub fn busybox_prelude() -> Vec<u8> {
    WRAPPED.iter().flat_map(|(name, _)| format!("{name}() {{ /bin/{name} \"$@\"; }}\n").into_bytes()).collect()
}
