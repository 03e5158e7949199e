//! The files of the made-up kernel: a tree in memory that behaves as path_resolution(7) and the calls' man pages say.

/// A negated error number.
pub type Answer<T = usize> = Result<T, isize>;

pub const ENOENT: isize = -2;
pub const EBADF: isize = -9;
pub const EEXIST: isize = -17;
pub const ENOTDIR: isize = -20;
pub const EISDIR: isize = -21;
pub const EINVAL: isize = -22;
pub const ENOSPC: isize = -28;
pub const ENAMETOOLONG: isize = -36;
pub const ENOTEMPTY: isize = -39;
pub const ELOOP: isize = -40;

pub const TYPE: u16 = 0o170000;
pub const DIRECTORY: u16 = 0o040000;
pub const REGULAR: u16 = 0o100000;
pub const SYMLINK: u16 = 0o120000;
pub const FIFO: u16 = 0o010000;
pub const SOCKET: u16 = 0o140000;
pub const DEVICE: u16 = 0o020000;

/// More than any script here should write: then the disk is full.
const DISK: usize = 1 << 17;
const NODES: usize = 400;

/// A file of any type.
#[derive(Clone, Default)]
pub struct Node {
    /// Type and permission bits.
    pub mode: u16,
    pub links: u32,
    /// What a file holds, or where a link leads.
    pub content: Vec<u8>,
    /// A directory's names, each with its place, which only grows.
    pub entries: Vec<(u64, Vec<u8>, usize)>,
    /// The directory above.
    pub above: usize,
    pub times: [i64; 4],
}

impl Node {
    pub fn is(&self, kind: u16) -> bool {
        self.mode & TYPE == kind
    }
}

/// Where a path leads: the directory, the name in it, and what bears it. `.`, `..` and `/` have no name.
#[derive(Clone)]
pub struct Place {
    pub directory: usize,
    pub name: Vec<u8>,
    pub node: Option<usize>,
    /// It ends with a slash.
    pub slash: bool,
}

/// A tree; its root is node 0.
#[derive(Clone, Default)]
pub struct Files {
    pub nodes: Vec<Node>,
    used: usize,
    places: u64,
}

impl Files {
    /// A root with nothing in it.
    pub fn new() -> Files {
        let root = Node { mode: DIRECTORY | 0o755, links: 2, ..Node::default() };
        Files { nodes: vec![root], ..Files::default() }
    }

    /// Finds a path. A link at its end is looked through if `follow`.
    pub fn find(&self, from: usize, path: &[u8], follow: bool) -> Answer<Place> {
        let mut links = 0;
        self.find_through(from, path, follow, &mut links)
    }

