//! `cp`, `rm -r`, `chmod -R` and `tar`, when each of their system calls fails or is where they are killed: what was there
//! or what was asked for, whole, one line that says which, and the next run finds its way.

use conformance::compare::{self, Caller, Files};
use conformance::errors::ERRORS;
use conformance::{Arch, End, Program, Sandbox, Setup, this_test};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A command, and what it is about.
struct Job {
    name: &'static str,
    argv: &'static [&'static str],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It makes something new: that is there whole, or not at all.
    New,
    /// It replaces files in what is there, each by itself.
    Merge,
    /// It removes, or sets bits, file by file.
    Each,
    /// It writes an archive.
    Archive,
}

const JOBS: &[Job] = &[
    Job { name: "cp of a file", argv: &["cp", "m/f", "new"], kind: Kind::New },
    Job { name: "cp -a of a file onto another", argv: &["cp", "-a", "m/f", "old/f"], kind: Kind::Merge },
    Job { name: "cp -r of a tree", argv: &["cp", "-r", "m", "new"], kind: Kind::New },
    Job { name: "cp -a of a tree", argv: &["cp", "-a", "m/.", "new"], kind: Kind::New },
    Job { name: "cp -r into what is there", argv: &["cp", "-r", "m/.", "old"], kind: Kind::Merge },
    Job { name: "rm -r", argv: &["rm", "-r", "m", "old/f"], kind: Kind::Each },
    Job { name: "chmod -R", argv: &["chmod", "-R", "u=rwX,go=", "m"], kind: Kind::Each },
    Job { name: "tar", argv: &["tar", "cf", "-", "m"], kind: Kind::Archive },
];

fn files(files: &Files) {
    files.directory("m", 0o755).directory("m/d", 0o755).directory("m/d/e", 0o700).file("m/f", 0o640, "new");
    files.file("m/d/large", 0o644, vec![b'x'; 100_000]).link("m/l", "f").link("m/d/e/up", "..");
    files
        .directory("old", 0o755)
        .file("old/f", 0o600, "old")
        .directory("old/d", 0o711)
        .file("old/d/kept", 0o644, "kept")
        .old();
}

type Tree = BTreeMap<OsString, String>;

/// What came of a run.
#[derive(Debug)]
struct Seen {
    end: End,
    stdout: Vec<u8>,
    stderr: String,
    log: String,
    tree: Tree,
}

struct Place(Sandbox);

impl Place {
    fn new() -> Place {
        let mut sandbox = Sandbox::with(Program::Shipped(Arch::native()), &Setup::default());
        sandbox.tmpfs("/mnt", "size=8m,mode=777");
        Place(sandbox)
    }

    fn run(&self, job: &Job, options: &[&str], fresh: bool) -> Seen {
        if fresh {
            Files::at(&self.0.path("/mnt"), files);
        }
        let mut process = self.0.command(job.argv).cwd("/mnt").strace(options).spawn();
        let end = process.wait();
        let log = process.strace_log();
        Seen {
            end,
            stdout: process.stdout_bytes(),
            stderr: process.stderr(),
            log,
            tree: compare::tree(&self.0.path("/mnt")),
        }
    }
}

/// How often each call is made, but for those by which every start begins: the tests of faults have them.
fn calls(seen: &Seen) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    let started = seen.log.lines().skip_while(|line| !line.starts_with("execve")).skip(1);
    for name in started.filter_map(|line| line.split_once('(')).map(|(name, _)| name) {
        let known = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if known && !["rt_sigaction", "rt_sigprocmask", "prctl"].contains(&name) {
            *calls.entry(name.to_string()).or_default() += 1;
        }
    }
    calls
}

/// One fault: of a job, at the so-manieth call of a name, strace's words for it.
struct Fault {
    job: usize,
    call: String,
    when: usize,
    what: String,
}

fn in_parallel(faults: &[Fault], check: impl Fn(&Place, &Fault) -> Result<(), String> + Sync) {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, |number| number.get());
    let work = || {
        let place = Place::new();
        while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(failure) = check(&place, fault) {
                failures.lock().expect("no thread has panicked").push(failure);
            }
        }
    };
    let what = || format!("{threads} threads that run {} cases", faults.len());
    this_test().waiting(what, || std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work)))));
    let failures = failures.into_inner().expect("no thread has panicked");
    let shown = failures.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failures.is_empty(), "{} of {} failures:\n\n{shown}", failures.len(), faults.len());
}

