//! As large as the kernel lets things be, it works, or one line says that it does not; it never crashes.

use conformance::{Arch, End, Program, Sandbox, Setup, on_every_architecture};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

/// `MAX_ARG_STRLEN`, `include/uapi/linux/binfmts.h`: bytes of an argument with its NUL, where a page has 4 KiB.
const LONGEST_ARGUMENT: usize = 128 * 1024;

/// `PATH_MAX` and `NAME_MAX`, `include/uapi/linux/limits.h`.
const LONGEST_PATH: usize = 4095;
const LONGEST_NAME: usize = 255;

fn sandbox(arch: Arch) -> Sandbox {
    Sandbox::with(Program::Shipped(arch), &Setup { volume: Some("/mnt".into()), ..Setup::default() })
}

/// Runs a script in `/mnt` to its end; returns exit code, standard output, standard error.
fn script(sandbox: &Sandbox, script: impl AsRef<OsStr>) -> (i32, String, String) {
    let argv = [OsStr::new("sh"), OsStr::new("-c"), script.as_ref()];
    match sandbox.command(&argv).cwd("/mnt").run() {
        (process, End::Code(code)) => (code, process.stdout(), process.stderr()),
        (process, end) => panic!("{end:?}: {process:?}"),
    }
}

/// It ends with this code, prints nothing, and says one line, which is returned.
fn one_line(sandbox: &Sandbox, text: impl AsRef<OsStr>, code: i32) -> String {
    let (status, stdout, stderr) = script(sandbox, text);
    let short = stderr.chars().take(300).collect::<String>();
    assert_eq!((status, stdout.as_str()), (code, ""), "{short:?}");
    assert!(stderr.ends_with('\n') && stderr.matches('\n').count() == 1, "{short:?}");
    stderr
}

/// It succeeds and says nothing; returns what it prints.
fn prints(sandbox: &Sandbox, text: impl AsRef<OsStr>) -> String {
    let (status, stdout, stderr) = script(sandbox, text);
    assert_eq!((status, stderr.as_str()), (0, ""));
    stdout
}

on_every_architecture!(the_longest_argument_works, |arch| {
    let sandbox = sandbox(arch);
    let space = LONGEST_ARGUMENT - 1;
    let word = "x".repeat(space - "echo ".len());
    assert_eq!(prints(&sandbox, format!("echo {word}")), format!("{word}\n"));
    let word = "y".repeat(space - "echo ''".len());
    assert_eq!(prints(&sandbox, format!("echo '{word}'")), format!("{word}\n"));
    let commands = ":;".repeat((space - "echo end".len()) / 2);
    assert_eq!(prints(&sandbox, commands + "echo end"), "end\n");
    let comment = "#".repeat(space - "\necho end".len());
    assert_eq!(prints(&sandbox, comment + "\necho end"), "end\n");
    let words = "w ".repeat((space - "echo ".len()) / 2);
    assert_eq!(prints(&sandbox, format!("echo {words}")), format!("{}\n", words.trim()));
    let escapes = "\\a".repeat((space - "echo ".len()) / 2);
    assert_eq!(prints(&sandbox, format!("echo {escapes}")), format!("{}\n", escapes.replace('\\', "")));
    // Refused at its very end, a line is still a line.
    let line = one_line(&sandbox, format!("echo {}|", "z".repeat(space - 6)), 2);
    assert!(line.len() < LONGEST_ARGUMENT + 100, "{} bytes", line.len());
    let line = one_line(&sandbox, format!("echo {}$", "z".repeat(space - 6)), 2);
    assert!(line.len() < LONGEST_ARGUMENT + 100, "{} bytes", line.len());
});

on_every_architecture!(two_hundred_words_work, |arch| {
    let sandbox = sandbox(arch);
    let words: Vec<String> = (0..200).map(|number| format!("word-{number:03}")).collect();
    let words = words.join(" ");
    assert_eq!(prints(&sandbox, format!("echo {words}")), format!("{words}\n"));
    assert_eq!(prints(&sandbox, format!("mkdir {words} && ls")), words.replace(' ', "\n") + "\n");
    assert_eq!(prints(&sandbox, format!("chmod 700 {words} && chmod -R a=rX {words}")), "");
    assert_eq!(prints(&sandbox, format!("mkdir -p {words}")), "");
    one_line(&sandbox, format!("ln -s {words} none"), 1);
    one_line(&sandbox, format!("[ {words} ]"), 2);
    assert_eq!(prints(&sandbox, format!("ls -d {words}")), words.replace(' ', "\n") + "\n");
});

