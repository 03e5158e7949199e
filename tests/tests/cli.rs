//! What a person, a pod or a derived image can ask of it, and what it answers, to the byte.

use conformance::{Arch, End, Models, Outcome, Process, Program, Sandbox, Setup, Sink, on_every_architecture};
use std::ffi::CStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

const ENTRYPOINT: &str = "/bin/link-model-and-wait";

/// How a line ends that says why a script is not run.
const REFUSALS: [&str; 4] = [": not supported\n", ": missing\n", ": unexpected\n", ": not closed\n"];

fn sandbox(arch: Arch) -> Sandbox {
    Sandbox::new(Program::Shipped(arch))
}

fn sandbox_with_volume(arch: Arch) -> Sandbox {
    Sandbox::with(Program::Shipped(arch), &Setup { volume: Some("/mnt".into()), ..Setup::default() })
}

/// Runs it to its end; returns exit code, standard output, standard error.
fn run(sandbox: &Sandbox, argv: &[&str]) -> (i32, String, String) {
    match sandbox.command(argv).run() {
        (process, End::Code(code)) => (code, process.stdout(), process.stderr()),
        (process, end) => panic!("{end:?}: {process:?}"),
    }
}

fn script(sandbox: &Sandbox, script: &str) -> (i32, String, String) {
    run(sandbox, &["sh", "-c", script])
}

/// What [`run`] gives when it says nothing on standard output.
fn only_an_error(code: i32, line: &str) -> (i32, String, String) {
    (code, String::new(), line.into())
}

/// Starts it; it waits, having said this on standard error and nothing on standard output.
fn waits_after(sandbox: &Sandbox, argv: &[&str], stderr: impl Fn(&Process) -> String) {
    let (process, outcome) = sandbox.command(argv).settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
    assert_eq!((process.stdout(), process.stderr()), (String::new(), stderr(&process)));
}

fn linked(process: &Process) -> String {
    format!("link-model-and-wait: /mnt/models -> /proc/{}/root/models\n", process.pid)
}

on_every_architecture!(a_command_after_the_entrypoint_is_run, |arch| {
    assert_eq!(run(&sandbox(arch), &[ENTRYPOINT, "ls", "-A", "/models"]), (0, "model.bin\n".into(), String::new()));
});

on_every_architecture!(the_name_it_was_called_by_counts_wherever_it_lies, |arch| {
    let sandbox = sandbox_with_volume(arch);
    symlink(ENTRYPOINT, sandbox.path("/mnt/ls")).expect("a link");
    for name in ["/bin/ls", "/mnt/ls", "/mnt/../mnt/ls"] {
        assert_eq!(run(&sandbox, &[name, "/models"]), (0, "model.bin\n".into(), String::new()));
        let failed = only_an_error(1, "ls: /nope: No such file or directory\n");
        assert_eq!(run(&sandbox, &[name, "/nope"]), failed);
    }
});

on_every_architecture!(a_script_can_be_a_file, |arch| {
    let sandbox = sandbox(arch);
    let text = "#!/bin/sh\nls /models # all\nexit 3\n";
    fs::write(sandbox.path("/models/script"), text).expect("a script");
    assert_eq!(run(&sandbox, &["sh", "/models/script", "word"]), (3, "model.bin\nscript\n".into(), String::new()));
    fs::write(sandbox.path("/models/script"), "touch /models/made\nls | cat\n").expect("a script");
    let refused = "sh: | cat: not supported: write to a file, or use && between commands\n";
    assert_eq!(run(&sandbox, &["sh", "/models/script"]), only_an_error(2, refused));
    assert!(!sandbox.path("/models/made").exists());
    for (path, why) in [("/nope", "No such file or directory"), ("/models", "Is a directory")] {
        assert_eq!(run(&sandbox, &["sh", path]), only_an_error(2, &format!("sh: {path}: {why}\n")));
    }
    fs::write(sandbox.path("/models/empty"), "").expect("a script");
    assert_eq!(run(&sandbox, &["sh", "/models/empty"]), (0, String::new(), String::new()));
});

