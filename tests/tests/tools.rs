//! `chmod`, `mkdir`, `rm`, `touch`, `ln` and `test` beside GNU's, on the same files.

use conformance::compare::{Caller, Files, Place, difference};
use conformance::random::Random;
use conformance::{Arch, End, Program, on_every_architecture};
use std::collections::BTreeMap;

fn pair(arch: Arch) -> (Place, Place) {
    (Place::new(Program::Shipped(arch)), Place::new(Program::Dash))
}

/// How many of something that is generated: emulators are slow.
fn count(arch: Arch, number: usize) -> usize {
    if arch == Arch::native() { number } else { number / 6 }
}

/// A mode, most often a good one.
fn mode(random: &mut Random) -> String {
    let mut text = String::new();
    if random.chance(15) {
        for _ in 0..1 + random.below(6) {
            text.push(*random.pick(&['0', '1', '2', '4', '5', '6', '7']));
        }
        return text;
    }
    for clause in 0..1 + random.below(3) {
        if clause > 0 {
            text.push(',');
        }
        for _ in 0..random.below(3) {
            text.push(*random.pick(&['u', 'g', 'o', 'a']));
        }
        for _ in 0..1 + random.below(2) {
            text.push(*random.pick(&['+', '-', '=']));
            if random.chance(20) {
                text.push(*random.pick(&['u', 'g', 'o']));
            } else {
                for _ in 0..random.below(4) {
                    text.push(*random.pick(&['r', 'w', 'x', 'X', 's', 't']));
                }
            }
        }
    }
    if random.chance(4) {
        text.push(*random.pick(&[',', 'q', '8', '+', 'u', ' ']));
    }
    text
}

on_every_architecture!(modes_are_those_of_gnu, |arch| {
    let (ours, gnu) = pair(arch);
    let bits =
        [0, 0o644, 0o755, 0o700, 0o600, 0o444, 0o111, 0o640, 0o2755, 0o4755, 0o1777, 0o6711, 0o7777, 0o070, 0o1000];
    let prepare = |files: &Files| {
        for (index, bits) in bits.into_iter().enumerate() {
            files.file(&format!("f{index}"), bits, "").directory(&format!("d{index}"), bits);
        }
    };
    let names: Vec<String> = (0..bits.len()).flat_map(|index| [format!("f{index}"), format!("d{index}")]).collect();
    let (mut random, mut good) = (Random::new(20_261_128), 0);
    let count = count(arch, 300);
    for _ in 0..count {
        let mut mode = mode(&mut random);
        if mode.starts_with("--") {
            mode.remove(0); // GNU's own idea of an option
        }
        let caller = Caller { umask: *random.pick(&[0o022, 0o077, 0, 0o027, 0o777, 0o133]), ..Caller::default() };
        let recursive = random.chance(20);
        let mut argv = vec!["chmod"];
        argv.extend(recursive.then_some("-R"));
        argv.push(&mode);
        argv.extend(names.iter().map(String::as_str));
        let (here, there) = (ours.run(prepare, &argv, &caller), gnu.run(prepare, &argv, &caller));
        let shown = || format!("chmod {mode} with umask {:o}:\n{}", caller.umask, difference(&here, &there));
        if here.end == End::Code(2) {
            assert!(there.stderr.starts_with("chmod: invalid mode"), "{}", shown());
            assert_eq!(here.stderr.lines().count(), 1);
            continue;
        }
        good += 1;
        assert_eq!(here.tree, there.tree, "{}", shown());
        // A listed difference: GNU finds fault with `-w` and its like where the umask keeps a bit.
        assert!(here.good() && (there.good() || mode.starts_with('-')), "{}", shown());
    }
    assert!(good * 2 > count, "{good} of {count}");
});

