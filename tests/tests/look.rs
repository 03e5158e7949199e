//! `ls` beside GNU's, byte for byte, and `readlink` and `cat`.

use conformance::compare::{Caller, Files, Place, Seen, difference};
use conformance::random::Random;
use conformance::{Arch, End, Program, Sandbox, on_every_architecture};
use std::collections::{BTreeMap, BTreeSet};

fn files(files: &Files) {
    files.directory("d", 0o755).directory("d/sub", 0o750).directory("d/sub/empty", 0o700).directory("d/.h", 0o755);
    files
        .file("d/f", 0o644, "content")
        .file("d/run", 0o755, "#!")
        .file("d/.hidden", 0o444, "")
        .file("d/.h/x", 0o600, "x");
    files.file("d/sub/large", 0o640, vec![b'x'; 1_234_567]).link("d/l", "f").link("d/dangling", "nowhere");
    files.link("d/sub/up", "..").file("d/\u{6a21}", 0o664, "odd").file("d/B", 0o604, "").file("d/a b\nc", 0o622, "");
    files.directory("locked", 0o700).file("locked/f", 0o644, "").directory("seen", 0o744).file(
        "seen/unseen",
        0o644,
        "",
    );
    files.directory("blind", 0o711).file("blind/f", 0o600, "").directory("empty", 0o755).directory("bits", 0o755);
    for (index, mode) in
        [0, 0o4755, 0o4644, 0o2755, 0o2644, 0o6777, 0o1755, 0o1644, 0o7777, 0o7000, 0o421].into_iter().enumerate()
    {
        files.file(&format!("bits/{index}"), mode, vec![b'x'; index * 999]);
        files.directory(&format!("bits/d{index}"), mode);
    }
    files.fifo("bits/pipe").file("f", 0o644, "f").link("l", "f").link("ld", "d").link("nothing", "nowhere");
    files.link("loop", "loop").link("ld2", "ld/").owner("f", 1010).owner("d/f", 123_456).owner("d/sub", 1_000_770_000);
    files.old();
    let day = 86_400;
    for (name, time) in [
        ("d/f", 0),
        ("d/run", -1),
        ("d/l", day * 365 * 40),
        ("d/B", 951_782_400),
        ("d/.hidden", 951_868_799),
        ("bits/1", -day * 25_567),
        ("bits/2", 4_102_444_800),
        ("bits/3", 1_709_164_800),
        ("bits/4", 68_169_600),
        ("f", 1_234_567_890),
        ("bits/5", 253_402_300_799),
        ("bits/6", 978_307_199),
    ] {
        files.time(name, time);
    }
}

const OPERANDS: &[&str] = &[
    "d",
    "d/",
    "d/sub",
    "f",
    "l",
    "ld",
    "ld/",
    "ld2",
    "nothing",
    "missing",
    "locked",
    "seen",
    "blind",
    "empty",
    "bits",
    ".",
    "d/.h",
    "/mnt/d",
    "d/run",
    "loop",
    "d/sub/up",
    "blind/f",
    "f/",
    "d/a b\nc",
    "bits/pipe",
    "..//mnt/f",
];

/// GNU's words for what is meant here: its own form of the time, and of `-a` and `-A` the one that counts here.
fn gnu_words<'a>(argv: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["ls", "-1", "--time-style=+%Y-%m-%d %H:%M"];
    words.extend(&argv[1..]);
    if argv[1..].iter().any(|word| word.starts_with('-') && word.contains('l')) {
        words.push("-n");
    }
    if argv[1..].iter().any(|word| word.starts_with('-') && word.contains('a')) {
        words.push("-a");
    }
    words
}