on_every_architecture!(nesting_works_or_is_refused, |arch| {
    let sandbox = sandbox(arch);
    let nest = |depth: usize, open: &str, core: &str, close: &str| open.repeat(depth) + core + &close.repeat(depth);
    for (open, core, close) in [
        ("(", "echo in", ")"),
        ("until [ -d models ]; do ", "echo in; mkdir models", "; done"),
        ("while ! [ -d models ]; do ", "echo in; mkdir models", "; done"),
        ("(! ", "false && echo in", ")"),
    ] {
        let (status, stdout, stderr) = script(&sandbox, nest(40, open, core, close));
        assert_eq!((stdout.as_str(), stderr.as_str()), ("in\n", ""), "{open} {status}");
        let _ = fs::remove_dir(sandbox.path("/mnt/models"));
        for depth in [300, 1000, (LONGEST_ARGUMENT - 50) / (open.len() + close.len())] {
            let line = one_line(&sandbox, nest(depth, open, core, close), 2);
            assert!(line.len() < LONGEST_ARGUMENT + 100, "{} bytes", line.len());
            one_line(&sandbox, open.repeat(depth), 2);
        }
        assert!(!sandbox.path("/mnt/models").exists(), "{open}");
    }
    fs::create_dir(sandbox.path("/mnt/a")).expect("a");
    fs::create_dir(sandbox.path("/mnt/a/b")).expect("b");
    // `ls a` is "b", `ls b` fails, and so on outwards.
    let inner = |depth: usize| nest(depth, "\"$(ls ", "a", ")\"");
    let (status, stdout, stderr) = script(&sandbox, format!("echo {}", inner(30)));
    assert_eq!((status, stdout.as_str()), (0, "\n"), "{stderr}");
    for depth in [300, 1000, 10_000] {
        one_line(&sandbox, format!("echo {}", inner(depth)), 2);
        one_line(&sandbox, "echo ".to_string() + &"\"$(ls ".repeat(depth), 2);
        one_line(&sandbox, nest(depth.min(200), "(", &format!("echo {}", inner(depth)), ")"), 2);
    }
});

// Not emulated: the emulator's own stack would be the one that is small.
#[test]
fn a_small_stack_is_enough() {
    let sandbox = sandbox(Arch::native());
    let text = "(".repeat(190) + "ls -A" + &")".repeat(190) + "; ls | ls";
    let argv = ["sh", "-c", &text];
    let (process, end) = sandbox.command(&argv).cwd("/mnt").limit(libc::RLIMIT_STACK, 128 << 10).run();
    assert_eq!(end, End::Code(2), "{process:?}");
}

on_every_architecture!(ten_thousand_files_are_listed_in_order, |arch| {
    let sandbox = sandbox(arch);
    let directory = sandbox.make_directory("/mnt/d");
    let mut names: Vec<Vec<u8>> = (0..10_000_u32)
        .map(|number| {
            // In no order, of all lengths, of all bytes that a name may have.
            let mixed = number.wrapping_mul(2_654_435_761);
            let first = (mixed >> 24) as u8;
            let first = if matches!(first, 0 | b'/' | b'.' | b'\n' | 0x80..) { b'x' } else { first };
            let mut name = vec![first];
            name.extend(format!("{mixed:x}-{number}").bytes());
            name.extend(vec![b'n'; (mixed % 200) as usize]);
            name
        })
        .collect();
    names.push(b"\xff\xfe".to_vec());
    for name in &names {
        fs::write(directory.join(OsStr::from_bytes(name)), "").expect("a file");
    }
    fs::write(directory.join(".hidden"), "").expect("a file");
    names.sort();
    let start = Instant::now();
    let listing = prints(&sandbox, "ls d");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let expected = names.join(&b'\n');
    let expected = String::from_utf8_lossy(&expected);
    assert!(listing.trim_end_matches('\n') == expected, "{} bytes, not {}", listing.len(), expected.len() + 1);
    assert!(prints(&sandbox, "echo \"$(ls d)\"") == listing);
    assert_eq!(prints(&sandbox, "[ \"$(ls -A d)\" ] && ls d/.hidden"), "d/.hidden\n");
    let all = prints(&sandbox, "ls -a d");
    assert!(all.starts_with(".\n..\n") || all.contains("\n.\n..\n.hidden\n"));
    assert_eq!(all.len(), listing.len() + ".\n..\n.hidden\n".len());
    // All of it as one path: too long, and said so.
    let (status, stdout, _) = script(&sandbox, "ls \"$(ls d)\"");
    assert_eq!((status, stdout.as_str()), (1, ""));
});