fn files(files: &Files) {
    files.directory("d", 0o755).directory("d/sub", 0o755).file("d/sub/f", 0o644, "f").file("d/f", 0o444, "f");
    files.directory("mine", 0o755).directory("mine/e", 0o755).file("mine/f", 0o644, "f").directory("shut", 0o555);
    files
        .file("shut/f", 0o644, "f")
        .directory("shut/e", 0o755)
        .directory("none", 0)
        .file("f", 0o644, "f")
        .file("-x", 0o644, "x");
    files.link("l", "f").link("ld", "d").link("nothing", "nowhere").link("loop", "loop").directory("sticky", 0o1777);
    files
        .file("sticky/his", 0o666, "")
        .file("his", 0o600, "his")
        .fifo("pipe")
        .directory("empty", 0o755)
        .file("mine/ro", 0o400, "");
    files
        .directory("deep", 0o755)
        .directory("deep/1/2/3", 0o755)
        .link("deep/1/2/up", "..")
        .link("new link", "mine/new");
    for name in ["mine", "mine/e", "mine/f", "shut", "shut/f", "f", "empty", "-x", "mine/ro"] {
        files.owner(name, 1010);
    }
    files.old();
}

const OPERANDS: &[&str] = &[
    "d",
    "d/",
    "d/sub",
    "d/f",
    "mine",
    "mine/e",
    "mine/f",
    "mine/new",
    "shut/f",
    "shut/e",
    "shut",
    "none",
    "none/x",
    "f",
    "f/",
    "l",
    "l/",
    "ld",
    "ld/",
    "nothing",
    "loop",
    "loop/x",
    "sticky/his",
    "his",
    "pipe",
    "empty",
    "empty/",
    "missing",
    "missing/x",
    "new",
    "new/",
    "new/a/b",
    "mine/a/b/c",
    ".",
    "..",
    "d/.",
    "d/..",
    "./d",
    "",
    "/mnt/d/sub",
    "mine/ro",
    "deep",
    "deep/1",
    "-x",
    "new link",
    "f/x",
    "d//sub//",
    "mine/./q",
];

const NEW: &[&str] = &[
    "new",
    "new/",
    "mine/q",
    "mine/a/b/c",
    "empty/x",
    "d/new",
    "shut/new",
    "./mine/e/new",
    "sticky/new",
    "new/a",
    "a/b",
];

/// Runs generated commands in both; all that can be seen is to be the same.
fn alike(
    arch: Arch,
    command: &str,
    options: &[&[&str]],
    several: usize,
    number: usize,
    skip: impl Fn(&[&str]) -> bool,
) {
    let (ours, gnu) = pair(arch);
    let mut random = Random::new(number as u64);
    let (mut good, mut failures) = (0, Vec::new());
    let count = count(arch, number);
    for _ in 0..count {
        let mut argv = vec![command];
        argv.extend(*random.pick(options));
        if random.chance(10) {
            argv.push("--");
        }
        for _ in 0..=random.below(several) {
            let from = if random.chance(40) { NEW } else { OPERANDS };
            let operand = *random.pick(from);
            argv.push(if operand == "-x" && !argv.contains(&"--") { "./-x" } else { operand });
        }
        if skip(&argv) {
            continue;
        }
        let caller =
            Caller { uid: *random.pick(&[0, 1010]), umask: *random.pick(&[0o022, 0o077, 0]), ..Caller::default() };
        let (here, there) = (ours.run(files, &argv, &caller), gnu.run(files, &argv, &caller));
        good += usize::from(here.good());
        let lines = here.stderr.lines().all(|line| line.starts_with(&format!("{command}: ")) || line.contains(" -> "));
        let fine = here.good() == there.good() && here.stdout == there.stdout && here.tree == there.tree && lines;
        if !fine || here.good() == here.stderr.contains(&format!("{command}: ")) {
            failures.push(format!("{argv:?} {caller:?}\n{}", difference(&here, &there)));
        }
    }
    assert!(failures.is_empty(), "{} of {count}:\n\n{}", failures.len(), failures.join("\n"));
    assert!(good * 7 > count, "only {good} of {count} succeed");
}

