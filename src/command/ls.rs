//! `ls [-1AaldhRnFr] [PATH]...`

use super::{Capture, Context, Done, option, readlink};
use crate::directory::Names;
use crate::memory::{Mark, Memory, Words};
use crate::sys::{self, Errno, Fd, Follow, Open, Stat, flags};
use crate::text::ZStr;
use crate::z;

const ALMOST_ALL: u32 = option("ls", 'A');
const ALL: u32 = option("ls", 'a');
const LONG: u32 = option("ls", 'l') | option("ls", 'n');
const ITSELF: u32 = option("ls", 'd');
const HUMAN: u32 = option("ls", 'h');
const RECURSIVE: u32 = option("ls", 'R');
const CLASSIFY: u32 = option("ls", 'F');
const REVERSE: u32 = option("ls", 'r');

/// Where reading very much ends if only its beginning counts: more than any script can compare it with.
const BEGINNING: usize = 256 << 10;

/// Output is written when so much has come together.
const CHUNK: usize = 8 << 10;

/// Prints names, sorted by their bytes, one to a line: of files their paths, of directories what is in them. `-A` also
/// those that begin with a dot, `-a` also `.` and `..`; `-l` with mode, links, owner, group, size, time of change in UTC.
pub(super) fn run(context: &mut Context) -> Done {
    if context.has(RECURSIVE) && context.capture != Capture::No {
        // The path would lie in the midst of the output.
        return Err(context.refuse(z!("-R"), z!("not supported in $( )")));
    }
    if !context.run {
        return Ok(());
    }
    let output = context.memory.mark();
    context.memory.enlarge();
    let mut operands = context.words;
    if operands.is_empty() {
        context.memory.push_word(z!("."));
        operands = context.memory.words(output);
    }
    let several = operands.len() > 1;
    sort(operands);
    // Files first, together, then the directories, each by itself.
    let mark = context.memory.mark();
    let mut first = true;
    if several || context.has(LONG | CLASSIFY | ITSELF) {
        for path in operands {
            let path = path.get();
            let mode = type_of(context, path);
            if let Ok(mode) = context.outcome(path, mode)
                && (mode != sys::DIRECTORY || context.has(ITSELF))
            {
                context.memory.push_word(path);
                first = false;
            }
        }
        print_names(context, mark)?;
    }
    let status = context.status;
    for index in 0..operands.len() {
        let place = if context.has(REVERSE) { operands.len() - 1 - index } else { index };
        let Some(path) = operands.get(place) else { break };
        let path = path.get();
        let known = several || context.has(LONG | CLASSIFY | ITSELF);
        if known && (context.has(ITSELF) || type_of(context, path) != Ok(sys::DIRECTORY)) {
            continue;
        }
        list(context, path, several, &mut first)?;
    }
    context.status |= status;
    Ok(())
}

fn type_of(context: &Context, path: ZStr) -> Result<u32, Errno> {
    let follow = if context.has(LONG | CLASSIFY | ITSELF) { Follow::No } else { Follow::Yes };
    sys::mode(path, follow).map(|mode| mode & sys::TYPE)
}

/// Lists a directory, and with `-R` those in it.
fn list<'a>(context: &mut Context<'a>, path: ZStr<'a>, header: bool, first: &mut bool) -> Done {
    let mark = context.memory.mark();
    let directory = match sys::open(Fd::CWD, path, flags::DIRECTORY, 0) {
        Err(Errno::ENOTDIR) if type_of(context, path).is_ok_and(|mode| mode != sys::DIRECTORY) => {
            context.memory.push_word(path);
            return print_names(context, mark);
        }
        Ok(directory) => directory,
        Err(error) => {
            context.fail(path, error);
            return Ok(());
        }
    };
    let mut reader = Names::new(&mut context.memory);
    let names = context.memory.mark();
    if context.has(ALL) {
        context.memory.push_word(z!("."));
        context.memory.push_word(z!(".."));
    }
    while context.capture != Capture::Beginning || context.memory.length(names) < BEGINNING {
        match reader.next(&context.memory, directory.fd()) {
            Ok(None) => break,
            Ok(Some(entry)) if entry.name.first() != '.' || context.has(ALL | ALMOST_ALL) => {
                let mark = context.memory.mark();
                if context.memory.is_full(entry.name) {
                    context.memory.release(names);
                    context.fail(path, Errno::ENOMEM);
                    break;
                }
                context.memory.extend(entry.name);
                let name = context.memory.string(mark);
                context.memory.push_word(name);
            }
            Ok(_) => {}
            Err(error) => {
                context.memory.release(names);
                context.fail(path, error);
                break;
            }
        }
    }
    let text = context.memory.mark();
    if header || context.has(RECURSIVE) {
        if !core::mem::take(first) {
            context.memory.push('\n');
        }
        context.memory.extend(path);
        context.memory.extend(z!(":\n"));
    }
    *first = false;
    let words = context.memory.words(names);
    print_lines(context, directory.fd(), path, words, text)?;
    drop::<Open>(directory);
    if context.has(RECURSIVE) {
        for index in 0..words.len() {
            let place = if context.has(REVERSE) { words.len() - 1 - index } else { index };
            let Some(name) = words.get(place) else { break };
            let name = name.get();
            let below = context.memory.mark();
            let inner = context.path(path, name);
            if !name.is_dots() {
                match sys::mode(inner, Follow::No) {
                    Ok(mode) if mode & sys::TYPE == sys::DIRECTORY => list(context, inner, true, first)?,
                    // The line of the name has said it, where there is one; who vanished meanwhile is not missed.
                    Err(error) if error != Errno::ENOENT && !context.has(LONG | CLASSIFY) => {
                        context.fail(inner, error);
                    }
                    _ => {}
                }
            }
            context.memory.release(below);
        }
    }
    done(context, mark, text)
}

