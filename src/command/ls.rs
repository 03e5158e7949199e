//! `ls [-1Aa] [PATH]`

use super::bit;
use crate::memory::{ALL, ALMOST_ALL, Words, ZStr};
use crate::shell::Shell;
use crate::sys::{self, Errno, Follow};

// Options say which names are wanted.
const _: () = assert!(bit(b'A') == ALMOST_ALL && bit(b'a') == ALL);

impl<'a> Shell<'a> {
    /// Prints the names in a directory, sorted by their bytes, one to a line; of a file its path. `-A` also those
    /// that begin with a dot, `-a` also `.` and `..`.
    pub(super) fn ls(&mut self) {
        let path = self.next().unwrap_or(const { ZStr::new(c".") });
        if !self.run {
            return;
        }
        let place = self.memory.length();
        let count = self.memory.count();
        // Names lie far behind, so that the lines which are made of them can begin here.
        self.memory.go_far();
        let mut listed = self.memory.read_directory(path, self.options);
        self.memory.truncate(place);
        if listed == Err(Errno::ENOTDIR) {
            let there = sys::mode(path, Follow::Yes);
            if there >= 0 && !sys::is(there, sys::DIRECTORY) {
                listed = Ok(());
                self.memory.push_word(path);
            }
        }
        if listed.is_err() {
            return self.outcome(path, listed);
        }
        let names = self.memory.words(count);
        sort(names);
        for name in names {
            self.memory.extend(name.get());
            self.memory.push(b'\n');
        }
        if !self.capture {
            self.print(place);
        }
    }
}

/// Comb sort: close to the fastest, and the shortest.
fn sort(names: Words) {
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