#[test]
fn the_kernel_finds_it_for_a_script_in_a_file() {
    let sandbox = sandbox(Arch::native());
    let path = sandbox.path("/models/script");
    fs::write(&path, "#!/bin/sh\nls /models\n").expect("a script");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("its mode");
    assert_eq!(run(&sandbox, &["/models/script"]), (0, "model.bin\nscript\n".into(), String::new()));
}

on_every_architecture!(ls_sorts_and_hides_as_everywhere, |arch| {
    let sandbox = sandbox(arch);
    for name in ["b", "a", "B", ".hidden", "aa", "10", "9"] {
        fs::write(sandbox.path("/models").join(name), "").expect(name);
    }
    let visible = "10\n9\nB\na\naa\nb\nmodel.bin\n";
    assert_eq!(run(&sandbox, &[ENTRYPOINT, "ls", "/models"]), (0, visible.into(), String::new()));
    assert_eq!(run(&sandbox, &[ENTRYPOINT, "ls", "-1A", "/models"]), (0, format!(".hidden\n{visible}"), String::new()));
    let all = format!(".\n..\n.hidden\n{visible}");
    assert_eq!(run(&sandbox, &[ENTRYPOINT, "ls", "-a", "/models"]), (0, all, String::new()));
});

on_every_architecture!(sleep_infinity_waits_in_silence, |arch| {
    waits_after(&sandbox(arch), &["/bin/sleep", "infinity"], |_| String::new());
    waits_after(&sandbox(arch), &[ENTRYPOINT, "sleep", "infinity"], |_| String::new());
    waits_after(&sandbox(arch), &[ENTRYPOINT, "/bin/sleep", "infinity"], |_| String::new());
});

on_every_architecture!(no_arguments_with_a_volume_link_and_wait, |arch| {
    let sandbox = sandbox_with_volume(arch);
    waits_after(&sandbox, &[ENTRYPOINT], linked);
});

on_every_architecture!(no_arguments_without_a_volume_say_so_and_wait, |arch| {
    let sandbox = sandbox(arch);
    let before = sandbox.tree();
    waits_after(&sandbox, &[ENTRYPOINT], |_| "link-model-and-wait: no /mnt to make a link in: waiting\n".into());
    assert_eq!(sandbox.tree(), before);
});

on_every_architecture!(not_even_a_name_as_argument_is_like_no_arguments, |arch| {
    waits_after(&sandbox_with_volume(arch), &[], linked);
});

on_every_architecture!(no_arguments_where_the_link_cannot_be_made_are_an_error, |arch| {
    let setup = Setup { volume: Some("/mnt".into()), volume_mode: Some("0755".into()), uid: 1010, ..Setup::default() };
    let sandbox = Sandbox::with(Program::Shipped(arch), &setup);
    let (code, stdout, stderr) = run(&sandbox, &[ENTRYPOINT]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.ends_with(": /mnt/models: Permission denied\n") && stderr.lines().count() == 1, "{stderr:?}");
});

on_every_architecture!(a_failed_command_is_one_line_with_the_path_and_the_reason, |arch| {
    let sandbox = sandbox_with_volume(arch);
    fs::write(sandbox.path("/mnt/file"), "").expect("a file");
    for (command, line) in [
        ("ln -s /a /nope/models", "ln: /nope/models: No such file or directory\n"),
        ("ln -sf /a /nope/models", "ln: /nope/models: No such file or directory\n"),
        ("ln -s /a /mnt/file", "ln: /mnt/file: File exists\n"),
        ("ln -s /a /mnt/file/models", "ln: /mnt/file/models: Not a directory\n"),
        ("ln -sf /a /mnt/file/", "ln: /mnt/file: File exists\n"), // with a slash at its end it is not the file
        ("mkdir /mnt/file", "mkdir: /mnt/file: File exists\n"),
        ("mkdir -p /mnt/file", "mkdir: /mnt/file: File exists\n"),
        ("mkdir -p /mnt/file/a", "mkdir: /mnt/file: File exists\n"),
        ("mkdir /nope/a", "mkdir: /nope/a: No such file or directory\n"),
        ("chmod 755 /nope", "chmod: /nope: No such file or directory\n"),
    ] {
        let (code, stdout, stderr) = script(&sandbox, &format!("{command} && sleep infinity"));
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, "", line), "{command}");
    }
    let (_, stdout, stderr) = script(&sandbox, "ls -A /nope");
    assert_eq!((stdout.as_str(), stderr.as_str()), ("", "ls: /nope: No such file or directory\n"));
});

