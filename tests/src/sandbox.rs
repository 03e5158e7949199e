//! A root directory on disk, as the image and the pod make it.

use crate::arch::{Arch, find_program};
use crate::limit::{Test, this_test};
use crate::raw::exit;
use crate::spawn::{Action, Command};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::{io, mem};
use tempfile::TempDir;

/// What stands at `/bin/sh` in a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The file that ships, at `/bin/link-model-and-wait`, and by the names of its commands in `/bin`.
    Shipped(Arch),
    /// dash and the machine's coreutils.
    Dash,
    /// BusyBox with its own tools.
    Busybox,
}

impl Program {
    /// The commands that have a name of their own in `/bin`: the table of `src/command/mod.rs`, as the Containerfile reads it.
    pub fn names() -> Vec<&'static str> {
        let source = include_str!("../../src/command/mod.rs");
        let table = source.split_once("\ncommands! {\n").and_then(|(_, rest)| rest.split_once("for scripts only"));
        let (table, _) = table.expect("the table of commands");
        let names: Vec<_> = table.lines().filter_map(|row| row.split('"').nth(1)).collect();
        assert!(names.len() > 10, "{names:?}");
        names
    }

    /// As a vector's `not_true_of` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Program::Shipped(_) => "link-model-and-wait",
            Program::Dash => "dash",
            Program::Busybox => "busybox",
        }
    }
}

/// What `/models` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Models {
    /// A directory with a `model.bin`.
    #[default]
    Present,
    /// Not there.
    Missing,
    /// An empty directory.
    Empty,
    /// A regular file.
    File,
    /// A directory with nothing but `.hidden`.
    Hidden,
    /// A directory with nothing but an empty directory.
    Subdir,
    /// A symbolic link to a directory with a `model.bin`.
    Symlink,
    /// A symbolic link to nothing.
    Dangling,
    /// A directory of mode 0700, of root, with a `model.bin`.
    Unreadable,
    /// A directory with nothing but a file named `!`.
    Bang,
}

/// Something done to the sandbox before the program starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum Pre {
    Symlink {
        path: String,
        target: String,
    },
    File {
        path: String,
        #[serde(default)]
        content: String,
        /// In octal; 644 if not said.
        mode: Option<String>,
    },
    Mkdir {
        path: String,
        /// In octal; 755 if not said.
        mode: Option<String>,
    },
}

/// The pod around the program: a vector's `setup`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    /// Where a volume is mounted.
    pub volume: Option<String>,
    /// Its permission bits, in octal; 0777 like an emptyDir if not said.
    pub volume_mode: Option<String>,
    /// Who runs the program.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its working directory.
    pub cwd: Option<String>,
    /// More of its environment, each `NAME=value`.
    pub env: Vec<String>,
    /// What `/models` is.
    pub models: Models,
    /// What is done before the start.
    pub pre: Vec<Pre>,
    /// A symbolic link to the root of the very process that will start: its PID has come round again.
    pub live_self_link: Option<String>,
    /// A symbolic link to the root of another process of the pod, one with a `/models`.
    pub live_other_link: Option<String>,
}

/// A root directory with a program in it.
pub struct Sandbox {
    program: Program,
    // Removed when dropped. Nothing but a tmpfs of this thread is ever mounted below it outside of a process's
    // own mount namespace, so removing it never reaches what a process had mounted.
    root: TempDir,
    tmpfs: Vec<PathBuf>,
    pub(crate) binds: Vec<Bind>,
    pub(crate) read_only: bool,
    pub(crate) setup: Setup,
    _test: Arc<Test>,
}

/// A mount in the process's namespace.
pub(crate) struct Bind {
    pub from: PathBuf,
    pub to: PathBuf,
    pub read_only: bool,
}

impl Sandbox {
    /// A sandbox with a `/models` and no volume, run by root.
    pub fn new(program: Program) -> Sandbox {
        Sandbox::with(program, &Setup::default())
    }

