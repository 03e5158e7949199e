//! Three equal roots, one for each shell, and a process of a fixed number in them.
//!
//! The roots last as long as the arena; between two runs only `/mnt` and `/models` are made anew, and scripts see all
//! else read-only. Everything is mounted in a namespace of the thread, which ends with it. There all of the machine's
//! own files are read-only too: neither a script that goes astray nor a test that follows its links can change them.

use super::setup::{By, Setup, Step};
use conformance::compare::{self, Files};
use conformance::raw::{block, clone3, exit, set_action, wait_for_ever};
use conformance::{Arch, Program, system_call};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{mem, ptr, thread};

/// Where the roots are, in a file system of their own that hides what is there: a directory that every machine has,
/// and that no test looks at.
const PLACE: &str = "/sys";

/// The commands that the shells have as they are.
const TOOLS: [&str; 11] = ["[", "cat", "echo", "false", "mkdir", "rm", "sleep", "tail", "test", "touch", "true"];

/// Those with the listed differences worked in.
pub const WRAPPED: [(&str, &str); 6] = [
    ("chmod", include_str!("tools/chmod.sh")),
    ("cp", include_str!("tools/cp.sh")),
    ("ln", include_str!("tools/ln.sh")),
    ("ls", include_str!("tools/ls.sh")),
    ("readlink", include_str!("tools/readlink.sh")),
    ("tar", include_str!("tools/tar.sh")),
];

/// What the number of each process is, in all three roots: what `$$` gives.
pub const PID: i32 = 4242;

/// Longer than any script takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Where a tool says that it cannot do what the program does.
const UNDECIDED: &str = "undecided";

/// What all of those begin with.
const COMMON: &str = include_str!("tools/common.sh");

/// Who runs a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shell {
    /// The file that ships.
    Ours,
    /// dash, with the machine's coreutils.
    Dash,
    /// BusyBox, with its own tools.
    Busybox,
}

impl Shell {
    pub const ALL: [Shell; 3] = [Shell::Ours, Shell::Dash, Shell::Busybox];
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(i32),
    /// It sleeps, and the script has a sleep that may last; it was killed.
    Waits,
    /// It goes on and on; it was killed.
    Hangs,
}

/// All that can be seen of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub end: End,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// What is in `/mnt`, and what the script has put into `/out`.
    pub tree: BTreeMap<OsString, String>,
    /// Nothing has failed, as far as can be seen: a failure may have touched a directory.
    pub clean: bool,
    /// The tools cannot do here what the program does; what comes of it is not to be compared.
    pub undecided: bool,
}

pub struct Arena {
    roots: Vec<Root>,
    stdout: File,
    stderr: File,
    stdin: File,
    init: OwnedFd,
    /// How long a script may run.
    pub patience: Duration,
    /// What was counted.
    pub counts: BTreeMap<&'static str, usize>,
}

struct Root {
    shell: Shell,
    /// Where the test writes.
    base: PathBuf,
    /// What the process sees: the same, but read-only apart from `/mnt`.
    view: CString,
}