/// All faults of all jobs, and what comes of those without one.
fn faults(choose: impl Fn(&str, usize) -> Vec<String>) -> (Vec<Fault>, Vec<(Tree, Seen)>) {
    let place = Place::new();
    let (mut faults, mut bases) = (Vec::new(), Vec::new());
    for (job, item) in JOBS.iter().enumerate() {
        Files::at(&place.0.path("/mnt"), files);
        let before = compare::tree(&place.0.path("/mnt"));
        let base = place.run(item, &["-e", "trace=all"], true);
        assert_eq!((base.end, base.stderr.as_str()), (End::Code(0), ""), "{}", item.name);
        for (call, count) in calls(&base) {
            for when in 1..=count {
                faults.extend(choose(&call, when).into_iter().map(|what| Fault {
                    job,
                    call: call.clone(),
                    when,
                    what,
                }));
            }
        }
        bases.push((before, base));
    }
    (faults, bases)
}

fn inject(place: &Place, fault: &Fault) -> Seen {
    let inject = format!("--inject={}:{}:when={}", fault.call, fault.what, fault.when);
    place.run(&JOBS[fault.job], &["-e", &format!("trace=execve,{}", fault.call), &inject], true)
}

/// Without what no call that is tolerated decides: owners and times, and what the time of a directory is.
fn plain(tree: &Tree) -> Tree {
    let what = |what: &String| what.split(" of ").next().unwrap_or_default().to_string();
    tree.iter().map(|(path, is)| (path.clone(), what(is))).collect()
}

/// Each file is what it was or what it is to be.
fn old_or_new(seen: &Tree, before: &Tree, base: &Tree, kind: Kind) -> Result<(), String> {
    let (seen, before, base) = (plain(seen), plain(before), plain(base));
    if kind == Kind::New {
        let same = seen == before || seen == base;
        return if same { Ok(()) } else { Err("neither what was nor what is to be".into()) };
    }
    let mut paths: Vec<&OsString> = seen.keys().chain(before.keys()).chain(base.keys()).collect();
    paths.dedup();
    for path in paths {
        let is = seen.get(path);
        // A directory that was made on the way, or is writable for that.
        let made = is.is_some_and(|is| is.starts_with("directory")) && base.contains_key(path);
        if is != before.get(path) && is != base.get(path) && !made {
            return Err(format!("{path:?} is {is:?}"));
        }
    }
    Ok(())
}

fn without_temporary(tree: &Tree) -> Tree {
    let kept = |(path, _): &(&OsString, &String)| !path.to_string_lossy().contains(".modelcar-");
    tree.iter().filter(kept).map(|(path, what)| (path.clone(), what.clone())).collect()
}

/// The same command again, without a fault, makes all well, and leaves nothing of the one before.
fn again(place: &Place, fault: &Fault, base: &Seen) -> Result<(), String> {
    let job = &JOBS[fault.job];
    let mut argv: Vec<&str> = job.argv.to_vec();
    match job.kind {
        Kind::Each if argv[0] == "rm" => argv.insert(1, "-f"),
        // What it made last time is a directory that is there now.
        Kind::New if argv[1].starts_with('-') => argv.insert(1, "-T"),
        _ => {}
    }
    let (end, _, stderr) = place_output(place, &argv);
    let tree = compare::tree(&place.0.path("/mnt"));
    if end != End::Code(0) || !stderr.is_empty() || plain(&tree) != plain(&base.tree) {
        return Err(format!("the next run: {end:?} {stderr:?} {tree:?}"));
    }
    Ok(())
}

fn place_output(place: &Place, argv: &[&str]) -> (End, Vec<u8>, String) {
    let (process, end) = place.0.command(argv).cwd("/mnt").umask(Caller::default().umask).run();
    (end, process.stdout_bytes(), process.stderr())
}

/// Whether it is an archive to its end: blocks of zeros there.
fn is_whole(archive: &[u8]) -> bool {
    archive.len() >= 1024
        && archive.len().is_multiple_of(512)
        && archive[archive.len() - 1024..].iter().all(|byte| *byte == 0)
}

