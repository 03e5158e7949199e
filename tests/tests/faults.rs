//! Each system call fails in each way that its man page names, and a signal comes at each of them: what was there
//! stays or what was asked for is there, whole, and one line says which. And the faults that need no tracer: full
//! and read-only volumes, mount points in the way, closed and full outputs, signals that were blocked.

use conformance::errors::ERRORS;
use conformance::raw::set_action;
use conformance::{Arch, End, Outcome, Program, Sandbox, Setup, Sink, on_every_architecture, this_test};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Calls that may fail without anybody hearing of it: what was asked for is done all the same.
///
/// capset: then a reader without capabilities may be refused, as in any shell. writev: there is no other place to
/// say that standard error is closed. close: of a directory that was only read.
const IGNORED: &[&str] = &["capset", "close", "madvise", "writev", "prctl"];

/// No process has that number: the kernel gives none above 4,194,304.
const OLD: &str = "/proc/9999999/root/models";
const TEMPORARY: &str = ".modelcar-";

/// A script, and what is there when it starts.
struct Scenario {
    name: &'static str,
    script: &'static str,
    before: &'static [Thing],
}

enum Thing {
    Directory(&'static str),
    File(&'static str),
    /// A link that an earlier start has left.
    Link(&'static str),
}
use Thing::{Directory, File as Regular, Link};

const LN: &str = "ln -sf /proc/$$/root/models models && sleep infinity";
const INIT: &str = "echo 'Pre-fetching modelcar m: ' && [ -d models ] && [ \"$(ls -A models)\" ] && \
    echo 'OK ... Prefetched and valid (/models exists)' || \
    (echo 'NOK ... Prefetched but modelcar is invalid (/models does not exist or is empty)' && exit 1)";

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "a fresh volume", script: LN, before: &[] },
    Scenario { name: "a stale link", script: LN, before: &[Link("models")] },
    Scenario {
        name: "a stale link, without -f",
        script: "ln -s /proc/$$/root/models models && sleep infinity",
        before: &[Link("models")],
    },
    Scenario { name: "a start that was killed", script: LN, before: &[Link("models"), Link(".modelcar-1")] },
    Scenario { name: "into a directory", script: LN, before: &[Directory("models"), Regular("models/other")] },
    Scenario { name: "into a directory, on a link", script: LN, before: &[Directory("models"), Link("models/models")] },
    Scenario { name: "over a file", script: LN, before: &[Regular("models")] },
    Scenario {
        name: "a file in the way",
        script: "ln -s /proc/$$/root/models models && sleep infinity",
        before: &[Regular("models")],
    },
    Scenario {
        name: "directories above",
        script: "mkdir -p a/b && ln -sf /proc/$$/root/models a/b/models && sleep infinity",
        before: &[Directory("a")],
    },
    Scenario { name: "init", script: INIT, before: &[Directory("models"), Regular("models/model.bin")] },
    Scenario { name: "init without models", script: INIT, before: &[] },
    Scenario {
        name: "the loop of Kubeflow Pipelines",
        script: "ln -s /proc/$$/root/models models && echo 'Running Modelcar container...' && \
            until [ -d done ]; do mkdir done; done",
        before: &[Link("models")],
    },
    Scenario {
        name: "ls",
        script: "ls -A d",
        before: &[Directory("d"), Regular("d/a"), Regular("d/.b"), Directory("d/c")],
    },
    Scenario { name: "ls of a file", script: "ls f", before: &[Regular("f")] },
    Scenario { name: "chmod", script: "chmod 700 f d", before: &[Regular("f"), Directory("d")] },
    Scenario {
        name: "chmod -R",
        script: "chmod -R a=rX d",
        before: &[Directory("d"), Regular("d/f"), Directory("d/e"), Regular("d/e/f"), Link("d/l")],
    },
    Scenario { name: "echo", script: "echo one two && exec echo -n three", before: &[] },
    Scenario { name: "unknown", script: "nosuch", before: &[] },
    Scenario { name: "refused", script: "mkdir d; ls | ls", before: &[] },
];

impl Scenario {
    fn waits(&self) -> bool {
        self.script.ends_with("sleep infinity")
    }

    /// What it does, without waiting then.
    fn without_wait(&self) -> &str {
        self.script.strip_suffix(" && sleep infinity").unwrap_or(self.script)
    }

