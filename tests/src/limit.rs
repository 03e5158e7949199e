//! A limit of time for each test: one that hangs fails, with its name and what it waited for, and holds up nobody.
//!
//! The clock of a test runs from its first sandbox or process to the end of its last one. When the limit is over its
//! processes are killed, so that what waits for them goes on, and panics. A test that does not even end then takes the
//! whole test program with it: Rust cannot stop a thread.

use std::cell::RefCell;
use std::io::{Write, stderr};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, Once, Weak};
use std::time::{Duration, Instant};
use std::{env, thread};

/// Far more than any test takes, on a slow machine too. `TEST_SECONDS` sets another one.
const SECONDS: u64 = 300;

/// For a test to end after its processes were killed.
const GRACE: Duration = Duration::from_secs(4);

static TESTS: Mutex<Vec<Weak<Test>>> = Mutex::new(Vec::new());

thread_local!(static HERE: RefCell<Weak<Test>> = const { RefCell::new(Weak::new()) });

/// What the watching thread knows of a test.
pub struct Test {
    name: String,
    started: Instant,
    over: AtomicBool,
    waits_for: Mutex<String>,
    children: Mutex<Vec<RawFd>>,
}

/// The test that this thread runs; its clock stops when the last of these is dropped.
pub fn this_test() -> Arc<Test> {
    HERE.with_borrow_mut(|here| {
        here.upgrade().unwrap_or_else(|| {
            static WATCH: Once = Once::new();
            WATCH.call_once(|| drop(thread::spawn(watch)));
            let test = Arc::new(Test {
                name: thread::current().name().unwrap_or("a thread of a test").into(),
                started: Instant::now(),
                over: AtomicBool::new(false),
                waits_for: Mutex::default(),
                children: Mutex::default(),
            });
            *here = Arc::downgrade(&test);
            lock(&TESTS).push(here.clone());
            test
        })
    })
}

impl Test {
    /// Says what `action` waits for while it runs; panics after it if the limit was over.
    pub fn waiting<T>(&self, what: impl FnOnce() -> String, action: impl FnOnce() -> T) -> T {
        let what = what();
        lock(&self.waits_for).clone_from(&what);
        let result = action();
        lock(&self.waits_for).clear();
        assert!(!self.over.load(SeqCst), "{} s are over, waiting for {what}", limit().as_secs());
        result
    }

    /// A process to be killed when the limit is over. It must be taken back before the descriptor is closed.
    pub fn add(&self, pidfd: RawFd) {
        lock(&self.children).push(pidfd);
    }

    /// No longer.
    pub fn take_back(&self, pidfd: RawFd) {
        lock(&self.children).retain(|&fd| fd != pidfd);
    }

    fn overdue(&self, more: Duration) -> bool {
        self.started.elapsed() > limit() + more
    }

    fn say(&self, what: &str) {
        let waits_for = lock(&self.waits_for).clone();
        let waits_for = if waits_for.is_empty() { "nothing that the harness knows of".into() } else { waits_for };
        // Not by a macro: what those write is shown only when a test has ended.
        let _ = writeln!(
            stderr(),
            "test {} {what} after {:?}; it waits for {waits_for}",
            self.name,
            self.started.elapsed()
        );
    }
}

/// A panic of one test must not be one of all.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|error| error.into_inner())
}

fn limit() -> Duration {
    let given = env::var("TEST_SECONDS").ok();
    Duration::from_secs(given.map_or(SECONDS, |text| text.parse().expect("TEST_SECONDS: a number of seconds")))
}

fn watch() {
    loop {
        thread::sleep(Duration::from_millis(500));
        let tests: Vec<_> = {
            let mut tests = lock(&TESTS);
            tests.retain(|test| test.strong_count() > 0);
            tests.iter().filter_map(Weak::upgrade).collect()
        };
        for test in tests {
            if test.overdue(GRACE) {
                test.say("does not end, and all the others in this program with it,");
                // SAFETY: ends the process; nothing of it is needed any more.
                unsafe { libc::_exit(101) }
            }
            if test.overdue(Duration::ZERO) && !test.over.swap(true, SeqCst) {
                test.say("is not done");
                for &pidfd in lock(&test.children).iter() {
                    // SAFETY: an open pidfd, no siginfo.
                    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, libc::SIGKILL, 0, 0) };
                }
            }
        }
    }
}
