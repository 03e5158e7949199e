//! A process that was started, and what can be seen of it.

use crate::arch::find_program;
use crate::limit::{Test, this_test};
use crate::sandbox::Sandbox;
use crate::spawn::Pod;
use libc::{c_int, c_long};
use std::cell::Cell;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{mem, thread};
use tempfile::NamedTempFile;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What came of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits: for a signal, or for time to pass.
    Waits,
    /// It has ended.
    Ended(End),
}

/// A child of this process; killed and reaped when dropped.
pub(crate) struct Child {
    /// As this process numbers it.
    pub pid: i32,
    pidfd: OwnedFd,
    end: Cell<Option<End>>,
    test: Arc<Test>,
}

impl Child {
    pub fn new(pid: i32, pidfd: OwnedFd) -> Child {
        let test = this_test();
        test.add(pidfd.as_raw_fd());
        Child { pid, pidfd, end: Cell::new(None), test }
    }

    /// Waits at most this long for its end.
    pub fn wait(&self, patience: Duration) -> Option<End> {
        if self.end.get().is_none() {
            let deadline = Instant::now() + patience;
            let mut poll = libc::pollfd { fd: self.pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            loop {
                let left = deadline.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000); // 0 would not wait
                // SAFETY: one valid pollfd.
                match unsafe { libc::poll(&mut poll, 1, left.min(1 << 30) as c_int) } {
                    0 if Instant::now() >= deadline => return None,
                    1 => break,
                    _ => {}
                }
            }
            // SAFETY: all zero is a value of siginfo_t; the descriptor is open; the fields are those of a child's end.
            unsafe {
                let mut info: libc::siginfo_t = mem::zeroed();
                let fd = self.pidfd.as_raw_fd() as libc::id_t;
                let result = libc::waitid(libc::P_PIDFD, fd, &mut info, libc::WEXITED | libc::__WALL);
                assert_eq!(result, 0, "waitid: {}", io::Error::last_os_error());
                let status = info.si_status();
                self.end.set(Some(if info.si_code == libc::CLD_EXITED {
                    End::Code(status)
                } else {
                    End::Signal(status)
                }));
            }
        }
        self.end.get()
    }

    /// Has `action` wait for `what` of it.
    pub fn waiting<T>(&self, what: impl FnOnce() -> String, action: impl FnOnce() -> T) -> T {
        self.test.waiting(what, action)
    }

    pub fn signal(&self, signal: c_int) {
        // SAFETY: an open pidfd, no siginfo.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.pidfd.as_raw_fd(), signal, 0, 0) };
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.end.get().is_none() {
            self.signal(libc::SIGKILL);
            self.wait(Process::PATIENCE);
        }
        self.test.take_back(self.pidfd.as_raw_fd());
    }
}

/// A process that was started by [`Command`](crate::Command). Killed when dropped.
pub struct Process {
    /// Its PID in its own PID namespace: what `$$` is to it.
    pub pid: i32,
    what: String,
    // In this order: the process ends before its tracer, and its pod after it.
    child: Child,
    pub(crate) tracer: Option<Tracer>,
    stdout: Option<File>,
    stderr: Option<File>,
    other: Option<Box<(Process, Sandbox)>>,
    _pod: Option<Pod>,
}

impl Process {
    /// How long the harness waits for what ought to come at once.
    pub const PATIENCE: Duration = Duration::from_secs(60);

    pub(crate) fn new(
        child: Child,
        what: String,
        stdout: Option<File>,
        stderr: Option<File>,
        pod: Option<Pod>,
        other: Option<Box<(Process, Sandbox)>>,
    ) -> Process {
        let pid = inner_pid(child.pid).expect("a process that is not reaped yet");
        Process { pid, what, child, tracer: None, stdout, stderr, other, _pod: pod }
    }

    pub(crate) fn waiting_for_start(&self, action: impl FnOnce()) {
        self.child.waiting(|| format!("the start of: {}", self.what), action);
    }

    /// The PID of the process that `live_other_link` is about.
    pub fn other_pid(&self) -> Option<i32> {
        self.other.as_ref().map(|other| other.0.pid)
    }

    /// Its PID as the test program numbers it.
    pub fn outer_pid(&self) -> i32 {
        self.child.pid
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<End> {
        self.child.wait(Duration::ZERO)
    }

    /// Waits for its end; panics if that does not come.
    pub fn wait(&self) -> End {
        self.wait_for(Process::PATIENCE).unwrap_or_else(|| panic!("still running: {self:?}"))
    }

    /// Waits at most this long for its end.
    pub fn wait_for(&self, patience: Duration) -> Option<End> {
        self.child.waiting(|| format!("the end of: {}", self.what), || self.child.wait(patience))
    }

    /// Waits until it ends or waits; panics if it does neither.
    pub fn settle(&self) -> Outcome {
        self.child.waiting(|| format!("the end, or a wait, of: {}", self.what), || self.settled())
    }

    fn settled(&self) -> Outcome {
        let deadline = Instant::now() + Process::PATIENCE;
        loop {
            if self.waits() {
                return Outcome::Waits;
            }
            if let Some(end) = self.child.wait(Duration::from_millis(1)) {
                return Outcome::Ended(end);
            }
            assert!(Instant::now() < deadline, "neither ends nor waits: {self:?}");
        }
    }

    /// Whether it, or a child of it, is in a call that waits for a signal or for time to pass.
    pub fn waits(&self) -> bool {
        waits(self.child.pid)
    }

    /// The system call that it is blocked in, and its arguments. None while it runs.
    pub fn blocked_in(&self) -> Option<(c_long, Vec<u64>)> {
        blocked_in(self.child.pid)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: c_int) {
        self.child.signal(signal);
    }

    /// Sends a signal and waits for the end; returns it with the time that it took.
    pub fn stop(&self, signal: c_int) -> (End, Duration) {
        let start = Instant::now();
        self.child.signal(signal);
        let end = self.wait();
        (end, start.elapsed())
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        content(self.stdout.as_ref())
    }

    /// The same, byte by byte.
    pub fn stdout_bytes(&self) -> Vec<u8> {
        bytes(self.stdout.as_ref())
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        content(self.stderr.as_ref())
    }

    /// A file of its directory in `/proc`.
    pub fn proc(&self, name: &str) -> String {
        let path = format!("/proc/{}/{name}", self.child.pid);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}: {self:?}"))
    }