    /// Makes what is there before it.
    fn set_up(&self, volume: &Path) {
        for thing in self.before {
            match thing {
                Directory(path) => fs::create_dir(volume.join(path)),
                Regular(path) => fs::write(volume.join(path), "content"),
                Link(path) => symlink(OLD, volume.join(path)),
            }
            .expect("a fresh volume");
        }
    }
}

/// Every name in the volume with what it is.
fn tree(volume: &Path) -> BTreeMap<PathBuf, String> {
    let mut tree = BTreeMap::new();
    let mut rest = vec![volume.to_path_buf()];
    while let Some(directory) = rest.pop() {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            let meta = entry.metadata().expect("a file");
            let mode = meta.permissions().mode() & 0o7777;
            let what = if meta.is_symlink() {
                let target = fs::read_link(&path).expect("a link").to_string_lossy().into_owned();
                let pid = target.strip_prefix("/proc/").and_then(|rest| rest.strip_suffix("/root/models"));
                let whole = pid.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()));
                assert!(whole, "a link that is not whole: {target:?}");
                if target == OLD { "old link".into() } else { "new link".into() }
            } else if meta.is_dir() {
                rest.push(path.clone());
                format!("directory {mode:o}")
            } else {
                format!("file {mode:o} {}", String::from_utf8_lossy(&fs::read(&path).expect("a file")))
            };
            tree.insert(path.strip_prefix(volume).expect("below the volume").into(), what);
        }
    }
    tree
}

/// What came of a run.
#[derive(Debug)]
struct Seen {
    end: End,
    /// It came to wait.
    waited: bool,
    stdout: String,
    stderr: String,
    log: String,
    tree: BTreeMap<PathBuf, String>,
}

/// A directory with a volume in it.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new(scenario: &Scenario) -> Place {
        let place = Place { directory: tempfile::tempdir().expect("a temporary directory") };
        fs::create_dir(place.volume()).expect("a volume");
        scenario.set_up(&place.volume());
        place
    }

    fn volume(&self) -> PathBuf {
        self.directory.path().join("volume")
    }

    /// Runs a script in the volume under strace with these options.
    fn trace(&self, script: &str, options: &[String]) -> Seen {
        let file = |name: &str| File::create(self.directory.path().join(name)).expect(name);
        let mut strace = Command::new("strace");
        // Whoever runs the tests may ignore some signals: what is started in a shell's background ignores SIGINT.
        // SAFETY: only system calls, in a child of its own.
        unsafe {
            strace.pre_exec(|| {
                for signal in [libc::SIGINT, libc::SIGTERM] {
                    set_action(signal, libc::SIG_DFL);
                }
                Ok(())
            })
        };
        let mut child = strace
            .args(["-o", "../log"])
            .args(options)
            .arg(Arch::native().shipped_file())
            .args(["sh", "-c", script])
            .current_dir(self.volume())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("strace is missing: install strace");
        let start = Instant::now();
        let mut stops = 0;
        let read = |name: &str| fs::read(self.directory.path().join(name)).unwrap_or_default(); // there is no log at first
        let text = |name: &str| String::from_utf8_lossy(&read(name)).into_owned();
        let status = loop {
            if let Some(status) = child.try_wait().expect("strace") {
                break status;
            }
            let signal = |signal| {
                let pid = child.id();
                let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
                for pid in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                    // SAFETY: a child of the strace above, which has not been waited for.
                    unsafe { libc::kill(pid, signal) };
                }
            };
            let now = text("log").matches("--- stopped by SIGSTOP ---").count();
            if now > stops {
                stops = now;
                thread::sleep(Duration::from_millis(2)); // stopped for a moment
                signal(libc::SIGCONT);
            }
            // It waits although nothing but this ends it: after a ppoll that was interrupted.
            if start.elapsed() > Duration::from_millis(150) && text("log").contains("ppoll(") {
                signal(libc::SIGTERM);
            }
            if start.elapsed() > Duration::from_secs(20) {
                signal(libc::SIGKILL);
                panic!("hangs: {script} {options:?}\n{}", text("log"));
            }
            thread::sleep(Duration::from_micros(500));
        };
        let log = text("log");
        let end = match status.code() {
            Some(code) => End::Code(code),
            None => End::Signal(status.signal().expect("a code or a signal")),
        };
        let waited = log.contains("ppoll(");
        Seen { end, waited, stdout: text("stdout"), stderr: text("stderr"), log, tree: tree(&self.volume()) }
    }
}

