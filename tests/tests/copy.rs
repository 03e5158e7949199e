//! `cp` beside GNU's and BusyBox's, on the same files.

use conformance::compare::{Caller, Files, Place, Seen, difference};
use conformance::random::Random;
use conformance::{Arch, End, Program, Sandbox, on_every_architecture};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// What there is to copy, and where it may go.
fn files(files: &Files) {
    files.directory("d", 0o755).directory("d/sub", 0o750).directory("d/sub/empty", 0o700);
    files.file("d/f", 0o644, "content").file("d/run", 0o755, "#!").file("d/secret", 0o600, "key");
    files.file("d/sub/deep", 0o640, vec![b'x'; 100_000]).file("d/.hidden", 0o444, "").link("d/l", "f");
    files.link("d/dangling", "nowhere").link("d/sub/up", "..").file("d/suid", 0o4755, "s").file("d/sgid", 0o2755, "g");
    files.directory("d/sticky", 0o1777).file("d/sub/\u{6a21} x\ny", 0o664, "odd");
    files.directory("read only", 0o555);
    files.file("f", 0o664, "a file").file("tight", 0o400, "tight").link("lf", "f").link("ld", "d");
    files.link("nothing", "nowhere");
    files.directory("there", 0o755).directory("there/sub", 0o700).file("there/f", 0o600, "old");
    files.directory("there/d", 0o755).directory("there/d/sub", 0o777).file("there/d/f", 0o640, "older");
    files.file("there/d/kept", 0o640, "kept").directory("blocked", 0o755).directory("blocked/f", 0o755);
    files.directory("blocked/d", 0o755).directory("blocked/d/f", 0o755).file("blocked/sub", 0o644, "a file");
    for owned in ["d/f", "d/l", "d/sub", "d/run", "d/suid", "there", "there/d", "there/d/sub"] {
        files.owner(owned, 1010);
    }
    files.old();
}

const OPTIONS: &[&str] = &[
    "", "-r", "-R", "-a", "-p", "-d", "-P", "-rp", "-f", "-rf", "-T", "-rT", "-aT", "-av", "-v", "-rv", "-pf", "-dR",
    "-rP", "-rd",
];

const SOURCES: &[&str] = &[
    "d",
    "d/",
    "d/.",
    "d/sub",
    "d/sub/..",
    "f",
    "f/",
    "lf",
    "ld",
    "ld/",
    "ld/.",
    "nothing",
    "d/dangling",
    "tight",
    "missing",
    "d/l",
    "d/secret",
    "d/.hidden",
    "d/sub/empty",
    "./d//sub/",
    "/mnt/d",
    ".",
    "d/sub/up",
];

const DESTINATIONS: &[&str] = &[
    "new",
    "new/",
    "there",
    "there/",
    "there/.",
    "blocked",
    "read only",
    "f",
    "d/f",
    "there/f",
    "missing/new",
    "d",
    "d/new",
    "there/d",
    "/mnt/new",
    "f/new",
    "tight",
    ".",
    "there/sub",
];

/// What a failed copy must leave: all that was there, and nothing under a name for the time being.
fn left_alone(seen: &Seen, before: &Seen) -> Result<(), String> {
    for path in before.tree.keys() {
        if !seen.tree.contains_key(path) {
            return Err(format!("{path:?} is gone"));
        }
    }
    match seen.tree.keys().find(|path| path.to_string_lossy().contains(".modelcar-")) {
        Some(name) => Err(format!("{name:?} was left")),
        None => Ok(()),
    }
}

/// What differs on purpose, taken out. A file is replaced, and not written: it is the new owner's then, its directory has
/// changed, and who may do it is decided by that directory.
fn comparable(seen: &Seen, before: &Seen, argv: &[&str]) -> BTreeMap<OsString, String> {
    let preserves = argv[1].starts_with('-') && argv[1].contains(['a', 'p']);
    let without = |what: &str, end: &str| what.split(end).next().unwrap_or_default().to_string();
    let one = |(path, what): (&OsString, &String)| {
        let what = match before.tree.get(path) {
            Some(was) if was.starts_with("directory") => without(what, " at "),
            Some(_) if !preserves => without(what, " of "),
            _ => what.clone(),
        };
        (path.clone(), what)
    };
    seen.tree.iter().map(one).collect()
}

