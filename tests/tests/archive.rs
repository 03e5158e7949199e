//! `tar`: its archives are read by GNU tar, BusyBox and Python, and hold what GNU tar's of the same files do.

use conformance::compare::{self, Caller, Files, Place, Seen};
use conformance::{Arch, End, Program, Sandbox, Sink, on_every_architecture};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What does not fit into a header without records.
fn long(files: &Files) {
    let (name, other) = ("n".repeat(255), "m".repeat(101));
    files.directory(&name, 0o755).file(&format!("{name}/{name}"), 0o600, "deep").link("long", &"t".repeat(3000));
    files.file(&other, 0o644, "101").link(&format!("{name}/l"), &other).directory(&"d".repeat(100), 0o711).old();
    files.file("before1970", 0o644, "").time("before1970", -1).file("late", 0o644, "").time("late", 1 << 34);
    files.file("odd \u{6a21}\n", 0o644, "odd").file("owned", 0o640, "x").owner("owned", 1_000_770_000);
    files.file("many", 0o644, vec![b'y'; 3_000_001]).time("", Files::TIME);
}

fn short(files: &Files) {
    files
        .directory("d", 0o755)
        .directory("d/sub", 0o1777)
        .directory("d/sub/empty", 0o700)
        .file("d/f", 0o644, "content");
    files.file("d/run", 0o4755, "#!").file("d/.hidden", 0o400, "").link("d/l", "f").link("d/dangling", "/nowhere");
    files.file("d/512", 0o644, [b'x'; 512]).file("d/513", 0o644, [b'x'; 513]).file("d/511", 0o2755, [b'x'; 511]);
    files.file(&"e".repeat(99), 0o644, "99").file(&"f".repeat(100), 0o644, "100").link("t", &"t".repeat(100));
    files.file("owned", 0o640, "x").owner("owned", 0o7_777_777).file("large", 0o604, vec![b'z'; 200_000]).old();
    files.file("epoch", 0o644, "").time("epoch", 0).file("1", 0o644, "1").time("1", 1_234_567_890);
    files.time("", Files::TIME);
}

/// The bytes that `argv` writes.
fn archive(place: &Place, argv: &[&str]) -> Vec<u8> {
    let (end, bytes, stderr) = place.output(argv, &Caller::default());
    assert_eq!((end, stderr.as_str()), (End::Code(0), ""), "{argv:?}");
    assert_eq!(bytes.len() % 512, 0);
    bytes
}

/// Unpacks it with a tool of the machine, and returns what that made.
fn unpack(archive: &[u8], tool: &[&str]) -> BTreeMap<OsString, String> {
    let to = TempDir::new().expect("a directory");
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(archive).expect("an archive");
    let input = File::open(file.path()).expect("the archive");
    let run = Command::new(tool[0]).args(&tool[1..]).current_dir(to.path()).stdin(input).output();
    let output = run.unwrap_or_else(|error| panic!("{}: {error}", tool[0]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{tool:?}: {said}");
    compare::tree(to.path())
}

const GNU: &[&str] = &["tar", "--numeric-owner", "--warning=no-timestamp", "-xpf", "-"];
const BUSYBOX: &[&str] = &["busybox", "tar", "-xpf", "-"];
const PYTHON: &[&str] = &[
    "python3",
    "-Wignore", // newer ones announce what 3.14 will do otherwise
    "-c",
    "import sys, tarfile\nwith tarfile.open(fileobj=sys.stdin.buffer, mode='r|') as tar: tar.extractall(numeric_owner=True)",
];

/// Every field of every member, as Python reads them.
fn members(archive: &[u8]) -> Vec<String> {
    let program = "import sys, tarfile\nfor m in tarfile.open(fileobj=sys.stdin.buffer, mode='r|'):\n    \
        print(ascii((m.name, m.size, oct(m.mode), m.uid, m.gid, int(m.mtime), m.type, m.linkname)))";
    let mut python = Command::new("python3");
    let mut python =
        python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    let mut input = python.stdin.take().expect("its input");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(archive).expect("all is read"));
        python.wait_with_output().expect("python3")
    });
    assert!(output.status.success(), "{} bytes", archive.len());
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect();
    lines.sort();
    lines
}