/// strace's option that ends the program, by SIGTERM, as soon as it waits.
fn end_when_waiting() -> String {
    "--inject=ppoll:signal=SIGTERM".into()
}

/// The scenario without any fault: what it leaves, and how often it makes each call.
fn baseline(scenario: &Scenario) -> (Seen, BTreeMap<String, usize>) {
    let place = Place::new(scenario);
    let mut options = vec!["-e".into(), "trace=all".into()];
    if scenario.waits() {
        options.push(end_when_waiting());
    }
    let seen = place.trace(scenario.script, &options);
    let mut calls = BTreeMap::new();
    let from_start = seen.log.lines().skip(1); // execve
    for name in from_start.filter_map(|line| line.split_once('(')).map(|(name, _)| name) {
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            *calls.entry(name.to_string()).or_default() += 1;
        }
    }
    (seen, calls)
}

/// One fault.
#[derive(Debug)]
struct Fault {
    scenario: usize,
    call: String,
    when: usize,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Error(&'static str),
    /// A write that takes only so many bytes.
    Short(usize),
    Signal(&'static str),
}

/// Whether this is what a new link is called until it takes the place of the old one.
fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY))
}

/// Runs all of it on all processors; the messages are the failures.
fn in_parallel<T: Sync>(items: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(2, |number| number.get());
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(failure) = check(item) {
                failures.lock().expect("no thread has panicked").push(failure);
            }
        }
    };
    let what = || format!("{threads} threads that run {} cases", items.len());
    this_test().waiting(what, || thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work)))));
    let failures = failures.into_inner().expect("no thread has panicked");
    let shown = failures.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failures.is_empty(), "{} failures:\n\n{shown}", failures.len());
}