on_every_architecture!(an_unknown_command_is_127, |arch| {
    let sandbox = sandbox_with_volume(arch);
    let unknown = |name: &str| format!("sh: {name}: not found: this sh has only its own commands\n");
    assert_eq!(script(&sandbox, "foo"), only_an_error(127, &unknown("foo")));
    assert_eq!(script(&sandbox, "mkdir /mnt/a && foo"), only_an_error(127, &unknown("foo")));
    assert_eq!(run(&sandbox, &[ENTRYPOINT, "foo"]), only_an_error(127, &unknown("foo")));
    assert_eq!(script(&sandbox, "foo || echo other"), only_an_error(127, &unknown("foo")));
});

on_every_architecture!(what_the_language_does_not_have_is_refused_in_one_line_before_anything_is_run, |arch| {
    let sandbox = sandbox_with_volume(arch);
    let before = sandbox.tree();
    // What the line names begins with what is refused; it may go on with what follows in the script.
    for (refused, named) in [
        ("true | true", "sh: |"),
        ("true & true", "sh: &"),
        ("echo a >| /mnt/b", "sh: >"),
        ("cat << end", "sh: <"),
        ("echo a >&3", "sh: "),
        ("echo a > 2> b", "sh: "), // the digit begins the second redirection
        ("true )", "sh: )"),
        ("; true", "sh: ;"),
        ("&& true", "sh: &&"),
        ("done", "sh: done"),
        ("ls -S /models", "ls: -S"),
        ("mkdir -m 999 /mnt/b", "mkdir: 999"),
        ("ln /models/model.bin /mnt/b", "ln: "),
        ("echo $1", "sh: $1"),
        ("echo \"${HOME#x}\"", "sh: \"${HOME#"),
        ("echo `id`", "sh: `id`"),
        ("echo ~", "sh: ~"),
        ("echo ${N:-~}", "sh: ${N:-~}"),
        ("echo ${N:-~/a}b", "sh: ${N:-~/a}b"),
        ("echo a\r\necho b\r\n", "sh: a carriage return: "),
        ("if true; then\r\necho b\r\nfi\r\n", "sh: a carriage return: "),
        ("chmod --x /mnt", "chmod: --x"),
        ("chmod -R --r /mnt", "chmod: --r"),
        ("A=b", "sh: A=b: "),
        ("echo 'open", "sh: 'open"),
        ("echo \"open", "sh: \"open"),
        ("(true", "sh: "),
        ("until true; do true", "sh: "),
        ("case a in a; esac", "sh: case: "),
        ("f() { true; }", "sh: f()"),
        ("{ true }", "sh: "),
        ("for i in a; do true; done", "sh: for: "),
        ("true | true\ntrue\ntrue\n", "sh: |"),
        ("echo [^a]*", "sh: [^a]*: "),
        ("echo x[[:alpha:]]", "sh: x[[:alpha:]]: "),
        ("echo \"$(ls -AR /models)\"", "ls: -R: "),
        ("echo \"$(ls >/mnt/b)\"", "sh: >/mnt/b"),
        ("echo \"$(ls 2>&1)\"", "sh: 2>&1"),
        ("[ -d /models -a -f /mnt/b ]", "[: -a: not supported: use two tests"),
        ("test ! -d /models -o -f /mnt/b", "test: -o: not supported: use two tests"),
    ] {
        let (code, stdout, stderr) = script(&sandbox, &format!("mkdir /mnt/a; {refused}"));
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (2, "", 1), "{refused}: {stderr:?}");
        assert!(stderr.starts_with(named), "{refused}: {stderr:?}");
        assert!(REFUSALS.iter().any(|reason| stderr.contains(reason.trim_end())), "{refused}: {stderr:?}");
        assert_eq!(sandbox.tree(), before, "{refused}");
    }
});