    fn find_through(&self, from: usize, path: &[u8], follow: bool, links: &mut u32) -> Answer<Place> {
        if path.is_empty() {
            return Err(ENOENT);
        }
        let slash = path.ends_with(b"/");
        let mut at = if path[0] == b'/' { 0 } else { from };
        let mut place = Place { directory: at, name: vec![], node: Some(at), slash };
        let mut parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            if part.len() > 255 {
                return Err(ENAMETOOLONG);
            }
            if !self.nodes[at].is(DIRECTORY) {
                return Err(ENOTDIR);
            }
            let node = match part {
                b"." => Some(at),
                b".." => Some(self.nodes[at].above),
                name => self.entry(at, name),
            };
            if let Some(link) = node
                && self.nodes[link].is(SYMLINK)
                && (!last || follow || slash)
            {
                *links += 1;
                if *links > 40 {
                    return Err(ELOOP);
                }
                place = self.find_through(at, &self.nodes[link].content, true, links)?;
            } else {
                let name = if matches!(part, b"." | b"..") { vec![] } else { part.to_vec() };
                place = Place { directory: at, name, node, slash };
            }
            match place.node {
                Some(node) => at = node,
                None if last => {}
                None => return Err(ENOENT),
            }
        }
        place.slash |= slash;
        if place.slash && place.node.is_some_and(|node| !self.nodes[node].is(DIRECTORY)) {
            return Err(ENOTDIR);
        }
        Ok(place)
    }

    /// What bears a name in a directory.
    pub fn entry(&self, directory: usize, name: &[u8]) -> Option<usize> {
        self.nodes[directory].entries.iter().find(|(_, own, _)| own == name).map(|&(_, _, node)| node)
    }

    /// Makes something where there is nothing.
    pub fn make(&mut self, place: &Place, mode: u16, content: &[u8]) -> Answer {
        if place.node.is_some() {
            return Err(EEXIST);
        }
        if place.slash && mode & TYPE != DIRECTORY {
            return Err(ENOENT);
        }
        if self.nodes.len() >= NODES {
            return Err(ENOSPC);
        }
        let node = Node {
            mode,
            links: if mode & TYPE == DIRECTORY { 2 } else { 0 },
            content: content.to_vec(),
            above: place.directory,
            ..Node::default()
        };
        self.nodes.push(node);
        self.name(place.directory, &place.name, self.nodes.len() - 1)?;
        Ok(self.nodes.len() - 1)
    }

    /// Gives something one more name.
    pub fn name(&mut self, directory: usize, name: &[u8], node: usize) -> Answer<()> {
        if self.nodes[directory].links == 0 {
            return Err(ENOENT); // it is removed itself
        }
        self.places += 1;
        self.nodes[directory].entries.push((self.places, name.to_vec(), node));
        if self.nodes[node].is(DIRECTORY) {
            self.nodes[node].above = directory;
            self.nodes[directory].links += 1;
        } else {
            self.nodes[node].links += 1;
        }
        Ok(())
    }

    /// Takes a name away.
    pub fn unname(&mut self, directory: usize, name: &[u8]) {
        let entries = &mut self.nodes[directory].entries;
        if let Some(at) = entries.iter().position(|(_, own, _)| own == name) {
            let (_, _, node) = entries.remove(at);
            if self.nodes[node].is(DIRECTORY) {
                self.nodes[directory].links -= 1;
            } else {
                self.nodes[node].links -= 1;
            }
        }
    }

    /// unlinkat(2)
    pub fn remove(&mut self, place: &Place, directories: bool) -> Answer<()> {
        let node = place.node.ok_or(ENOENT)?;
        if place.name.is_empty() {
            return Err(if directories { EINVAL } else { EISDIR });
        }
        match (self.nodes[node].is(DIRECTORY), directories) {
            (true, false) => return Err(EISDIR),
            (false, true) => return Err(ENOTDIR),
            (true, true) if !self.nodes[node].entries.is_empty() => return Err(ENOTEMPTY),
            (true, true) => self.nodes[node].links = 0,
            (false, false) => {}
        }
        self.unname(place.directory, &place.name);
        Ok(())
    }

    /// renameat2(2)
    pub fn rename(&mut self, from: &Place, to: &Place, exchange: bool) -> Answer<()> {
        let node = from.node.ok_or(ENOENT)?;
        if from.name.is_empty() || to.name.is_empty() {
            return Err(-16);
        }
        if self.nodes[to.directory].links == 0 {
            return Err(ENOENT); // it is removed itself
        }
        let is_directory = self.nodes[node].is(DIRECTORY);
        if (to.slash || from.slash) && !is_directory {
            return Err(ENOTDIR);
        }
        if is_directory && self.is_below(to.directory, node) {
            return Err(EINVAL);
        }
        match (to.node, exchange) {
            (None, true) => return Err(ENOENT),
            (None, false) => {}
            (Some(other), true) => {
                if self.nodes[other].is(DIRECTORY) && self.is_below(from.directory, other) {
                    return Err(EINVAL);
                }
                self.unname(to.directory, &to.name);
                self.unname(from.directory, &from.name);
                self.name(from.directory, &from.name, other)?;
                return self.name(to.directory, &to.name, node);
            }
            (Some(other), false) => {
                if other == node {
                    return Ok(());
                }
                match (is_directory, self.nodes[other].is(DIRECTORY)) {
                    (true, false) => return Err(ENOTDIR),
                    (false, true) => return Err(EISDIR),
                    (true, true) if !self.nodes[other].entries.is_empty() => return Err(ENOTEMPTY),
                    (true, true) => self.nodes[other].links = 0,
                    (false, false) => {}
                }
                self.unname(to.directory, &to.name);
            }
        }
        self.unname(from.directory, &from.name);
        self.name(to.directory, &to.name, node)
    }

    fn is_below(&self, mut node: usize, above: usize) -> bool {
        while node != above && node != 0 {
            node = self.nodes[node].above;
        }
        node == above
    }

    /// Writes into a file at a place.
    pub fn write(&mut self, node: usize, at: usize, bytes: &[u8]) -> Answer<()> {
        self.used += bytes.len();
        if self.used > DISK {
            return Err(ENOSPC);
        }
        let content = &mut self.nodes[node].content;
        if content.len() < at + bytes.len() {
            content.resize(at + bytes.len(), 0);
        }
        content[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    /// A file, and all that is below it.
    pub fn below(&self, node: usize) -> Vec<usize> {
        let mut all = vec![node];
        let mut at = 0;
        while let Some(&next) = all.get(at) {
            if self.nodes[next].is(DIRECTORY) {
                all.extend(self.nodes[next].entries.iter().map(|&(_, _, node)| node));
            }
            at += 1;
        }
        all
    }

    /// Whether a directory is where nobody looks: below a name for the time being, or removed.
    pub fn is_hidden(&self, mut directory: usize) -> bool {
        while directory != 0 {
            let above = self.nodes[directory].above;
            let Some((_, name, _)) = self.nodes[above].entries.iter().find(|&&(_, _, node)| node == directory) else {
                return true;
            };
            if is_temporary(name) {
                return true;
            }
            directory = above;
        }
        false
    }
}

/// Whether it is the name of what has not got its own yet, or one that tells about a copy.
pub fn is_temporary(name: &[u8]) -> bool {
    name.strip_prefix(b".modelcar-").is_some_and(|rest| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-'))
}