#[test]
fn each_error_of_each_call_is_success_or_one_line() {
    let (faults, bases) = faults(|call, when| {
        let row = ERRORS.iter().find(|(name, _)| *name == call).unwrap_or_else(|| panic!("{call}: no errors known"));
        // Each where it comes first, and later those that are the most different.
        let errors = row.1.split_whitespace().filter(|error| when == 1 || ["EIO", "ENOENT", "ENOMEM"].contains(error));
        errors.map(|error| format!("error={error}")).collect()
    });
    println!("{} errors", faults.len());
    assert!(faults.len() > 1000);
    in_parallel(&faults, |place, fault| {
        let (job, (before, base)) = (&JOBS[fault.job], &bases[fault.job]);
        let seen = inject(place, fault);
        let wrong = |why: &str| {
            Err(format!("{}: {why}\n  {} {} at {}\n  {seen:?}", job.name, fault.call, fault.what, fault.when))
        };
        if !seen.log.contains("(INJECTED)") {
            return wrong("the fault has not come");
        }
        // A removal that fails may leave the name for the time being, which the next run removes; and where another
        // process has locked it, that does.
        let tree = if ["unlinkat", "flock"].contains(&&*fault.call) {
            without_temporary(&seen.tree)
        } else {
            seen.tree.clone()
        };
        let kept = fault.call == "statx" && fault.what == "error=ENOENT" && job.kind == Kind::Merge;
        if let (Err(why), false) = (old_or_new(&tree, before, &base.tree, job.kind), kept) {
            return wrong(&why);
        }
        let lines = seen.stderr.lines().count();
        match seen.end {
            End::Code(0) => {
                // Told that it is not there, it believes it.
                let told = fault.what == "error=ENOENT" && (job.argv[0] == "rm" || fault.call == "statx");
                let same = plain(&tree) == plain(&base.tree) && seen.stdout == base.stdout;
                if lines > 0 || !same && !told {
                    return wrong("not what it says it is");
                }
            }
            End::Code(1) => {
                let command = format!("{}: ", job.argv[0]);
                let one = seen.stderr.lines().all(|line| line.starts_with(&command) || line.starts_with("memory: "));
                let few = if job.kind == Kind::Each { 1..=4 } else { 1..=2 };
                if (!few.contains(&lines) || !one) && fault.call != "write" && fault.call != "writev" {
                    return wrong("not a line for what failed");
                }
                let numbers = seen
                    .stderr
                    .lines()
                    .any(|line| line.rsplit(": ").next().is_some_and(|reason| reason.parse::<u32>().is_ok()));
                if numbers {
                    return wrong("a number and no reason");
                }
            }
            _ => return wrong("another end"),
        }
        if kept {
            return Ok(()); // the bits of the file that it was not to see are lost
        }
        again(place, fault, base).or_else(|why| wrong(&why))
    });
}

#[test]
fn each_kill_leaves_what_was_or_what_is_to_be() {
    let (faults, bases) = faults(|_, _| vec!["signal=SIGKILL".into()]);
    println!("{} kills", faults.len());
    assert!(faults.len() > 200);
    let left = AtomicUsize::new(0);
    in_parallel(&faults, |place, fault| {
        let (job, (before, base)) = (&JOBS[fault.job], &bases[fault.job]);
        let seen = inject(place, fault);
        let wrong = |why: &str| Err(format!("{}: {why}\n  {} at {}\n  {seen:?}", job.name, fault.call, fault.when));
        if seen.end != End::Signal(libc::SIGKILL) {
            return wrong("not killed");
        }
        let tree = without_temporary(&seen.tree);
        left.fetch_add(usize::from(tree != seen.tree), Ordering::Relaxed);
        old_or_new(&tree, before, &base.tree, job.kind).or_else(|why| wrong(&why))?;
        again(place, fault, base).or_else(|why| wrong(&why))
    });
    assert!(left.into_inner() > 50, "few were killed while something was written");
}

/// SIGTERM ends it, with 143 or well, and a stop changes nothing.
#[test]
fn each_stop_and_each_end_leaves_what_was_or_what_is_to_be() {
    let (faults, bases) = faults(|call, _| if call == "exit_group" { vec![] } else { vec!["signal=SIGTERM".into()] });
    in_parallel(&faults, |place, fault| {
        let (job, (before, base)) = (&JOBS[fault.job], &bases[fault.job]);
        let seen = inject(place, fault);
        let wrong = |why: &str| Err(format!("{}: {why}\n  {} at {}\n  {seen:?}", job.name, fault.call, fault.when));
        // Before it has begun there is nothing to be told of.
        let begun = seen.end == End::Code(143) || seen.end == End::Code(0) && seen.tree == *before;
        if !begun || !seen.stderr.is_empty() {
            return wrong("not ended");
        }
        old_or_new(&without_temporary(&seen.tree), before, &base.tree, job.kind).or_else(|why| wrong(&why))?;
        again(place, fault, base).or_else(|why| wrong(&why))
    });
}

