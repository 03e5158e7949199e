//! The program's own source on a made-up kernel, so that anything at all can be fed to it in one process.
//!
//! An input has three parts with a NUL between them: a script, the environment, a line for each variable, and a tape: how
//! the program is called, what files there are, and where the kernel fails or somebody else changes the files. The program
//! begins where it does anywhere, with what the kernel has put on its stack; the kernel reads all that it is told to read
//! and writes all that it may write, so that an address sanitizer sees what the program owes the real one.

mod files;
pub mod kernel;

use kernel::{End, Exit};
use link_model_and_wait::{entry, sys::SCRATCH};
use std::ffi::CString;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

/// What one start of the program is.
#[derive(Clone, Copy, Default)]
struct Start<'a> {
    environment: &'a [u8],
    /// Bits: as another user, from another file than `/bin/sh`, other random bytes.
    flags: u8,
    tape: &'a [u8],
}

/// Splits an input.
fn parts(input: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let mut parts = input.splitn(3, |&byte| byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

/// Runs an input; the exit status, or None if the program waits or goes on for longer than the kernel lets it.
///
/// Panics if the program has done something of a script that it does not understand whole, refuses what it has
/// understood, or leaves behind what is not whole though nothing went wrong.
pub fn run(input: &[u8]) -> Option<u8> {
    let (script, environment, tape) = parts(input);
    let (form, tape) = tape.split_first().unwrap_or((&0, &[]));
    let (flags, tape) = tape.split_first().unwrap_or((&0, &[]));
    if !ends(script, environment) {
        return accepts(input).then_some(0);
    }
    let words: Vec<&[u8]> = match form % 4 {
        3 => script.split(|&byte| byte == b' ').collect(),
        2 => vec![b"/bin/link-model-and-wait", b"sh", b"-c", script],
        1 if script.is_empty() => vec![],
        _ => vec![b"sh", b"-c", script],
    };
    let (status, end) = execute(&words, &Start { environment, flags: *flags, tape });
    let said = String::from_utf8_lossy(&end.said);
    if form % 4 == 0 || form % 4 == 2 {
        // A name that a pattern or $(ls) found may look like an option; rm fails at `/`, `.` and `..` only when it comes
        // to them, as its likes do.
        let found = script.iter().any(|byte| b"*?[$".contains(byte)) || script.windows(3).any(|word| word == b"not");
        let refused = !found
            && said.lines().any(|line| {
                !line.starts_with("rm: ")
                    && [": not supported", ": not closed", ": not found"].iter().any(|text| line.contains(text))
            });
        let accepted = (end.done || refused) && accepts(input);
        assert!(!end.done || accepted, "done, but not understood");
        assert!(!accepted || !refused, "understood, but refused: {said}");
    }
    let own = input.windows(9).any(|word| word == b".modelcar");
    assert!(status.is_none() || !end.calm || !end.unfinished || own, "something unfinished is left: {said}");
    status
}

/// Whether the script of an input is understood. It is not run: `exit` comes first, and all of it is read before that runs.
pub fn accepts(input: &[u8]) -> bool {
    let (script, environment, _) = parts(input);
    let script = [b"exit 0\n", script].concat();
    execute(&[b"sh", b"-c", &script], &Start { environment, ..Start::default() }).0 == Some(0)
}

/// Starts the program with these words, as the kernel does.
fn execute(words: &[&[u8]], start: &Start) -> (Option<u8>, End) {
    const AT_EUID: usize = 12;
    const AT_RANDOM: usize = 25;
    const AT_EXECFN: usize = 31;
    // Each in memory of its own, with nothing behind it that may be touched.
    let strings = |words: &[&[u8]]| -> Vec<CString> {
        words.iter().map(|word| CString::new(*word).unwrap_or_default()).collect()
    };
    let arguments = strings(words);
    let lines: Vec<&[u8]> = start.environment.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let environment = strings(&lines);
    let file: &[u8] = if start.flags & 2 == 0 { b"/bin/sh" } else { b"/models/m" };
    let file = &strings(&[file])[0];
    let random = Box::new([start.flags & 4; 16]);
    // The scratch memory, argc, argv, environment and auxiliary vector. Of pointers, so that an interpreter knows what
    // they are of.
    let scratch = SCRATCH / size_of::<usize>();
    let number = ptr::without_provenance;
    let mut stack = vec![number(0xa5a5_a5a5); scratch];
    stack.push(number(arguments.len()));
    stack.extend(arguments.iter().map(|word| word.as_ptr()));
    stack.push(ptr::null());
    stack.extend(environment.iter().map(|word| word.as_ptr()));
    stack.push(ptr::null());
    stack.extend([number(AT_EUID), number(usize::from(start.flags & 1) * 1000)]);
    random.as_ptr().expose_provenance();
    stack.extend([number(AT_RANDOM), random.as_ptr().cast()]);
    stack.extend([number(AT_EXECFN), file.as_ptr(), ptr::null(), ptr::null()]);
    let mut stack = stack.into_boxed_slice();
    let above = stack[scratch..].to_vec();
    // SAFETY: within the boxed slice.
    let frame: *mut usize = unsafe { stack.as_mut_ptr().add(scratch) }.cast();
    kernel::begin(start.tape, frame.addr());
    // SAFETY: what `_start` owes.
    let result = panic::catch_unwind(AssertUnwindSafe(|| unsafe { entry(frame) }));
    let end = kernel::end();
    // Words may change places, and begin later; nothing else changes.
    let (mut before, mut now) = (above[1..=arguments.len()].to_vec(), stack[scratch + 1..][..arguments.len()].to_vec());
    before.sort();
    now.sort();
    for (before, now) in before.into_iter().zip(now) {
        let length = arguments.iter().find(|word| word.as_ptr() == before).map_or(0, |word| word.count_bytes());
        assert!((before..=before.wrapping_add(length)).contains(&now), "a word is lost");
    }
    let behind = 1 + arguments.len();
    assert!(
        stack[scratch] == above[0] && stack[scratch + behind..] == above[behind..],
        "written above the scratch memory"
    );
    assert!(arguments.iter().zip(words).all(|(now, before)| now.as_bytes() == *before), "a word has changed");
    match result {
        Ok(never) => never,
        Err(payload) => match payload.downcast::<Exit>() {
            Ok(exit) => (exit.0, end),
            Err(payload) => panic::resume_unwind(payload),
        },
    }
}

/// Whether every loop makes a system call in each round, of which the program may make only so many.
fn ends(script: &[u8], environment: &[u8]) -> bool {
    let keyword = |word: &[u8]| word == b"while" || word == b"until";
    if environment.windows(5).any(keyword) {
        return false;
    }
    let mut rest = script;
    while let Some(at) = rest.windows(5).position(keyword) {
        rest = &rest[at + 5..];
        let path = rest.strip_prefix(b" [ -e ").unwrap_or_default();
        let length = path.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        if length == 0 || !path[length..].starts_with(b" ]") {
            return false;
        }
    }
    // A keyword that a line's continuation hides.
    !script.windows(2).any(|pair| pair == b"\\\n") || accepts_without_loops(script)
}

fn accepts_without_loops(script: &[u8]) -> bool {
    let whole: Vec<u8> = String::from_utf8_lossy(script).replace("\\\n", "").into_bytes();
    !whole.windows(5).any(|word| word == b"while" || word == b"until")
}
