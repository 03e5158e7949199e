//! Tests that take minutes: many starts and stops, natively and emulated; kills at random moments; many at once; many
//! files.
//!
//! `long [STARTS [SIDECARS]]`. One line for each test; `INFO` lines and a table say what was measured.

mod many;
mod memory;

use conformance::{Arch, End, Outcome, Pod, Process, Program, Sandbox, Setup};
use std::any::Any;
use std::fs;
use std::hint::spin_loop;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// KServe's sidecar, after the kubelet has expanded it.
const ARGV: [&str; 4] =
    ["/bin/link-model-and-wait", "sh", "-c", "ln -sf /proc/$$/root/models /mnt/models && sleep infinity"];
/// So many files are in a directory that all commands walk.
const FILES: usize = 1_000_000;
/// The user and group that KServe's pods run it by.
const USER: (u32, u32) = (1010, 0);
/// How a name begins that a kill between the two steps of a replacement leaves; a number that nobody can foresee follows.
const TEMPORARY: &str = ".modelcar-";

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|word| word.parse().expect("a number")).collect();
    let starts = numbers.first().copied().unwrap_or(1000);
    let sidecars = numbers.get(1).copied().unwrap_or(500);
    raise_limit();
    let before = own_files();

    let report = Report::default();
    let native = Arch::native();
    report.run(&format!("{starts} starts and stops, {}", native.name()), || cycles(native, starts));
    report.run(&format!("{starts} kills at random moments, {}", native.name()), || kills(native, starts));
    thread::scope(|scope| {
        for arch in Arch::ALL.into_iter().filter(|&arch| arch != native) {
            let (report, starts) = (&report, starts.div_ceil(3));
            let name = format!("{starts} starts and stops, {} emulated", arch.name());
            scope.spawn(move || report.run(&name, || cycles(arch, starts)));
        }
    });
    report.run(&format!("{sidecars} sidecars at once, {}", native.name()), || together(native, sidecars));
    report.run(&format!("{FILES} files in one directory, {}", native.name()), || many::walks(FILES));
    report.run("nothing of it is left", || {
        assert_eq!(own_files(), before, "open files of the test program");
        assert_eq!(children(), "", "children of the test program");
    });
    std::process::exit(report.close());
}

/// Counts what passed and what failed.
#[derive(Default)]
struct Report(Mutex<(u32, u32)>);

