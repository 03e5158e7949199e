//! `MODELCAR_MODE=copy`: where a link to the process's own root is asked for, the tree that it would show is copied.

use conformance::{
    Arch, Command, End, Models, Outcome, Pod, Process, Program, Sandbox, Setup, on_every_architecture, this_test,
};
use libc::{EACCES, ENOENT, SIGKILL, SIGTERM};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const KSERVE: &str = "ln -sf /proc/$$/root/models /mnt/models && sleep infinity";

/// A modelcar with a model of several files, run by KServe's user, and a volume at `/mnt`.
fn modelcar(arch: Arch) -> Sandbox {
    let setup = Setup { volume: Some("/mnt".into()), uid: 1010, models: Models::Missing, ..Setup::default() };
    let sandbox = Sandbox::with(Program::Shipped(arch), &setup);
    put_model(&sandbox, "one");
    sandbox
}

/// Six files, two of them links, that say who they are.
fn put_model(sandbox: &Sandbox, name: &str) {
    let _ = fs::remove_dir_all(sandbox.path("/models"));
    sandbox.make_directory("/models/1/variables");
    sandbox.make_directory("/models/empty");
    let file = |path: &str, content: &[u8]| fs::write(sandbox.path(path), content).expect(path);
    file("/models/model.bin", format!("I am {name}\n").as_bytes());
    file("/models/.hidden", b"");
    file("/models/1/variables/with blank\n", &vec![b'x'; 100_000]);
    file("/models/run.sh", b"#!/bin/sh\n");
    let mode = |path: &str, mode| fs::set_permissions(sandbox.path(path), Permissions::from_mode(mode)).expect(path);
    mode("/models/run.sh", 0o555);
    mode("/models/1/variables", 0o555);
    symlink("../model.bin", sandbox.path("/models/1/relative")).expect("a link");
    symlink("/models/model.bin", sandbox.path("/models/absolute")).expect("a link");
    // Long ago, so that a copy with the time of its making differs.
    let old = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    File::open(sandbox.path("/models/model.bin")).and_then(|file| file.set_times(old)).expect("a time");
}

/// Three files.
fn put_small_model(sandbox: &Sandbox, name: &str) {
    let _ = fs::remove_dir_all(sandbox.path("/models"));
    sandbox.make_directory("/models/1");
    fs::write(sandbox.path("/models/1/model.bin"), name).expect("a model");
    fs::write(sandbox.path("/models/config"), "{}").expect("a file");
    symlink("1/model.bin", sandbox.path("/models/link")).expect("a link");
}

/// What a tree holds: of each name what it is, with mode and time of change but for links. A directory's owner has all
/// rights in a copy, so that the next start can remove it.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut rest = vec![root.to_path_buf()];
    while let Some(path) = rest.pop() {
        let meta = fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mode = meta.mode() | if meta.is_dir() { 0o700 } else { 0 };
        let mut what = format!("{mode:o} {}", meta.mtime());
        if meta.is_symlink() {
            what = format!("-> {}", fs::read_link(&path).expect("a link").display());
        } else if meta.is_dir() {
            rest.extend(fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()));
        } else {
            let content = fs::read(&path).expect("a file");
            let hash = content.iter().fold(5381_u64, |hash, &byte| hash.wrapping_mul(33) ^ u64::from(byte));
            what += &format!(" {} bytes, {hash:x}", content.len());
        }
        all.insert(path.strip_prefix(root).expect("below").to_string_lossy().into_owned(), what);
    }
    all
}

fn copying<'a>(sandbox: &'a Sandbox, script: &str) -> Command<'a> {
    sandbox.command(&["/bin/link-model-and-wait", "sh", "-c", script]).env("MODELCAR_MODE=copy")
}

fn waiting(command: Command) -> Process {
    let (process, outcome) = command.settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
    process
}

