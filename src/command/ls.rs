//! `ls [-1Aa] [PATH]`

use crate::memory::ZStr;
use crate::shell::Shell;
use crate::sys::Errno;

const ALMOST_ALL: u8 = 2;
const ALL: u8 = 4;

impl<'a> Shell<'a> {
    /// Prints the names in a directory, sorted by their bytes, one to a line; of a file its path. `-A` also those
    /// that begin with a dot, `-a` also `.` and `..`. With `capture` they stay in memory, from `output` on.
    pub(super) fn ls(&mut self, capture: bool, output: &mut usize) -> u8 {
        let options = self.options(const { ZStr::new(c"1Aa") });
        let path = self.words.next().unwrap_or(ZStr::DOT);
        self.end();
        if !self.run {
            return 0;
        }
        self.memory.map();
        let mut entry = self.memory.length();
        let mut listed = self.memory.read_directory(path);
        *output = self.memory.length();
        if listed == Err(Errno::ENOTDIR) {
            self.line(path);
            listed = Ok(());
        }
        let mut count = 0;
        while entry < *output {
            let name = self.memory.entry(&mut entry);
            let wanted = if name.is_dots() { ALL } else { ALL | ALMOST_ALL };
            if name.first() != b'.' || options & wanted != 0 {
                self.memory.set(count, name);
                count += 1;
            }
        }
        self.sort(count);
        for index in 0..count {
            self.line(self.memory.get(index));
        }
        let status = self.outcome(path, listed);
        if capture { status } else { status | self.print(*output) }
    }

    /// Comb sort: close to the fastest, and the shortest.
    fn sort(&mut self, count: usize) {
        let mut gap = count;
        let mut sorted = false;
        while !sorted {
            sorted = gap <= 1;
            gap = (gap * 3 / 4).max(1);
            for high in gap..count {
                let (a, b) = (self.memory.get(high - gap), self.memory.get(high));
                if b.before(a) {
                    self.memory.set(high - gap, b);
                    self.memory.set(high, a);
                    sorted = false;
                }
            }
        }
    }

    fn line(&mut self, name: ZStr) {
        self.memory.extend(name);
        self.memory.push(b'\n');
    }
}
