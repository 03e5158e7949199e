//! The program's own source on a made-up kernel, so that anything at all can be fed to it in one process.
//!
//! An input is a script, a NUL, and a tape: what the kernel answers, call by call. The program checks and runs the
//! script as it would anywhere; the kernel reads all that it is told to read and writes all that it may write, so
//! that an address sanitizer sees what the program owes the real one.

#![allow(clippy::all)]

pub mod kernel;

include!(concat!(env!("OUT_DIR"), "/program.rs"));

use std::ffi::{CStr, CString};
use std::panic::{self, AssertUnwindSafe};

/// What came of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status; None if it waits or goes on for longer than the tape.
    pub status: Option<u8>,
    /// Only the check was made: the script has a loop that might not end here.
    pub checked_only: bool,
    /// Calls that change something.
    pub changes: usize,
}

/// Runs an input.
pub fn run(input: &[u8]) -> Outcome {
    let end = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    let script = &input[..end];
    let tape = input.get(end + 1..).unwrap_or_default();
    let (form, tape) = tape.split_first().unwrap_or((&0, &[]));
    let words: Vec<&[u8]> = match form % 4 {
        3 => script.split(|&byte| byte == b' ').collect(),
        2 => vec![b"/bin/link-model-and-wait", b"sh", b"-c", script],
        _ => vec![b"sh", b"-c", script],
    };
    // Each in memory of its own, with nothing behind it that may be touched.
    let words: Vec<CString> = words.iter().map(|word| CString::new(*word).expect("no NUL")).collect();
    let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    let mut scratch = vec![0xa5; sys::SCRATCH].into_boxed_slice();
    kernel::begin(tape);
    let checked_only = !ends(script);
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let words = words.iter().map(|word| memory::ZStr::new(word));
        if checked_only { check(words.last().expect("a word"), &mut scratch) } else { main(words, &mut scratch) }
    }));
    let status = match result {
        Ok(status) => Some(status),
        Err(payload) => match payload.downcast::<kernel::Exit>() {
            Ok(exit) => exit.0,
            Err(payload) => panic::resume_unwind(payload),
        },
    };
    Outcome { status, checked_only, changes: kernel::changes() }
}

/// Whether a script is understood: 0, or 2 as the program's exit status would be.
pub fn accepts(script: &[u8]) -> bool {
    let script = CString::new(script).expect("no NUL");
    let mut scratch = vec![0xa5; sys::SCRATCH].into_boxed_slice();
    kernel::begin(&[]);
    let script = script.as_c_str();
    panic::catch_unwind(AssertUnwindSafe(|| check(memory::ZStr::new(script), &mut scratch))).is_ok()
}

fn check<'a>(script: memory::ZStr<'a>, scratch: &'a mut [u8]) -> u8 {
    let mut shell = Shell::new(Memory::new(scratch));
    shell.memory.map();
    shell.read(script);
    0
}

/// Whether every loop makes a system call in each round, of which the tape has only so many.
fn ends(script: &[u8]) -> bool {
    let mut rest = script;
    while let Some(at) = rest.windows(5).position(|word| word == b"while" || word == b"until") {
        rest = &rest[at + 5..];
        if !rest.starts_with(b" [ -e ") {
            return false;
        }
    }
    true
}