impl Arena {
    pub fn new() -> Arena {
        // SAFETY: only this thread's view of mounts and its root and working directory become its own.
        check(unsafe { libc::unshare(libc::CLONE_FS | libc::CLONE_NEWNS) }).expect("a mount namespace: run as root");
        mount(None, Path::new("/"), libc::MS_REC | libc::MS_PRIVATE);
        all_read_only();
        let place = Path::new(PLACE);
        mount(Some(("tmpfs", "tmpfs")), place, 0);
        set_mode(place, 0o755);

        let mut roots = Vec::new();
        for shell in Shell::ALL {
            let base = place.join(format!("{shell:?}"));
            let view = place.join(format!("{shell:?}.view"));
            for path in [&base, &view]
                .into_iter()
                .chain(&["proc", "mnt", "hits", "bin", "dev", "out"].map(|name| base.join(name)))
            {
                fs::create_dir(path).expect("a directory");
            }
            let null = cstring(base.join("dev/null").as_os_str().as_bytes());
            // SAFETY: a NUL-terminated string.
            check(unsafe { libc::mknod(null.as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(1, 3)) })
                .expect("/dev/null");
            set_mode(&base.join("dev/null"), 0o666);
            for name in super::differences::all().iter().map(|difference| difference.name).chain([UNDECIDED]) {
                let hits = base.join("hits").join(name);
                fs::write(&hits, "").expect("a file");
                set_mode(&hits, 0o666);
            }
            fs::write(base.join("script"), "").expect("a file");
            install(shell, &base);
            // `ls -la` shows what this directory's names and its directories add up to.
            let count = |kind: fn(&Path) -> bool| {
                fs::read_dir(&base).expect("a directory").flatten().filter(|entry| kind(&entry.path())).count()
            };
            for number in count(|path| path.is_dir() && !path.is_symlink())..12 {
                fs::create_dir(base.join(format!("directory{number}"))).expect("a directory");
            }
            for number in count(|_| true)..20 {
                fs::write(base.join(format!("file{number}")), "").expect("a file");
            }
            set_time(&base, 0);
            bind(&base, &view);
            mount(None, &view, libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY);
            if shell == Shell::Dash {
                for name in ["lib", "lib64", "usr/lib", "real"] {
                    let from = Path::new("/").join(name.replace("real", "usr/bin"));
                    if base.join(name).is_dir() && !base.join(name).is_symlink() {
                        bind(&from, &view.join(name));
                        mount(None, &view.join(name), libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY);
                    }
                }
            }
            for name in ["mnt", "hits", "out"] {
                bind(&base.join(name), &view.join(name));
            }
            roots.push(Root { shell, base, view: cstring(view.as_os_str().as_bytes()) });
        }

        // A namespace of process numbers, and a /proc that shows it, as a pod has it.
        let procs: Vec<CString> = roots.iter().map(|root| cstring([root.view.as_bytes(), b"/proc"].concat())).collect();
        let (pid, init) = clone3(libc::CLONE_NEWPID, None, || {
            // SAFETY: only system calls, on memory that was prepared before; it dies with this thread.
            unsafe {
                system_call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                for path in &procs {
                    let (kind, flags) = (c"proc".as_ptr(), libc::MS_RDONLY | libc::MS_NOSUID);
                    if system_call!(SYS_mount, kind, path.as_ptr(), kind, flags, 0) < 0 {
                        exit(1)
                    }
                }
                set_action(libc::SIGCHLD, libc::SIG_IGN);
                system_call!(SYS_close_range, 0, u32::MAX, 0);
                wait_for_ever()
            }
        })
        .expect("clone3");
        let deadline = Instant::now() + PATIENCE;
        while !procs.iter().all(|path| Path::new(OsStr::from_bytes(path.as_bytes())).join("1/stat").exists()) {
            assert!(Instant::now() < deadline, "/proc was not mounted");
            thread::sleep(Duration::from_millis(1));
        }
        let namespace = File::open(format!("/proc/{pid}/ns/pid")).expect("a PID namespace");
        // SAFETY: an open namespace and its kind; only this thread's next children are born in it.
        check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWPID) }).expect("setns");

        let (stdout, stderr) = (memory_file(), memory_file());
        let stdin = File::open("/dev/null").expect("/dev/null");
        Arena { roots, stdout, stderr, stdin, init, patience: PATIENCE, counts: BTreeMap::new() }
    }

    /// Runs `script` in a root that was set up; `may_wait` says that it may sleep for ever.
    pub fn run(&mut self, shell: Shell, setup: &Setup, script: &[u8], may_wait: bool) -> Seen {
        let root = self.roots.iter().find(|root| root.shell == shell).expect("a root for each shell");
        root.prepare(setup);
        for file in [&mut self.stdout, &mut self.stderr] {
            file.set_len(0).expect("an empty file");
            file.seek(SeekFrom::Start(0)).expect("its start");
        }
        let end = self.execute(root, setup, script, may_wait);
        let (mut stdout, stderr) = (content(&self.stdout), content(&self.stderr));
        let mut tree = compare::tree(&root.base.join("mnt"));
        let mnt = fs::symlink_metadata(root.base.join("mnt")).expect("/mnt");
        tree.insert(
            "/mnt".into(),
            format!(
                "directory {:04o} of {}:{} at {}",
                mnt.mode() & 0o7777,
                mnt.uid(),
                mnt.gid(),
                mnt.mtime().min(compare::NOW)
            ),
        );
        for entry in fs::read_dir(root.base.join("out")).expect("/out").flatten() {
            let bytes = fs::read(entry.path()).expect("a file");
            let what = match entry.file_name().to_string_lossy().starts_with("err") {
                true if complaints(&bytes).is_empty() => "nothing".to_string(),
                true => "complaints".to_string(),
                false => self.archive(&bytes, shell),
            };
            tree.insert(Path::new("/out").join(entry.file_name()).into(), what);
        }
        // All of it, if it is one; without a member it is zeros.
        if stdout.get(257..262) == Some(b"ustar") || stdout.len() >= 1024 && stdout.iter().all(|&byte| byte == 0) {
            stdout = self.archive(&stdout, shell).into();
        }
        let undecided = fs::metadata(root.base.join("hits").join(UNDECIDED)).expect("a file").len() > 0;
        let clean = complaints(&stderr).is_empty() && !script.windows(2).any(|part| part == b"2>");
        Seen { end, stdout, stderr, tree, clean, undecided }
    }

    /// What is in an archive: as GNU tar reads it, and if it is this program's, BusyBox reads the same.
    fn archive(&self, archive: &[u8], shell: Shell) -> String {
        if archive.is_empty() {
            return "empty".into();
        }
        let read = |command: &[&str]| {
            let to = Path::new(PLACE).join("unpacked");
            fs::create_dir(&to).expect("a directory");
            let mut input = memory_file();
            input.write_all(archive).and_then(|()| input.seek(SeekFrom::Start(0))).expect("a memory file");
            let output = Command::new(command[0]).args(&command[1..]).current_dir(&to).stdin(input).output();
            let output = output.unwrap_or_else(|error| panic!("{}: {error}", command[0]));
            let tree = compare::tree(&to);
            remove(&to);
            let mut names: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect();
            names.sort();
            (names, tree, String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let (names, mut tree, said) = read(&["tar", "--numeric-owner", "--warning=no-timestamp", "-xvpf", "-"]);
        // Of two members with one name the tools make what each thinks best.
        let different: BTreeSet<&str> =
            names.iter().map(|name| name.trim_start_matches("./").trim_end_matches('/')).collect();
        if different.len() < names.len() {
            return format!("{names:#?}");
        }
        let whole = format!("{names:#?} {tree:#?} {said}");
        // Nor do they agree on what to do with a member that the one before is in the way of.
        if shell != Shell::Ours || !said.is_empty() {
            return whole;
        }
        let (_, mut same, _) = read(&["/bin/busybox", "tar", "-xpf", "-"]);
        // BusyBox sets neither the times of directories nor anything of links, and no large numbers of owners.
        let large = tree.values().any(|what| what.contains(" of 1000770000:"));
        for what in tree.values_mut().chain(same.values_mut()) {
            let owner = what.find(" of ").filter(|_| large || what.starts_with("->"));
            let time = what.find(" at ").filter(|_| !what.starts_with("file"));
            what.truncate(owner.or(time).unwrap_or(what.len()));
        }
        if tree == same { whole } else { format!("{whole}, but for BusyBox {same:#?}") }
    }

    fn execute(&self, root: &Root, setup: &Setup, script: &[u8], may_wait: bool) -> End {
        let (file, argv) = root.command(setup, script);
        let argv: Vec<_> = argv.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
        let path = if setup.raw_tools { c"PATH=/real" } else { c"PATH=/bin" };
        let variables = [
            c"LC_ALL=C",
            c"V=value",
            c"N=d",
            c"EMPTY=",
            c"BLANK=two  words",
            c"M=granite",
            c"MODEL_NAME=bloom-560m",
            c"MODEL_PATH=/mnt/d",
        ];
        let env: Vec<_> = [path].into_iter().chain(variables).map(CStr::as_ptr).chain([ptr::null()]).collect();
        let (stdin, stdout, stderr) = (self.stdin.as_raw_fd(), self.stdout.as_raw_fd(), self.stderr.as_raw_fd());
        let (uid, gid, umask) = (setup.uid, setup.gid, setup.umask.unwrap_or(0o022));
        let child = || {
            // SAFETY: only system calls, on memory that was prepared before.
            unsafe {
                system_call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                system_call!(SYS_setpgid, 0, 0);
                for (fd, number) in [(stdin, 0), (stdout, 1), (stderr, 2)] {
                    system_call!(SYS_dup3, fd, number, 0);
                }
                system_call!(SYS_close_range, 3, u32::MAX, 0);
                system_call!(SYS_umask, umask);
                for signal in 1..=64 {
                    set_action(signal, libc::SIG_DFL); // fails for a few
                }
                block(&[]);
                if system_call!(SYS_chroot, root.view.as_ptr()) < 0 || system_call!(SYS_chdir, c"/mnt".as_ptr()) < 0 {
                    broken();
                }
                if uid != 0 {
                    system_call!(SYS_setgroups, 0, 0);
                    if system_call!(SYS_setresgid, gid, gid, gid) < 0 || system_call!(SYS_setresuid, uid, uid, uid) < 0
                    {
                        broken();
                    }
                    system_call!(SYS_prctl, libc::PR_SET_DUMPABLE, 1);
                }
                system_call!(SYS_execve, file.as_ptr(), argv.as_ptr(), env.as_ptr());
                broken();
            }
        };
        let deadline = Instant::now() + PATIENCE;
        let (pid, pidfd) = loop {
            match clone3(0, Some(PID), child) {
                Ok(child) => break child,
                // The one before has not been reaped in full yet.
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) && Instant::now() < deadline => {
                    thread::sleep(Duration::from_micros(100));
                }
                Err(error) => panic!("clone3: {error}"),
            }
        };

        let deadline = Instant::now() + self.patience;
        let mut asleep = 0;
        let verdict = loop {
            let step = if may_wait { Duration::from_millis(5) } else { self.patience };
            if ready(&pidfd, step) {
                break None;
            }
            asleep = if may_wait && sleeps(pid) { asleep + 1 } else { 0 };
            if asleep == 5 {
                break Some(End::Waits);
            }
            if Instant::now() >= deadline {
                break Some(End::Hangs);
            }
        };
        if verdict.is_some() {
            // SAFETY: the group that the child made: itself and what it has started.
            unsafe { libc::kill(-pid, libc::SIGKILL) };
        }
        let end = wait(&pidfd);
        verdict.unwrap_or(end)
    }

    /// The names of the differences that were met, and how often.
    pub fn hits(&self) -> BTreeMap<String, usize> {
        let mut hits: BTreeMap<String, usize> =
            self.counts.iter().map(|(name, count)| (name.to_string(), *count)).collect();
        for root in &self.roots {
            for entry in fs::read_dir(root.base.join("hits"))
                .expect("hits")
                .flatten()
                .filter(|entry| entry.file_name() != UNDECIDED)
            {
                let length = entry.metadata().map_or(0, |meta| meta.len());
                *hits.entry(entry.file_name().to_string_lossy().into_owned()).or_default() += length as usize;
            }
        }
        hits
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // With the first process of a namespace all others of it end.
        // SAFETY: an open pidfd, no siginfo.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.init.as_raw_fd(), libc::SIGKILL, 0, 0) };
        wait(&self.init);
    }
}

