//! `tar cf - [-C DIRECTORY] PATH...`: writing an archive to standard output, which is what `kubectl cp` wants.
//!
//! POSIX.1-2024, pax, "ustar Interchange Format" and "pax Extended Header": where a name, an owner or a size does not fit
//! into the header, another one before it has it.

use super::{Context, Done, Failed, readlink, tree};
use crate::memory::{Mark, Memory};
use crate::report::{MISSING, NOT_SUPPORTED};
use crate::sys::{self, Errno, Fd, Follow, Open, Stat, flags};
use crate::text::ZStr;
use crate::z;
use tree::{Step, Walk};

/// Bytes of a header, of which everything is a multiple.
const BLOCK: usize = 512;

/// Writes an archive.
pub(super) fn run(context: &mut Context) -> Done {
    let words = context.words;
    let (mut create, mut standard, mut paths, mut end) = (false, false, 0, false);
    let mut place: Option<Open> = None; // the directory of the last -C
    let mut waiting = z!(""); // letters whose arguments come next
    for (index, word) in words.iter().enumerate() {
        let word = word.get();
        let letter = waiting.first();
        waiting = waiting.rest();
        if letter == 'f' {
            if !word.is(z!("-")) {
                return Err(context.refuse_for(word, z!("only f -, standard output")));
            }
            standard = true;
        } else if letter == 'C' {
            if context.run {
                let there = sys::open(place.as_ref().map_or(Fd::CWD, Open::fd), word, flags::PLACE, 0);
                place = Some(context.outcome(word, there)?);
            }
        } else if word.is(z!("--")) && !end {
            end = true;
        } else if !end && (index == 0 || word.first() == '-') && !word.is(z!("-")) {
            // The first word may stand without the dash.
            let letters = word.after(z!("-")).unwrap_or(word);
            let mut rest = letters;
            while let Some(letter) = rest.next() {
                match letter {
                    'c' => create = true,
                    'f' => waiting = if waiting.is_empty() { z!("f") } else { z!("Cf") },
                    'C' => waiting = if waiting.is_empty() { z!("C") } else { z!("fC") },
                    _ => return Err(context.refuse_for(word, z!("only tar cf - [-C DIRECTORY] PATH..."))),
                }
                // `-f-`, `-C/models`: but in the first word, without the dash, letters only.
                if !waiting.is_empty() && letters != word && !rest.is_empty() {
                    return Err(context.refuse(word, NOT_SUPPORTED));
                }
            }
        } else {
            paths += 1;
            if context.run {
                tree::walk(context, place.as_ref().map_or(Fd::CWD, Open::fd), word, None, visit);
                if context.over {
                    return Err(Failed);
                }
            }
        }
    }
    for (there, what) in
        [(create, z!("c")), (standard, z!("f -")), (paths > 0, z!("operand")), (waiting.is_empty(), z!("operand"))]
    {
        if !there && (context.run || !context.pattern) {
            return Err(context.refuse(what, MISSING));
        }
    }
    if !context.run {
        return Ok(());
    }
    // Two blocks of zeros.
    let mark = context.memory.mark();
    zeros(&mut context.memory, 2 * BLOCK);
    context.print(mark)
}

fn visit(walk: &mut Walk, step: Step) -> Done<bool> {
    if step == Step::After {
        return Ok(false);
    }
    let mark = walk.context.memory.mark();
    let result = member(walk);
    walk.context.memory.release(mark);
    result
}