fn check(fault: &Fault, base: &Seen) -> Result<Seen, String> {
    let scenario = &SCENARIOS[fault.scenario];
    let Fault { call, when, .. } = fault;
    let place = Place::new(scenario);
    let before = tree(&place.volume());
    let mut options = vec!["-e".into(), format!("trace=ppoll,exit_group,{call}")];
    if scenario.waits() && call != "ppoll" {
        options.push(end_when_waiting());
    }
    options.push(match fault.what {
        What::Error(error) => format!("--inject={call}:error={error}:when={when}"),
        What::Short(bytes) => format!("--inject={call}:retval={bytes}:when={when}"),
        What::Signal(signal) => format!("--inject={call}:signal={signal}:when={when}"),
    });
    let seen = place.trace(scenario.script, &options);
    let wrong = |what: &str| {
        let options = &options[2..];
        Err(format!("{}: {what}\n  {options:?}\n  {before:?}\n  {seen:?}", scenario.name))
    };

    if !matches!(fault.what, What::Signal(_)) && !seen.log.contains("(INJECTED)") {
        return wrong("the fault has not come");
    }
    // What was there, or what is to be there; nothing else.
    let paths: BTreeSet<&PathBuf> = before.keys().chain(base.tree.keys()).chain(seen.tree.keys()).collect();
    for path in paths {
        let (was, should, is) = (before.get(path), base.tree.get(path), seen.tree.get(path));
        // Only what ends it between the two steps of a replacement leaves the new name: a signal that comes with the
        // first, or before the second is done.
        let between = match fault.what {
            What::Signal("SIGTERM" | "SIGINT") => call == "symlinkat",
            What::Signal("SIGKILL") => call == "symlinkat" || call == "renameat2",
            _ => false,
        };
        let left_behind = between && is_temporary(path) && is.is_some_and(|is| is == "new link");
        if is != was && is != should && !left_behind {
            return wrong(&format!("{} is {is:?}", path.display()));
        }
    }
    let as_before = |seen: &Seen| (seen.end, seen.waited, seen.stdout.clone(), seen.tree.clone());
    let lines = seen.stderr.lines().count();
    match fault.what {
        What::Signal("SIGKILL") => {
            if seen.end != End::Signal(libc::SIGKILL) {
                return wrong("not killed");
            }
        }
        What::Signal("SIGSTOP") => {
            if as_before(&seen) != as_before(base) || lines != base.stderr.lines().count() {
                return wrong("a stop has changed something");
            }
        }
        // The first calls are those that make a signal end it well; before them it ends as any program does.
        What::Signal(signal) => {
            let early = End::Signal(if signal == "SIGTERM" { libc::SIGTERM } else { libc::SIGINT });
            let unprepared = seen.end == early && call == "rt_sigaction";
            let over = call == "exit_group" && seen.end == base.end;
            // In the midst of work it is no success.
            let works =
                scenario.script.split_whitespace().any(|word| ["cat", "chmod", "cp", "rm", "tar"].contains(&word));
            let interrupted = works && seen.end == End::Code(if signal == "SIGTERM" { 143 } else { 130 });
            if seen.end != End::Code(0) && !unprepared && !over && !interrupted {
                return wrong("not stopped");
            }
        }
        What::Error(error) if IGNORED.contains(&call.as_str()) => {
            if as_before(&seen) != as_before(base) {
                return wrong(&format!("{error} of {call} matters"));
            }
        }
        // Told only that a signal has come, it goes on as if nothing had been.
        What::Error("EINTR") if ["ppoll", "write"].contains(&call.as_str()) => {
            if as_before(&seen) != as_before(base) || lines != base.stderr.lines().count() {
                return wrong("it does not go on");
            }
        }
        What::Error(_) | What::Short(0) => {
            let succeeded = as_before(&seen) == as_before(base) && lines == base.stderr.lines().count();
            // Behind what was done well stands one line: who, on what, why.
            let linked = seen.stderr.lines().filter(|line| line.contains(" -> ")).count();
            // What `[` could not look at is told, and then it goes on as after any `no`.
            let asked = seen.stderr.lines().rev().skip(1).filter(|line| line.starts_with("[: ")).count();
            let line = seen.stderr.lines().last().unwrap_or_default();
            let said = lines == linked + asked + 1 && seen.stderr.ends_with('\n') && line.split(": ").count() == 3;
            // Scripts that look for something say themselves what they have not found.
            let nok = seen.stdout.lines().last().is_some_and(|line| line.starts_with("NOK")) && lines <= 1;
            let failed = matches!(seen.end, End::Code(1..)) && (said || nok);
            // The loop's `mkdir` may find what the test did not see.
            let looped = scenario.script.contains("until") && seen.tree == base.tree && seen.end == End::Code(0);
            // Told that it is no directory, `ls` takes it for a file: prints its path.
            let file = fault.what == What::Error("ENOTDIR") && scenario.name == "ls" && seen.stdout.starts_with("d\n");
            if !succeeded && !failed && !looped && !file {
                return wrong("neither success nor one line and a code");
            }
        }
        What::Short(bytes) => {
            // The tracer says that they were written; the rest must follow.
            let whole = &base.stdout;
            let rest = (0..whole.len()).any(|at| {
                let behind = whole.get(at + bytes..).unwrap_or_default();
                seen.stdout == whole[..at].to_string() + behind
            });
            if seen.end != base.end || !rest {
                return wrong("the rest of a short write is lost");
            }
        }
    }

    // The next start finds all well; nobody knows the name that a killed one has left.
    if scenario.script.contains("ln ") && seen.tree != base.tree {
        let again = place.trace(scenario.without_wait(), &["-e".into(), "trace=none".into()]);
        let settled = |seen: &Seen| -> BTreeMap<PathBuf, String> {
            seen.tree.clone().into_iter().filter(|(path, _)| !is_temporary(path)).collect()
        };
        if again.end != base.end || settled(&again) != settled(base) {
            return wrong(&format!("the next start: {again:?}"));
        }
    }
    Ok(seen)
}

/// All faults of all scenarios that `choose` takes.
fn faults(choose: impl Fn(&str) -> Vec<What>) -> (Vec<Seen>, Vec<Fault>) {
    let (mut seen, mut faults) = (Vec::new(), Vec::new());
    for (scenario, item) in SCENARIOS.iter().enumerate() {
        let (base, calls) = baseline(item);
        for (call, count) in calls {
            for when in 1..=count {
                for what in choose(&call) {
                    faults.push(Fault { scenario, call: call.clone(), when, what });
                }
            }
        }
        seen.push(base);
    }
    (seen, faults)
}

