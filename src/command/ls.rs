//! `ls [-1Aal] [PATH]`

use super::{Args, Outcome};
use crate::report;
use crate::sys::{self, CWD, Dir, Errno, Follow, Names, ZStr};

/// Puts the names in a directory, sorted by their bytes, one to a line, at the start of `free`; of a file its
/// path. `-A` also those that begin with a dot, `-a` also `.` and `..`; `-l` mode and size before each.
/// `output` becomes the number of bytes.
pub fn ls(mut args: Args, free: &mut [u8], run: bool, output: &mut usize) -> Outcome {
    let options = args.options(b"1Aal")?;
    let path = args.operand().unwrap_or(ZStr::DOT);
    args.end()?;
    if !run {
        return Ok(0);
    }
    match list(path, options, free) {
        Ok(length) => {
            *output = length;
            Ok(0)
        }
        Err(error) => Ok(report::failed(args.name, path.bytes(), error)),
    }
}

const ALMOST_ALL: u8 = 2;
const ALL: u8 = 4;
const LONG: u8 = 8;

fn list(path: ZStr, options: u8, free: &mut [u8]) -> Result<usize, Errno> {
    let (bytes, entries) = free.split_at_mut_checked(free.len() / 2).unwrap_or_default();
    let mut lines = Lines { bytes, length: 0, long: options & LONG != 0 };
    if !sys::status(CWD, path, Follow::Yes)?.is_directory() {
        lines.add(CWD, path)?;
        return Ok(lines.length);
    }

    let directory = sys::open_directory(path)?;
    let length = directory.read_all(entries)?;
    let (entries, rest) = entries.split_at_mut_checked(length).unwrap_or_default();
    // Where in `entries` each name begins.
    let (starts, _) = rest.as_chunks_mut::<4>();
    let mut count = 0;
    let mut names = Names::new(entries);
    loop {
        let start = names.position();
        let Some(name) = names.next() else { break };
        let shown = match name.bytes() {
            b"." | b".." => options & ALL != 0,
            [b'.', ..] => options & (ALL | ALMOST_ALL) != 0,
            _ => true,
        };
        if shown {
            *starts.get_mut(count).ok_or(Errno::ENOMEM)? = (start as u32).to_ne_bytes();
            count += 1;
        }
    }
    let starts = starts.get_mut(..count).unwrap_or_default();
    let name = |start: [u8; 4]| entries.get(u32::from_ne_bytes(start) as usize..).unwrap_or_default();
    sort(starts, |a, b| before(name(a), name(b)));
    for start in starts {
        if let Some((name, _)) = ZStr::cut(name(*start)) {
            lines.add(directory.dir(), name)?;
        }
    }
    Ok(lines.length)
}

/// Comb sort: nearly as fast as the best of them, and the shortest.
fn sort(items: &mut [[u8; 4]], before: impl Fn([u8; 4], [u8; 4]) -> bool) {
    let mut gap = items.len();
    let mut sorted = false;
    while !sorted {
        sorted = gap <= 1;
        gap = (gap * 3 / 4).max(1);
        let mut low = 0;
        while let (Some(&a), Some(&b)) = (items.get(low), items.get(low + gap)) {
            if before(b, a) {
                sorted = false;
                if let Some(item) = items.get_mut(low) {
                    *item = b;
                }
                if let Some(item) = items.get_mut(low + gap) {
                    *item = a;
                }
            }
            low += 1;
        }
    }
}

/// Whether the string at the start of `a` sorts before the one at the start of `b`. They are never the same.
fn before(a: &[u8], b: &[u8]) -> bool {
    a.iter().zip(b).find(|(a, b)| a != b).is_some_and(|(a, b)| a < b)
}

/// Lines of output.
struct Lines<'a> {
    bytes: &'a mut [u8],
    length: usize,
    long: bool,
}

impl Lines<'_> {
    fn add(&mut self, directory: Dir, name: ZStr) -> Result<(), Errno> {
        if self.long {
            let status = sys::status(directory, name, Follow::No)?;
            let mode = status.mode;
            self.push(b"?pc?d?b?-?l?s???".get(usize::from(mode >> 12)).copied().unwrap_or(b'?'))?;
            let mut bit = 0o400;
            while bit != 0 {
                for letter in *b"rwx" {
                    self.push(if mode & bit != 0 { letter } else { b'-' })?;
                    bit >>= 1;
                }
            }
            let mut digits = [b' '; 20];
            report::decimal(status.size, &mut digits);
            self.extend(digits.get(6..).unwrap_or_default())?;
            self.push(b' ')?;
        }
        self.extend(name.bytes())?;
        self.push(b'\n')
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        bytes.iter().try_for_each(|byte| self.push(*byte))
    }

    fn push(&mut self, byte: u8) -> Result<(), Errno> {
        *self.bytes.get_mut(self.length).ok_or(Errno::ENOMEM)? = byte;
        self.length += 1;
        Ok(())
    }
}