/// The output stays, and what it was made of goes.
fn done(context: &mut Context, mark: Mark, text: Mark) -> Done {
    if context.capture == Capture::No {
        context.memory.release(mark);
    } else {
        context.memory.lower(mark, text);
    }
    Ok(())
}

fn print_names(context: &mut Context, mark: Mark) -> Done {
    let text = context.memory.mark();
    let words = context.memory.words(mark);
    print_lines(context, Fd::CWD, z!(""), words, text)?;
    done(context, mark, text)
}

/// Columns of numbers: links, owner, group, size.
type Columns = [u64; 4];

fn columns(stat: &Stat) -> Columns {
    [stat.links.into(), stat.uid.into(), stat.gid.into(), stat.size]
}

/// Prints `names`, which `directory` has, called `path`, or which are paths themselves.
fn print_lines(context: &mut Context, directory: Fd, path: ZStr, names: Words, text: Mark) -> Done {
    sort(names);
    let mut widths = [0_usize; 4];
    if context.has(LONG) {
        let mut blocks = 0;
        for name in names {
            let mut buffer = Stat::buffer();
            let Ok(stat) = sys::stat(directory, name.get(), Follow::No, &mut buffer) else { continue };
            blocks += stat.blocks;
            let mark = context.memory.mark();
            for (index, (width, number)) in widths.iter_mut().zip(columns(stat)).enumerate() {
                push_number(context, number, index == 3);
                *width = context.memory.length(mark).max(*width);
                context.memory.cut(mark, 0);
            }
        }
        if !path.is_empty() {
            context.memory.extend(z!("total "));
            push_number(context, if context.has(HUMAN) { blocks * 512 } else { blocks / 2 }, true);
            context.memory.push('\n');
        }
    }
    for index in 0..names.len() {
        let place = if context.has(REVERSE) { names.len() - 1 - index } else { index };
        let Some(name) = names.get(place) else { break };
        print_line(context, directory, path, name.get(), &widths);
        if context.capture == Capture::No && context.memory.length(text) > CHUNK {
            context.print(text)?;
        }
    }
    if context.capture == Capture::No {
        let written = sys::write_all(context.streams.output, context.memory.cells(text));
        context.memory.cut(text, 0);
        context.outcome(z!("stdout"), written)?;
    }
    Ok(())
}