impl Root {
    /// The file that is run, and its words.
    fn command(&self, setup: &Setup, script: &[u8]) -> (CString, Vec<CString>) {
        let call = &setup.call;
        let ours = self.shell == Shell::Ours;
        let (mut file, mut argv) = if let By::Name(before) = call.by {
            let mut words = words(script);
            if words.is_empty() {
                words.push(b"true".to_vec()); // nothing is left of it
            }
            let name = String::from_utf8_lossy(&words[0]).into_owned();
            words[0] = format!("{before}{name}").into();
            // In BusyBox and for dash the tools that have no difference worked in are the machine's.
            let directory = if setup.raw_tools && self.shell == Shell::Dash { "/real" } else { "/bin" };
            (format!("{directory}/{name}"), words)
        } else {
            let file = match self.shell {
                Shell::Ours => "/bin/sh",
                Shell::Dash => "/real/dash",
                Shell::Busybox => "/bin/busybox",
            };
            let mut argv = vec![b"sh".to_vec()];
            argv.extend(call.options.iter().map(|option| match *option {
                "pipefail" if self.shell == Shell::Dash => super::NO_PIPEFAIL.into(),
                option => option.into(),
            }));
            if call.by == By::File {
                fs::write(self.base.join("script"), script).expect("a file");
                argv.push(b"/script".to_vec());
            } else {
                argv.extend([b"-c".to_vec(), script.to_vec()]);
            }
            argv.extend(call.behind.iter().map(|&word| word.into()));
            (file.to_string(), argv)
        };
        if call.entrypoint && ours {
            file = "/bin/link-model-and-wait".into();
            argv.insert(0, b"link-model-and-wait".to_vec());
            argv[1] = argv[1].rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
        }
        (cstring(file), argv.into_iter().map(cstring).collect())
    }

