//! The program's own source on a made-up kernel, so that anything at all can be fed to it in one process.
//!
//! An input has three parts with a NUL between them: a script, the environment, a line for each variable, and a tape: how
//! the program is called, what files there are, and where the kernel fails or somebody else changes the files. The program
//! begins where it does anywhere, with what the kernel has put on its stack; the kernel reads all that it is told to read
//! and writes all that it may write, so that an address sanitizer sees what the program owes the real one.

mod files;
mod kernel;
mod oracle;

use files::{DIRECTORY, is_temporary};
use kernel::{End, Exit};
use link_model_and_wait::{entry, sys::SCRATCH};
use oracle::Command;
use std::panic::{self, AssertUnwindSafe};
use std::{ptr, slice};

/// What one start of the program is.
#[derive(Default)]
struct Start<'a> {
    environment: &'a [u8],
    /// Bits: as another user, from another file than `/bin/sh`, other random bytes.
    flags: u8,
    tape: &'a [u8],
    /// The script, if it lies in a file.
    file: Option<&'a [u8]>,
    /// What is known of what it does.
    command: Option<Command>,
}

/// Splits an input.
fn parts(input: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let mut parts = input.splitn(3, |&byte| byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

/// Runs an input; the exit status, or None if the program waits or goes on for longer than the kernel lets it.
///
/// Panics if something is not as it is whenever the program has ended: see below, and `oracle`.
pub fn run(input: &[u8]) -> Option<u8> {
    let (script, environment, tape) = parts(input);
    let (form, tape) = tape.split_first().unwrap_or((&0, &[]));
    let (flags, tape) = tape.split_first().unwrap_or((&0, &[]));
    if !ends(script, environment) {
        return accepts(input).then_some(0);
    }
    let mut file = None;
    let (is_script, words) = match form {
        128.. => {
            file = Some(script);
            (true, vec![&b"sh"[..], b"/tmp/s"])
        }
        _ => match form % 4 {
            3 => (false, script.split(|&byte| byte == b' ').collect()),
            2 => (true, vec![&b"/bin/link-model-and-wait"[..], b"sh", b"-c", script]),
            1 if script.is_empty() => (false, vec![]),
            _ => (true, vec![&b"sh"[..], b"-c", script]),
        },
    };
    let command = if is_script { Command::written(script, environment) } else { Command::called(&words, environment) };
    let (status, end) = execute(&words, &Start { environment, flags: *flags, tape, file, command: command.clone() });
    let _tell = Tell(&end);
    check(input, status, &end);
    if let (Some(command), Some(status)) = (command, status) {
        command.check(status, &end);
    }
    if is_script && file.is_none() {
        check_reading(input, status, &end);
    }
    status
}

/// Says, if something does not hold, what the program has said.
struct Tell<'e>(&'e End);

impl Drop for Tell<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.0.lines.concat();
            eprintln!("what the program said, and printed:\n{}---", String::from_utf8_lossy(&text));
            eprintln!("{}", String::from_utf8_lossy(&self.0.printed));
        }
    }
}

/// What holds whatever the program was told to do.
fn check(input: &[u8], status: Option<u8>, end: &End) {
    if status.is_none() {
        return;
    }
    let starved = end.lines.iter().any(|line| line.ends_with(b": memory: Cannot allocate memory\n"));
    // A word may be put together, so that it is not seen here.
    let bare: Vec<u8> = input.iter().copied().filter(|byte| !b"\\\n'\"".contains(byte)).collect();
    let exec = bare.windows(4).any(|word| word == b"exec");
    assert!(end.left == 0 || exec || starved, "{} files are left open", end.left);
    assert_eq!(end.umask, 0o022, "the umask is another");
    let own = bare.windows(9).any(|word| word == b".modelcar");
    let unfinished = end.files.below(0).into_iter().filter(|&node| end.files.nodes[node].is(DIRECTORY)).any(|node| {
        let names = &end.files.nodes[node].entries;
        names.iter().any(|(_, name, _)| is_temporary(name) && !is_record(name))
    });
    assert!(!unfinished || own || starved || end.failed || end.moved || end.planted, "something unfinished is left");
}

/// Whether it is the name that tells about a copy: `.modelcar-N-INODE`.
fn is_record(name: &[u8]) -> bool {
    name.iter().filter(|&&byte| byte == b'-').count() > 1
}

/// A script is understood whole, or nothing of it has been done; and once it runs nothing is refused.
fn check_reading(input: &[u8], status: Option<u8>, end: &End) {
    let script = parts(input).0;
    let has = |line: &[u8], text: &[u8]| line.windows(text.len()).any(|part| part == text);
    // A name that a pattern or $(ls) found may look like an option; rm fails at `/`, `.` and `..` only when it comes
    // to them, as its likes do.
    let found = script.iter().any(|byte| b"*?[$".contains(byte)) || has(script, b"not");
    let refused = !found
        && end.lines.iter().any(|line| {
            !line.starts_with(b"rm: ")
                && [&b": not supported"[..], b": not closed", b": not found"].iter().any(|text| has(line, text))
        });
    // Whatever ends otherwise has been read to its end.
    if refused || end.done && matches!(status, Some(2 | 127)) {
        let accepted = accepts(input);
        assert!(!end.done || accepted, "done, but not understood");
        assert!(!accepted || !refused, "understood, but refused");
    }
}