fn print_line(context: &mut Context, directory: Fd, path: ZStr, name: ZStr, widths: &[usize; 4]) {
    let mut mode = 0;
    let mut buffer = Stat::buffer();
    if context.has(LONG | CLASSIFY) {
        let stat = sys::stat(directory, name, Follow::No, &mut buffer);
        let stat = match stat {
            Ok(stat) => stat,
            Err(error) => {
                let mark = context.memory.mark();
                let path = if path.is_empty() { name } else { context.path(path, name) };
                context.fail(path, error);
                return context.memory.cut(mark, 0);
            }
        };
        mode = stat.mode();
        if context.has(LONG) {
            push_mode(&mut context.memory, mode);
            for (index, (number, width)) in columns(stat).into_iter().zip(widths).enumerate() {
                context.memory.push(' ');
                let mark = context.memory.mark();
                push_number(context, number, index == 3);
                let length = context.memory.length(mark);
                context.memory.cut(mark, 0);
                for _ in length..*width {
                    context.memory.push(' ');
                }
                push_number(context, number, index == 3);
            }
            context.memory.push(' ');
            push_time(&mut context.memory, stat.modified.seconds);
            context.memory.push(' ');
        }
    }
    context.memory.extend(name);
    if mode & sys::TYPE == sys::SYMLINK && context.has(LONG) {
        context.memory.extend(z!(" -> "));
        let read = readlink::read(context, directory, name);
        let _ = context.outcome(name, read);
        mode = sys::stat(directory, name, Follow::Yes, &mut buffer).map_or(0, Stat::mode);
    }
    if context.has(CLASSIFY) {
        match mode & sys::TYPE {
            sys::DIRECTORY => context.memory.push('/'),
            sys::SYMLINK => context.memory.push('@'),
            sys::FIFO => context.memory.push('|'),
            sys::SOCKET => context.memory.push('='),
            _ if mode & 0o111 != 0 => context.memory.push('*'),
            _ => {}
        }
    }
    context.memory.push('\n');
}

/// `drwxr-xr-x`; s and t as POSIX has them.
fn push_mode(memory: &mut Memory, mode: u32) {
    memory.push(match mode & sys::TYPE {
        sys::DIRECTORY => 'd',
        sys::SYMLINK => 'l',
        sys::REGULAR => '-',
        sys::FIFO => 'p',
        sys::SOCKET => 's',
        0o020000 => 'c',
        _ => 'b',
    });
    for who in 0..3 {
        let bits = mode >> (6 - 3 * who);
        memory.push(if bits & 4 != 0 { 'r' } else { '-' });
        memory.push(if bits & 2 != 0 { 'w' } else { '-' });
        let special = mode & 0o4000 >> who != 0;
        memory.push(match (special, bits & 1 != 0) {
            (false, false) => '-',
            (false, true) => 'x',
            (true, false) => {
                if who < 2 {
                    'S'
                } else {
                    'T'
                }
            }
            (true, true) => {
                if who < 2 {
                    's'
                } else {
                    't'
                }
            }
        });
    }
}

/// A number; with `-h`, if it is one of bytes, as 1.5K or 20M, rounded up.
fn push_number(context: &mut Context, number: u64, bytes: bool) {
    let memory = &mut context.memory;
    if !bytes || context.options & HUMAN == 0 || number < 1024 {
        return memory.push_digits(number, 10);
    }
    let mut shift = 0;
    for unit in z!("KMGTPE") {
        shift += 10;
        let whole = number >> shift;
        let part = number & ((1 << shift) - 1);
        // Below 10 with one digit behind the point.
        let tenths = whole * 10 + ((part * 10 + (1 << shift) - 1) >> shift);
        let rounded = whole + u64::from(part != 0);
        if tenths < 100 {
            memory.push_digits(tenths / 10, 10);
            memory.push('.');
            memory.push_digits(tenths % 10, 10);
        } else if rounded < 1024 {
            memory.push_digits(rounded, 10);
        } else {
            continue;
        }
        return memory.push(unit);
    }
}

/// `2026-11-25 08:30`, UTC.
fn push_time(memory: &mut Memory, seconds: i64) {
    let minutes = seconds.div_euclid(60);
    // Days since 1 March of the year 0, in whole eras of 400 years: the leap day is a year's last.
    let days = minutes.div_euclid(1440) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = [
        (year + era * 400 + i64::from(month >= 10), '-'),
        ((month + 2) % 12 + 1, '-'),
        (day - (153 * month + 2) / 5 + 1, ' '),
        (minutes.rem_euclid(1440) / 60, ':'),
        (minutes.rem_euclid(60), '\0'),
    ];
    for (number, behind) in date {
        if number < 10 {
            memory.push('0');
        }
        memory.push_digits(number.unsigned_abs(), 10);
        if behind != '\0' {
            memory.push(behind);
        }
    }
}

/// Comb sort: close to the fastest, and the shortest.
pub(crate) fn sort(names: Words) {
    let mut gap = names.len();
    let mut sorted = false;
    while !sorted {
        sorted = gap <= 1;
        gap = (gap * 3 / 4).max(1);
        for (low, high) in names.iter().zip(names.get(gap..).unwrap_or_default()) {
            if high.get().before(low.get()) {
                high.set(low.replace(high.get()));
                sorted = false;
            }
        }
    }
}
