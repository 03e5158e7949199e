//! Who can read the model: the tables of docs/permissions.md, each cell by a real reader beside the shipped file.
//!
//! Of the machine's own file: an emulator is a process with several threads, and those get no user namespace.

use conformance::{Arch, Command, End, Outcome, Pod, Process, Program, Sandbox, Setup, Users};
use libc::{
    EACCES, ENOENT, ENOSYS, EPERM, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SIGSYS, SIGTERM, SYS_unshare, c_long,
};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

const LINK_AND_SLEEP: [&str; 3] = ["sh", "-c", "ln -sf /proc/$$/root/models /mnt/models && sleep infinity"];
const SYS_PTRACE: u64 = 1 << 19;

/// What is around the modelcar, and what it is told.
#[derive(Clone, Copy, Debug)]
struct Place {
    users: Users,
    env: &'static str,
    /// A system call that a seccomp filter answers, and how.
    filter: Option<(c_long, u32)>,
}

const PLAIN: Place = Place { users: Users::Machine, env: "MODELCAR_USERNS=on", filter: None };

impl Place {
    /// Whether the modelcar can have a user namespace of its own, unless it is root.
    fn lets_it(self) -> bool {
        self.users != Users::OwnAndNoMore && self.env.ends_with("on") && self.filter.is_none()
    }

    fn run<'a>(self, command: Command<'a>, pod: &Pod) -> Command<'a> {
        let command = command.in_pod(pod).env(self.env);
        match self.filter {
            Some((call, action)) => command.filter(call, action),
            None => command,
        }
    }
}

/// All places, of which some let it have a user namespace.
fn places() -> Vec<Place> {
    let refusing = |errno| Place { filter: Some((SYS_unshare, SECCOMP_RET_ERRNO | errno as u32)), ..PLAIN };
    let around = Place { users: Users::Own, ..PLAIN };
    let off = |place| Place { env: "MODELCAR_USERNS=off", ..place };
    let no_more = Place { users: Users::OwnAndNoMore, ..PLAIN };
    vec![PLAIN, around, off(PLAIN), off(around), no_more, refusing(EPERM), refusing(ENOSYS)]
}

/// A user of a container: user, group, capabilities. None: those that a runtime leaves to root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct User(u32, u32, Option<u64>);

impl User {
    /// As the documents write one.
    fn parse(text: &str) -> User {
        let (who, capabilities) = text.split_once(", ").unwrap_or((text, ""));
        let (uid, gid) = match who.split_once(':') {
            None if who == "root" => (0, 0),
            Some((uid, gid)) => (uid.parse().expect("a uid"), gid.parse().expect("a gid")),
            None => panic!("{text}: not a user"),
        };
        User(
            uid,
            gid,
            match capabilities {
                "" if uid == 0 => None,
                "" | "no capabilities" => Some(0),
                "CAP_SYS_PTRACE" => Some(SYS_PTRACE),
                other => panic!("{other}: not known"),
            },
        )
    }

    fn run(self, command: Command) -> Command {
        let command = command.user(self.0, self.1);
        match self.2 {
            Some(capabilities) => command.capabilities(capabilities),
            None => command,
        }
    }
}

/// A pod with a modelcar that waits, and a server's container.
struct Beside {
    _modelcar: Sandbox,
    server: Sandbox,
    pod: Pod,
    process: Process,
    path: String,
}

impl Beside {
    /// `other`: it is another base image's, which waits too, but keeps its capabilities.
    fn new(place: Place, user: User, mode: u32, other: bool) -> Beside {
        Beside::running(place, user, mode, other, &LINK_AND_SLEEP)
    }