/// What `-v` prints, without its order, its quotation marks, and what GNU's has for directories that are there already.
fn lines(seen: &Seen, before: &Seen) -> BTreeSet<String> {
    let text = seen.text().replace("/./", "/").replace("'$'\\346\\250\\241'' x'$'\\n''y'", "\u{6a21} x\ny'");
    let there = |line: &&str| {
        let to = line.trim_end_matches('\'').rsplit('\'').next().unwrap_or_default().trim_start_matches("/mnt/");
        let to = Path::new(to).components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
        before.tree.get(to.as_os_str()).is_some_and(|what| what.starts_with("directory")) || to.as_os_str().is_empty()
    };
    text.lines().filter(|line| !line.starts_with("removed ")).filter(|line| !there(line)).map(str::to_string).collect()
}

fn check(ours: &Place, gnu: &Place, before: &Seen, argv: &[&str], caller: &Caller) -> Result<bool, String> {
    let here = ours.run(files, argv, caller);
    let there = gnu.run(files, argv, caller);
    let fail = |why: &str| Err(format!("{argv:?} {caller:?}: {why}\n{}", difference(&here, &there)));
    let operands = argv[1..].iter().filter(|word| !word.starts_with('-')).count();
    if here.good() != there.good() {
        let refused = if here.good() { &there.stderr } else { &here.stderr };
        let replaced = here.tree.iter().any(|(path, what)| {
            before.tree.get(path).is_some_and(|was| was.starts_with("file") && (!here.good() || was != what))
        });
        if caller.uid == 0 || !replaced || !refused.lines().all(|line| line.ends_with(": Permission denied")) {
            return fail("succeeds or fails otherwise");
        }
    } else if !here.good() {
        if let Err(why) = left_alone(&here, before) {
            return fail(&why);
        }
        if !(1..operands).contains(&here.stderr.lines().count())
            || !here.stderr.lines().all(|line| line.starts_with("cp: "))
        {
            return fail("is not one line for each source");
        }
    } else if comparable(&here, before, argv) != comparable(&there, before, argv) {
        return fail("leaves something else");
    } else if lines(&here, before) != lines(&there, before) {
        return fail("prints something else");
    }
    Ok(here.good())
}

