//! `ls [-1Aa] [PATH]`

use crate::memory::{Memory, ZStr};
use crate::shell::Shell;
use crate::sys::{self, Errno};
use core::cell::Cell;

const ALMOST_ALL: u8 = 2;
const ALL: u8 = 4;

impl Shell<'_> {
    /// Prints the names in a directory, sorted by their bytes, one to a line; of a file its path. `-A` also those
    /// that begin with a dot, `-a` also `.` and `..`. With `capture` they stay in
    /// memory, from `output` on.
    pub(super) fn ls(&mut self, capture: bool, output: &mut usize) -> u8 {
        let options = self.options(b"1Aa", 0, 1);
        let path = self.next().unwrap_or(ZStr::DOT);
        if !self.run {
            return 0;
        }
        if let Err(error) = list(&mut self.memory, path, options, output) {
            self.memory.truncate(*output);
            return self.failed(path, error);
        }
        if capture { 0 } else { self.print(*output) }
    }
}

fn list(memory: &mut Memory, path: ZStr, options: u8, output: &mut usize) -> Result<(), Errno> {
    let directory = match sys::open_directory(path) {
        Err(Errno::ENOTDIR) => {
            line(memory, path);
            return Ok(());
        }
        directory => directory?,
    };
    let mut entry = memory.length();
    memory.read(&directory)?;
    *output = memory.length();
    // Where in memory each name begins.
    let mut names = memory.numbers();
    let mut count = 0;
    while entry < *output {
        let (name, next) = memory.entry(entry);
        let string = memory.string(name);
        let wanted = if string.is_dots() { ALL } else { ALL | ALMOST_ALL };
        if string.first() != b'.' || options & wanted != 0 {
            names.get(count).ok_or(Errno::ENOMEM)?.set((name as u32).to_ne_bytes());
            count += 1;
        }
        entry = next;
    }
    names = names.get(..count).unwrap_or_default();
    sort(names, |a, b| string(memory, a).before(string(memory, b)));
    for name in names {
        line(memory, string(memory, name));
    }
    Ok(())
}

fn string<'a>(memory: &Memory<'a>, name: &Cell<[u8; 4]>) -> ZStr<'a> {
    memory.string(u32::from_ne_bytes(name.get()) as usize)
}

/// Comb sort: close to the fastest, and the shortest.
fn sort(items: &[Cell<[u8; 4]>], before: impl Fn(&Cell<[u8; 4]>, &Cell<[u8; 4]>) -> bool) {
    let mut gap = items.len();
    let mut sorted = false;
    while !sorted {
        sorted = gap <= 1;
        gap = (gap * 3 / 4).max(1);
        for (low, high) in items.iter().zip(items.get(gap..).unwrap_or_default()) {
            if before(high, low) {
                let item = low.replace(high.get());
                high.set(item);
                sorted = false;
            }
        }
    }
}

fn line(memory: &mut Memory, name: ZStr) {
    memory.extend(name);
    memory.push(b'\n');
}
