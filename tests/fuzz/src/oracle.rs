//! What is true of one command whenever it has ended, whatever files there were and whichever calls failed: what it may
//! have changed, what its exit status tells, what it said and printed. There is no model of how it gets there.

use crate::files::*;
use crate::kernel::{End, PID};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Commands of which something is known here, and the letters of their options, or `-` if they read their words
/// themselves; a colon as in getopts.
const COMMANDS: &[(&[u8], &[u8])] = &[
    (b"[", b"-"),
    (b"cat", b""),
    (b"chmod", b"-"),
    (b"cp", b"raRpdPfTv"),
    (b"echo", b"-"),
    (b"false", b"-"),
    (b"ln", b"sfnTv"),
    (b"ls", b"1AaldhRnFr"),
    (b"mkdir", b"pm:"),
    (b"readlink", b"n"),
    (b"rm", b"rRf"),
    (b"sleep", b""),
    (b"tail", b"f"),
    (b"tar", b"-"),
    (b"test", b"-"),
    (b"touch", b""),
    (b"true", b"-"),
];

/// Commands that a program goes by, and of which nothing is known here.
const OTHERS: &[&[u8]] = &[b"sh", b"exit", b":", b"set", b"cd", b"exec"];

/// A command and its words.
#[derive(Clone)]
pub struct Command {
    /// The name as it was called, and without the directory.
    called: Vec<u8>,
    pub name: &'static [u8],
    words: Vec<Vec<u8>>,
    options: Vec<u8>,
    operands: Vec<Vec<u8>>,
    /// What would be a link into the container's own root is a copy.
    copies: bool,
}

impl Command {
    /// What the program does that is called by these words.
    pub fn called(words: &[&[u8]], environment: &[u8]) -> Option<Command> {
        let (first, mut rest) = words.split_first()?;
        let mut called = first.rsplit(|&byte| byte == b'/').next()?;
        if OTHERS.contains(&called) {
            return None;
        }
        if known(called).is_none() {
            (called, rest) = rest.split_first().map(|(name, rest)| (*name, rest))?;
        }
        Self::new(called, rest.iter().map(|word| word.to_vec()).collect(), environment)
    }

    /// What a script does that is one command without anything that a shell would change, but for `$$`.
    pub fn written(script: &[u8], environment: &[u8]) -> Option<Command> {
        let pid = PID.to_string();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" ./_+,%:=-".contains(byte);
        let whole: Vec<u8> =
            script.split(|&byte| byte == b'$').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(pid.as_bytes());
        // Each `$` is one of a pair, and there is something before, between and behind.
        let dollars = script.iter().filter(|&&byte| byte == b'$').count();
        let pairs = script.windows(2).filter(|pair| pair == b"$$").count();
        if dollars != 2 * pairs || script.starts_with(b"$") || script.ends_with(b"$") || !whole.iter().all(plain) {
            return None;
        }
        let mut words = whole.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        Self::new(words.next()?, words.map(<[u8]>::to_vec).collect(), environment)
    }

    fn new(called: &[u8], words: Vec<Vec<u8>>, environment: &[u8]) -> Option<Command> {
        let (name, letters) = known(called.strip_prefix(b"/bin/").unwrap_or(called))?;
        let (mut options, mut operands) = (vec![], vec![]);
        let mut rest = words.iter();
        let mut ended = letters == b"-";
        while let Some(word) = rest.next() {
            if ended || word.len() < 2 || word[0] != b'-' {
                operands.push(word.clone());
            } else if word == b"--" {
                ended = true;
            } else {
                for (at, letter) in word.iter().enumerate().skip(1) {
                    let place = letters.iter().position(|own| own == letter)?; // else it is refused
                    options.push(*letter);
                    if letters.get(place + 1) == Some(&b':') {
                        if at + 1 == word.len() {
                            rest.next()?;
                        }
                        break;
                    }
                }
            }
        }
        let mode = environment.split(|&byte| byte == b'\n').find(|line| line.starts_with(b"MODELCAR_MODE="));
        let mut copies = mode == Some(b"MODELCAR_MODE=copy");
        if name == b"ln" && copies {
            let own = |path: &&Vec<u8>| path.starts_with(&[own_root(), vec![b'/']].concat());
            let targets = &operands[..operands.len().saturating_sub(1).max(1).min(operands.len())];
            let count = targets.iter().filter(own).count();
            if count != 0 && count != targets.len() {
                return None;
            }
            copies = count != 0;
        }
        Some(Command { called: called.to_vec(), name, words, options, operands, copies })
    }