/// Writes one file; returns whether it is a directory.
fn member(walk: &mut Walk) -> Done<bool> {
    let (directory, name, path) = (walk.directory(), walk.name(), walk.path());
    let context = &mut *walk.context;
    let mut buffer = Stat::buffer();
    // With a directory to begin at, the kernel takes an empty path for that.
    let stat = if name.is_empty() { Err(Errno::ENOENT) } else { sys::stat(directory, name, Follow::No, &mut buffer) };
    let stat = context.outcome(path, stat)?;
    let mut held = z!("");
    let mut file = None;
    let kind = match stat.mode() & sys::TYPE {
        sys::DIRECTORY => '5',
        sys::SYMLINK => {
            let mark = context.memory.mark();
            let read = readlink::read(context, directory, name);
            context.outcome(path, read)?;
            held = context.memory.string(mark);
            '2'
        }
        sys::FIFO => '6',
        sys::REGULAR => {
            let open = sys::open(directory, name, flags::READ_FILE, 0);
            file = Some(context.outcome(path, open)?);
            '0'
        }
        _ => return Err(context.fail(path, Errno::EOPNOTSUPP)),
    };
    let is_directory = kind == '5';
    let size = if file.is_some() { stat.size } else { 0 };
    // Names begin below the root.
    let mut inner = path;
    while inner.first() == '/' {
        inner = inner.rest();
    }
    if inner.is_empty() {
        inner = z!(".");
    }
    let mark = context.memory.mark();
    context.memory.extend(inner);
    if is_directory && !context.memory.ends_with(mark, '/') {
        context.memory.push('/');
    }
    let inner = context.memory.string(mark);
    let blocks = context.memory.mark();
    extended(&mut context.memory, inner, held, stat, size);
    header(&mut context.memory, inner, held, stat, size, kind);
    let written = context.print(blocks);
    if written.is_err() {
        (walk.over, context.over) = (true, true);
        return Err(Failed);
    }
    let Some(file) = file else { return Ok(is_directory) };
    let copied = content(context, file.fd(), size);
    match copied {
        Ok(0) => Ok(false),
        // The header has told how much comes.
        Ok(missing) => {
            context.refuse(path, z!("has become shorter"));
            context.status = 1;
            let _ = missing;
            Ok(false)
        }
        Err(error) => {
            context.fail(path, error);
            (walk.over, context.over) = (true, true);
            Err(Failed)
        }
    }
}

/// Writes `size` bytes of a file, and zeros up to a whole block; returns how many were not there, in whose place are
/// zeros too.
fn content(context: &mut Context, file: Fd, size: u64) -> Result<u64, Errno> {
    const BUFFER: usize = 64 << 10;
    let output = context.streams.output;
    let mut left = size;
    let mark = context.memory.reserve(BUFFER);
    let buffer = context.memory.cells(mark);
    while left > 0 {
        // Within the kernel where that can be; else through the buffer.
        let most = left.min(1 << 30) as usize;
        let mut copied = match sys::transfer(file, output, most, false) {
            Ok(copied) => copied,
            Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM | Errno::EBADF) => {
                let read = sys::read(file, buffer.get(..most.min(BUFFER)).unwrap_or_default())?;
                sys::write_all(output, buffer.get(..read).unwrap_or_default())?;
                read
            }
            Err(error) => return Err(error),
        };
        copied = copied.min(most);
        if copied == 0 {
            break;
        }
        left -= copied as u64;
    }
    context.memory.release(mark);
    let mut zero = left + size.wrapping_neg() % BLOCK as u64;
    let mark = context.memory.mark();
    zeros(&mut context.memory, BLOCK);
    while zero > 0 {
        let some = zero.min(BLOCK as u64);
        let result = sys::write_all(output, context.memory.cells(mark).get(..some as usize).unwrap_or_default());
        result?;
        zero -= some;
    }
    context.memory.release(mark);
    Ok(left)
}

fn zeros(memory: &mut Memory, count: usize) {
    for _ in 0..count {
        memory.push('\0');
    }
}

/// The largest number that a field of so many octal digits holds.
const fn most(digits: u32) -> u64 {
    (1 << (3 * digits)) - 1
}