    /// A sandbox set up as `setup` says.
    ///
    /// `live_self_link` and `live_other_link` need processes, so it is [`Command`] that makes them.
    pub fn with(program: Program, setup: &Setup) -> Sandbox {
        // SAFETY: geteuid(2) has no preconditions.
        if unsafe { libc::geteuid() } != 0 {
            // Once, and not by each test.
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                let _ = writeln!(
                    io::stderr(),
                    "the tests make namespaces and change users: run them as root, or by make test"
                );
                exit(101)
            });
        }
        // SAFETY: umask(2) has no preconditions; all that these tests make is made with this one.
        unsafe { libc::umask(0o022) };
        let root = tempfile::Builder::new().prefix("modelcar-").tempdir().expect("a temporary directory");
        set_mode(root.path(), 0o755);
        let mut sandbox = Sandbox {
            program,
            root,
            tmpfs: Vec::new(),
            binds: Vec::new(),
            read_only: false,
            setup: setup.clone(),
            _test: this_test(),
        };
        sandbox.make_directory("/proc");
        sandbox.install();
        sandbox.put_models(setup.models);
        if let Some(volume) = &setup.volume {
            sandbox.volume(volume, octal(&setup.volume_mode).unwrap_or(0o777));
        }
        for pre in &setup.pre {
            match pre {
                Pre::Symlink { path, target } => symlink(target, sandbox.path(path)).expect(path),
                Pre::File { path, content, mode } => {
                    let file = sandbox.path(path);
                    fs::create_dir_all(file.parent().expect("a file in the root")).expect(path);
                    fs::write(&file, content).expect(path);
                    set_mode(&file, octal(mode).unwrap_or(0o644));
                }
                Pre::Mkdir { path, mode } => {
                    let directory = sandbox.make_directory(path);
                    set_mode(&directory, octal(mode).unwrap_or(0o755));
                }
            }
        }
        sandbox
    }

    /// What runs in it.
    pub fn program(&self) -> Program {
        self.program
    }

    /// Where a path of the sandbox is on the machine. Meant for paths without symbolic links on the way.
    pub fn path(&self, inside: impl AsRef<OsStr>) -> PathBuf {
        let inside = Path::new(inside.as_ref());
        self.root.path().join(inside.strip_prefix("/").expect("an absolute path"))
    }

    /// The root directory on the machine.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A command to be run in it, found as a container runtime finds it: by path, or by name in `/bin`.
    pub fn command<S: AsRef<OsStr>>(&self, argv: &[S]) -> Command<'_> {
        Command::new(self, Action::Exec(argv.iter().map(|word| cstring(word.as_ref().as_bytes())).collect()))
    }

    /// A process of the test's own that copies a file of the sandbox to standard output, as a model server would
    /// read it. Its exit code is the error number.
    pub fn reader(&self, path: &str) -> Command<'_> {
        Command::new(self, Action::Read(cstring(path)))
    }

    /// A process of the test's own that ends and leaves a child to PID 1, which ends at once.
    pub fn orphan(&self) -> Command<'_> {
        Command::new(self, Action::Orphan)
    }

    /// A process of the test's own that does nothing.
    pub fn bystander(&self) -> Command<'_> {
        Command::new(self, Action::Wait)
    }

    /// Makes a directory and those above it.
    pub fn make_directory(&self, inside: &str) -> PathBuf {
        let path = self.path(inside);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{inside}: {error}"));
        path
    }

    /// Mounts a fresh volume, an ordinary directory with these permission bits.
    pub fn volume(&mut self, inside: &str, mode: u32) {
        let path = self.make_directory(inside);
        set_mode(&path, mode);
        self.binds.push(Bind { from: path.clone(), to: path, read_only: false });
    }

    /// Mounts a directory or file of the machine, or of another sandbox: a volume that two containers share.
    pub fn bind(&mut self, from: &Path, inside: &str, read_only: bool) {
        let to = self.path(inside);
        if from.is_dir() {
            self.make_directory(inside);
        } else {
            fs::write(&to, "").expect(inside);
        }
        self.binds.push(Bind { from: from.into(), to, read_only });
    }

    /// Mounts a file system of its own, a tmpfs with these mount options, `size=16k,mode=777` for example.
    /// This thread and the processes it starts see it.
    pub fn tmpfs(&mut self, inside: &str, options: &str) {
        let path = self.make_directory(inside);
        own_mounts().expect("a mount namespace");
        mount("tmpfs", &path, "tmpfs", options).unwrap_or_else(|error| panic!("tmpfs at {inside}: {error}"));
        self.tmpfs.push(path);
    }

    /// The root file system becomes read-only for the processes; the volumes stay writable.
    pub fn read_only_root(&mut self) {
        self.read_only = true;
    }

    /// Every name below the root with what it is, but for `/proc` and the tools of a real shell.
    ///
    /// `drwxr-xr-x`-like detail is left to the caller: it is `dir`, `file BYTES`, `-> TARGET` or `other`, and the
    /// permission bits of all but a link.
    pub fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        let mut rest = vec![PathBuf::from("/")];
        while let Some(directory) = rest.pop() {
            for entry in fs::read_dir(self.path(&directory)).expect("a readable directory") {
                let inside = directory.join(entry.expect("a directory entry").file_name());
                if ["/proc", "/bin", "/sbin", "/usr", "/lib", "/lib64"].iter().any(|tools| inside == Path::new(tools)) {
                    continue;
                }
                let path = self.path(&inside);
                let meta = fs::symlink_metadata(&path).expect("a file");
                let mode = meta.mode() & 0o7777;
                let what = match meta.file_type() {
                    kind if kind.is_symlink() => format!("-> {}", fs::read_link(&path).expect("a link").display()),
                    kind if kind.is_dir() => format!("dir {mode:04o}"),
                    kind if kind.is_file() => format!("file {mode:04o} {}", meta.len()),
                    kind if kind.is_fifo() => format!("fifo {mode:04o}"),
                    _ => format!("other {mode:04o}"),
                };
                if meta.is_dir() {
                    rest.push(inside.clone());
                }
                tree.insert(inside.to_string_lossy().into_owned(), what);
            }
        }
        tree
    }

    /// Where the program for `argv[0]` lies.
    pub(crate) fn executable(&self, argv0: &[u8]) -> PathBuf {
        let name = Path::new(OsStr::from_bytes(argv0));
        match self.program {
            Program::Dash if name.file_name() == Some(OsStr::new("sh")) => "/bin/dash".into(),
            _ if argv0.is_empty() => "/bin/link-model-and-wait".into(),
            _ if argv0.contains(&b'/') => name.into(),
            _ => Path::new("/bin").join(name),
        }
    }

    fn install(&mut self) {
        match self.program {
            Program::Shipped(arch) => {
                let file = self.make_directory("/bin").join("link-model-and-wait");
                fs::copy(arch.shipped_file(), &file).expect("a copy of the shipped file");
                for name in Program::names() {
                    fs::hard_link(&file, file.with_file_name(name)).expect(name);
                }
            }
            Program::Dash => {
                find_program("dash").expect("dash is missing: install dash");
                self.bind_system(&["/bin", "/sbin", "/usr", "/lib", "/lib64"]);
            }
            Program::Busybox => {
                let busybox = find_program("busybox").expect("busybox is missing: install busybox-static");
                let bin = self.make_directory("/bin");
                fs::copy(busybox, bin.join("busybox")).expect("a copy of busybox");
                for name in Program::names().into_iter().chain(["du", "find", "id"]) {
                    symlink("busybox", bin.join(name)).expect(name);
                }
                self.bind_system(&["/usr/lib", "/usr/lib64", "/lib", "/lib64"]);
            }
        }
    }

    /// Lends the machine's own directories, read-only; a link such as `/bin -> usr/bin` is copied.
    fn bind_system(&mut self, directories: &[&str]) {
        for inside in directories {
            let from = Path::new(inside);
            match fs::read_link(from) {
                Ok(target) => symlink(target, self.path(inside)).expect(inside),
                Err(_) if from.is_dir() => self.bind(from, inside, true),
                Err(_) => {}
            }
        }
    }

    fn put_models(&self, models: Models) {
        let path = self.path("/models");
        let directory_with = |path: &Path, name: &str| {
            fs::create_dir(path).expect("a directory");
            fs::write(path.join(name), "weights\n").expect("a file");
        };
        match models {
            Models::Present => directory_with(&path, "model.bin"),
            Models::Missing => {}
            Models::Empty => fs::create_dir(path).expect("/models"),
            Models::File => fs::write(path, "weights\n").expect("/models"),
            Models::Hidden => directory_with(&path, ".hidden"),
            Models::Subdir => fs::create_dir_all(path.join("1")).expect("/models/1"),
            Models::Symlink => {
                directory_with(&self.path("/data"), "model.bin");
                symlink("/data", path).expect("/models");
            }
            Models::Dangling => symlink("/nowhere", path).expect("/models"),
            Models::Unreadable => {
                directory_with(&path, "model.bin");
                set_mode(&path, 0o700);
            }
            Models::Bang => directory_with(&path, "!"),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for path in mem::take(&mut self.tmpfs).iter().rev() {
            let path = cstring(path.as_os_str().as_bytes());
            // SAFETY: the path is NUL-terminated.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
        }
    }
}

pub(crate) fn cstring(bytes: impl Into<Vec<u8>>) -> CString {
    CString::new(bytes).expect("no NUL inside")
}

fn octal(mode: &Option<String>) -> Option<u32> {
    mode.as_ref().map(|mode| u32::from_str_radix(mode, 8).expect("an octal mode"))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Gives this thread a mount namespace, once; what it mounts ends with it.
fn own_mounts() -> io::Result<()> {
    thread_local!(static DONE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    if !DONE.replace(true) {
        // SAFETY: only this thread's view of mounts changes, and its root and working directory become its own.
        check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
        let none = std::ptr::null();
        // SAFETY: the strings are NUL-terminated, the rest is null.
        check(unsafe { libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) })?;
    }
    Ok(())
}

fn mount(source: &str, target: &Path, kind: &str, options: &str) -> io::Result<()> {
    let [source, kind, options] = [source, kind, options].map(cstring);
    let target = cstring(target.as_os_str().as_bytes());
    // SAFETY: all are NUL-terminated strings.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
