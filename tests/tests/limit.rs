//! A test that hangs fails, with its name and what it waited for, and soon.

use conformance::{Arch, Program, Sandbox, this_test};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use std::{env, thread};

#[test]
#[ignore = "hangs on purpose, for the test below"]
fn waits_for_a_process() {
    let sandbox = Sandbox::new(Program::Shipped(Arch::native()));
    let (process, end) = sandbox.command(&["sleep", "infinity"]).run();
    panic!("{end:?}, {process:?}");
}

#[test]
#[ignore = "hangs on purpose, for the test below"]
fn hangs_by_itself() {
    let _test = this_test();
    loop {
        thread::park();
    }
}

/// Runs one of the tests above with a limit of two seconds.
fn run(test: &str) -> (Output, String) {
    let start = Instant::now();
    let program = env::current_exe().expect("this program");
    let output = Command::new(program).args(["--exact", "--ignored", test]).env("TEST_SECONDS", "2").output();
    let output = output.expect("this program");
    assert!(start.elapsed() < Duration::from_secs(30), "it took {:?}", start.elapsed());
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    (output, text)
}

#[test]
fn a_test_that_waits_too_long_fails_alone() {
    let (output, text) = run("waits_for_a_process");
    assert!(text.contains("2 s are over, waiting for the end of: sleep infinity"), "{text}");
    assert!(text.contains("0 passed; 1 failed"), "{text}");
    assert_eq!(output.status.code(), Some(101));
}

#[test]
fn a_test_that_does_not_end_is_named() {
    let (output, text) = run("hangs_by_itself");
    assert!(text.contains("test hangs_by_itself is not done after"), "{text}");
    assert!(text.contains("test hangs_by_itself does not end"), "{text}");
    assert_eq!(output.status.code(), Some(101));
}