/// Fails with this line, and nothing but what was there is there.
fn fails_with(sandbox: &Sandbox, command: Command, code: i32, line: &str) {
    let before = sandbox.tree();
    let (process, end) = command.run();
    assert_eq!((end, process.stderr().as_str()), (End::Code(code), line), "{process:?}");
    assert_eq!(process.stdout(), "");
    assert_eq!(sandbox.tree(), before);
}

/// The names in the volume: the copy, and an empty file whose name tells the next start that it is one.
fn is_tidy(sandbox: &Sandbox) {
    let names: BTreeSet<String> = fs::read_dir(sandbox.path("/mnt"))
        .expect("the volume")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let copy = fs::metadata(sandbox.path("/mnt/models")).expect("the copy");
    let born = copy.created().map_or(0, |time| {
        let since = time.duration_since(std::time::UNIX_EPOCH).expect("a time of this century");
        since.as_secs() << 32 | u64::from(since.subsec_nanos())
    });
    let which = format!("-{}-{born}", copy.ino());
    let rest: Vec<&String> = names.iter().filter(|name| *name != "models").collect();
    assert!(names.len() == 2 && rest[0].starts_with(".modelcar-") && rest[0].ends_with(&which), "{names:?}");
}

fn is_whole(sandbox: &Sandbox) {
    assert_eq!(tree(&sandbox.path("/mnt/models")), tree(&sandbox.path("/models")));
    is_tidy(sandbox);
}

on_every_architecture!(the_model_is_copied_and_one_line_says_so, |arch| {
    let sandbox = modelcar(arch);
    let process = waiting(copying(&sandbox, KSERVE));
    let bytes: u64 = ["/models/model.bin", "/models/1/variables/with blank\n", "/models/run.sh", "/models/.hidden"]
        .iter()
        .chain(&["/models/1/relative", "/models/absolute"]) // the length of what a link holds
        .map(|path| fs::symlink_metadata(sandbox.path(path)).expect(path).len())
        .sum();
    let line = format!("link-model-and-wait: copied 6 files, {bytes} bytes: /models -> /mnt/models\n");
    assert_eq!((process.stderr(), process.stdout()), (line, String::new()));
    is_whole(&sandbox);
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(process.status(set), "0000000000000000", "{set}");
    }
    assert_eq!(process.stop(SIGTERM).0, End::Code(0));
    is_whole(&sandbox);
    let mode = |path: &str| fs::metadata(sandbox.path(path)).expect("a directory").mode() & 0o7777;
    assert_eq!(["/models", "/mnt/models"].map(|root| mode(&format!("{root}/1/variables"))), [0o555, 0o755]);
});

#[test]
fn it_is_what_cp_of_coreutils_makes() {
    let sandbox = modelcar(Arch::native());
    for (uid, gid) in [(0, 0), (1010, 0)] {
        fs::remove_dir_all(sandbox.path("/mnt/models"))
            .or_else(|_| fs::create_dir(sandbox.path("/mnt/x")))
            .expect("a start");
        waiting(copying(&sandbox, KSERVE).user(uid, gid)).stop(SIGTERM);
        let copy = tree(&sandbox.path("/mnt/models"));
        let owner = |path| fs::symlink_metadata(sandbox.path(path)).expect("a file").uid();
        assert_eq!((owner("/mnt/models/model.bin"), owner("/mnt/models/absolute")), (uid, uid));
        let other = Sandbox::with(
            Program::Dash,
            &Setup { volume: Some("/mnt".into()), uid, gid, models: Models::Missing, ..Setup::default() },
        );
        let mut cp = other;
        cp.bind(&sandbox.path("/models"), "/models", true);
        let (process, end) = cp.command(&["sh", "-c", "cp -a /models /mnt/models"]).run();
        assert_eq!(end, End::Code(0), "{process:?}");
        assert_eq!(copy, tree(&cp.path("/mnt/models")));
    }
}