// Not emulated: the emulator opens files of its own.
#[test]
fn few_open_files_are_enough() {
    let sandbox = sandbox(Arch::native());
    let deep = (0..30).map(|number| format!("d/w{number}/a/b/c")).collect::<Vec<_>>().join(" ");
    let text = format!("mkdir -p {deep}; chmod -R a=rX d && [ \"$(ls d)\" ] && ls d/w0; ls d/w1");
    let argv = ["sh", "-c", &text];
    let (process, end) = sandbox.command(&argv).cwd("/mnt").limit(libc::RLIMIT_NOFILE, 5).run(); // a directory and the one above
    assert_eq!((end, process.stdout().as_str()), (End::Code(0), "a\na\n"), "{process:?}");
}

// Not emulated: the emulator opens files of its own.
#[test]
fn what_a_script_has_redirected_is_closed() {
    let sandbox = sandbox(Arch::native());
    for each in [
        "( exec >a 2>b; echo x )",
        "exec >a 2>b; exec 2>c",
        "{ exec 2>>a; } >b 2>&1",
        "echo >a >b 2>&1 2>c",
        "(cd /) >a",
    ] {
        let text = format!(
            "{}
[ -e a ]",
            [each; 20].join("\n")
        );
        let (process, end) = sandbox.command(&["sh", "-c", &text]).cwd("/mnt").limit(libc::RLIMIT_NOFILE, 8).run();
        assert_eq!(end, End::Code(0), "{each}: {process:?}");
    }
}

// Not emulated: the emulator needs more.
#[test]
fn a_large_listing_without_memory_is_one_line() {
    let sandbox = sandbox(Arch::native());
    let command = sandbox.command(&["sh", "-c", "ls /models"]).limit(libc::RLIMIT_AS, 8 << 20);
    let (process, end) = command.run();
    let lines = process.stderr().matches('\n').count();
    match end {
        End::Code(0) => assert_eq!((process.stdout().as_str(), lines), ("model.bin\n", 0)),
        End::Code(_) => assert_eq!((process.stdout().as_str(), lines), ("", 1), "{process:?}"),
        End::Signal(_) => panic!("{process:?}"),
    }
}

on_every_architecture!(names_of_any_bytes_work, |arch| {
    let sandbox = sandbox(arch);
    for name in [
        &b"with space"[..],
        b"new\nline",
        b"\xff\xfe\x80",
        b"tab\t",
        b" ",
        b"\n",
        b"*",
        b"$x",
        b"-",
        b"\\",
        b"\"",
        b"!",
        b"]",
        b"\x01",
    ] {
        let quoted = |template: &str| {
            let pieces: Vec<&[u8]> = template.split("{}").map(str::as_bytes).collect();
            OsString::from_vec(pieces.join(name))
        };
        let link = sandbox.path("/mnt").join(OsStr::from_bytes(name));
        let pattern = String::from_utf8_lossy(name).into_owned();
        for round in 0..2 {
            let (status, stdout, stderr) = script(&sandbox, quoted("ln -s /proc/$$/root/models '{}'"));
            assert_eq!((status, stdout.as_str()), (0, ""), "{pattern:?} {round} {stderr}");
            let target = fs::read_link(&link).expect("a link");
            assert!(target.starts_with("/proc") && target.ends_with("root/models"), "{target:?}");
        }
        assert_eq!(prints(&sandbox, "ls -A /mnt"), format!("{pattern}\n"));
        assert_eq!(prints(&sandbox, quoted("[ -L '{}' ] && ls -A")), format!("{pattern}\n"));
        fs::remove_file(&link).expect("the link");
        assert_eq!(prints(&sandbox, quoted("mkdir -p './{}/d' && ls")), format!("{pattern}\n"));
        let (status, stdout, _) = script(&sandbox, quoted("ln -s '{}' l; ln -sf '/a/{}' l && ls l"));
        assert_eq!((status, stdout.as_str()), (1, ""), "a dangling link is not listed");
        assert_eq!(fs::read_link(sandbox.path("/mnt/l")).expect("l").as_os_str().as_bytes(), [b"/a/", name].concat());
        fs::remove_file(sandbox.path("/mnt/l")).expect("l");
        fs::remove_dir_all(&link).expect("the directory");
    }
});