fn errors(call: &str) -> Vec<What> {
    let (_, errors) =
        ERRORS.iter().find(|(name, _)| *name == call).unwrap_or_else(|| panic!("{call}: no errors known"));
    errors.split_whitespace().map(What::Error).collect()
}

#[test]
fn each_scenario_ends_as_it_should_without_a_fault() {
    for scenario in SCENARIOS {
        let (seen, _) = baseline(scenario);
        let fails = ["a file in the way", "init without models", "unknown", "refused"];
        let code = match scenario.name {
            "unknown" => 127,
            "refused" => 2,
            name if fails.contains(&name) => 1,
            _ => 0,
        };
        assert_eq!(
            (seen.end, seen.waited),
            (End::Code(code), scenario.waits() && code == 0),
            "{}: {seen:?}",
            scenario.name
        );
        let new = |path: &&PathBuf| is_temporary(path) && !path.ends_with(".modelcar-1");
        assert!(seen.tree.keys().find(new).is_none(), "{seen:?}");
    }
}

#[test]
fn each_error_of_each_call_is_success_or_one_line() {
    let (base, faults) = faults(errors);
    println!("{} errors", faults.len());
    assert!(faults.len() > 1000);
    in_parallel(&faults, |fault| check(fault, &base[fault.scenario]).map(drop));
}

#[test]
fn each_short_write_is_followed_by_the_rest() {
    let (base, faults) =
        faults(|call| if call == "write" { vec![What::Short(0), What::Short(1), What::Short(2)] } else { vec![] });
    assert!(!faults.is_empty());
    in_parallel(&faults, |fault| check(fault, &base[fault.scenario]).map(drop));
}

/// A kernel that takes nothing, and says nothing of an error, is not asked for ever.
#[test]
fn a_write_that_takes_nothing_is_one_line() {
    let seen = Place::new(&SCENARIOS[0]).trace("echo one two", &["--inject=write:retval=0".into()]);
    assert_eq!((seen.end, seen.stderr.as_str()), (End::Code(1), "echo: stdout: Input/output error\n"), "{seen:?}");
}

#[test]
fn each_signal_at_each_call_leaves_the_old_link_or_the_new() {
    let (base, faults) = faults(|call| {
        let all = ["SIGTERM", "SIGINT", "SIGKILL", "SIGSTOP"].map(What::Signal);
        // The last call: there is nothing to stop any more.
        if call == "exit_group" { all[2..3].to_vec() } else { all.to_vec() }
    });
    println!("{} signals", faults.len());
    assert!(faults.len() > 500);
    let left = AtomicUsize::new(0);
    in_parallel(&faults, |fault| {
        let seen = check(fault, &base[fault.scenario])?;
        let temporary = |path: &PathBuf| is_temporary(path) && !base[fault.scenario].tree.contains_key(path);
        left.fetch_add(usize::from(seen.tree.keys().any(temporary)), Ordering::Relaxed);
        Ok(())
    });
    assert!(left.into_inner() > 0, "none came between the two steps of a replacement: nothing was shown of that");
}

/// The rename fails, and what was made for it cannot be removed: the old link stays, and the next start replaces it.
#[test]
fn a_second_fault_leaves_at_most_the_new_name() {
    let scenario = &SCENARIOS[1];
    let place = Place::new(scenario);
    let options = ["--inject=renameat2:error=EBUSY".into(), "--inject=unlinkat:error=EIO".into()];
    let seen = place.trace(scenario.script, &options);
    assert_eq!(seen.end, End::Code(1), "{seen:?}");
    assert_eq!(seen.stderr, "ln: models: Device or resource busy\n");
    assert_eq!(seen.tree[Path::new("models")], "old link");
    let again = place.trace(scenario.without_wait(), &[]);
    assert_eq!(again.end, End::Code(0), "{again:?}");
    assert_eq!(again.tree[Path::new("models")], "new link");
}

// Faults that are real.

fn sandbox(arch: Arch) -> Sandbox {
    Sandbox::with(Program::Shipped(arch), &Setup { volume: Some("/mnt".into()), ..Setup::default() })
}

const KSERVE: [&str; 4] =
    ["/bin/link-model-and-wait", "sh", "-c", "ln -sf /proc/$$/root/models /mnt/models && sleep infinity"];