/// Every sender's way to ask for the link.
#[test]
fn whatever_the_script_that_asks_for_the_link_the_copy_is_in_its_place() {
    for (argv, place) in [
        (&["/bin/link-model-and-wait"][..], "/mnt/models"),
        (&["sh", "-c", "ln -s /proc/$$/root/models /mnt/models && sleep infinity"], "/mnt/models"),
        (&["sh", "-c", "mkdir -p /mnt/a && ln -sf /proc/$$/root/models /mnt/a/b && sleep infinity"], "/mnt/a/b"),
        (
            &["sh", "-c", "mkdir -p '/mnt/a b' && ln -sf /proc/$$/root/models '/mnt/a b/c' && sleep infinity"],
            "/mnt/a b/c",
        ),
        (
            &[
                "sh",
                "-c",
                "ln -s /proc/$$/root/models \"/mnt/models\" && echo x && until [ -f /mnt/e ]; do sleep 1; done",
            ],
            "/mnt/models",
        ),
    ] {
        let sandbox = modelcar(Arch::native());
        let process = waiting(sandbox.command(argv).env("MODELCAR_MODE=copy"));
        assert_eq!(tree(&sandbox.path(place)), tree(&sandbox.path("/models")), "{process:?}");
    }
}

#[test]
fn only_a_link_to_the_process_itself_becomes_a_copy() {
    for target in ["/models", "/proc/1/root/models", "/proc/self/root/models", "model", "/proc/$$/rootmodels"] {
        let sandbox = modelcar(Arch::native());
        let process = waiting(copying(&sandbox, &format!("ln -sf {target} /mnt/models && sleep infinity")));
        let link = target.replace("$$", &process.pid.to_string());
        assert_eq!(fs::read_link(sandbox.path("/mnt/models")).expect("a link").to_string_lossy(), link);
    }
    // A part of the model, and one file.
    let sandbox = modelcar(Arch::native());
    waiting(copying(&sandbox, "ln -s /proc/$$/root/models/1 /mnt/models && sleep infinity"));
    assert_eq!(tree(&sandbox.path("/mnt/models")), tree(&sandbox.path("/models/1")));
    let process = waiting(copying(&sandbox, "ln -s /proc/$$/root/models/model.bin /mnt/m && sleep infinity"));
    assert_eq!(fs::read_to_string(sandbox.path("/mnt/m")).expect("a file"), "I am one\n");
    assert_eq!(process.stderr(), "link-model-and-wait: copied 1 files, 9 bytes: /models/model.bin -> /mnt/m\n");
}

on_every_architecture!(a_restart_replaces_the_copy_by_a_whole_new_one, |arch| {
    let sandbox = modelcar(arch);
    for name in ["one", "two", "three"] {
        put_model(&sandbox, name);
        fs::write(sandbox.path(format!("/models/only-{name}")), "").expect("a file");
        let process = waiting(copying(&sandbox, KSERVE));
        assert!(process.stderr().starts_with("link-model-and-wait: copied 7 files"), "{process:?}");
        is_whole(&sandbox);
        process.stop(SIGKILL);
    }
});

on_every_architecture!(the_link_of_an_earlier_start_in_link_mode_is_replaced, |arch| {
    let sandbox = modelcar(arch);
    waiting(sandbox.command(&["sh", "-c", KSERVE])).stop(SIGKILL);
    assert!(sandbox.path("/mnt/models").is_symlink());
    waiting(copying(&sandbox, KSERVE)).stop(SIGKILL);
    is_whole(&sandbox);
});

on_every_architecture!(an_empty_directory_is_replaced, |arch| {
    let sandbox = modelcar(arch);
    let empty = sandbox.make_directory("/mnt/models");
    std::os::unix::fs::chown(&empty, Some(1010), Some(0)).expect("an owner");
    waiting(copying(&sandbox, KSERVE));
    is_whole(&sandbox);
});

on_every_architecture!(a_users_own_directory_is_refused, |arch| {
    let sandbox = modelcar(arch);
    let own = sandbox.make_directory("/mnt/models");
    fs::write(own.join("mine"), "precious").expect("a file");
    std::os::unix::fs::chown(&own, Some(1010), Some(0)).expect("an owner");
    fails_with(&sandbox, copying(&sandbox, KSERVE), 1, "ln: /mnt/models: File exists\n");
});