/// What does not fit into the header: `pax Extended Header`.
fn extended(memory: &mut Memory, name: ZStr, held: ZStr, stat: &Stat, size: u64) {
    let records = memory.mark();
    if name.len() > 100 {
        record(memory, z!(" path="), name);
    }
    if held.len() > 100 {
        record(memory, z!(" linkpath="), held);
    }
    let seconds = stat.modified.seconds;
    for (key, number, digits) in [
        (z!(" size="), size, 11),
        (z!(" uid="), stat.uid.into(), 7),
        (z!(" gid="), stat.gid.into(), 7),
        (z!(" mtime=-"), seconds.unsigned_abs(), 11),
    ] {
        let negative = key.is(z!(" mtime=-"));
        if number > most(digits) || negative && seconds < 0 {
            let mark = memory.mark();
            memory.push_digits(number, 10);
            let text = memory.string(mark);
            let key = if negative && seconds >= 0 { z!(" mtime=") } else { key };
            // The record is made behind the digits and takes their place.
            let from = memory.mark();
            record(memory, key, text);
            memory.lower(mark, from);
        }
    }
    let length = memory.length(records);
    if length == 0 {
        return;
    }
    zeros(memory, length.wrapping_neg() % BLOCK);
    // The header of the records is made behind them, and then comes first.
    let header_mark = memory.mark();
    block(memory, z!("pax"), z!(""), [0o644, 0, 0, length as u64, 0], 'x');
    memory.rotate(records, header_mark);
}

/// `LENGTH KEY=VALUE` and a newline: the length counts itself.
fn record(memory: &mut Memory, key: ZStr, value: ZStr) {
    let rest = key.len() + value.len() + 1;
    let mut length = rest;
    loop {
        let mut digits = 1;
        let mut number = length;
        while number > 9 {
            number /= 10;
            digits += 1;
        }
        if rest + digits == length {
            break;
        }
        length = rest + digits;
    }
    memory.push_digits(length as u64, 10);
    memory.extend(key);
    memory.extend(value);
    memory.push('\n');
}

fn header(memory: &mut Memory, name: ZStr, held: ZStr, stat: &Stat, size: u64, kind: char) {
    let fit = |number: u64, digits| if number > most(digits) { 0 } else { number };
    let seconds = stat.modified.seconds.max(0) as u64;
    let numbers = [
        u64::from(stat.mode() & 0o7777),
        fit(stat.uid.into(), 7),
        fit(stat.gid.into(), 7),
        fit(size, 11),
        fit(seconds, 11),
    ];
    block(memory, name, held, numbers, kind);
}

/// One header: mode, owner, group, size and time.
fn block(memory: &mut Memory, name: ZStr, held: ZStr, numbers: [u64; 5], kind: char) {
    let mark = memory.mark();
    let start = memory.mark();
    field(memory, name, 100);
    for (number, digits) in numbers.into_iter().zip([7, 7, 7, 11, 11]) {
        octal(memory, number, digits);
    }
    // The sum is made with blanks in its own place.
    let sum_at = memory.length(start);
    field(memory, z!("        "), 8);
    memory.push(kind);
    field(memory, held, 100);
    memory.extend(z!("ustar"));
    memory.push('\0');
    memory.extend(z!("00"));
    let length = memory.length(start);
    zeros(memory, BLOCK - length);
    let bytes = memory.cells(mark);
    let mut sum = 0_u64;
    for byte in bytes {
        sum += u64::from(byte.get());
    }
    for (index, byte) in bytes.iter().skip(sum_at).take(6).enumerate() {
        byte.set(b'0' + (sum >> (15 - 3 * index) & 7) as u8);
    }
    if let Some(end) = bytes.get(sum_at + 6) {
        end.set(0);
    }
}

/// As much of `text` as fits, and zeros.
fn field(memory: &mut Memory, text: ZStr, width: usize) {
    let mark: Mark = memory.mark();
    memory.extend(text);
    memory.cut(mark, width);
    let length = memory.length(mark);
    zeros(memory, width - length);
}

fn octal(memory: &mut Memory, number: u64, digits: u32) {
    for digit in (0..digits).rev() {
        memory.push(char::from(b'0' + (number >> (3 * digit) & 7) as u8));
    }
    memory.push('\0');
}