on_every_architecture!(an_unsupported_option_after_the_entrypoint_is_refused, |arch| {
    let expected = only_an_error(2, "ls: -S: not supported\n");
    assert_eq!(run(&sandbox(arch), &[ENTRYPOINT, "ls", "-S", "/models"]), expected);
});

on_every_architecture!(the_exit_code_is_the_scripts, |arch| {
    let sandbox = sandbox(arch);
    for (script_text, code) in [
        ("", 0),
        ("# nothing", 0),
        ("true", 0),
        ("false", 1),
        ("! true", 1),
        ("! false", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("(exit 3)", 3),
        ("false || (exit 4)", 4),
        ("false; true", 0),
        ("[ -d /models ]", 0),
        ("[ -d /nope ]", 1),
        ("test -f /models/model.bin", 0),
        ("test -f /models", 1),
        ("exec true", 0),
        ("if false; then :; else exit; fi", 1),
        ("if false; then :; elif exit; then :; fi", 1),
        ("if (exit 3); then :; fi", 0),
        ("{ set -e; false; exit 5; } || exit 6", 5),
        ("( set -e; false; true ) || exit 6", 0),
        ("if set -e; false; true; then exit 7; fi", 7),
    ] {
        assert_eq!(script(&sandbox, script_text), (code, String::new(), String::new()), "{script_text:?}");
    }
});

on_every_architecture!(a_closed_standard_output_is_a_failure_of_echo, |arch| {
    let sandbox = sandbox(arch);
    for (sink, reason) in [(Sink::Closed, "Bad file descriptor"), (Sink::Full, "No space left on device")] {
        let (process, end) = sandbox.command(&["sh", "-c", "echo a"]).stdout(sink).run();
        assert_eq!(end, End::Code(1), "{process:?}");
        let stderr = process.stderr();
        assert!(stderr.starts_with("echo: ") && stderr.ends_with(&format!("{reason}\n")), "{stderr:?}");
    }
});

on_every_architecture!(a_closed_standard_error_changes_nothing_else, |arch| {
    for sink in [Sink::Closed, Sink::Full] {
        let sandbox = sandbox_with_volume(arch);
        let script = "ln -sf /proc/$$/root/models /mnt/models && sleep infinity";
        let (process, outcome) = sandbox.command(&["sh", "-c", script]).stderr(sink).settle();
        assert_eq!(outcome, Outcome::Waits, "{process:?}");
        let link = fs::read_link(sandbox.path("/mnt/models")).expect("a link");
        assert_eq!(link.to_string_lossy(), format!("/proc/{}/root/models", process.pid));
    }
});

on_every_architecture!(it_works_on_a_read_only_root, |arch| {
    let mut sandbox = sandbox_with_volume(arch);
    sandbox.read_only_root();
    let script_text = "ln -sf /proc/$$/root/models /mnt/models && sleep infinity";
    waits_after(&sandbox, &["sh", "-c", script_text], linked);
    let failed = script(&sandbox, "ln -s /a /models/b");
    assert_eq!(failed, only_an_error(1, "ln: /models/b: Read-only file system\n"));
});

on_every_architecture!(it_works_in_any_directory_and_with_relative_paths, |arch| {
    let sandbox = sandbox_with_volume(arch);
    let (process, end) = sandbox.command(&["sh", "-c", "mkdir a && ln -s x a/b && ls a"]).cwd("/mnt").run();
    assert_eq!((end, process.stdout().as_str()), (End::Code(0), "b\n"), "{process:?}");
    assert_eq!(fs::read_link(sandbox.path("/mnt/a/b")).expect("a link").to_str(), Some("x"));
});

on_every_architecture!(the_build_lines_of_derived_images_work, |arch| {
    let setup = Setup { models: Models::Missing, ..Setup::default() };
    let sandbox = Sandbox::with(Program::Shipped(arch), &setup);
    let quiet = (0, String::new(), String::new());
    assert_eq!(run(&sandbox, &["/bin/sh", "-c", "mkdir /models && chmod 775 /models"]), quiet);
    fs::create_dir(sandbox.path("/models/1")).expect("a directory");
    for (file, mode) in [("/models/a", 0o600), ("/models/1/b", 0o664), ("/models/1/run", 0o711)] {
        fs::write(sandbox.path(file), "").expect(file);
        fs::set_permissions(sandbox.path(file), Permissions::from_mode(mode)).expect(file);
    }
    symlink("/etc/passwd", sandbox.path("/models/1/link")).expect("a link");
    assert_eq!(run(&sandbox, &["/bin/sh", "-c", "chmod -R a=rX /models"]), quiet);
    let tree = sandbox.tree();
    let tree: Vec<(&str, &str)> = tree.iter().map(|(path, what)| (path.as_str(), what.as_str())).collect();
    let expected = [
        ("/models", "dir 0555"),
        ("/models/1", "dir 0555"),
        ("/models/1/b", "file 0444 0"),
        ("/models/1/link", "-> /etc/passwd"),
        ("/models/1/run", "file 0555 0"),
        ("/models/a", "file 0444 0"),
    ];
    assert_eq!(tree, expected);
});

on_every_architecture!(a_full_volume_is_one_line, |arch| {
    let mut sandbox = sandbox(arch);
    sandbox.tmpfs("/mnt", "nr_inodes=1,mode=777");
    assert_eq!(
        script(&sandbox, "ln -s /a /mnt/models"),
        only_an_error(1, "ln: /mnt/models: No space left on device\n")
    );
});

on_every_architecture!(long_scripts_and_many_words_work, |arch| {
    let sandbox = sandbox(arch);
    let words = (0..200).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(script(&sandbox, &format!("echo {words}")), (0, format!("{words}\n"), String::new()));

    // The longest argument that the kernel passes is 128 KiB with its NUL.
    let word = "x".repeat(131_071 - "echo ".len());
    assert_eq!(script(&sandbox, &format!("echo {word}")), (0, format!("{word}\n"), String::new()));
});

on_every_architecture!(deep_nesting_works_or_is_refused_in_one_line, |arch| {
    let sandbox = sandbox(arch);
    for depth in [1, 10, 40, 200, 5_000, 60_000] {
        let (code, stdout, stderr) = script(&sandbox, &format!("{}echo a{}", "(".repeat(depth), ")".repeat(depth)));
        match code {
            0 => assert_eq!((stdout.as_str(), stderr.as_str()), ("a\n", ""), "{depth}"),
            2 => assert!(stdout.is_empty() && stderr.lines().count() == 1, "{depth}: {stderr:?}"),
            _ => panic!("{depth}: exit code {code}, {stderr:?}"),
        }
        assert!(code == 0 || depth > 40, "40 nested parentheses work: {stderr:?}");
    }
});

on_every_architecture!(the_init_command_of_kserve_says_what_is_wrong, |arch| {
    let init = "echo 'Pre-fetching modelcar m: ' && [ -d /models ] && [ \"$(ls -A /models)\" ] && \
        echo 'OK ... Prefetched and valid (/models exists)' || \
        (echo 'NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)' && exit 1)";
    let ok = "Pre-fetching modelcar m: \nOK ... Prefetched and valid (/models exists)\n";
    let nok = "Pre-fetching modelcar m: \n\
        NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)\n";
    for (models, uid, code, stdout, stderr) in [
        (Models::Present, 0, 0, ok, ""),
        (Models::Present, 1010, 0, ok, ""),
        (Models::Unreadable, 0, 0, ok, ""),
        (Models::Unreadable, 1010, 1, nok, "ls: /models: Permission denied\n"),
        (Models::Empty, 0, 1, nok, ""),
        (Models::Missing, 0, 1, nok, ""),
    ] {
        let sandbox = Sandbox::with(Program::Shipped(arch), &Setup { models, uid, ..Setup::default() });
        assert_eq!(script(&sandbox, init), (code, stdout.into(), stderr.into()), "{models:?}, uid {uid}");
    }
});

/// Each error that the kernel may give for the link, injected.
#[test]
fn every_reason_is_the_one_that_strerror_gives() {
    let arch = Arch::native();
    let names = [
        ("EACCES", libc::EACCES),
        ("EIO", libc::EIO),
        ("ENAMETOOLONG", libc::ENAMETOOLONG),
        ("ENOENT", libc::ENOENT),
        ("ENOMEM", libc::ENOMEM),
        ("ENOSPC", libc::ENOSPC),
        ("ENOTDIR", libc::ENOTDIR),
        ("EPERM", libc::EPERM),
        ("EROFS", libc::EROFS),
    ];
    for (name, number) in names {
        let sandbox = sandbox_with_volume(arch);
        let inject = format!("inject=symlinkat:error={name}");
        let command =
            sandbox.command(&["sh", "-c", "ln -sf /a /mnt/models && sleep infinity"]).strace(&["-e", &inject]);
        let (process, end) = command.run();
        // SAFETY: it returns a NUL-terminated string, which is copied before anything else can change it.
        let reason = unsafe { CStr::from_ptr(libc::strerror(number)) }.to_string_lossy().into_owned();
        assert_eq!((end, process.stderr()), (End::Code(1), format!("ln: /mnt/models: {reason}\n")), "{name}");
    }
}

on_every_architecture!(cp_loses_nothing_and_says_what_it_did, |arch| {
    let sandbox = sandbox_with_volume(arch);
    let at = |name: &str| sandbox.path("/mnt").join(name);
    fs::write(at("a"), "content").expect("a file");
    symlink("a", at("l")).expect("a link");
    // As GNU and BusyBox, which would not either make a link that leads to itself of the file.
    assert_eq!(script(&sandbox, "cp -a /mnt/l /mnt/a"), only_an_error(1, "cp: /mnt/a: is the same file\n"));
    assert_eq!(fs::read_to_string(at("a")).expect("the file"), "content");
    // The rights to run as another were for what was there before.
    fs::write(at("b"), "").expect("a file");
    fs::set_permissions(at("b"), Permissions::from_mode(0o6755)).expect("its mode");
    assert_eq!(script(&sandbox, "cp /mnt/a /mnt/b"), (0, String::new(), String::new()));
    assert_eq!(fs::metadata(at("b")).expect("the file").permissions().mode(), 0o100755);
    // What it did, and not what it was about to do.
    fs::create_dir(at("d")).expect("a directory");
    assert_eq!(script(&sandbox, "cp -v /mnt/d /mnt/n"), only_an_error(1, "cp: /mnt/d: Is a directory\n"));
    let into_itself = "cp: /mnt/d/n: cannot copy a directory into itself\n";
    assert_eq!(script(&sandbox, "cp -rv /mnt/d /mnt/d/n"), only_an_error(1, into_itself));
    assert_eq!(fs::read_dir(at("d")).expect("the directory").count(), 0);
    assert_eq!(script(&sandbox, "cp -T /mnt/a /mnt/b /mnt/c"), only_an_error(2, "cp: /mnt/c: unexpected\n"));
});

on_every_architecture!(cat_says_which_side_failed, |arch| {
    let sandbox = sandbox_with_volume(arch);
    fs::write(sandbox.path("/mnt/a"), "content").expect("a file");
    // A directory opens, and cannot be read.
    let (code, stdout, stderr) = script(&sandbox, "cat /mnt/a /mnt /mnt/a");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, "contentcontent", "cat: /mnt: Is a directory\n"));
    let process = sandbox.command(&["cat", "/mnt/a", "/mnt/a"]).stdout(Sink::Full).run();
    assert_eq!((process.1, process.0.stderr()), (End::Code(1), "cat: stdout: No space left on device\n".into()));
});