on_every_architecture!(what_was_packed_is_unpacked_by_all, |arch| {
    let place = Place::new(Program::Shipped(arch));
    for (prepare, tools) in [(short as fn(&Files), &[GNU, BUSYBOX, PYTHON][..]), (long, &[GNU, PYTHON][..])] {
        place.prepare(prepare);
        let before = compare::tree(&place.volume());
        for argv in [
            ["tar", "cf", "-", "."].as_slice(),
            &["tar", "-cf", "-", "-C", "/mnt", "."],
            &["tar", "-c", "-f", "-", "."],
        ] {
            let bytes = archive(&place, argv);
            for tool in tools {
                let after = unpack(&bytes, tool);
                // BusyBox sets the times of files only, Python not those of links.
                let stays = |what: &str| {
                    *tool == GNU || what.starts_with("file") || *tool == PYTHON && what.starts_with("directory")
                };
                let timeless = |(path, what): (&OsString, &String)| {
                    let kept = if stays(what) { what } else { what.split(" at ").next().unwrap_or_default() };
                    (path.clone(), kept.to_string())
                };
                let (after, before): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    (after.iter().map(timeless).collect(), before.iter().map(timeless).collect());
                let seen = |tree| Seen { end: End::Code(0), stdout: Vec::new(), stderr: String::new(), tree };
                let text = compare::difference(&seen(after.clone()), &seen(before.clone()));
                assert!(after == before, "{argv:?} {tool:?}: {text}");
            }
        }
    }
});

on_every_architecture!(an_archive_has_the_members_of_gnus, |arch| {
    let (ours, gnu) = (Place::new(Program::Shipped(arch)), Place::new(Program::Dash));
    let name = "n".repeat(255);
    let inner = format!("{name}/{name}");
    for prepare in [short as fn(&Files), long] {
        for place in [&ours, &gnu] {
            place.prepare(prepare);
        }
        let all = [
            ["."].as_slice(),
            &["./"],
            &["d"],
            &["d/"],
            &["d/sub", "d/f"],
            &["/mnt/d", "/mnt/1"],
            &["/mnt/"],
            &["-C", "d", "f", "sub"],
            &["-C", "/mnt", "owned", "-C", "d", "f"],
            &[&name, "long"],
            &[&inner],
            &["late", "before1970"],
            &["--", "many"],
            &["../mnt/owned"],
            &["d/../d/f"],
        ];
        // Emulated, and read by Python, it takes its time.
        for words in all.into_iter().step_by(if arch == Arch::native() { 1 } else { 5 }) {
            let argv: Vec<&str> = ["tar", "cf", "-"].iter().chain(words).copied().collect();
            let (end, bytes, stderr) = ours.output(&argv, &Caller::default());
            let argv: Vec<&str> = ["tar", "--format=pax", "-cf", "-"].iter().chain(words).copied().collect();
            let (gnu_end, gnu_bytes, gnu_stderr) = gnu.output(&argv, &Caller::default());
            assert_eq!(end == End::Code(0), gnu_end == End::Code(0), "{words:?}: {stderr:?} {gnu_stderr:?}");
            // GNU cuts off all before `..` too, and says so.
            if !words.iter().any(|word| word.contains("..")) && !stderr.contains("tar: d: ") {
                assert_eq!(members(&bytes), members(&gnu_bytes), "{words:?}");
            }
        }
    }
});

on_every_architecture!(a_file_that_became_shorter_is_told_and_the_archive_is_whole, |arch| {
    let mut sandbox = Sandbox::new(Program::Shipped(arch));
    fs::write(sandbox.path("/models/z"), "behind").expect("a file");
    // It says that it has 4,096 bytes, and has a few.
    sandbox.bind(Path::new("/sys/kernel/uevent_seqnum"), "/models/a", true);
    let (process, end) = sandbox.command(&["tar", "cf", "-", "/models"]).run();
    assert_eq!((end, process.stderr().as_str()), (End::Code(1), "tar: /models/a: has become shorter\n"));
    let bytes = process.stdout_bytes();
    let names = members(&bytes);
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.iter().any(|line| line.starts_with("('models/a', 4096, ")), "{names:?}");
    let files = unpack(&bytes, GNU);
    assert!(files[&OsString::from("models/z")].contains("\"behind\""), "{files:?}");
});