    fn prepare(&self, setup: &Setup) {
        let mnt = self.base.join("mnt");
        for entry in [&mnt, &self.base.join("out")]
            .into_iter()
            .flat_map(|path| fs::read_dir(path).expect("a directory"))
            .flatten()
        {
            remove(&entry.path());
        }
        fs::write(self.base.join("hits").join(UNDECIDED), "").expect("a file");
        set_mode(&self.base.join("out"), 0o777);
        set_mode(&mnt, 0o777);
        let (uid, gid) = if setup.all_owned { (setup.uid, setup.gid) } else { (0, 0) };
        lchown(&mnt, Some(uid), Some(gid)).expect("/mnt");
        remove(&self.base.join("models"));
        for step in &setup.steps {
            // A step that cannot be made here cannot be made in the other roots either.
            let _ = self.step(step, setup);
        }
        // What is made in a directory changes its time.
        for (number, step) in setup.steps.iter().enumerate() {
            let path = self.path(step.path());
            if path.parent().is_some_and(is_itself) && path.symlink_metadata().is_ok() {
                set_time(&path, number as i64);
            }
        }
        set_time(&mnt, 0);
        for (path, mode) in setup.modes.iter().rev() {
            let path = self.path(path);
            if is_itself(&path) {
                set_mode(&path, *mode);
            }
        }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.base.join(inside.trim_matches('/')) // with a slash at its end it would be what a link leads to
    }