on_every_architecture!(rm_is_that_of_gnu, |arch| {
    alike(arch, "rm", &[&[], &["-r"], &["-f"], &["-rf"], &["-R"], &["-f", "-r"]], 3, 250, |argv| {
        // What one operand removes is not there for the next, and then GNU does not see what it refuses; with -f it keeps
        // silent about a link to a directory that it has emptied and could not remove.
        ["d/..", "d/.", "ld/"].iter().any(|operand| argv.contains(operand))
    })
});

on_every_architecture!(touch_is_that_of_gnu, |arch| alike(arch, "touch", &[&[]], 3, 120, |_| false));

on_every_architecture!(mkdir_is_that_of_gnu, |arch| {
    let options: &[&[&str]] = &[
        &[],
        &["-p"],
        &["-m", "700"],
        &["-m", "1777"],
        &["-m0"],
        &["-p", "-m", "2750"],
        &["-pm", "a=rwx"],
        &["-m", "u=rwx,go=rX"],
        &["-m", "g-w"],
        &["-m", "-x"],
        &["-p", "-m=rx"],
        &["-m", "4711"],
        &["-m", "go=u-w"],
    ];
    alike(arch, "mkdir", options, 3, 250, |_| false)
});

on_every_architecture!(ln_is_that_of_gnu_but_for_what_a_link_is_replaced_by, |arch| {
    let options: &[&[&str]] =
        &[&["-s"], &["-sf"], &["-sn"], &["-sT"], &["-sfT"], &["-sv"], &["-svf"], &["-s", "-n", "-f"], &["-sfnTv"]];
    // Listed differences: a link at the link's path, and -f on what it would lead to; `.` as a name.
    let listed = |argv: &[&str]| {
        let links = ["l", "ld", "nothing", "loop", "new link", "up"];
        let base = |path: &str| path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_string();
        let last = argv.last().copied().unwrap_or_default();
        let forced = argv.iter().any(|word| word.starts_with("-s") && word.contains('f')) || argv.contains(&"-f");
        let mut operands = argv[1..].iter().filter(|word| !word.starts_with('-'));
        let one = operands.clone().count() == 1 || [".", "/mnt"].contains(&last);
        let same = one || operands.clone().take(operands.clone().count() - 1).any(|word| base(word) == base(last));
        operands.any(|word| links.contains(&base(word).as_str()))
            || forced && same
            || last.is_empty()
            || last.ends_with("..")
    };
    alike(arch, "ln", options, 3, 300, listed)
});

/// One word that `test` looks at, with every operator, by users who may and may not.
#[test]
fn test_is_that_of_gnu() {
    let (ours, gnu) = pair(Arch::native());
    let mut answers = BTreeMap::new();
    for place in [&ours, &gnu] {
        place.prepare(files);
    }
    for operator in ["-d", "-e", "-f", "-s", "-L", "-h", "-r", "-w", "-x", "-n", "-z"] {
        for operand in OPERANDS {
            for uid in [0, 1010] {
                let (caller, argv) = (Caller { uid, ..Caller::default() }, ["test", operator, operand]);
                let (here, there) = (ours.output(&argv, &caller), gnu.output(&argv, &caller));
                assert_eq!(here, there, "{argv:?} {uid}");
                *answers.entry((operator, here.0 == End::Code(0))).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(answers.len(), 22, "{answers:?}");
}

/// A fraction of a second and sums of times are slept in full.
#[test]
fn sleep_takes_the_sum_of_its_times() {
    let place = Place::new(Program::Shipped(Arch::native()));
    for (words, milliseconds) in [
        (vec!["0.3"], 300),
        (vec![".1", "0.2s"], 300),
        (vec!["0.005m"], 300),
        (vec!["0", "0.25"], 250),
        (vec!["--", "0.2"], 200),
    ] {
        let argv: Vec<&str> = ["sleep"].into_iter().chain(words).collect();
        let start = std::time::Instant::now();
        assert_eq!(place.output(&argv, &Caller::default()).0, End::Code(0), "{argv:?}");
        assert!(start.elapsed().as_millis() >= milliseconds, "{argv:?}: {:?}", start.elapsed());
    }
}