/// The number of an inode comes again: on many file systems at once.
#[test]
fn a_users_own_directory_is_refused_also_where_a_copy_was() {
    let sandbox = modelcar(Arch::native());
    waiting(copying(&sandbox, KSERVE)).stop(SIGKILL);
    let old = fs::metadata(sandbox.path("/mnt/models")).expect("the copy").ino();
    fs::remove_dir_all(sandbox.path("/mnt/models")).expect("the copy");
    let own = sandbox.make_directory("/mnt/models");
    fs::write(own.join("mine"), "precious").expect("a file");
    std::os::unix::fs::chown(&own, Some(1010), Some(0)).expect("an owner");
    // Where the file system gives another number, the record says that it is this one.
    let new = fs::metadata(&own).expect("the directory").ino();
    for entry in fs::read_dir(sandbox.path("/mnt")).expect("the volume") {
        let path = entry.expect("an entry").path();
        let name =
            path.file_name().expect("a name").to_string_lossy().replace(&format!("-{old}-"), &format!("-{new}-"));
        assert!(name == "models" || name.contains(&format!("-{new}-")), "a record of another form: {name}");
        fs::rename(&path, path.with_file_name(name)).expect("another name");
    }
    fails_with(&sandbox, copying(&sandbox, KSERVE), 1, "ln: /mnt/models: File exists\n");
}

/// Two starts at once, one of them slow: whatever comes last, the copy is whole.
#[test]
fn two_starts_at_once_leave_one_whole_copy() {
    let mut slow = 0;
    for call in ["flock", "copy_file_range", "renameat2", "unlinkat", "getdents64"] {
        for when in 1..=4 {
            let sandbox = modelcar(Arch::native());
            let inject = format!("--inject={call}:delay_enter=100ms:when={when}");
            let mut first = copying(&sandbox, KSERVE).strace(&["-e", &format!("trace={call}"), &inject]).spawn();
            thread::sleep(Duration::from_millis(50));
            let second = copying(&sandbox, KSERVE).spawn();
            for process in [&first, &second] {
                assert_eq!(process.settle(), Outcome::Waits, "{call} at {when}: {process:?}");
                assert!(process.stderr().starts_with("link-model-and-wait: copied 6 files"), "{process:?}");
            }
            is_whole(&sandbox);
            first.stop(SIGKILL);
            slow += usize::from(first.strace_log().contains("(DELAYED)"));
        }
    }
    assert!(slow >= 10, "only {slow} were slow");
}

on_every_architecture!(an_unknown_mode_is_refused_before_anything_is_done, |arch| {
    let sandbox = modelcar(arch);
    for (variable, value) in
        [("MODE", "Copy"), ("MODE", "copy "), ("MODE", "linkcopy"), ("MODE", "1"), ("USERNS", "no"), ("USERNS", "offf")]
    {
        let line = format!("link-model-and-wait: MODELCAR_{variable}: {value}: not supported\n");
        for argv in
            [&["sh", "-c", "mkdir -p /mnt/a && ln -sf /proc/$$/root/models /mnt/a/b && sleep infinity"][..], &[]]
        {
            let argv = [&["/bin/link-model-and-wait"], argv].concat();
            fails_with(&sandbox, sandbox.command(&argv).env(&format!("MODELCAR_{variable}={value}")), 2, &line);
        }
    }
});

on_every_architecture!(a_read_only_volume_is_told_in_one_line, |arch| {
    let other = modelcar(arch);
    let mut sandbox = modelcar(arch);
    sandbox.bind(&other.path("/mnt"), "/mnt", true);
    fails_with(&sandbox, copying(&sandbox, KSERVE), 1, "ln: /mnt/models: Read-only file system\n");
});