    fn has(&self, letters: &[u8]) -> bool {
        letters.iter().any(|letter| self.options.contains(letter))
    }

    /// Whether it is a copy, which appears whole or not at all.
    pub fn is_copy(&self) -> bool {
        self.name == b"cp" || self.name == b"ln" && self.copies
    }

    /// Whether the times, and all permission bits, are the source's.
    fn preserves(&self) -> bool {
        self.name == b"ln" || self.has(b"ap")
    }

    /// What of a copy's sources is in the tree: all that may appear.
    pub fn sources(&self, files: &Files, here: usize) -> Vec<usize> {
        let own = own_root();
        let mut found = vec![];
        for operand in &self.operands {
            let path = if self.name == b"ln" { operand.strip_prefix(&own[..]) } else { Some(&operand[..]) };
            for follow in [false, true] {
                if let Some(path) = path
                    && let Ok(Place { node: Some(node), .. }) = files.find(here, path, follow)
                {
                    found.extend(files.below(node));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What must hold when it has ended.
    pub fn check(&self, status: u8, end: &End) {
        self.check_lines(status, end);
        if end.moved {
            return;
        }
        self.check_changes(end);
        let calm = !end.failed && status == 0;
        match self.name {
            b"rm" if calm => self.check_gone(end),
            b"mkdir" if calm => {
                for path in &self.operands {
                    let place = end.files.find(end.here, path, true);
                    assert!(
                        place.is_ok_and(|place| place.node.is_some_and(|node| end.files.nodes[node].is(DIRECTORY)))
                    );
                }
            }
            b"cp" => self.check_copy(status, end),
            b"tar" if !end.failed && !end.unprinted => self.check_archive(status, end),
            _ => {}
        }
        if calm && !end.unprinted {
            self.check_printed(end);
        }
    }

    /// A failure has its line, one, and success has none.
    fn check_lines(&self, status: u8, end: &End) {
        let note = |line: &&Vec<u8>| {
            line.starts_with(b"link-model-and-wait: ")
                && line.windows(4).any(|part| part == b" -> ")
                && !(line.starts_with(b"link-model-and-wait: MODELCAR_") && line.ends_with(b": not supported\n"))
        };
        let failures: Vec<&Vec<u8>> = end.lines.iter().filter(|line| !note(line)).collect();
        let said = || {
            String::from_utf8_lossy(&failures.iter().flat_map(|line| line.to_vec()).collect::<Vec<u8>>()).into_owned()
        };
        assert!(self.name == b"ln" || failures.len() == end.lines.len(), "says what it has done");
        assert!(matches!(status, 0 | 1 | 2 | 127), "exit status {status}");
        match status {
            2 | 127 => {
                assert_eq!(failures.len(), 1, "a refusal is one line: {}", said());
                assert!(!end.done, "refused, and something has been done: {}", said());
            }
            _ if matches!(self.name, b"[" | b"test" | b"false") => {}
            1 => assert!(!failures.is_empty(), "failed without a word"),
            // An earlier copy that cannot be removed is worth a line, and the new one is there.
            _ => assert!(
                failures.is_empty() || self.is_copy() && (end.failed || end.moved),
                "succeeded, but: {}",
                said()
            ),
        }
        let names = [&self.called[..], b"link-model-and-wait", b"sh", b"sleep"];
        for line in &failures {
            let own = names.iter().any(|name| line.strip_prefix(*name).is_some_and(|rest| rest.starts_with(b": ")));
            assert!(own, "whose line is this: {}", said());
        }
        let newline =
            |files: &Files| files.nodes.iter().any(|node| node.entries.iter().any(|entry| entry.1.contains(&b'\n')));
        // `ls` asks more than once, and need not be told the same.
        let asks = self.name == b"ls" && end.failed;
        if self.operands.len() < 2 && !newline(&end.files) && !end.moved && !asks {
            let different: BTreeSet<_> = failures.iter().collect();
            assert_eq!(different.len(), failures.len(), "said twice: {}", said());
        }
    }

    /// What it may change, and what not.
    fn check_changes(&self, end: &End) {
        let (before, after) = (&end.before, &end.files);
        let changes = changes(before, after);
        if changes.is_empty() && before.nodes.len() == after.nodes.len() {
            return;
        }
        let replaced = |directory, name: &[u8]| {
            changes
                .iter()
                .any(|change| matches!(change, Change::New(there, new, _) if (*there, *new) == (directory, name)))
        };
        let named = |path: &[u8], name: &[u8]| {
            let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
            path[..end].ends_with(name)
        };
        let new = |node: usize, kind| node >= before.nodes.len() && after.nodes[node].is(kind);
        let targets = |follow| self.places(before, end.here, follow).filter_map(|place| place.node);
        for change in &changes {
            let may = match (self.name, *change) {
                (b"rm", Change::Gone(directory, name, _)) => {
                    let recursive = self.has(b"rR");
                    self.places(before, end.here, false).any(|place| {
                        let itself = (place.directory, &place.name[..]) == (directory, name);
                        itself || recursive && place.node.is_some_and(|node| before.below(node).contains(&directory))
                    })
                }
                (b"chmod", Change::Mode(node)) => {
                    let recursive = self.words.iter().any(|word| word == b"-R");
                    (before.nodes[node].mode ^ after.nodes[node].mode) & TYPE == 0
                        && targets(true)
                            .any(|target| target == node || recursive && before.below(target).contains(&node))
                }
                (b"mkdir", Change::New(_, _, node)) => after.below(node).into_iter().all(|node| new(node, DIRECTORY)),
                (b"touch", Change::New(_, _, node)) => new(node, REGULAR) && after.nodes[node].content.is_empty(),
                (b"touch", Change::Times(node)) => targets(true).any(|target| target == node),
                (b"cp" | b"ln", Change::New(_, name, _) | Change::Gone(_, name, _))
                    if is_temporary(name) && !self.operands.iter().any(|path| named(path, name)) =>
                {
                    end.failed || end.planted
                }
                (b"ln", Change::New(_, _, node)) if !self.copies => new(node, SYMLINK),
                (b"ln", Change::Gone(directory, name, node)) if !self.copies => {
                    let mode = before.nodes[node].mode & TYPE;
                    replaced(directory, name) && (mode == SYMLINK || mode != DIRECTORY && self.has(b"f"))
                }
                // What appears, the kernel has looked at when it did.
                (b"cp" | b"ln", Change::New(_, _, node)) => node >= before.nodes.len(),
                (b"cp" | b"ln", Change::Gone(directory, name, _)) => {
                    replaced(directory, name) || self.name == b"ln" && end.failed
                }
                (b"cp", Change::Mode(node) | Change::Times(node)) => {
                    self.preserves() && before.nodes[node].is(DIRECTORY)
                }
                _ => false,
            };
            assert!(may, "{change:?} must not be");
        }
    }

    /// Where the operands lead.
    fn places(&self, files: &Files, here: usize, follow: bool) -> impl Iterator<Item = Place> {
        self.operands.iter().filter_map(move |path| files.find(here, path, follow).ok())
    }

    fn check_gone(&self, end: &End) {
        for path in &self.operands {
            let there = |files: &Files| files.find(end.here, path, false).is_ok_and(|place| place.node.is_some());
            assert!(!there(&end.files), "removed, but still there");
            assert!(self.has(b"f") || there(&end.before), "removed, but was not there");
        }
    }

    /// A copy that succeeded is complete, and one that failed is not there.
    fn check_copy(&self, status: u8, end: &End) {
        let [source, destination] = &self.operands[..] else { return };
        let base = source.split(|&byte| byte == b'/').rfind(|part| !part.is_empty()).unwrap_or_default();
        let mut inner = destination.clone();
        if !matches!(base, b"." | b".." | b"") {
            inner.push(b'/');
            inner.extend_from_slice(base);
        }
        let find =
            |files: &Files, path: &[u8], follow| files.find(end.here, path, follow).ok().and_then(|place| place.node);
        if status != 0 {
            for path in [destination, &inner] {
                let appeared = find(&end.before, path, false).is_none() && find(&end.files, path, false).is_some();
                assert!(!appeared || self.has(b"v"), "failed, but is there");
            }
            return;
        }
        if end.failed {
            return;
        }
        let into = !self.has(b"T")
            && find(&end.before, destination, true).is_some_and(|node| end.before.nodes[node].is(DIRECTORY));
        let follow = !self.has(b"rRadP") || source.ends_with(b"/");
        let from = find(&end.before, source, follow).expect("a source of a copy that succeeded");
        let path = if into { &inner } else { destination };
        let to = find(&end.files, path, end.before.nodes[from].is(DIRECTORY)).expect("a copy that succeeded");
        assert!(covers(&end.files, to, &end.before, from), "succeeded, but something is missing");
    }

    /// What was printed can be told from the files.
    fn check_printed(&self, end: &End) {
        let files = &end.before;
        let mut expected = vec![];
        match self.name {
            b"echo" => {
                let options = self.words.iter().take_while(|word| {
                    word.len() > 1 && word[0] == b'-' && word[1..].iter().all(|&letter| letter == b'n')
                });
                let options = options.count();
                expected = self.words[options..].join(&b' ');
                if options == 0 {
                    expected.push(b'\n');
                }
            }
            b"readlink" => {
                for place in self.places(files, end.here, false) {
                    expected.extend_from_slice(&files.nodes[place.node.expect("a link")].content);
                    if !self.has(b"n") || self.operands.len() > 1 {
                        expected.push(b'\n');
                    }
                }
            }
            b"cat" => {
                if self.operands.is_empty() || self.operands.iter().any(|path| path == b"-") {
                    return;
                }
                for place in self.places(files, end.here, true) {
                    expected.extend_from_slice(&files.nodes[place.node.expect("a file")].content);
                }
            }
            b"ls" => {
                let [path] = &self.operands[..] else { return };
                let Ok(Place { node: Some(node), .. }) = files.find(end.here, path, true) else { return };
                if self.has(b"ldhRnF") || !files.nodes[node].is(DIRECTORY) {
                    return;
                }
                let mut names: Vec<&[u8]> = files.nodes[node].entries.iter().map(|entry| &entry.1[..]).collect();
                names.retain(|name| name[0] != b'.' || self.has(b"aA"));
                if self.has(b"a") {
                    names.extend([&b"."[..], b".."]);
                }
                names.sort_unstable();
                if self.has(b"r") {
                    names.reverse();
                }
                for name in names {
                    expected.extend_from_slice(name);
                    expected.push(b'\n');
                }
            }
            b"tar" => return,
            b"cp" | b"ln" if self.has(b"v") => return,
            _ => {}
        }
        let text = String::from_utf8_lossy;
        assert!(end.printed == expected, "printed {:?}, not {:?}", text(&end.printed), text(&expected));
    }

    /// The archive is whole, and holds what is there.
    fn check_archive(&self, status: u8, end: &End) {
        // A directory for `-C` that is not there ends it where it is.
        if end.printed.is_empty() || status != 0 && self.words.iter().any(|word| word.contains(&b'C')) {
            return;
        }
        assert!(
            end.printed.len().is_multiple_of(512) && end.printed.ends_with(&[0; 1024]),
            "an archive without an end"
        );
        let (from, paths) = match &self.words[..] {
            [form, dash, place, directory, paths @ ..]
                if dash == b"-" && place == b"-C" && matches!(&form[..], b"cf" | b"-cf") =>
            {
                (end.before.find(end.here, directory, true).ok().and_then(|place| place.node), paths)
            }
            [form, dash, paths @ ..] if dash == b"-" && matches!(&form[..], b"cf" | b"-cf") => (Some(end.here), paths),
            _ => (None, &[][..]),
        };
        let mut members = 0;
        let mut archive = tar::Archive::new(&end.printed[..]);
        for member in archive.entries().expect("an archive") {
            let mut member = member.expect("a member");
            members += 1;
            let mut content = vec![];
            std::io::Read::read_to_end(&mut member, &mut content).expect("its content");
            let (Some(from), [path]) = (from, paths) else { continue };
            if member.path_bytes().contains(&b'\n') {
                continue; // of a pax record with a newline in it the crate reads nothing
            }
            // Names in the archive begin below the root.
            let mut name = member.path_bytes().into_owned();
            if path.starts_with(b"/") {
                name.insert(0, b'/');
            }
            let bare = name.len() - name.iter().rev().take_while(|&&byte| byte == b'/').count();
            let kind = member.header().entry_type();
            let place = end.before.find(from, if kind.is_dir() { &name } else { &name[..bare] }, false);
            let node = place.expect("a path that is there").node.expect("a file that is there");
            let node = &end.before.nodes[node];
            let same = match node.mode & TYPE {
                DIRECTORY => kind.is_dir(),
                REGULAR => kind.is_file() && content == node.content,
                SYMLINK => kind.is_symlink() && member.link_name_bytes().is_some_and(|held| *held == node.content),
                _ => kind.is_fifo(),
            };
            let mode = member.header().mode().expect("a mode");
            assert!(same && mode == u32::from(node.mode & 0o7777), "{:?}", String::from_utf8_lossy(&name));
        }
        if let (0, Some(from), [path]) = (status, from, paths)
            && let Ok(Place { node: Some(node), .. }) = end.before.find(from, path, false)
        {
            assert_eq!(members, end.before.below(node).len(), "not all of it is in the archive");
        }
    }
}

/// How a link leads into the program's own root.
fn own_root() -> Vec<u8> {
    format!("/proc/{PID}/root").into_bytes()
}

fn known(name: &[u8]) -> Option<(&'static [u8], &'static [u8])> {
    COMMANDS.iter().find(|row| row.0 == name).copied()
}

/// A difference in what was there before.
#[derive(Clone, Copy, Debug)]
enum Change<'f> {
    Content(#[expect(dead_code, reason = "for the message")] usize),
    Mode(usize),
    Times(usize),
    Gone(usize, &'f [u8], usize),
    New(usize, &'f [u8], usize),
}

fn changes<'f>(before: &'f Files, after: &'f Files) -> Vec<Change<'f>> {
    let mut changes = vec![];
    for (index, (old, new)) in before.nodes.iter().zip(&after.nodes).enumerate() {
        if old.content != new.content {
            changes.push(Change::Content(index));
        }
        if old.mode != new.mode {
            changes.push(Change::Mode(index));
        }
        if old.times != new.times {
            changes.push(Change::Times(index));
        }
        if old.entries == new.entries {
            continue;
        }
        let has =
            |node: &Node, name: &[u8], other| node.entries.iter().any(|entry| entry.1 == name && entry.2 == other);
        let gone = old.entries.iter().filter(|(_, name, node)| !has(new, name, *node));
        changes.extend(gone.map(|(_, name, node)| Change::Gone(index, name, *node)));
        let come = new.entries.iter().filter(|(_, name, node)| !has(old, name, *node));
        changes.extend(come.map(|(_, name, node)| Change::New(index, name, *node)));
    }
    changes
}

/// Whether all that `old` was is in `new`.
fn covers(now: &Files, new: usize, before: &Files, old: usize) -> bool {
    let (there, here) = (&before.nodes[old], &now.nodes[new]);
    here.mode & TYPE == there.mode & TYPE
        && here.content == there.content
        && there
            .entries
            .iter()
            .all(|(_, name, node)| now.entry(new, name).is_some_and(|copy| covers(now, copy, before, *node)))
}

/// What a copy may show of itself: it is kept by the kernel, who looks whenever a name is given or taken.
pub struct Watch {
    pub command: Command,
    pub before: Rc<Files>,
    pub sources: Vec<usize>,
}

impl Watch {
    /// A name has come to what nobody could see: it must be whole. `calm`: no call has failed.
    pub fn appears(&self, files: &Files, directory: usize, name: &[u8], calm: bool) {
        let Some(node) = files.entry(directory, name) else { return };
        if is_temporary(name) || files.is_hidden(directory) {
            return;
        }
        let whole = self.sources.iter().any(|&source| self.same(files, node, source, calm));
        assert!(whole, "a part of a copy can be seen, or other than it should be: {:?}", String::from_utf8_lossy(name));
    }

    /// A name is taken away.
    pub fn vanishes(&self, files: &Files, place: &Place, calm: bool) {
        let may = is_temporary(&place.name) || files.is_hidden(place.directory) || self.command.name == b"ln" && !calm;
        assert!(may, "{:?} is not there for a moment", String::from_utf8_lossy(&place.name));
    }

    fn same(&self, now: &Files, copy: usize, source: usize, calm: bool) -> bool {
        let (new, old) = (&now.nodes[copy], &self.before.nodes[source]);
        let kept = self.command.preserves();
        let directory = new.is(DIRECTORY);
        // What is replaced keeps its permission bits without `-p`, so of a file alone nothing is known.
        let mut mode = old.mode;
        if directory && self.command.name == b"ln" {
            mode |= 0o700;
        }
        if !kept {
            mode &= !0o022;
        }
        let of = if kept { 0o7777 } else { 0o777 };
        let attributes = new.is(SYMLINK)
            || !calm
            || !kept && !directory
            || (new.mode ^ mode) & of == 0 && (!kept || new.times == old.times);
        new.mode & TYPE == old.mode & TYPE
            && new.content == old.content
            && attributes
            && new.entries.len() == old.entries.len()
            && old
                .entries
                .iter()
                .all(|(_, name, node)| now.entry(copy, name).is_some_and(|below| self.same(now, below, *node, calm)))
    }
}
