//! What somebody who means harm, or a machine in a bad way, comes with: each of these has once gone wrong here.

use conformance::{Arch, End, Outcome, Program, Sandbox, Setup, Sink, on_every_architecture};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

fn sandbox(arch: Arch) -> Sandbox {
    Sandbox::with(Program::Shipped(arch), &Setup { volume: Some("/mnt".into()), ..Setup::default() })
}

/// Runs a script in `/mnt`; exit code, standard output, standard error.
fn script(sandbox: &Sandbox, script: &str) -> (i32, String, String) {
    match sandbox.command(&["sh", "-c", script]).cwd("/mnt").run() {
        (process, End::Code(code)) => (code, process.stdout(), process.stderr()),
        (process, end) => panic!("{end:?}: {process:?}"),
    }
}

/// What a shell has without a file in /bin, asked of the shells themselves; nothing of it may be passed over here.
fn built_ins() -> Vec<String> {
    let busybox = Sandbox::new(Program::Busybox);
    let (process, end) = busybox.command(&["busybox", "sh", "-c", "help"]).run();
    assert_eq!(end, End::Code(0), "{process:?}");
    let listed = process.stdout();
    let mut names: Vec<String> = listed
        .split_whitespace()
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
        .map(str::to_string)
        .collect();
    assert!(names.len() > 30, "{listed}");
    // dash does not list its own: those that it finds with no PATH.
    let dash = Sandbox::new(Program::Dash);
    for name in [
        "alias", "bg", "break", "chdir", "command", "continue", "eval", "export", "fg", "getopts", "hash", "jobs",
        "kill", "local", "printf", "pwd", "read", "readonly", "return", "set", "shift", "times", "trap", "type",
        "ulimit", "umask", "unalias", "unset", "wait", "case", "for", "in",
    ] {
        let (process, _) = dash.command(&["sh", "-c", &format!("PATH=/; command -v {name}")]).run();
        assert!(name == "in" || process.stdout().contains(name), "{name}: {process:?}");
        names.push(name.into());
    }
    names
}

on_every_architecture!(no_built_in_of_a_shell_is_passed_over, |arch| {
    let sandbox = sandbox(arch);
    let before = sandbox.tree();
    let here = |name: &str| ["cd", "set", "exec", "exit"].contains(&name) || Program::names().contains(&name);
    let mut refused = 0;
    for name in built_ins().iter().filter(|name| !here(name)) {
        for text in [
            format!("{name} 077; mkdir secret"),
            format!("mkdir secret; {name}"),
            format!("false && {name} x\nmkdir secret"),
        ] {
            let (code, stdout, stderr) = script(&sandbox, &text);
            assert!(
                matches!(code, 2 | 127) && stdout.is_empty() && stderr.lines().count() == 1,
                "{text}: {code} {stderr:?}"
            );
            assert_eq!(sandbox.tree(), before, "{text}");
            refused += 1;
        }
    }
    assert!(refused > 90, "{refused}");
});

on_every_architecture!(a_keyword_is_one_also_before_a_continued_line, |arch| {
    let sandbox = sandbox(arch);
    for text in [
        "!\\\n false && echo yes",
        "if\\\n true; then\\\n echo yes; fi",
        "while\\\n false; do\\\n :; done\\\n; echo yes",
        "until\\\n true; do :; done; echo yes",
        "{\\\n echo yes; }",
        "(\\\necho yes\\\n)",
        "ec\\\nho yes",
        "if false; th\\\nen :; el\\\nse echo yes; f\\\ni",
        "echo y\\\nes",
        "exec\\\n echo yes",
    ] {
        let dash = Sandbox::new(Program::Dash).command(&["sh", "-c", text]).run().0.stdout();
        assert_eq!((script(&sandbox, text), dash.as_str()), ((0, "yes\n".into(), String::new()), "yes\n"), "{text:?}");
    }
});

on_every_architecture!(a_word_is_looked_up_whole, |arch| {
    let sandbox = sandbox(arch);
    let before = sandbox.tree();
    for text in [
        "while= true; do echo a; done",
        "!= while false; do true; done",
        "'true= :'",
        "'exit= echo' 3",
        "'ln=1*' -s a b",
        "'mkdir' '-p=' a",
        "[ '-L=: x' '' ]",
        "set -o 'errexit=-e'",
        "'for=write'",
        "mkdi a",
        "'mkdir\n' a",
        "'' a",
    ] {
        let (code, stdout, stderr) = script(&sandbox, text);
        assert!(
            matches!(code, 2 | 127) && stdout.is_empty() && stderr.ends_with('\n'),
            "{text:?}: {code} {stdout:?} {stderr:?}"
        );
        assert_eq!(sandbox.tree(), before, "{text:?}");
    }
});

on_every_architecture!(a_log_that_nobody_reads_does_not_end_a_sidecar, |arch| {
    for pid1 in [false, true] {
        let sandbox = sandbox(arch);
        let command = sandbox
            .command(&["sh", "-c", "ln -sf /proc/$$/root/models /mnt/models && sleep infinity"])
            .stderr(Sink::Broken);
        let (process, outcome) = if pid1 { command.as_init() } else { command }.settle();
        assert_eq!(outcome, Outcome::Waits, "{process:?}");
        assert!(sandbox.path("/mnt/models").is_symlink());
        assert_eq!(process.stop(libc::SIGTERM).0, End::Code(0));
    }
});