#[test]
fn a_file_that_its_user_may_not_read_fails_it_and_nothing_is_left() {
    let sandbox = modelcar(Arch::native());
    fs::set_permissions(sandbox.path("/models/run.sh"), Permissions::from_mode(0o700)).expect("permission bits");
    fails_with(&sandbox, copying(&sandbox, KSERVE), 1, "ln: /models/run.sh: Permission denied\n");
    let missing = modelcar(Arch::native());
    fs::remove_dir_all(missing.path("/models")).expect("/models");
    fails_with(&missing, copying(&missing, KSERVE), 1, "ln: /models: No such file or directory\n");
}

on_every_architecture!(a_full_volume_is_told_in_one_line_and_what_was_there_stays, |arch| {
    let mut sandbox = modelcar(arch);
    sandbox.tmpfs("/mnt", "size=256k,mode=777");
    // Room for one, as the first finds it; none for a second beside it.
    waiting(copying(&sandbox, KSERVE)).stop(SIGKILL);
    let whole = tree(&sandbox.path("/mnt/models"));
    fs::write(sandbox.path("/models/more"), vec![b'y'; 200_000]).expect("a file");
    fails_with(&sandbox, copying(&sandbox, KSERVE), 1, "ln: /mnt/models/more: No space left on device\n");
    assert_eq!(tree(&sandbox.path("/mnt/models")), whole);
    is_tidy(&sandbox);
    let mut sandbox = modelcar(arch);
    sandbox.tmpfs("/mnt", "size=64k,mode=777");
    fails_with(
        &sandbox,
        copying(&sandbox, KSERVE),
        1,
        "ln: /mnt/models/1/variables/with blank: No space left on device\n",
    );
});

// What no link can: neither the same user nor the same process namespace, and the modelcar may have ended.
on_every_architecture!(anybody_reads_it_from_anywhere, |arch| {
    let sandbox = modelcar(arch);
    let process = waiting(copying(&sandbox, KSERVE));
    let mut server = Sandbox::new(sandbox.program());
    fs::remove_dir_all(server.path("/models")).expect("/models");
    server.bind(&sandbox.path("/mnt"), "/mnt", true);
    for ended in [false, true] {
        if ended {
            process.stop(SIGTERM);
        }
        for (uid, gid) in [(1010, 0), (1010, 1010), (4242, 4242)] {
            let reader = server.reader("/mnt/models/model.bin").in_pod(&Pod::new()).user(uid, gid);
            let (reader, end) = reader.run();
            assert_eq!((end, reader.stdout().as_str()), (End::Code(0), "I am one\n"), "{uid}:{gid}");
        }
    }
    // Which the link does not give.
    waiting(sandbox.command(&["sh", "-c", "ln -s /proc/$$/root/models /mnt/link && sleep infinity"]));
    let (_, end) = server.reader("/mnt/link/model.bin").in_pod(&Pod::new()).user(1010, 0).run();
    assert!(matches!(end, End::Code(ENOENT | EACCES)), "{end:?}");
});

/// A small model, copied already if it starts again.
fn before_a_start(again: bool) -> Sandbox {
    let sandbox = modelcar(Arch::native());
    put_small_model(&sandbox, "one");
    if again {
        waiting(copying(&sandbox, KSERVE)).stop(SIGKILL);
    }
    put_small_model(&sandbox, "two");
    sandbox
}

/// The system calls of such a start until it waits: each by its name, and the how manieth of that name it is.
fn calls_of_a_start(again: bool) -> Vec<(String, u32)> {
    let sandbox = before_a_start(again);
    let (mut process, outcome) = copying(&sandbox, KSERVE).strace(&["-e", "signal=none"]).settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
    process.stop(SIGKILL);
    let log = process.strace_log();
    let (mut count, mut calls, mut started) = (BTreeMap::new(), Vec::new(), false);
    for name in log.lines().filter_map(|line| Some(line.split_once('(')?.0.trim())) {
        let when = *count.entry(name).and_modify(|count| *count += 1).or_insert(1);
        if started && name != "ppoll" {
            calls.push((name.to_string(), when));
        }
        started |= name.starts_with("execve");
    }
    assert!(calls.len() > 30, "{calls:?}");
    calls
}