impl Report {
    /// Runs a test and says what came of it.
    fn run(&self, name: &str, test: impl FnOnce()) {
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(test));
        let mut counts = self.0.lock().expect("no test runs while it is held");
        match result {
            Ok(()) => {
                counts.0 += 1;
                println!("PASS {name} ({:.1} s)", begun.elapsed().as_secs_f64());
            }
            Err(panic) => {
                counts.1 += 1;
                println!("FAIL {name}: {}", message(&*panic));
            }
        }
    }

    fn close(self) -> i32 {
        let (passed, failed) = self.0.into_inner().expect("no test runs any more");
        println!("{passed} passed, {failed} failed");
        i32::from(failed > 0 || passed == 0)
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

/// The container is started again and again in one pod: on a fresh volume, and on one where its predecessor's link is.
fn cycles(arch: Arch, starts: usize) {
    let sandbox = sandbox(arch);
    let pod = Pod::new();
    let link = sandbox.path("/mnt/models");
    let (mut linked, mut stopped) = (Vec::new(), Vec::new());
    for start in 0..starts {
        if start % 2 == 0 && start > 0 {
            fs::remove_file(&link).expect("the link of the start before");
        }
        let begun = Instant::now();
        let process = sandbox.command(&ARGV).in_pod(&pod).spawn();
        let target = wait_for_link(&process, &link);
        linked.push(begun.elapsed());
        assert_eq!(process.settle(), Outcome::Waits, "start {start}: {process:?}");
        assert_eq!(process.stderr(), format!("link-model-and-wait: /mnt/models -> {}\n", target.display()));
        assert_eq!(names(&link), ["models"], "start {start}");
        if arch == Arch::native() {
            assert_eq!(names(format!("/proc/{}/fd/0", process.outer_pid()).as_ref()), ["0", "1", "2"], "open files");
        }
        let (end, time) = process.stop(libc::SIGTERM);
        assert_eq!(end, End::Code(0), "start {start}: {process:?}");
        stopped.push(time);
    }
    assert_eq!(pod.pids(), [1], "processes are left in the pod");
    println!("INFO {}: start to link {}; SIGTERM to end {}", arch.name(), spread(linked), spread(stopped));
}

/// A kill at any moment leaves the old link or the new one, whole, and at most one other name, with a whole link, which is
/// in no later start's way.
fn kills(arch: Arch, starts: usize) {
    let sandbox = sandbox(arch);
    let pod = Pod::new();
    let link = sandbox.path("/mnt/models");
    let mut target = {
        let process = sandbox.command(&ARGV).in_pod(&pod).spawn();
        wait_for_link(&process, &link)
    };
    let (mut seed, mut old, mut between) = (1_u64, 0, 0);
    let mut known = vec!["models".to_string()];
    // Follows the link: later after a kill that came before it, earlier after one that came behind.
    let mut aim = 100_000.0; // ns
    let mut killed = 0;
    // More of them where the moment between the two steps is short, or the machine has other things to do.
    while killed < starts || between == 0 && killed < 10 * starts.max(1000) {
        killed += 1;
        let process = sandbox.command(&ARGV).in_pod(&pod).spawn();
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); // Knuth's MMIX
        let random = (seed >> 33) as f64 / (1_u64 << 31) as f64; // 0 to 1
        let moment = Instant::now() + Duration::from_nanos((aim * (0.7 + 0.6 * random)) as u64);
        while Instant::now() < moment {
            spin_loop();
        }
        process.signal(libc::SIGKILL);
        assert_eq!(process.wait(), End::Signal(libc::SIGKILL));
        let now = fs::read_link(&link).unwrap_or_else(|error| panic!("kill {killed}: the link is gone: {error}"));
        if now == target {
            old += 1;
            aim *= 1.05;
        } else {
            assert_eq!(now, expected(&process), "kill {killed}");
            target = now;
            aim /= 1.05;
        }
        let new: Vec<String> = names(&link).into_iter().filter(|name| !known.contains(name)).collect();
        if let [other] = new.as_slice() {
            assert!(other.starts_with(TEMPORARY), "kill {killed}: in the volume is {other}");
            let left = fs::read_link(link.with_file_name(other));
            assert_eq!(left.ok(), Some(expected(&process)), "kill {killed}: {other}");
            between += 1;
        }
        assert!(new.len() < 2, "kill {killed}: in the volume are {new:?}");
        known.extend(new);
    }
    let process = sandbox.command(&ARGV).in_pod(&pod).spawn();
    wait_for_link(&process, &link);
    known.sort();
    assert_eq!(names(&link), known, "after the start that followed the kills");
    drop(process);
    assert_eq!(pod.pids(), [1], "processes are left in the pod");
    assert!(between > 0, "no kill fell between the two steps: nothing was shown");
    let new = killed - old;
    println!(
        "INFO {}: {old} killed before the link, {between} of them between its two steps, {new} after it",
        arch.name()
    );
}