/// Two copies to one place: while the one dawdles at any of its calls, the other runs, and is killed at any of its own or
/// not. None ever publishes a part of the other's, nor takes it away.
#[test]
fn two_copies_at_once_are_both_whole() {
    let (mut faults, bases) = faults(|_, _| vec!["delay_enter=60ms".into()]);
    faults.retain(|fault| JOBS[fault.job].argv[0] == "cp");
    assert!(faults.len() > 100);
    let met = AtomicUsize::new(0);
    in_parallel(&faults, |place, fault| {
        let job = &JOBS[fault.job];
        let mut argv = job.argv.to_vec();
        // What is there by then is the place itself, and no directory to copy into.
        argv.insert(1, "-T");
        let base = without_temporary(&bases[fault.job].1.tree);
        for kill in [None, Some("flock"), Some("copy_file_range"), Some("renameat2")] {
            Files::at(&place.0.path("/mnt"), files);
            let inject = format!("--inject={}:{}:when={}", fault.call, fault.what, fault.when);
            let trace = format!("trace={}", fault.call);
            let first = place.0.command(&argv).cwd("/mnt").strace(&["-e", &trace, &inject]).spawn();
            std::thread::sleep(std::time::Duration::from_millis(40));
            let mut options = vec!["-e".to_string(), "trace=flock,renameat2".to_string()];
            options.extend(kill.map(|call| format!("--inject={call}:signal=SIGKILL:when=1")));
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let mut second = place.0.command(&argv).cwd("/mnt").strace(&options).spawn();
            let ends = [second.wait(), first.wait()];
            met.fetch_add(usize::from(second.strace_log().contains("EAGAIN")), Ordering::Relaxed);
            let tree = compare::tree(&place.0.path("/mnt"));
            let wrong = |why: &str| {
                Err(format!(
                    "{}: {why}\n  {} at {}, {kill:?}: {first:?} {second:?} {tree:?}",
                    job.name, fault.call, fault.when
                ))
            };
            let killed = kill.is_some() && ends[0] == End::Signal(libc::SIGKILL);
            if ends[1] != End::Code(0) || !killed && ends[0] != End::Code(0) {
                return wrong("one has failed");
            }
            if !first.stderr().is_empty() || !second.stderr().is_empty() {
                return wrong("says something");
            }
            if plain(&without_temporary(&tree)) != plain(&base) {
                return wrong("not whole");
            }
            if !killed && tree.len() != base.len() {
                return wrong("something is left");
            }
        }
        Ok(())
    });
    assert!(met.into_inner() > 50, "the two have hardly ever met");
}

/// What cannot be copied within the kernel is read and written; where a call takes less, the rest follows.
#[test]
fn a_copy_finds_another_way() {
    let place = Place::new();
    let base = place.run(&JOBS[2], &["-e", "trace=none"], true);
    for options in [
        ["-e", "trace=copy_file_range", "--inject=copy_file_range:error=EXDEV"].as_slice(),
        &[
            "-e",
            "trace=copy_file_range,sendfile",
            "--inject=copy_file_range:error=ENOSYS",
            "--inject=sendfile:error=EINVAL",
        ],
        &["-e", "trace=copy_file_range", "--inject=copy_file_range:retval=0"],
        &["-e", "trace=copy_file_range,sendfile", "--inject=copy_file_range:error=EPERM", "--inject=sendfile:retval=0"],
    ] {
        let seen = place.run(&JOBS[2], options, true);
        assert!(seen.log.contains("(INJECTED)"), "{options:?}: {}", seen.log);
        assert_eq!(
            (seen.end, seen.stderr.as_str(), plain(&seen.tree)),
            (End::Code(0), "", plain(&base.tree)),
            "{options:?}"
        );
    }
    let archive = place.run(&JOBS[7], &["-e", "trace=none"], true);
    assert!(is_whole(&archive.stdout));
    let options = ["-e", "trace=sendfile", "--inject=sendfile:error=EINVAL"];
    assert_eq!(place.run(&JOBS[7], &options, true).stdout, archive.stdout);
}