fn as_gnu(arch: Arch, count: usize, seed: u64) {
    let (ours, gnu) = (Place::new(Program::Shipped(arch)), Place::new(Program::Dash));
    let before = ours.run(files, &["true"], &Caller::default());
    let mut random = Random::new(seed);
    let (mut good, mut failures) = (0, Vec::new());
    for _ in 0..count {
        let mut argv = vec!["cp"];
        let options = *random.pick(OPTIONS);
        argv.extend((!options.is_empty()).then_some(options));
        for _ in 0..=usize::from(random.chance(12)) {
            argv.push(*random.pick(SOURCES));
        }
        argv.push(*random.pick(DESTINATIONS));
        let uid = *random.pick(&[0, 1010]);
        let umask = *random.pick(&[0o022, 0o022, 0o077, 0o002, 0]);
        match check(&ours, &gnu, &before, &argv, &Caller { uid, umask, ..Caller::default() }) {
            Ok(succeeded) => good += usize::from(succeeded),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{} of {count}:\n\n{}", failures.len(), failures.join("\n"));
    assert!(good * 4 > count, "only {good} of {count} succeed");
}

on_every_architecture!(files_and_trees_are_copied_as_gnu_does, |arch| {
    as_gnu(arch, if arch == Arch::native() { 300 } else { 40 }, 20_261_126)
});

/// Runs it here; says what came of it.
fn here(place: &Place, prepare: impl FnOnce(&Files), argv: &[&str], uid: u32) -> Seen {
    place.run(prepare, argv, &Caller { uid, ..Caller::default() })
}

fn names(seen: &Seen) -> Vec<String> {
    seen.tree.keys().map(|path| path.to_string_lossy().into_owned()).collect()
}

on_every_architecture!(half_a_tree_is_none, |arch| {
    let place = Place::new(Program::Shipped(arch));
    // Wherever the walk comes first, something behind it cannot be read.
    for (secret, mode) in [("m/a/file", 0), ("m/z", 0), ("m/a/deep/dir", 0o300), ("m/dir", 0o300), ("m", 0o300)] {
        let prepare = |files: &Files| {
            for directory in ["m", "m/a", "m/a/deep", "m/a/deep/dir", "m/dir", "m/zz"] {
                files.directory(directory, 0o755);
            }
            for file in ["m/a/file", "m/a/other", "m/a/deep/file", "m/z", "m/file", "m/zz/file"] {
                files.file(file, 0o644, file);
            }
            files.directory("old", 0o777).directory("old/a", 0o777).file("old/a/file", 0o666, "old").old();
            std::fs::set_permissions(files.path(secret), std::os::unix::fs::PermissionsExt::from_mode(mode))
                .expect(secret);
        };
        let before = here(&place, prepare, &["true"], 1010);
        for options in ["-r", "-a", "-rT"] {
            let seen = here(&place, prepare, &["cp", options, "m", "new"], 1010);
            assert_eq!((seen.end, &seen.tree), (End::Code(1), &before.tree), "{options} {secret}: {seen:?}");
            assert_eq!(seen.stderr, format!("cp: {secret}: Permission denied\n"), "{options}");
        }
        // Into what is there: each file is the old one or the new one, and nothing has another's name or place.
        let whole = here(&place, prepare, &["cp", "-r", "m/.", "old"], 0);
        let seen = here(&place, prepare, &["cp", "-r", "m/.", "old"], 1010);
        assert_eq!((seen.end, seen.stderr.lines().count()), (End::Code(1), 1), "{secret}: {seen:?}");
        let what = |text: &String| text.split(" of ").next().unwrap_or_default().to_string();
        for (path, is) in &seen.tree {
            let same = |other: &Seen| other.tree.get(path).is_some_and(|was| what(was) == what(is));
            let made = is.starts_with("directory") && whole.tree.contains_key(path);
            assert!(same(&before) || same(&whole) || made, "{secret}: {path:?} {is}");
        }
    }
});

on_every_architecture!(a_full_volume_leaves_nothing_of_the_copy, |arch| {
    let mut sandbox = Sandbox::new(Program::Shipped(arch));
    sandbox.tmpfs("/mnt", "size=256k,mode=777");
    std::fs::create_dir(sandbox.path("/models/sub")).expect("a directory");
    for (name, size) in [("a", 10), ("sub/large", 400_000), ("z", 10)] {
        std::fs::write(sandbox.path("/models").join(name), vec![b'x'; size]).expect(name);
    }
    for (argv, line) in [
        (["cp", "-r", "/models", "/mnt/m"], "cp: /mnt/m/sub/large: No space left on device\n"),
        (["cp", "-a", "/models/.", "/mnt/m"], "cp: /mnt/m/sub/large: No space left on device\n"),
        (["cp", "-f", "/models/sub/large", "/mnt"], "cp: /mnt/large: No space left on device\n"),
        (["cp", "-T", "/models/sub/large", "/mnt/m"], "cp: /mnt/m: No space left on device\n"),
    ] {
        let (process, end) = sandbox.command(&argv).run();
        assert_eq!((end, process.stderr().as_str()), (End::Code(1), line), "{argv:?}");
        assert_eq!(std::fs::read_dir(sandbox.path("/mnt")).expect("/mnt").count(), 0, "{argv:?}");
    }
    // There is room, and an old one in its place.
    std::fs::write(sandbox.path("/mnt/large"), "old").expect("a file");
    let (process, end) = sandbox.command(&["cp", "/models/sub/large", "/mnt"]).run();
    assert_eq!((end, process.stderr().lines().count()), (End::Code(1), 1));
    assert_eq!(std::fs::read(sandbox.path("/mnt/large")).expect("the old one"), b"old");
    assert_eq!(std::fs::read_dir(sandbox.path("/mnt")).expect("/mnt").count(), 1);
});

on_every_architecture!(what_cannot_be_copied_is_one_line, |arch| {
    let place = Place::new(Program::Shipped(arch));
    let prepare = |files: &Files| {
        files
            .directory("d", 0o755)
            .file("d/f", 0o644, "f")
            .fifo("pipe")
            .directory("p", 0o755)
            .fifo("p/pipe")
            .file("f", 0o644, "f");
        files.link("loop", "loop").link("l", "d/f").link("d/l", "f");
    };
    let long = "n".repeat(256);
    for (argv, line) in [
        (vec!["cp", "f", "f"], "cp: f: is the same file"),
        (vec!["cp", "d/f", "l", "."], "cp: ./l: is the same file"),
        (vec!["cp", "-P", "l", "d/f"], "cp: d/f: is the same file"),
        (vec!["cp", "-a", "d/l", "d/f"], "cp: d/f: is the same file"),
        (vec!["cp", "d", "e"], "cp: d: Is a directory"),
        (vec!["cp", "-r", "d", "d/."], "cp: d/./d: cannot copy a directory into itself"),
        (vec!["cp", "-r", "d", "d"], "cp: d/d: cannot copy a directory into itself"),
        (vec!["cp", "-r", "d", "d/e"], "cp: d/e: cannot copy a directory into itself"),
        (vec!["cp", "-r", ".", "d"], "cp: d: cannot copy a directory into itself"),
        (vec!["cp", "-r", ".", "d/e"], "cp: d/e: cannot copy a directory into itself"),
        (vec!["cp", "-r", "pipe", "e"], "cp: pipe: Operation not supported"),
        (vec!["cp", "pipe", "e"], "cp: pipe: Operation not supported"),
        (vec!["cp", "-r", "p", "e"], "cp: p/pipe: Operation not supported"),
        (vec!["cp", "f", "pipe"], "cp: pipe: Operation not supported"),
        (vec!["cp", "-r", "d", "f"], "cp: f: Not a directory"),
        (vec!["cp", "f", "loop"], "cp: loop: Too many levels of symbolic links"),
        (vec!["cp", "f", "f/x"], "cp: f/x: Not a directory"),
        (vec!["cp", "f", "loop/x"], "cp: loop/x: Too many levels of symbolic links"),
        (vec!["cp", "loop", "e"], "cp: loop: Too many levels of symbolic links"),
        (vec!["cp", "missing", "e"], "cp: missing: No such file or directory"),
        (vec!["cp", "f", "missing/e"], "cp: missing/e: No such file or directory"),
        (vec!["cp", "f", "d", "missing"], "cp: missing: No such file or directory"),
        (vec!["cp", "f", "l", "f"], "cp: f: Not a directory"),
        (vec!["cp", "f", "e/"], "cp: e: Not a directory"),
        (vec!["cp", "f", ""], "cp: : No such file or directory"),
        (vec!["cp", "f", &long], "File name too long"),
    ] {
        let before = here(&place, prepare, &["true"], 0);
        let seen = here(&place, prepare, &argv, 0);
        assert_eq!(seen.end, End::Code(1), "{argv:?}: {seen:?}");
        assert!(seen.stderr.lines().count() == 1 && seen.stderr.contains(line), "{argv:?}: {:?}", seen.stderr);
        let only = argv != ["cp", "d/f", "l", "."]; // the other is copied
        assert!(names(&seen) == names(&before) || !only, "{argv:?}: {:?}", names(&seen));
        assert!(names(&seen).iter().all(|name| !name.contains(".modelcar-")), "{argv:?}: {:?}", names(&seen));
        assert!(!only || seen.tree.values().eq(before.tree.values()) || argv.contains(&"d/e"), "{argv:?}");
    }
});

on_every_architecture!(names_as_long_as_they_can_be_are_copied_and_replaced, |arch| {
    let place = Place::new(Program::Shipped(arch));
    let (long, other) = ("n".repeat(255), "o".repeat(255));
    let prepare = |files: &Files| {
        files
            .directory(&long, 0o755)
            .file(&format!("{long}/{long}"), 0o644, "new")
            .link(&format!("{long}/{other}"), &long);
    };
    for argv in [["cp", "-r", &long, &other], ["cp", "-a", &long, "short"], ["cp", "-rT", &format!("{long}/."), &other]]
    {
        let seen = here(&place, prepare, &argv, 0);
        assert!(seen.good(), "{argv:?}: {seen:?}");
        for _ in 0..2 {
            let again = place.again(&["cp", "-a", &format!("{}/.", argv[3]), &long], &Caller::default());
            assert!(again.good() && names(&again) == names(&seen), "{argv:?}: {again:?}");
        }
    }
});

/// What an earlier copy left when it was killed goes away with the next; what a neighbour put there harms nothing.
#[test]
fn what_is_in_the_way_of_a_copy_goes_or_stays_harmless() {
    let place = Place::new(Program::Shipped(Arch::native()));
    let prepare = |files: &Files| {
        files.directory("d", 0o755).directory("d/sub", 0o755).file("d/sub/f", 0o644, "new").file("f", 0o644, "new");
        files.directory("sticky", 0o1777).directory("sticky/there", 0o777).directory("away", 0o777);
    };
    // The name that it takes for the time being, seen where it cannot go on.
    let temporary = |to: &str| {
        let argv = ["cp", "-r", "d", to];
        let mut traced = place.sandbox().command(&argv).cwd("/mnt").strace(&["-e", "trace=mkdirat"]).spawn();
        traced.wait();
        let log = traced.strace_log();
        let name = log.split('"').find(|text| text.contains(".modelcar-")).unwrap_or_else(|| panic!("{log}"));
        name.to_string()
    };
    here(&place, prepare, &["true"], 0);
    let name = temporary("new");
    assert_eq!(
        name,
        {
            here(&place, prepare, &["true"], 0);
            temporary("new")
        },
        "the next start must find it"
    );
    for left in ["tree", "file", "link", "other's"] {
        let prepare = |files: &Files| {
            prepare(files);
            let at = |below: &str| format!("{name}{below}");
            match left {
                "tree" => drop(files.directory(&at("/sub"), 0o700).file(&at("/sub/part"), 0o600, "half")),
                "file" => drop(files.file(&name, 0o600, "half")),
                "link" => drop(files.link(&name, "away")),
                _ => drop(files.directory(&name, 0o755).file(&at("/his"), 0o644, "his").owner(&name, 7)),
            }
        };
        let uid = if left == "other's" { 1010 } else { 0 };
        let prepare = |files: &Files| {
            prepare(files);
            if left == "other's" {
                std::fs::set_permissions(files.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o1777))
                    .expect("");
            }
        };
        let seen = here(&place, prepare, &["cp", "-r", "d", "new"], uid);
        assert!(seen.good() && seen.stderr.is_empty(), "{left}: {seen:?}");
        let names = names(&seen);
        assert!(
            names.contains(&"new/sub/f".into()) && !names.iter().any(|name| name.contains("part")),
            "{left}: {names:?}"
        );
        assert_eq!(names.iter().any(|name| name.contains(".modelcar-")), left == "other's", "{left}: {names:?}");
        assert!(!names.iter().any(|name| name.starts_with("away/")), "{left}: {names:?}");
    }
}