/// What is at the destination, if anything is.
fn there(sandbox: &Sandbox) -> Option<BTreeMap<String, String>> {
    let path = sandbox.path("/mnt/models");
    path.exists().then(|| tree(&path))
}

/// A tree's names and contents, without modes and times.
fn contents(tree: BTreeMap<String, String>) -> Vec<(String, String)> {
    let content = |what: String| match what.starts_with("->") {
        true => what,
        false => what.splitn(3, ' ').nth(2).unwrap_or_default().into(),
    };
    tree.into_iter().map(|(name, what)| (name, content(what))).collect()
}

/// Killed at each system call of a first start, and of a second: what is there is whole, and the next start tidies up.
fn killed_at_any_moment(again: bool) {
    for (call, when) in calls_of_a_start(again) {
        let sandbox = before_a_start(again);
        let (old, new) = (there(&sandbox), Some(tree(&sandbox.path("/models"))));
        let inject = format!("--inject={call}:signal=SIGKILL:when={when}");
        let (_, end) = copying(&sandbox, KSERVE).strace(&[&inject]).run();
        assert_eq!(end, End::Signal(SIGKILL), "{inject}");
        let left = there(&sandbox);
        assert!(left == old || left == new, "{inject}: {left:?}");
        let process = waiting(copying(&sandbox, KSERVE));
        assert!(process.stderr().starts_with("link-model-and-wait: copied 3 files"), "{inject}: {process:?}");
        is_whole(&sandbox);
    }
}

/// Each system call of a restart fails: it copies by other means, or says so in one line and ends with 1; what is there
/// is whole, and the next start copies.
fn whatever_fails(error: &str) {
    let mut failed = 0;
    for (call, when) in calls_of_a_start(true) {
        if ["getpid", "umask"].contains(&call.as_str()) {
            continue; // they never fail
        }
        let sandbox = before_a_start(true);
        let (old, new) = (there(&sandbox), Some(tree(&sandbox.path("/models"))));
        let inject = format!("--inject={call}:error={error}:when={when}");
        let (process, outcome) = copying(&sandbox, KSERVE).strace(&[&inject]).settle();
        let left = there(&sandbox).map(contents);
        let is_new = left == new.map(contents);
        match outcome {
            // Without its attributes, perhaps: not everybody may set them.
            Outcome::Waits => assert!(is_new, "{inject}: {left:?}"),
            Outcome::Ended(end) => {
                assert_eq!((end, process.stderr().lines().count()), (End::Code(1), 1), "{inject}: {process:?}");
                assert!(is_new || left == old.map(contents), "{inject}: {left:?}");
                failed += 1;
            }
        }
        drop(process);
        waiting(copying(&sandbox, KSERVE));
        assert_eq!(there(&sandbox), Some(tree(&sandbox.path("/models"))), "{inject}");
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn whatever_fails_with_an_error_of_the_disk_what_is_there_is_whole() {
    whatever_fails("EIO");
}

#[test]
fn whatever_is_not_permitted_what_is_there_is_whole() {
    whatever_fails("EPERM");
}

#[test]
fn whatever_the_kernel_does_not_know_what_is_there_is_whole() {
    whatever_fails("ENOSYS");
}

#[test]
fn killed_at_any_moment_of_the_first_start_the_next_is_whole() {
    killed_at_any_moment(false);
}

#[test]
fn killed_at_any_moment_of_a_restart_the_next_is_whole() {
    killed_at_any_moment(true);
}

/// A server that looks at any moment sees nothing, or all of one copy.
#[test]
fn there_is_no_moment_with_half_a_copy() {
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let sandbox = modelcar(Arch::native());
    for number in 0..200 {
        fs::write(sandbox.path(format!("/models/1/{number}")), [b'x'; 1000]).expect("a file");
    }
    let (copy, done) = (sandbox.path("/mnt/models"), AtomicBool::new(false));
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut looks, mut there) = (0_u32, false);
            while !done.load(Ordering::Relaxed) {
                let first = fs::read(copy.join("model.bin"));
                there |= first.is_ok();
                if there {
                    for name in ["1/199", "model.bin", "1/0", "1/variables/with blank\n"] {
                        // A path that is looked up while the directories change places may end in the old one's.
                        let read = || fs::metadata(copy.join(name));
                        let size = read().or_else(|_| read()).expect("it is whole").len();
                        assert_eq!(
                            size,
                            if name.starts_with("1/v") {
                                100_000
                            } else if name == "model.bin" {
                                9
                            } else {
                                1000
                            }
                        );
                    }
                    looks += 1;
                }
            }
            looks
        });
        let end = Done(&done);
        for _ in 0..20 {
            waiting(copying(&sandbox, KSERVE)).stop(SIGKILL);
        }
        drop(end);
        assert!(watcher.join().expect("always whole") > 20);
    });
    is_whole(&sandbox);
}

