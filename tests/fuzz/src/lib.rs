//! The program's own source on a made-up kernel, so that anything at all can be fed to it in one process.
//!
//! An input is a script, a NUL, and a tape: how the program is called, and what the kernel answers, call by call. The
//! program begins where it does anywhere, with what the kernel has put on its stack; the kernel reads all that it is
//! told to read and writes all that it may write, so that an address sanitizer sees what the program owes the real one.

pub mod kernel;

use kernel::Exit;
use link_model_and_wait::sys::{SCRATCH, entry};
use std::ffi::CString;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

/// Runs an input; the exit status, or None if the program waits or goes on for longer than the tape.
///
/// Panics if the program has done something of a script that it does not understand whole.
pub fn run(input: &[u8]) -> Option<u8> {
    let end = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    let script = &input[..end];
    let (form, tape) = input.get(end + 1..).unwrap_or_default().split_first().unwrap_or((&0, &[]));
    if !ends(script) {
        return accepts(script).then_some(0);
    }
    let words: Vec<&[u8]> = match form % 4 {
        3 => script.split(|&byte| byte == b' ').collect(),
        2 => vec![b"/bin/link-model-and-wait", b"sh", b"-c", script],
        1 if script.is_empty() => vec![],
        _ => vec![b"sh", b"-c", script],
    };
    let failing = if *form < 0xf8 { usize::MAX } else { usize::from(form & 7) };
    let status = execute(&words, tape, failing);
    assert!(!kernel::done() || form % 4 == 3 || form % 4 == 1 || accepts(script), "done, but not understood");
    status
}

/// Whether a script is understood. It is not run: `exit` comes first, and all of it is read before that runs.
pub fn accepts(script: &[u8]) -> bool {
    let script = [b"exit 0\n", script].concat();
    execute(&[b"sh", b"-c", &script], &[], usize::MAX) == Some(0)
}

/// Starts the program with these words, as the kernel does.
fn execute(words: &[&[u8]], tape: &[u8], failing: usize) -> Option<u8> {
    // Each in memory of its own, with nothing behind it that may be touched.
    let words: Vec<CString> = words.iter().map(|word| CString::new(*word).expect("no NUL")).collect();
    // The scratch memory, argc, argv, and no environment. Of pointers, so that an interpreter knows what they are of.
    let scratch = SCRATCH / size_of::<usize>();
    let mut stack = vec![ptr::without_provenance(0xa5a5_a5a5); scratch];
    stack.push(ptr::without_provenance(words.len()));
    stack.extend(words.iter().map(|word| word.as_ptr()));
    stack.extend([ptr::null(), ptr::null()]);
    let mut stack = stack.into_boxed_slice();
    let above = stack[scratch..].to_vec();
    // SAFETY: within the boxed slice.
    let frame: *mut usize = unsafe { stack.as_mut_ptr().add(scratch) }.cast();
    kernel::begin(tape, failing, frame.addr());
    // SAFETY: what `_start` owes.
    let result = panic::catch_unwind(AssertUnwindSafe(|| unsafe { entry(frame) }));
    kernel::end();
    assert_eq!(stack[scratch..], above, "written above the scratch memory");
    match result {
        Ok(never) => never,
        Err(payload) => match payload.downcast::<Exit>() {
            Ok(exit) => exit.0,
            Err(payload) => panic::resume_unwind(payload),
        },
    }
}

/// Whether every loop makes a system call in each round, of which the program may make only so many.
fn ends(script: &[u8]) -> bool {
    let mut rest = script;
    while let Some(at) = rest.windows(5).position(|word| word == b"while" || word == b"until") {
        rest = &rest[at + 5..];
        let path = rest.strip_prefix(b" [ -e ").unwrap_or_default();
        let length = path.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        if length == 0 || !path[length..].starts_with(b" ]") {
            return false;
        }
    }
    true
}