/// KServe's command ends with 1 and this line, and changes nothing.
fn fails(sandbox: &Sandbox, uid: u32, line: &str) {
    let before = sandbox.tree();
    let (process, end) = sandbox.command(&KSERVE).user(uid, uid).run();
    assert_eq!((end, process.stdout().as_str(), process.stderr().as_str()), (End::Code(1), "", line));
    assert_eq!(sandbox.tree(), before);
}

fn old_link(sandbox: &Sandbox) {
    symlink(OLD, sandbox.path("/mnt/models")).expect("an old link");
}

on_every_architecture!(a_volume_without_room_keeps_the_old_link, |arch| {
    let mut sandbox = Sandbox::new(Program::Shipped(arch));
    sandbox.tmpfs("/mnt", "nr_inodes=2,mode=777");
    old_link(&sandbox);
    fails(&sandbox, 1010, "ln: /mnt/models: No space left on device\n");
    // And with room again it is replaced.
    fs::remove_file(sandbox.path("/mnt/models")).expect("the link");
    let (process, outcome) = sandbox.command(&KSERVE).settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
});

on_every_architecture!(a_read_only_volume_is_one_line, |arch| {
    let volume = tempfile::tempdir().expect("a volume");
    let mut sandbox = Sandbox::new(Program::Shipped(arch));
    sandbox.bind(volume.path(), "/mnt", true);
    fails(&sandbox, 0, "ln: /mnt/models: Read-only file system\n");
    symlink(OLD, volume.path().join("models")).expect("an old link");
    let before = fs::read_link(volume.path().join("models")).expect("the old link");
    let (process, end) = sandbox.command(&KSERVE).run();
    assert_eq!((end, process.stderr().lines().count()), (End::Code(1), 1), "{process:?}");
    assert!(process.stderr().ends_with(": Read-only file system\n"), "{process:?}");
    assert_eq!(fs::read_link(volume.path().join("models")).expect("the old link"), before);
});

on_every_architecture!(a_missing_parent_is_one_line, |arch| {
    fails(&Sandbox::new(Program::Shipped(arch)), 0, "ln: /mnt/models: No such file or directory\n");
});

on_every_architecture!(a_file_as_parent_is_one_line, |arch| {
    let sandbox = Sandbox::new(Program::Shipped(arch));
    fs::write(sandbox.path("/mnt"), "").expect("a file");
    fails(&sandbox, 0, "ln: /mnt/models: Not a directory\n");
});

on_every_architecture!(no_right_to_write_is_one_line, |arch| {
    let sandbox = Sandbox::with(
        Program::Shipped(arch),
        &Setup { volume: Some("/mnt".into()), volume_mode: Some("0755".into()), ..Setup::default() },
    );
    fails(&sandbox, 1010, "ln: /mnt/models: Permission denied\n");
    old_link(&sandbox);
    fails(&sandbox, 1010, "ln: /mnt/models: Permission denied\n");
});

// In a directory with the sticky bit, as `/tmp` has it, the link of another user cannot be replaced.
on_every_architecture!(the_link_of_another_user_in_a_sticky_directory_stays, |arch| {
    let sandbox = Sandbox::with(
        Program::Shipped(arch),
        &Setup { volume: Some("/mnt".into()), volume_mode: Some("1777".into()), ..Setup::default() },
    );
    old_link(&sandbox);
    fails(&sandbox, 1010, "ln: /mnt/models: Operation not permitted\n");
});

on_every_architecture!(a_file_that_is_a_mount_point_stays, |arch| {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut sandbox = sandbox(arch);
    sandbox.bind(file.path(), "/mnt/models", false);
    fails(&sandbox, 0, "ln: /mnt/models: Device or resource busy\n");
});

on_every_architecture!(a_directory_that_is_a_mount_point_takes_the_link, |arch| {
    let mut sandbox = sandbox(arch);
    sandbox.volume("/mnt/models", 0o777);
    let (process, outcome) = sandbox.command(&KSERVE).user(1010, 1010).settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
    let target = format!("/proc/{}/root/models", process.pid);
    assert_eq!(process.stderr(), format!("link-model-and-wait: /mnt/models/models -> {target}\n"));
    assert_eq!(fs::read_link(sandbox.path("/mnt/models/models")).expect("the link").to_string_lossy(), target);
});