    fn running(place: Place, user: User, mode: u32, other: bool, argv: &[&str]) -> Beside {
        let program = Program::Shipped(Arch::native());
        let modelcar = Sandbox::with(program, &Setup { volume: Some("/mnt".into()), ..Setup::default() });
        fs::set_permissions(modelcar.path("/bin/sh"), Permissions::from_mode(mode)).expect("permission bits");
        if place.users != Users::Machine {
            // The image's files belong to the pod's root then.
            chown(modelcar.path("/bin/sh"), Some(Users::FIRST), Some(Users::FIRST)).expect("an owner");
        }
        let mut server = Sandbox::new(program);
        fs::remove_dir_all(server.path("/models")).expect("/models");
        server.bind(&modelcar.path("/mnt"), "/mnt", true);
        let pod = Pod::of_users(place.users);
        let command = if other { modelcar.bystander() } else { modelcar.command(argv) };
        let (process, outcome) = user.run(place.run(command, &pod)).settle();
        assert_eq!(outcome, Outcome::Waits, "{process:?}");
        let path =
            if other { format!("/proc/{}/root/models/model.bin", process.pid) } else { "/mnt/models/model.bin".into() };
        Beside { _modelcar: modelcar, server, pod, process, path }
    }

    fn reader(&self) -> Command<'_> {
        self.server.reader(&self.path).in_pod(&self.pod)
    }

    fn lets(&self, reader: User) -> bool {
        reads(reader.run(self.reader()))
    }
}

fn reads(command: Command) -> bool {
    match command.run() {
        (reader, End::Code(0)) => {
            assert_eq!(reader.stdout(), "weights\n");
            true
        }
        (_, End::Code(EACCES)) => false,
        (reader, _) => panic!("{reader:?}"),
    }
}

/// The rows of the table under a heading of docs/permissions.md, the first of them its head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string("../docs/permissions.md").expect("docs/permissions.md");
    let (_, below) = text.split_once(&format!("\n### {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let below = below.split("\n#").next().unwrap_or_default();
    let lines = below.lines().filter(|line| line.starts_with('|') && !line.starts_with("|-"));
    let rows: Vec<Vec<String>> =
        lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().into()).collect()).collect();
    assert!(rows.len() > 1, "{heading}: no table");
    rows
}