on_every_architecture!(ls_says_which_directories_it_has_not_seen, |arch| {
    let setup = Setup { volume: Some("/mnt".into()), uid: 1010, ..Setup::default() };
    let sandbox = Sandbox::with(Program::Shipped(arch), &setup);
    fs::create_dir_all(sandbox.path("/mnt/a/b")).expect("directories");
    fs::set_permissions(sandbox.path("/mnt/a"), Permissions::from_mode(0o744)).expect("permission bits");
    for options in ["-R", "-aR", "-lR", "-FR"] {
        let (code, _, stderr) = script(&sandbox, &format!("cd /mnt && ls {options} a"));
        let line = "ls: a/b: Permission denied\n";
        assert!(code == 1 && stderr.contains(line), "{options}: {code} {stderr}");
        assert!(options != "-R" || stderr == line, "{stderr}");
    }
});

on_every_architecture!(rm_of_a_link_with_a_slash_removes_nothing, |arch| {
    let sandbox = sandbox_with_volume(arch);
    fs::create_dir(sandbox.path("/mnt/d")).expect("a directory");
    fs::write(sandbox.path("/mnt/d/f"), "content").expect("a file");
    symlink("d", sandbox.path("/mnt/l")).expect("a link");
    let before = sandbox.tree();
    assert_eq!(script(&sandbox, "rm -rf /mnt/l/"), only_an_error(1, "rm: /mnt/l/: Not a directory\n"));
    assert_eq!(sandbox.tree(), before);
});