// Every name that the kernel takes is taken; where the old link cannot be replaced, it stays.
on_every_architecture!(the_longest_name_works, |arch| {
    let sandbox = sandbox(arch);
    for length in [1, 234, 235, 236, 254, LONGEST_NAME] {
        let name = "n".repeat(length);
        let link = sandbox.path("/mnt").join(&name);
        let (status, _, stderr) = script(&sandbox, format!("ln -s first {name}"));
        assert_eq!(status, 0, "{stderr}");
        assert_eq!(fs::read_link(&link).expect("a link").as_os_str(), "first");
        let (status, stdout, stderr) = script(&sandbox, format!("ln -sf second {name}"));
        let target = fs::read_link(&link).expect("a link");
        assert_eq!((stdout.as_str(), stderr.matches('\n').count()), ("", 1), "{stderr}");
        // The new name is 20 bytes longer until it is renamed.
        if length + ".link-model-and-wait".len() <= LONGEST_NAME {
            assert_eq!((status, target.as_os_str()), (0, OsStr::new("second")), "{length} {stderr}");
        } else {
            assert!(status == 1 && target.as_os_str() == "first" || status == 0 && target.as_os_str() == "second");
            assert!(status == 0 || stderr.ends_with(": File name too long\n"), "{stderr}");
        }
        fs::remove_file(link).expect("the link");
        assert_eq!(fs::read_dir(sandbox.path("/mnt")).expect("/mnt").count(), 0);
    }
    let name = "n".repeat(LONGEST_NAME + 1);
    for text in [
        format!("ln -s t {name}"),
        format!("ln -sf t /mnt/{name}/x"),
        format!("mkdir -p {name}/x"),
        format!("ls {name}"),
        format!("chmod 755 {name}"),
    ] {
        let line = one_line(&sandbox, text, 1);
        assert!(line.ends_with(": File name too long\n"), "{line}");
    }
});

on_every_architecture!(the_longest_path_works, |arch| {
    let sandbox = sandbox(arch);
    let long = |length: usize, end: &str| "./".repeat(length).split_at(length - end.len()).0.to_string() + end;
    let path = |length: usize| {
        let path = long(length, if length.is_multiple_of(2) { "/l" } else { "l" });
        assert_eq!(path.len(), length);
        path
    };
    for length in [4000, 4074, 4075, 4076, LONGEST_PATH] {
        let path = path(length);
        let (status, _, stderr) = script(&sandbox, format!("ln -s first {path}"));
        assert_eq!(status, 0, "{stderr}");
        let (status, _, stderr) = script(&sandbox, format!("ln -sf second {path}"));
        let target = fs::read_link(sandbox.path("/mnt/l")).expect("a link");
        if length + ".link-model-and-wait".len() <= LONGEST_PATH {
            assert_eq!((status, target.as_os_str()), (0, OsStr::new("second")), "{length} {stderr}");
        } else {
            assert!(status == 1 && target.as_os_str() == "first" || status == 0 && target.as_os_str() == "second");
        }
        fs::remove_file(sandbox.path("/mnt/l")).expect("the link");
        assert_eq!(fs::read_dir(sandbox.path("/mnt")).expect("/mnt").count(), 0);
        prints(
            &sandbox,
            format!("mkdir {path} && [ -d {path} ] && chmod 700 {path} && chmod -R a=rX {path} && ls {path}"),
        );
        fs::remove_dir(sandbox.path("/mnt/l")).expect("the directory");
    }
    let path = path(LONGEST_PATH + 1);
    for text in [
        format!("ln -s t {path}"),
        format!("mkdir {path}"),
        format!("mkdir -p {path}"),
        format!("ls {path}"),
        format!("chmod 755 {path}"),
        format!("chmod -R a=rX {path}"),
    ] {
        let line = one_line(&sandbox, text, 1);
        assert!(line.ends_with(": File name too long\n"), "{line}");
    }
    assert_eq!(prints(&sandbox, format!("[ -e {path} ] || [ -L {path} ] || echo no")), "no\n");
    // What a link holds is bound in the same way.
    let target = "t".repeat(LONGEST_PATH);
    let (status, _, stderr) = script(&sandbox, format!("ln -s {target} l"));
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(fs::read_link(sandbox.path("/mnt/l")).expect("a link").as_os_str(), OsStr::new(&target));
    one_line(&sandbox, format!("ln -sf {target}t l"), 1);
    assert_eq!(fs::read_link(sandbox.path("/mnt/l")).expect("a link").as_os_str(), OsStr::new(&target));
    // Into a directory, under a name that is too long with it.
    fs::remove_file(sandbox.path("/mnt/l")).expect("the link");
    fs::create_dir(sandbox.path("/mnt/d")).expect("d");
    let name = "m".repeat(LONGEST_NAME);
    let path = long(LONGEST_PATH, "d");
    let line = one_line(
        &sandbox,
        format!("ln -s /{name} {}", path.replace("/./d", "/././d").split_at(1).1.trim_start_matches('/')),
        1,
    );
    assert!(line.ends_with(": File name too long\n"), "{line}");
});