/// Whether the script of an input is understood. It is not run: `exit` comes first, and all of it is read before that runs.
pub fn accepts(input: &[u8]) -> bool {
    let (script, environment, _) = parts(input);
    let script = [b"exit 0\n", script].concat();
    execute(&[b"sh", b"-c", &script], &Start { environment, ..Start::default() }).0 == Some(0)
}

/// Memory of its own, with nothing around it that may be touched.
struct Guarded<T> {
    start: *mut T,
    count: usize,
}

impl<T: Copy> Guarded<T> {
    fn new(values: &[T]) -> Self {
        // SAFETY: as many bytes as are written. Not the memory that the harness itself has: of this a sanitizer knows.
        unsafe {
            let start = libc::malloc(size_of_val(values)).cast::<T>();
            assert!(!start.is_null());
            ptr::copy_nonoverlapping(values.as_ptr(), start, values.len());
            Guarded { start, count: values.len() }
        }
    }

    fn get(&self) -> &[T] {
        // SAFETY: these are there, and the program does not run meanwhile.
        unsafe { slice::from_raw_parts(self.start, self.count) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: from malloc, and not freed yet.
        unsafe { libc::free(self.start.cast()) };
    }
}

/// A string, up to its first NUL, and one.
fn string(word: &[u8]) -> Guarded<u8> {
    let mut bytes: Vec<u8> = word.iter().copied().take_while(|&byte| byte != 0).collect();
    bytes.push(0);
    Guarded::new(&bytes)
}

/// Starts the program with these words, as the kernel does.
fn execute(words: &[&[u8]], start: &Start) -> (Option<u8>, End) {
    const AT_EUID: usize = 12;
    const AT_RANDOM: usize = 25;
    const AT_EXECFN: usize = 31;
    let strings = |words: &[&[u8]]| -> Vec<Guarded<u8>> { words.iter().map(|word| string(word)).collect() };
    let arguments = strings(words);
    let lines: Vec<&[u8]> = start.environment.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let environment = strings(&lines);
    let file = string(if start.flags & 2 == 0 { b"/bin/sh" } else { b"/models/m" });
    let random = Guarded::new(&[start.flags & 4; 16]);
    // The scratch memory, argc, argv, environment and auxiliary vector. Of pointers, so that an interpreter knows what
    // they are of.
    let scratch = SCRATCH / size_of::<usize>();
    let number = ptr::without_provenance_mut;
    let mut stack: Vec<*mut u8> = vec![number(0xa5a5_a5a5); scratch];
    stack.push(number(arguments.len()));
    stack.extend(arguments.iter().map(|word| word.start));
    stack.push(ptr::null_mut());
    stack.extend(environment.iter().map(|word| word.start));
    stack.push(ptr::null_mut());
    stack.extend([number(AT_EUID), number(usize::from(start.flags & 1) * 1000)]);
    random.start.expose_provenance();
    stack.extend([number(AT_RANDOM), random.start]);
    stack.extend([number(AT_EXECFN), file.start, ptr::null_mut(), ptr::null_mut()]);
    let stack = Guarded::new(&stack);
    let above = stack.get()[scratch..].to_vec();
    // SAFETY: within the stack.
    let frame: *mut usize = unsafe { stack.start.add(scratch) }.cast();
    kernel::begin(start.tape, frame.addr(), start.file, start.command.as_ref());
    // SAFETY: what `_start` owes.
    let result = panic::catch_unwind(AssertUnwindSafe(|| unsafe { entry(frame) }));
    let end = kernel::end();
    let now = &stack.get()[scratch..];
    // Words may change places, and begin later; nothing else changes.
    let behind = 1 + arguments.len();
    let (mut words_before, mut words_now) = (above[1..behind].to_vec(), now[1..behind].to_vec());
    words_before.sort_unstable();
    words_now.sort_unstable();
    for (before, now) in words_before.into_iter().zip(words_now) {
        let length = arguments.iter().find(|word| word.start == before).map_or(0, |word| word.count - 1);
        assert!((before..=before.wrapping_add(length)).contains(&now), "a word is lost");
    }
    assert!(now[0] == above[0] && now[behind..] == above[behind..], "written above the scratch memory");
    let same = |word: &Guarded<u8>, before: &[u8]| before.starts_with(&word.get()[..word.count - 1]);
    assert!(arguments.iter().zip(words).all(|(now, before)| same(now, before)), "a word has changed");
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