on_every_architecture!(an_output_that_takes_nothing_is_one_line, |arch| {
    let sandbox = sandbox(arch);
    for script in ["echo one two", "echo -n x", "ls /models", "exec echo x"] {
        let command = || sandbox.command(&["sh", "-c", script]);
        let name = if script.starts_with("ls") { "ls" } else { "echo" };
        for (sink, why) in [(Sink::Full, "No space left on device"), (Sink::Closed, "Bad file descriptor")] {
            if arch != Arch::native() && matches!(sink, Sink::Closed) {
                continue; // the emulator opens files of its own there
            }
            let (process, end) = command().stdout(sink).run();
            let line = format!("{name}: stdout: {why}\n");
            assert_eq!((end, process.stderr()), (End::Code(1), line), "{script}");
        }
        // The signal is blocked, so that the log's reader may go.
        let (process, end) = command().stdout(Sink::Broken).run();
        let line = format!("{name}: stdout: Broken pipe\n");
        assert_eq!((end, process.stderr()), (End::Code(1), line), "{script}");
    }
    // What does not print does not care.
    let (process, end) = sandbox.command(&["sh", "-c", "[ \"$(ls /models)\" ] && echo -n"]).stdout(Sink::Full).run();
    assert_eq!((end, process.stderr().as_str()), (End::Code(0), ""));
});

on_every_architecture!(without_standard_error_the_link_is_made, |arch| {
    for sink in [Sink::Closed, Sink::Full] {
        if arch != Arch::native() && matches!(sink, Sink::Closed) {
            continue; // the emulator opens files of its own there
        }
        let sandbox = sandbox(arch);
        old_link(&sandbox);
        let (process, outcome) = sandbox.command(&KSERVE).stderr(sink).stdout(sink).settle();
        assert_eq!(outcome, Outcome::Waits, "{process:?}");
        let target = format!("/proc/{}/root/models", process.pid);
        assert_eq!(fs::read_link(sandbox.path("/mnt/models")).expect("the link").to_string_lossy(), target);
        assert_eq!(process.stop(libc::SIGTERM).0, End::Code(0));
        // And codes are as ever.
        for (script, code) in [("ls /missing", 1), ("nosuch", 127), ("ls | ls", 2), ("exit 7", 7)] {
            let (_, end) = sandbox.command(&["sh", "-c", script]).stderr(sink).run();
            assert_eq!(end, End::Code(code), "{script}");
        }
    }
});

on_every_architecture!(whatever_signals_were_blocked_or_ignored_it_stops, |arch| {
    for block in [true, false] {
        for signal in [libc::SIGTERM, libc::SIGINT] {
            let sandbox = sandbox(arch);
            let mut command = sandbox.command(&KSERVE);
            for other in (1..=64).filter(|other| ![libc::SIGKILL, libc::SIGSTOP, 32, 33].contains(other)) {
                command = if block { command.blocking(other) } else { command.ignoring(other) };
            }
            let (process, outcome) = command.settle();
            assert_eq!(outcome, Outcome::Waits, "{process:?}");
            assert_eq!(process.stop(signal).0, End::Code(0), "{block} {signal}");
        }
    }
});

on_every_architecture!(signals_that_stop_and_continue_do_not_end_a_wait, |arch| {
    let sandbox = sandbox(arch);
    let (process, outcome) = sandbox.command(&KSERVE).settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
    for signal in
        [libc::SIGSTOP, libc::SIGCONT, libc::SIGTSTP, libc::SIGCONT, libc::SIGWINCH, libc::SIGURG, libc::SIGCHLD]
    {
        process.signal(signal);
        assert_eq!(process.wait_for(Duration::from_millis(20)), None, "{signal}");
    }
    assert_eq!(process.settle(), Outcome::Waits);
    assert_eq!(process.stop(libc::SIGTERM).0, End::Code(0));
});

// Not emulated: the emulator takes its own arguments. Since Linux 5.18 the kernel gives it an empty name; the fuzzer starts
// it with none.
#[test]
fn without_any_argument_not_even_a_name_it_links_and_waits() {
    let sandbox = sandbox(Arch::native());
    let (process, outcome) = sandbox.command::<&str>(&[]).settle();
    assert_eq!(outcome, Outcome::Waits, "{process:?}");
    let target = format!("/proc/{}/root/models", process.pid);
    assert_eq!(fs::read_link(sandbox.path("/mnt/models")).expect("the link").to_string_lossy(), target);
}