/// Told to stop in the middle, it stops at once, and has not given the name to a part.
#[test]
fn sigterm_in_the_middle_ends_it_at_once() {
    let sandbox = modelcar(Arch::native());
    let big = File::create(sandbox.path("/models/big")).expect("a file");
    big.set_len(4 << 30).expect("a sparse file");
    let process = copying(&sandbox, KSERVE).spawn();
    let deadline = Instant::now() + Process::PATIENCE;
    let begun = || fs::read_dir(sandbox.path("/mnt")).expect("the volume").count() > 0;
    this_test().waiting(
        || "the begin of a copy".into(),
        || {
            while !begun() {
                assert!(Instant::now() < deadline, "{process:?}");
                thread::sleep(Duration::from_millis(1));
            }
        },
    );
    let (end, _) = process.stop(SIGTERM);
    assert_eq!(end, End::Code(143), "{process:?}"); // as it is no success
    assert!(!sandbox.path("/mnt/models").exists());
    drop(big);
    fs::remove_file(sandbox.path("/models/big")).expect("a file");
    waiting(copying(&sandbox, KSERVE));
    is_whole(&sandbox);
}

/// Kilobytes that the process had at most.
fn peak(process: &Process) -> u32 {
    process.status("VmHWM").trim_end_matches(" kB").parse().expect("a number")
}

/// What it has in memory does not grow with the model: KServe leaves it 15 MiB.
#[test]
fn a_model_of_500_mb_or_of_5000_files_needs_no_more_memory() {
    let sandbox = modelcar(Arch::native());
    let small = peak(&waiting(copying(&sandbox, KSERVE)));
    let block: Vec<u8> = (0..1 << 20).map(|byte: u32| (byte % 251) as u8).collect();
    let big = File::create(sandbox.path("/models/big")).expect("a file");
    for number in 0..500 {
        big.write_all_at(&block, number << 20).expect("room on the disk");
    }
    drop(big);
    let process = waiting(copying(&sandbox, KSERVE).limit(libc::RLIMIT_DATA, 15 << 20));
    assert!(process.stderr().contains("copied 7 files"), "{process:?}");
    let copy = File::open(sandbox.path("/mnt/models/big")).expect("the copy");
    assert_eq!(copy.metadata().expect("a file").len(), 500 << 20);
    let mut read = vec![0; 1 << 20];
    for number in [0, 250, 499] {
        copy.read_exact_at(&mut read, number << 20).expect("it is long enough");
        assert!(read == block, "megabyte {number} differs");
    }
    let large = peak(&process);
    drop(process);
    fs::remove_file(sandbox.path("/models/big")).expect("a file");
    for number in 0..5000 {
        fs::write(sandbox.path(format!("/models/1/{number}")), "").expect("a file");
    }
    let many = peak(&waiting(copying(&sandbox, KSERVE)));
    assert!(small < 200 && large <= small + 16 && many <= small + 16, "{small} kB, {large} kB, {many} kB");
}