    /// A field of its `/proc/PID/status`.
    pub fn status(&self, field: &str) -> String {
        status(self.child.pid, field).unwrap_or_else(|| panic!("no {field}: {self:?}"))
    }

    /// What strace(1) has written; complete once the process has ended.
    pub fn strace_log(&mut self) -> String {
        let ended = self.ended().is_some();
        let tracer = self.tracer.as_mut().expect("a traced process");
        self.child.waiting(|| "strace's log".into(), || tracer.log(ended))
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let (stdout, stderr) = (self.stdout(), self.stderr());
        let state = status(self.child.pid, "State");
        to.debug_struct("Process")
            .field("what", &self.what)
            .field("ended", &self.ended())
            .field("state", &state)
            .field("stdout", &stdout)
            .field("stderr", &stderr)
            .finish()
    }
}

/// strace(1), attached to one process.
pub(crate) struct Tracer {
    strace: std::process::Child,
    log: NamedTempFile,
}

impl Tracer {
    /// Attaches; returns once it traces.
    pub fn attach(process: &Process, options: &[String]) -> Tracer {
        let program = find_program("strace").expect("strace is missing: install strace");
        let deadline = Instant::now() + Process::PATIENCE;
        // What it calls until it waits for the start is not to be counted: in one run it would be, and in another not.
        let waits = format!("{} ", libc::SYS_read);
        while !fs::read_to_string(format!("/proc/{}/syscall", process.child.pid))
            .is_ok_and(|now| now.starts_with(&waits))
        {
            assert!(Instant::now() < deadline, "{process:?} does not wait for its start");
            thread::sleep(Duration::from_millis(1));
        }
        let log = NamedTempFile::new().expect("a temporary file");
        let mut strace = std::process::Command::new(program);
        strace.args(options).arg("-o").arg(log.path()).arg("-p").arg(process.child.pid.to_string());
        let strace = strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("strace");
        let mut tracer = Tracer { strace, log };
        while status(process.child.pid, "TracerPid").is_none_or(|pid| pid == "0") {
            let running = tracer.strace.try_wait().expect("strace").is_none();
            assert!(running && Instant::now() < deadline, "strace did not attach: see strace {options:?} -p PID");
            thread::sleep(Duration::from_millis(1));
        }
        tracer
    }

    fn log(&mut self, complete: bool) -> String {
        if complete {
            self.strace.wait().expect("strace");
        }
        fs::read_to_string(self.log.path()).expect("a log")
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // It ends with the process it traces, which is gone by now; this is for when it does not.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// The number of a process in the innermost PID namespace that it is in.
pub(crate) fn inner_pid(pid: i32) -> Option<i32> {
    status(pid, "NSpid")?.split_whitespace().last()?.parse().ok()
}

fn status(pid: i32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| *name == field).map(|(_, value)| value.trim().into())
}

fn blocked_in(pid: i32) -> Option<(c_long, Vec<u64>)> {
    // Before and after: a tracer may stop it meanwhile at the entry to a call that will fail.
    let sleeps = || status(pid, "State").is_some_and(|state| state.starts_with('S'));
    if !sleeps() {
        return None;
    }
    let line = fs::read_to_string(format!("/proc/{pid}/syscall")).ok().filter(|_| sleeps())?;
    let mut words = line.split_whitespace();
    let number = words.next()?.parse().ok()?;
    Some((number, words.filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()).collect()))
}

fn waits(pid: i32) -> bool {
    let here = blocked_in(pid).is_some_and(|(number, _)| {
        #[cfg(target_arch = "aarch64")]
        let old: [c_long; 0] = [];
        #[cfg(not(target_arch = "aarch64"))]
        let old = [libc::SYS_pause, libc::SYS_poll]; // tail(1) waits for a file to grow in the latter
        let new = [
            libc::SYS_ppoll,
            libc::SYS_rt_sigsuspend,
            libc::SYS_rt_sigtimedwait,
            libc::SYS_nanosleep,
            libc::SYS_clock_nanosleep,
        ];
        new.contains(&number) || old.contains(&number)
    });
    // A shell waits for the `sleep` that it started.
    let children = || fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    here || children().split_whitespace().filter_map(|pid| pid.parse().ok()).any(waits)
}

fn content(file: Option<&File>) -> String {
    String::from_utf8_lossy(&bytes(file)).into_owned()
}

fn bytes(file: Option<&File>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(file) = file {
        // Not by the offset, which the child shares.
        bytes.resize(file.metadata().expect("a memory file").len() as usize, 0);
        file.read_exact_at(&mut bytes, 0).expect("a memory file");
    }
    bytes
}