/// Others' files under the names that it may take for the time being, known and guessed; a name of 255 bytes; and a link
/// is replaced all the same.
#[test]
fn whatever_a_neighbour_plants_a_link_is_made() {
    let name = "n".repeat(255);
    for uid in [0, 1010] {
        let sandbox = sandbox(Arch::native());
        fs::set_permissions(sandbox.path("/mnt"), Permissions::from_mode(0o1777)).expect("/mnt");
        for number in 0..2000 {
            let path = sandbox.path(format!("/mnt/.modelcar-{number}"));
            match number % 3 {
                0 => symlink("/nowhere", &path).expect("a link"),
                1 => fs::write(&path, "his").expect("a file"),
                _ => fs::create_dir(&path).expect("a directory"),
            }
        }
        fs::write(sandbox.path("/mnt/models.link-model-and-wait"), "his").expect("a file");
        let planted = fs::read_dir(sandbox.path("/mnt")).expect("/mnt").count();
        for link in ["models", &name] {
            for target in ["first", "second", "third"] {
                let argv = ["sh", "-c", &format!("ln -sf {target} {link}")];
                let (process, end) = sandbox.command(&argv).cwd("/mnt").user(uid, uid).run();
                assert_eq!(end, End::Code(0), "{process:?}");
                let held = fs::read_link(sandbox.path("/mnt").join(link)).expect("a link");
                assert_eq!(held.to_str(), Some(target));
            }
        }
        assert_eq!(fs::read_dir(sandbox.path("/mnt")).expect("/mnt").count(), planted + 2, "nothing else came or went");
    }
}

/// The name for the time being is another at each start: a neighbour cannot wait for it.
#[test]
fn the_name_for_the_time_being_is_not_foreseen() {
    let sandbox = sandbox(Arch::native());
    let mut names = Vec::new();
    for _ in 0..4 {
        let traced = sandbox.command(&["ln", "-sf", "target", "/mnt/models"]).strace(&["-e", "trace=symlinkat"]);
        let mut process = traced.spawn();
        assert_eq!(process.wait(), End::Code(0));
        names.extend(process.strace_log().split('"').filter(|text| text.contains(".modelcar-")).map(str::to_string));
    }
    assert!(names.len() >= 3, "{names:?}");
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}

/// Time that it is stopped for counts: it is done when it would have been.
#[test]
fn a_stop_does_not_make_a_sleep_longer() {
    let sandbox = sandbox(Arch::native());
    let start = Instant::now();
    let process = sandbox.command(&["sleep", "2"]).spawn();
    std::thread::sleep(Duration::from_millis(300));
    process.signal(libc::SIGSTOP);
    std::thread::sleep(Duration::from_millis(2500));
    process.signal(libc::SIGCONT);
    let continued = Instant::now();
    assert_eq!(process.wait(), End::Code(0));
    assert!(start.elapsed() >= Duration::from_secs(2));
    // What was left when it was stopped, 1.7 s, it does not sleep any more; and this machine may be slow.
    assert!(continued.elapsed() < Duration::from_millis(1500), "{:?}", continued.elapsed());
}

on_every_architecture!(once_it_runs_nothing_is_refused, |arch| {
    for (file, text) in [
        ("e", "exit \"1$(ls d)\" || :; echo on"),
        ("-eq", "[ a \"$(ls d)\" b ] || echo on"),
        ("ln", "\"$(ls d)\" || echo on"),
        ("-z", "ls \"$(ls d)\" || echo on"),
        ("-q", "mkdir \"$(ls d)\" || echo on"),
        ("tial", "\"$(ls d)\" || echo on"),
        ("u+q", "chmod \"$(ls d)\" d || echo on"),
        ("1x", "sleep \"$(ls d)\" || echo on"),
    ] {
        let sandbox = sandbox(arch);
        fs::create_dir(sandbox.path("/mnt/d")).expect("d");
        fs::write(sandbox.path("/mnt/d").join(file), "").expect(file);
        let (code, stdout, stderr) = script(&sandbox, &format!("mkdir first; {text}"));
        assert!(sandbox.path("/mnt/first").is_dir(), "{text}: refused: {stderr:?}");
        assert!(stderr.lines().count() <= 1, "{text}: {stderr:?}");
        // `exit` ends a script, also where its number is none.
        if !text.starts_with("exit") {
            assert_eq!((code, stdout.as_str()), (0, "on\n"), "{text}: {stderr:?}");
        }
    }
});