/// Many in one pod, each with a root, a volume and a model of its own, and one file for all of them, as layers are.
fn together(arch: Arch, sidecars: usize) {
    let group = memory::Group::enter();
    if group.is_none() {
        println!("INFO no memory control group can be made here: that line of the table is left out");
    }
    let file = sandbox(arch);
    let sandboxes: Vec<Sandbox> = (0..sidecars)
        .map(|number| {
            let mut sandbox = sandbox(arch);
            sandbox.bind(&file.path("/bin/link-model-and-wait"), "/bin/link-model-and-wait", true);
            fs::write(sandbox.path("/models/model.bin"), format!("model {number}")).expect("a model");
            sandbox
        })
        .collect();
    let pod = Pod::new();
    let before = memory::Usage::now(group.as_ref());
    let begun = Instant::now();
    let processes: Vec<Process> = sandboxes.iter().map(|sandbox| sandbox.command(&ARGV).in_pod(&pod).spawn()).collect();
    for (process, sandbox) in processes.iter().zip(&sandboxes) {
        wait_for_link(process, &sandbox.path("/mnt/models"));
    }
    let linked = begun.elapsed();
    for process in &processes {
        assert_eq!(process.settle(), Outcome::Waits, "{process:?}");
    }
    let grown = memory::Usage::now(group.as_ref()).since(&before);

    let mut pids: Vec<i32> = processes.iter().map(|process| process.pid).collect();
    pids.sort();
    pids.dedup();
    assert_eq!(pids.len(), sidecars, "each has a PID of its own");
    for (number, sandbox) in sandboxes.iter().enumerate() {
        let server = sandbox.reader("/mnt/models/model.bin").in_pod(&pod).without_capabilities();
        let (server, end) = server.run();
        assert_eq!((end, server.stdout()), (End::Code(0), format!("model {number}")), "what a server reads");
    }
    memory::print(&processes, &grown);

    let begun = Instant::now();
    for process in &processes {
        process.signal(libc::SIGTERM);
    }
    for (process, sandbox) in processes.iter().zip(&sandboxes) {
        assert_eq!(process.wait(), End::Code(0), "{process:?}");
        assert_eq!(names(&sandbox.path("/mnt/models")), ["models"]);
    }
    let (linked, stopped) = (linked.as_secs_f64(), begun.elapsed().as_secs_f64());
    assert_eq!(pod.pids(), [1], "processes are left in the pod");
    println!("INFO all {sidecars} were linked after {linked:.2} s, and stopped {stopped:.2} s after they were told to");
}

fn sandbox(arch: Arch) -> Sandbox {
    let setup = Setup { volume: Some("/mnt".into()), uid: USER.0, gid: USER.1, ..Setup::default() };
    Sandbox::with(Program::Shipped(arch), &setup)
}

/// Waits, without sleeping, until the link leads to the process; returns where it leads.
fn wait_for_link(process: &Process, link: &Path) -> PathBuf {
    let target = expected(process);
    let deadline = Instant::now() + Process::PATIENCE;
    while fs::read_link(link).ok().as_deref() != Some(&target) {
        assert_eq!(process.ended(), None, "no link: {process:?}");
        assert!(Instant::now() < deadline, "no link to {}: {process:?}", target.display());
        thread::yield_now();
    }
    target
}

fn expected(process: &Process) -> PathBuf {
    format!("/proc/{}/root/models", process.pid).into()
}

/// The names beside a path and its own, sorted.
fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path.parent().expect("a path below a directory")).expect("a directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// `median .., 99 of 100 within .., longest ..`
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |hundredth: usize| times[(times.len() - 1) * hundredth / 100].as_secs_f64() * 1000.0;
    format!("median {:.2} ms, 99 of 100 within {:.2} ms, longest {:.2} ms", at(50), at(99), at(100))
}

fn own_files() -> usize {
    names(Path::new("/proc/self/fd/0")).len()
}

fn children() -> String {
    let tasks = fs::read_dir("/proc/self/task").expect("/proc").flatten();
    tasks.map(|task| fs::read_to_string(task.path().join("children")).expect("its children")).collect()
}

/// As many open files as are allowed: each sidecar takes the test three.
fn raise_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid resource and a struct that outlives the calls.
    let result = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
    };
    assert_eq!(result, 0, "setrlimit: {}", io::Error::last_os_error());
}