/// Asserts that the readers in the head of a table can read, and cannot, what its rows say.
fn holds(heading: &str, places: &[Place]) {
    let rows = table(heading);
    let (head, rows) = rows.split_first().expect("a head");
    let mut wrong = Vec::new();
    for row in rows {
        let (name, other) = match row[0].strip_suffix(", another base image") {
            Some(name) => (name, true),
            None => (row[0].as_str(), false),
        };
        let (name, mode) = match name.strip_suffix(", file of mode 0711") {
            Some(name) => (name, 0o711),
            None => (name, 0o755),
        };
        for &place in places {
            let beside = Beside::new(place, User::parse(name), mode, other);
            for (reader, cell) in head.iter().zip(row).skip(1) {
                let said = match cell.as_str() {
                    "yes" => true,
                    "no" => false,
                    other => panic!("{other}: neither yes nor no"),
                };
                if beside.lets(User::parse(reader)) != said {
                    wrong.push(format!("{} read by {reader} is not {cell:?}, {place:?}", row[0]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{heading}:\n{}", wrong.join("\n"));
}

#[test]
fn with_a_user_namespace_they_can_as_documented() {
    let places: Vec<_> = places().into_iter().filter(|place| place.lets_it()).collect();
    assert_eq!(places.len(), 2);
    holds("With a user namespace of its own", &places);
}

#[test]
fn without_a_user_namespace_they_can_as_documented() {
    let places: Vec<_> = places().into_iter().filter(|place| !place.lets_it()).collect();
    assert_eq!(places.len(), 5);
    holds("Without", &places);
}

/// The namespace is worth nothing if it shuts out one reader that could read before.
#[test]
fn the_user_namespace_shuts_out_nobody() {
    let users = [User(0, 0, None), User(0, 0, Some(0)), User(1010, 0, None), User(1010, 1010, None)];
    let own = fs::read_to_string("/proc/self/status").expect("the test's own status");
    let all = own.lines().find_map(|line| line.strip_prefix("CapPrm:\t")).expect("its capabilities");
    let all = u64::from_str_radix(all, 16).expect("a number");
    let mut readers = Vec::new();
    for uid in [0, 1010, 1011] {
        for gid in [0, 1010, 4242] {
            readers.extend([None, Some(0), Some(SYS_PTRACE), Some(all)].map(|set| User(uid, gid, set)));
        }
    }
    let mut more = 0;
    for users_around in [Users::Machine, Users::Own] {
        for user in users {
            let can = |env| -> BTreeSet<User> {
                let beside = Beside::new(Place { users: users_around, env, filter: None }, user, 0o755, false);
                readers.iter().copied().filter(|&reader| beside.lets(reader)).collect()
            };
            let (off, on) = (can("MODELCAR_USERNS=off"), can("MODELCAR_USERNS=on"));
            assert!(!off.is_empty(), "{user:?}: somebody can read");
            assert_eq!(off.difference(&on).collect::<Vec<_>>(), [] as [&User; 0], "{user:?}, {users_around:?}");
            more += on.len() - off.len();
        }
    }
    assert!(more > 0, "and lets somebody in");
}

/// The one exception that is known, and documented: a server that only opens files in the user's name.
#[test]
fn a_reader_that_only_borrows_the_user_is_shut_out_by_the_user_namespace() {
    for (env, can) in [("MODELCAR_USERNS=off", true), ("MODELCAR_USERNS=on", false)] {
        let beside = Beside::new(Place { env, ..PLAIN }, User(1010, 0, None), 0o755, false);
        assert_eq!(reads(User(0, 0, None).run(beside.reader()).file_user(1010, 0)), can, "{env}");
    }
}

#[test]
fn it_has_a_user_namespace_of_its_own_where_it_may_and_never_a_capability() {
    for place in places() {
        for (user, wants) in [(User(0, 0, None), false), (User(1010, 0, None), true)] {
            let beside = Beside::new(place, user, 0o755, false);
            let namespace = |pid| fs::read_link(format!("/proc/{pid}/ns/user")).expect("a user namespace");
            let around = user.run(beside.server.bystander().in_pod(&beside.pod)).spawn();
            let own = namespace(beside.process.outer_pid()) != namespace(around.outer_pid());
            assert_eq!(own, wants && place.lets_it(), "{place:?}, {user:?}");
            for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
                assert_eq!(beside.process.status(set), "0000000000000000", "{place:?}, {user:?}: {set}");
            }
            assert_eq!(beside.process.stderr().lines().count(), 1, "the link, and no word of namespaces");
            assert_eq!(beside.process.stop(SIGTERM).0, End::Code(0));
        }
    }
}

/// What a filter that kills would do to it, and what helps.
#[test]
fn where_unshare_kills_it_can_be_told_not_to() {
    let killing = Place { filter: Some((SYS_unshare, SECCOMP_RET_KILL_PROCESS)), ..PLAIN };
    let setup = Setup { volume: Some("/mnt".into()), uid: 1010, ..Setup::default() };
    let sandbox = Sandbox::with(Program::Shipped(Arch::native()), &setup);
    let (process, end) = killing.run(sandbox.command(&LINK_AND_SLEEP), &Pod::new()).run();
    assert_eq!(end, End::Signal(SIGSYS), "{process:?}");
    let off = Place { env: "MODELCAR_USERNS=off", ..killing };
    assert!(Beside::new(off, User(1010, 0, None), 0o755, false).lets(User(1010, 0, Some(0))));
}

/// Kubeflow Pipelines' sidecar sleeps again and again, and is left by itself.
#[test]
fn a_loop_that_sleeps_lets_other_groups_in_and_ends() {
    let script = "ln -s /proc/$$/root/models /mnt/models && until [ -f /mnt/done ]; do sleep 0.1; done; touch /mnt/own";
    let beside = Beside::running(PLAIN, User(1010, 0, None), 0o755, false, &["sh", "-c", script]);
    assert!(beside.lets(User(1010, 1010, Some(0))));
    assert!(!beside.lets(User(1011, 0, Some(0))));
    let mnt = beside._modelcar.path("/mnt");
    fs::write(mnt.join("done"), "").expect("a file");
    assert_eq!(beside.process.wait(), End::Code(0), "{:?}", beside.process);
    assert!(mnt.join("own").exists(), "it can still make files");
    let (_, end) = User(1010, 1010, Some(0)).run(beside.reader()).run();
    assert_eq!(end, End::Code(ENOENT), "after its end the link leads nowhere");
}