on_every_architecture!(a_deep_tree_works, |arch| {
    let sandbox = sandbox(arch);
    // As deep as one path can name it.
    let depth = 1900;
    let path = "d/".repeat(depth);
    assert_eq!(prints(&sandbox, format!("mkdir -p {path} && [ -d {path} ] && ls -A d")), "d\n");
    fs::write(sandbox.path("/mnt").join(&path).join("f"), "").expect("a file");
    assert_eq!(prints(&sandbox, format!("chmod -R 600 {path}f && chmod -R a=rX d && ls {path}")), "f\n");
    let last = sandbox.path("/mnt").join(&path);
    let mode = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    };
    assert_eq!((mode(&last), mode(&last.join("f"))), (0o555, 0o444));
    // And deeper than that.
    let mut inner = last;
    assert!(
        std::process::Command::new("chmod")
            .args(["-R", "755"])
            .arg(sandbox.path("/mnt/d"))
            .status()
            .expect("chmod")
            .success()
    );
    let below = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("cd {} && mkdir -p {}", "/proc/self/cwd", "e/".repeat(300)))
        .current_dir(&inner)
        .status();
    assert!(below.expect("sh").success());
    inner.push("e");
    assert_eq!(prints(&sandbox, "chmod -R a=rX d"), "");
    assert_eq!(mode(&inner), 0o555);
    assert_eq!(prints(&sandbox, "chmod -R u+w d && rm -r d && ls"), "");
});

on_every_architecture!(a_loop_of_links_is_one_line, |arch| {
    let sandbox = sandbox(arch);
    symlink("b", sandbox.path("/mnt/a")).expect("a");
    symlink("a", sandbox.path("/mnt/b")).expect("b");
    for text in ["ls a", "chmod 755 a", "chmod -R a=rX a", "ln -s t a/x", "mkdir a/x", "mkdir -p a/x"] {
        one_line(&sandbox, text, 1);
    }
    assert_eq!(prints(&sandbox, "[ -e a ] || [ -d a ] || [ -f a ] || [ -L a ] && echo loop"), "loop\n");
    let (status, _, stderr) = script(&sandbox, "ln -s t a");
    assert_eq!(status, 0, "{stderr}");
});

on_every_architecture!(many_rounds_take_no_more_memory, |arch| {
    let sandbox = sandbox(arch);
    // Words that were kept would be more than the kernel has given after some hundred rounds.
    let word = "x".repeat(100_000);
    let text = format!("while :; do : {word}; done");
    let process = sandbox.command(&["sh", "-c", &text]).spawn();
    let size = || {
        let size = process.status("VmHWM");
        size.trim_end_matches(" kB").parse::<usize>().expect("kB")
    };
    // Clock ticks of a hundredth of a second, in its own code and in the kernel.
    let worked = || {
        let stat = process.proc("stat");
        let fields = stat.rsplit(')').next().expect("fields").split_whitespace().skip(11).take(2);
        fields.map(|ticks| ticks.parse::<u64>().expect("ticks")).sum::<u64>()
    };
    // It has to begin first, and an emulator to translate; and where it did not work it proves nothing.
    let steady = |_| {
        let (before, began) = (size(), worked());
        std::thread::sleep(Duration::from_millis(300));
        worked() > began + 5 && size() == before
    };
    assert!((0..30).any(steady), "it grows: {} kB", size());
    assert_eq!(process.stop(libc::SIGTERM).0, End::Code(0));
});