/// Linux before 4.11, or an old filter: what needs statx(2) says so, and leaves nothing in the way of the next start.
#[test]
fn a_kernel_without_statx_is_named() {
    for error in ["ENOSYS", "EPERM"] {
        let sandbox = sandbox(Arch::native());
        let inject = format!("--inject=statx:error={error}");
        let run = |text: &str| {
            let mut process =
                sandbox.command(&["sh", "-c", text]).cwd("/mnt").strace(&["-e", "trace=statx", &inject]).spawn();
            let end = process.wait();
            assert!(process.strace_log().contains("(INJECTED)"), "{text}");
            (end, process.stderr())
        };
        fs::create_dir(sandbox.path("/mnt/there")).expect("a directory");
        for text in ["mkdir -p there", "[ -d /models ] || exit 1", "cp -r /models new", "chmod 700 there"] {
            let (end, stderr) = run(text);
            assert!(matches!(end, End::Code(1..)), "{text}: {end:?}");
            assert!(stderr.lines().count() == 1 && stderr.contains("statx"), "{text}: {stderr:?}");
        }
        assert_eq!(fs::read_dir(sandbox.path("/mnt")).expect("/mnt").count(), 1);
    }
}

/// Whatever the kernel says, the line has a reason in words and the whole path.
#[test]
fn an_error_is_told_in_words() {
    let sandbox = sandbox(Arch::native());
    symlink("loop", sandbox.path("/mnt/loop")).expect("a link");
    let long = format!("loop/{}", "x".repeat(200));
    let text = format!("mkdir {long}; [ \"$(ls {long})\" ]; [ \"$(ls loop)\" ]; ls loop");
    let (_, _, stderr) = script(&sandbox, &text);
    let reason = "Too many levels of symbolic links";
    let expected = format!("mkdir: {long}: {reason}\nls: {long}: {reason}\nls: loop: {reason}\nls: loop: {reason}\n");
    assert_eq!(stderr, expected);
    // Not read(2): the harness itself waits in one.
    for (call, text) in
        [("openat", "cat f"), ("mkdirat", "mkdir d"), ("unlinkat", "rm f"), ("renameat2", "ln -sf t l; ln -sf u l")]
    {
        fs::write(sandbox.path("/mnt/f"), "content").expect("a file");
        for error in [
            "EAGAIN",
            "EINVAL",
            "ENOSYS",
            "EPIPE",
            "EDQUOT",
            "EMLINK",
            "ETXTBSY",
            "EOVERFLOW",
            "ESTALE",
            "EREMOTEIO",
            "EMFILE",
        ] {
            let inject = format!("--inject={call}:error={error}");
            let options = ["-e", &format!("trace={call}"), &inject];
            let mut process = sandbox.command(&["sh", "-c", text]).cwd("/mnt").strace(&options).spawn();
            process.wait();
            let (log, stderr) = (process.strace_log(), process.stderr());
            let line = stderr.lines().last().unwrap_or_default();
            if log.contains("(INJECTED)") && !line.contains(" -> ") {
                let reason = line.rsplit(": ").next().unwrap_or_default();
                let bare = reason.is_empty() || reason.bytes().all(|byte| byte.is_ascii_digit());
                assert!(!bare && line.split(": ").count() >= 3, "{text} {error}: {stderr:?}");
            }
        }
    }
}

// Not emulated: the emulator needs more of both.
#[test]
fn a_deep_tree_and_a_listing_need_little() {
    let sandbox = sandbox(Arch::native());
    let deep = format!("/mnt/d/{}", "e/".repeat(1500));
    sandbox.make_directory(&deep);
    fs::write(sandbox.path(&deep).join("f"), "f").expect("a file");
    for (text, expected) in [
        ("chmod -R a=rwX d", ""),
        ("cp -r d copy", ""),
        ("tar cf - copy > archive", ""),
        ("rm -r d copy archive", ""),
        ("mkdir q && ls", "q\n"),
        ("ls -la /models >/dev/null || ls -A q && echo done", "done\n"),
    ] {
        fs::create_dir_all(sandbox.path("/dev")).expect("/dev");
        let command = sandbox.command(&["sh", "-c", text]).cwd("/mnt");
        let (process, end) = command.limit(libc::RLIMIT_STACK, 128 << 10).limit(libc::RLIMIT_AS, 32 << 20).run();
        assert_eq!((end, process.stdout().as_str()), (End::Code(0), expected), "{text}: {process:?}");
    }
    assert_eq!(fs::read_dir(sandbox.path("/mnt")).expect("/mnt").count(), 1);
}

/// A directory of more names than fit is listed by nobody; what only asks whether there are any has its answer.
#[test]
fn very_many_names_are_enough_names() {
    let mut sandbox = Sandbox::new(Program::Shipped(Arch::native()));
    sandbox.tmpfs("/mnt", "mode=777");
    let directory = sandbox.make_directory("/mnt/d");
    let rest = "n".repeat(240);
    for number in 0..70_000 {
        fs::File::create(directory.join(format!("{number:06}{rest}"))).expect("a file");
    }
    let (code, stdout, stderr) = script(&sandbox, "[ -d d ] && [ \"$(ls -A d)\" ] && echo OK");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "OK\n", ""));
    let (code, stdout, stderr) = script(&sandbox, "ls d; echo on");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "on\n", "ls: d: Cannot allocate memory\n"));
    let (code, _, stderr) = script(&sandbox, "chmod -R a+rX d && rm -r d");
    assert_eq!((code, stderr.as_str()), (0, ""));
}