    fn step(&self, step: &Step, setup: &Setup) -> io::Result<()> {
        let (path, owned) = match step {
            Step::Directory { path, owned } => (path, owned),
            Step::File { path, owned, .. } => (path, owned),
            Step::Link { path, owned, .. } => (path, owned),
        };
        let path = self.path(path);
        if !path.parent().is_some_and(is_itself) {
            return Ok(());
        }
        match step {
            Step::Directory { .. } => fs::create_dir(&path)?,
            // New, so that no link is followed; and each has a content of its own.
            Step::File { path: name, size, .. } => {
                let content: Vec<u8> = format!("{name}\n").bytes().cycle().take(*size).collect();
                File::create_new(&path)?.write_all(&content)?;
            }
            Step::Link { target, .. } => symlink(target, &path)?,
        }
        let (uid, gid) = if *owned { (setup.uid, setup.gid) } else { (0, 0) };
        lchown(&path, Some(uid), Some(gid))
    }
}

/// Puts the shell and its tools into a root. `/bin` has the tools with the listed differences of `differences.rs`
/// worked in, `/real` has them as they are.
fn install(shell: Shell, base: &Path) {
    let bin = base.join("bin");
    let wrapper = |name: &str, text: &str| {
        fs::write(bin.join(name), text).expect(name);
        set_mode(&bin.join(name), 0o755);
    };
    match shell {
        Shell::Ours => {
            fs::copy(Arch::native().shipped_file(), bin.join("link-model-and-wait")).expect("the shipped file");
            for name in Program::names() {
                symlink("link-model-and-wait", bin.join(name)).expect(name);
            }
        }
        Shell::Dash => {
            fs::create_dir_all(base.join("usr/lib")).expect("/usr/lib");
            fs::create_dir(base.join("real")).expect("/real");
            for name in ["lib", "lib64"] {
                match fs::read_link(Path::new("/").join(name)) {
                    Ok(target) => symlink(target, base.join(name)).expect(name),
                    Err(_) => fs::create_dir(base.join(name)).expect(name),
                }
            }
            // `/lib64 -> usr/lib64` on a machine whose /usr is merged.
            if Path::new("/usr/lib64").is_dir() {
                fs::create_dir(base.join("usr/lib64")).expect("/usr/lib64");
                for entry in fs::read_dir("/usr/lib64").expect("/usr/lib64").flatten() {
                    let target = fs::canonicalize(entry.path()).expect("a loader");
                    fs::copy(target, base.join("usr/lib64").join(entry.file_name())).expect("a copy of the loader");
                }
            }
            for name in TOOLS {
                symlink(Path::new("/real").join(name), bin.join(name)).expect(name);
            }
            for (name, text) in WRAPPED {
                let start = "#!/real/dash\nme=dash\nreal() {\n  real=$1\n  shift\n  \"/real/$real\" \"$@\"\n}\n";
                wrapper(name, &[start, COMMON, text].concat());
            }
        }
        Shell::Busybox => {
            let busybox = Path::new("/bin/busybox");
            assert!(busybox.is_file(), "busybox is missing: install busybox-static");
            fs::copy(busybox, bin.join("busybox")).expect("a copy of busybox");
            fs::create_dir_all(base.join("real")).expect("/real");
            for name in TOOLS {
                symlink("busybox", bin.join(name)).expect(name);
            }
            for (name, text) in WRAPPED {
                let start = "#!/bin/busybox sh\nme=busybox\nreal() { /bin/busybox \"$@\"; }\n";
                wrapper(name, &[start, COMMON, text].concat());
            }
        }
    }
}