fn compare(ours: &Place, gnu: &Place, argv: &[&str], caller: &Caller) -> Result<bool, String> {
    let seen = |place: &Place, argv: &[&str]| {
        let (end, stdout, stderr) = place.output(argv, caller);
        Seen { end, stdout, stderr, tree: BTreeMap::new() }
    };
    let (here, there) = (seen(ours, argv), seen(gnu, &gnu_words(argv)));
    let fail = |why: &str| Err(format!("{argv:?} {caller:?}: {why}\n{}", difference(&here, &there)));
    // A listed difference: what it may not look at may be a directory, and with -R that matters.
    let recursive = argv.get(1).is_some_and(|word| word.starts_with('-') && word.contains('R'));
    let all = |end: &str| !here.stderr.is_empty() && here.stderr.lines().all(|line| line.ends_with(end));
    let denied = recursive && all(": Permission denied");
    if here.good() != there.good() && !(denied && there.good()) {
        return fail("succeeds or fails otherwise");
    }
    if !here.good()
        && (here.end != End::Code(1)
            || here.stderr.is_empty()
            || !here.stderr.lines().all(|line| line.starts_with("ls: ")))
    {
        return fail("fails in another way");
    }
    // With GNU the columns of files that are operands are as wide as those of the directories beside them need, and -F
    // marks what a link leads to.
    let several = argv[1..].iter().filter(|word| !word.starts_with('-')).count() > 1;
    let line = |line: &str| {
        // The directory above the volume has other tools in it there.
        if let (Some(kind), Some(".." | "../")) = (line.split(' ').next(), line.rsplit(' ').next())
            && kind.len() == 10
        {
            return format!("{kind} ..");
        }
        let squeezed = || line.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let line = if several { squeezed() } else { line.to_string() };
        if line.contains(" -> ") { line.trim_end_matches(['/', '*', '|']).to_string() } else { line }
    };
    let text = |seen: &Seen| seen.text().split('\n').map(line).collect::<Vec<String>>();
    let (mut here_lines, mut there_lines) = (text(&here), text(&there));
    if !here.good() {
        // What it may not look at has a line of question marks there, or one with its name alone.
        here_lines.retain(|line| !line.is_empty());
        there_lines.retain(|line| here_lines.contains(line));
    }
    if here_lines != there_lines {
        return fail("prints something else");
    }
    Ok(here.good())
}