on_every_architecture!(what_cannot_be_packed_is_told_and_the_rest_is_there, |arch| {
    let place = Place::new(Program::Shipped(arch));
    place.prepare(|files| {
        short(files);
        drop(std::os::unix::net::UnixListener::bind(files.path("socket")).expect("a socket"));
        files.fifo("pipe").directory("locked", 0o700).file("locked/f", 0o644, "f");
    });
    let caller = Caller { uid: 1010, ..Caller::default() };
    let (end, bytes, stderr) = place.output(&["tar", "cf", "-", ".", "missing", "socket"], &caller);
    assert_eq!(end, End::Code(1));
    let mut lines: Vec<&str> = stderr.lines().collect();
    lines.sort_unstable();
    let expected = [
        "tar: ./d/.hidden: Permission denied",
        "tar: ./d/sub/empty: Permission denied",
        "tar: ./locked: Permission denied",
        "tar: ./owned: Permission denied",
        "tar: ./socket: Operation not supported",
        "tar: missing: No such file or directory",
        "tar: socket: Operation not supported",
    ];
    assert_eq!(lines, expected);
    let names = members(&bytes);
    assert!(names.iter().any(|line| line.starts_with("('./d/513', 513, ")), "{names:?}");
    unpack(&bytes, GNU);
});

on_every_architecture!(an_archive_that_cannot_be_written_is_one_line, |arch| {
    let sandbox = Sandbox::new(Program::Shipped(arch));
    fs::write(sandbox.path("/models/large"), vec![0; 300_000]).expect("a file");
    for (sink, reason) in
        [(Sink::Full, "No space left on device"), (Sink::Closed, "Bad file descriptor"), (Sink::Broken, "Broken pipe")]
    {
        let (process, end) = sandbox.command(&["tar", "cf", "-", "/models", "/models"]).stdout(sink).run();
        let stderr = process.stderr();
        assert_eq!((end, stderr.lines().count()), (End::Code(1), 1), "{sink:?}: {stderr:?}");
        assert!(stderr.starts_with("tar: ") && stderr.ends_with(&format!(": {reason}\n")), "{sink:?}: {stderr:?}");
    }
});

on_every_architecture!(other_archives_are_refused, |arch| {
    let sandbox = Sandbox::new(Program::Shipped(arch));
    for argv in [
        ["tar"].as_slice(),
        &["tar", "c", "/models"],
        &["tar", "cf"],
        &["tar", "cf", "-"],
        &["tar", "cf", "/x.tar", "/models"],
        &["tar", "xf", "-"],
        &["tar", "czf", "-", "/models"],
        &["tar", "-tf", "-"],
        &["tar", "cf", "-", "-C", "/models"],
        &["tar", "cf", "-", "/models", "-C"],
        &["tar", "--create", "--file=-", "/models"],
        &["tar", "cf", "-", "--exclude=x", "/models"],
    ] {
        let (process, end) = sandbox.command(argv).run();
        let (stdout, stderr) = (process.stdout_bytes(), process.stderr());
        assert_eq!((end, stdout.len(), stderr.lines().count()), (End::Code(2), 0, 1), "{argv:?}: {stderr:?}");
        assert!(stderr.starts_with("tar: "), "{stderr:?}");
    }
});

/// A file that no header's field holds the size of, without its bytes being read.
#[test]
fn the_size_of_a_large_file_is_in_a_record() {
    let mut sandbox = Sandbox::new(Program::Shipped(Arch::native()));
    sandbox.tmpfs("/mnt", "size=1m,mode=777");
    for (size, record) in
        [((8_u64 << 30) - 1, None), (8 << 30, Some("19 size=8589934592\n")), (3 << 40, Some("22 size=3298534883328\n"))]
    {
        File::create(sandbox.path("/mnt/f")).and_then(|file| file.set_len(size)).expect("a file");
        // What is written ends with the first page.
        let limited = sandbox.command(&["tar", "cf", "-", "f"]).cwd("/mnt").limit(libc::RLIMIT_FSIZE, 4096);
        let (process, end) = limited.ignoring(libc::SIGXFSZ).run();
        assert_eq!((end, process.stderr().as_str()), (End::Code(1), "tar: f: File too large\n"));
        let bytes = process.stdout_bytes();
        let record_is = String::from_utf8_lossy(&bytes[512..]).starts_with(record.unwrap_or("\0"));
        assert!(record_is, "{size}: {:?}", String::from_utf8_lossy(&bytes[..600]));
        assert_eq!(bytes[156], if record.is_some() { b'x' } else { b'0' });
    }
}