/// Whether something is there, and no link on the way: those of a root would lead to the machine's own files here.
fn is_itself(path: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|real| real == path)
}

fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Err(_) => {}
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).expect("a directory to remove"),
        Ok(_) => fs::remove_file(path).expect("a file to remove"),
    }
}

fn set_time(path: &Path, number: i64) {
    let name = cstring(path.as_os_str().as_bytes());
    let time = libc::timespec { tv_sec: Files::TIME + 3600 * number, tv_nsec: 0 };
    // SAFETY: a NUL-terminated string and two times.
    let result =
        unsafe { libc::utimensat(libc::AT_FDCWD, name.as_ptr(), [time; 2].as_ptr(), libc::AT_SYMLINK_NOFOLLOW) };
    check(result).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// What a program complains of: not the line that says what link it has made.
pub fn complaints(stderr: &[u8]) -> Vec<u8> {
    let told =
        |line: &&[u8]| !line.starts_with(b"link-model-and-wait: ") || !line.windows(4).any(|part| part == b" -> ");
    stderr.split_inclusive(|&byte| byte == b'\n').filter(told).flatten().copied().collect()
}

/// The words of one command that has nothing but words in it.
fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let (mut inside, mut quote) = (false, None);
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (None, b' ' | b'\t' | b'\n') => {
                inside = false;
                continue;
            }
            (_, b'\\') if quote != Some(b'\'') && bytes.peek() == Some(&b'\n') => {
                bytes.next();
                continue;
            }
            _ => {}
        }
        if !inside {
            (inside, words) = (true, [words, vec![Vec::new()]].concat());
        }
        let word = words.last_mut().expect("one has begun");
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(sign), _) if sign == byte => quote = None,
            (None, b'\\') => word.extend(bytes.next()),
            (Some(b'"'), b'\\') if bytes.peek().is_some_and(|next| b"$`\"\\".contains(next)) => {
                word.extend(bytes.next())
            }
            _ => word.push(byte),
        }
    }
    words
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permission bits");
}