on_every_architecture!(listings_are_those_of_gnu, |arch| {
    let (ours, gnu) = (Place::new(Program::Shipped(arch)), Place::new(Program::Dash));
    for place in [&ours, &gnu] {
        place.prepare(files);
    }
    let mut random = Random::new(20_261_127);
    let count = if arch == Arch::native() { 800 } else { 150 };
    let (mut good, mut failures) = (0, Vec::new());
    for _ in 0..count {
        let letters: Vec<char> = "1AaldhRnFr".chars().collect();
        let mut options = String::from("-");
        for _ in 0..random.below(5) {
            options.push(*random.pick(&letters));
        }
        let long = options.contains(['l', 'n', 'd', 'F']);
        let mut argv = vec!["ls"];
        argv.extend((options.len() > 1).then_some(options.as_str()));
        for _ in 0..random.below(4) {
            let operand = *random.pick(OPERANDS);
            // A listed difference: where a link leads nowhere, and with GNU's newer releases where it leads to itself.
            if !["nothing", "loop"].contains(&operand) || long {
                argv.push(operand);
            }
        }
        let caller = Caller { uid: *random.pick(&[0, 1010]), ..Caller::default() };
        match compare(&ours, &gnu, &argv, &caller) {
            Ok(succeeded) => good += usize::from(succeeded),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{} of {count}:\n\n{}", failures.len(), failures.join("\n"));
    assert!(good * 2 > count, "only {good} of {count} succeed");
});

/// Sizes around each step of `-h`.
#[test]
fn sizes_for_people_are_those_of_gnu() {
    let (ours, gnu) = (Place::new(Program::Shipped(Arch::native())), Place::new(Program::Dash));
    let mut random = Random::new(7);
    let mut sizes: Vec<u64> = vec![0, 1, 999, 1023, 1024, 1025];
    for unit in [1_u64 << 10, 1 << 20, 1 << 30, 1 << 40] {
        for tenth in [10_u64, 11, 15, 95, 98, 99, 100, 101, 105, 109, 110, 9990, 9999, 10_000, 10_220, 10_230, 10_239] {
            sizes.extend([unit * tenth / 10 - 1, unit * tenth / 10, unit * tenth / 10 + 1]);
        }
    }
    sizes.extend((0..200).map(|_| random.next() >> (22 + random.below(40))));
    let prepare = |files: &Files| {
        for (index, size) in sizes.iter().enumerate() {
            let name = format!("{index:03}");
            files.file(&name, 0o644, "");
            std::fs::File::options()
                .write(true)
                .open(files.path(&name))
                .and_then(|file| file.set_len(*size))
                .expect("a size");
            files.time(&name, Files::TIME);
        }
    };
    let run = |place: &Place, argv: &[&str]| {
        place.prepare(prepare);
        let (end, stdout, stderr) = place.output(argv, &Caller::default());
        assert_eq!((end, stderr.as_str()), (End::Code(0), ""));
        String::from_utf8(stdout).expect("text")
    };
    let (here, there) = (run(&ours, &["ls", "-lh"]), run(&gnu, &["ls", "-lhn", "--time-style=+%Y-%m-%d %H:%M"]));
    assert!(here.lines().count() > 300);
    for (here, there) in here.lines().zip(there.lines()) {
        assert_eq!(here, there);
    }
    assert_eq!(here, there);
}

on_every_architecture!(readlink_and_cat_are_those_of_gnu_and_busybox, |arch| {
    let places = [Program::Shipped(arch), Program::Dash, Program::Busybox].map(Place::new);
    for argv in [
        vec!["readlink", "l"],
        vec!["readlink", "-n", "l"],
        vec!["readlink", "f"],
        vec!["readlink", "missing"],
        vec!["readlink", "d/dangling"],
        vec!["readlink", "loop"],
        vec!["readlink", "ld/l"],
        vec!["readlink", "--", "l"],
        vec!["cat", "f"],
        vec!["cat", "f", "d/f", "l"],
        vec!["cat", "--", "f"],
        vec!["cat", "d"],
        vec!["cat", "missing", "f"],
        vec!["cat", "f", "nothing", "f"],
        vec!["cat", "-", "f"],
        vec!["cat"],
        vec!["cat", "d/sub/large"],
        vec!["cat", "/proc/self/attr/current", "f"],
        vec!["cat", "/proc/filesystems"],
        vec!["cat", "bits/0"],
    ] {
        for uid in [0, 1010] {
            let seen: Vec<Seen> =
                places.iter().map(|place| place.run(files, &argv, &Caller { uid, ..Caller::default() })).collect();
            for other in &seen[1..] {
                assert_eq!((seen[0].end, &seen[0].stdout), (other.end, &other.stdout), "{argv:?} {uid}: {seen:?}");
            }
            assert_eq!(seen[0].good(), seen[0].stderr.is_empty(), "{argv:?}: {seen:?}");
        }
    }
});

/// Several links at once, as GNU has it; BusyBox 1.35 knows one.
#[test]
fn readlink_of_several_is_that_of_gnu() {
    let [ours, gnu] = [Program::Shipped(Arch::native()), Program::Dash].map(Place::new);
    for argv in [["readlink", "l", "ld", "d/l"], ["readlink", "missing", "f", "l"]] {
        let run = |place: &Place| place.run(files, &argv, &Caller::default());
        let (here, there) = (run(&ours), run(&gnu));
        assert_eq!((here.end, here.text()), (there.end, there.text()), "{argv:?}");
    }
}

/// Each name that the table has is a link in the image, and nothing else is but the program.
#[test]
fn the_image_has_a_name_for_each_command() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let containerfile = std::fs::read_to_string(root.join("Containerfile")).expect("Containerfile");
    let (_, rest) = containerfile.split_once("; \\\n    sed -n ").expect("what lists the links");
    let (rest, _) = rest.split_once(" >names").expect("its end");
    let command = format!("sed -n {rest}");
    let listed = std::process::Command::new("sh").args(["-c", &command]).current_dir(root).output().expect("sh");
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert_eq!(listed.split_whitespace().collect::<BTreeSet<_>>(), Program::names().into_iter().collect());

    let sandbox = Sandbox::new(Program::Shipped(Arch::native()));
    for name in Program::names() {
        // Called by that name it is that command, wherever it lies.
        let (process, end) = sandbox.command(&[name, "--no-such-option"]).run();
        let (out, error) = (process.stdout(), process.stderr());
        match name {
            "true" | "false" => {
                assert_eq!((end, out, error), (End::Code((name == "false").into()), "".into(), "".into()))
            }
            "echo" => assert_eq!((end, out.as_str()), (End::Code(0), "--no-such-option\n"), "{error}"),
            _ => assert!(
                error.starts_with(&format!("{name}: ")) || name == "test" && end == End::Code(0),
                "{name}: {error:?}"
            ),
        }
    }
}