on_every_architecture!(ls_prints_an_operand_as_it_stands_and_what_a_link_leads_to, |arch| {
    let sandbox = sandbox(arch);
    symlink("models", sandbox.path("/link")).expect("a link");
    assert_eq!(script(&sandbox, "ls -d /link/ /models/"), (0, "/link/\n/models/\n".into(), String::new()));
    let (code, stdout, stderr) = script(&sandbox, "ls -lF /link");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.ends_with(" /link -> models/\n"), "{stdout}");
});

on_every_architecture!(tar_goes_to_another_directory_by_itself, |arch| {
    let sandbox = sandbox_with_volume(arch);
    fs::create_dir_all(sandbox.path("/mnt/a/b")).expect("directories");
    fs::write(sandbox.path("/mnt/a/b/file"), "content").expect("a file");
    let script_text = "cd /mnt && tar cf - -C a -C b file > tar && ls && [ -s tar ]";
    assert_eq!(script(&sandbox, script_text), (0, "a\ntar\n".into(), String::new()));
    let listed = std::process::Command::new("tar").arg("tf").arg(sandbox.path("/mnt/tar")).output().expect("GNU tar");
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "file\n");
});

on_every_architecture!(readlink_of_several_puts_each_on_a_line, |arch| {
    let sandbox = sandbox_with_volume(arch);
    symlink("x", sandbox.path("/mnt/a")).expect("a link");
    symlink("y", sandbox.path("/mnt/b")).expect("a link");
    assert_eq!(script(&sandbox, "readlink -n /mnt/a"), (0, "x".into(), String::new()));
    assert_eq!(script(&sandbox, "readlink -n /mnt/a /mnt/b"), (0, "x\ny\n".into(), String::new()));
});