fn cstring(bytes: impl Into<Vec<u8>>) -> CString {
    CString::new(bytes).expect("no NUL inside")
}

fn bind(from: &Path, to: &Path) {
    let (from_, to_) = (cstring(from.as_os_str().as_bytes()), cstring(to.as_os_str().as_bytes()));
    // SAFETY: NUL-terminated strings; the rest is null.
    let result =
        unsafe { libc::mount(from_.as_ptr(), to_.as_ptr(), ptr::null(), libc::MS_BIND | libc::MS_REC, ptr::null()) };
    check(result).unwrap_or_else(|error| panic!("{} at {}: {error}", from.display(), to.display()));
}

fn mount(what: Option<(&str, &str)>, target: &Path, flags: libc::c_ulong) {
    let what = what.map(|(source, kind)| (cstring(source), cstring(kind)));
    let (source, kind) = what.as_ref().map_or((ptr::null(), ptr::null()), |(a, b)| (a.as_ptr(), b.as_ptr()));
    let path = cstring(target.as_os_str().as_bytes());
    // SAFETY: NUL-terminated strings or null.
    check(unsafe { libc::mount(source, path.as_ptr(), kind, flags, ptr::null()) })
        .unwrap_or_else(|error| panic!("{}: {error}", target.display()));
}

/// All that this thread sees mounted becomes read-only to it.
fn all_read_only() {
    let attributes = libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: a NUL-terminated string; the attributes outlive the call, and their size is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    check(result as libc::c_int).expect("mount_setattr: Linux 5.12 or later, and a root that is a mount point");
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn memory_file() -> File {
    // SAFETY: a NUL-terminated name; the descriptor is new and nobody else's.
    unsafe {
        let fd = libc::memfd_create(c"output".as_ptr(), libc::MFD_CLOEXEC);
        check(fd).expect("memfd_create");
        File::from_raw_fd(fd)
    }
}

fn content(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().expect("a memory file").len() as usize];
    file.read_exact_at(&mut bytes, 0).expect("a memory file");
    bytes
}

/// Ends a child that could not be made as it should be, in a way that no script ends.
fn broken() -> ! {
    // SAFETY: only system calls.
    unsafe { system_call!(SYS_kill, system_call!(SYS_getpid), libc::SIGUSR1) };
    exit(127)
}

/// Whether the process ends within this time.
fn ready(pidfd: &OwnedFd, patience: Duration) -> bool {
    let mut poll = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&mut poll, 1, patience.as_millis() as i32) == 1 }
}

fn wait(pidfd: &OwnedFd) -> End {
    // SAFETY: all zero is a value of siginfo_t; the descriptor is open; the fields are those of a child's end.
    unsafe {
        let mut info: libc::siginfo_t = mem::zeroed();
        loop {
            let fd = pidfd.as_raw_fd() as libc::id_t;
            if libc::waitid(libc::P_PIDFD, fd, &mut info, libc::WEXITED) == 0 {
                break;
            }
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EINTR), "waitid");
        }
        match info.si_code {
            libc::CLD_EXITED => End::Code(info.si_status()),
            _ => End::Signal(info.si_status()),
        }
    }
}

/// Whether the process, or one that it waits for, is in a call that waits for time to pass or for a signal.
fn sleeps(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let asleep = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'));
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let number = call.split(' ').next().and_then(|word| word.parse::<libc::c_long>().ok());
    #[cfg(target_arch = "x86_64")]
    let pause = Some(libc::SYS_pause);
    #[cfg(not(target_arch = "x86_64"))]
    let pause = None;
    let calls = [libc::SYS_ppoll, libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_rt_sigsuspend];
    if asleep && number.is_some_and(|number| calls.contains(&number) || pause == Some(number)) {
        return true;
    }
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).any(sleeps)
}
