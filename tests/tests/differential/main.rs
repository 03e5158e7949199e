//! Thousands of scripts, made from the grammar, do here what they do in dash with coreutils and in BusyBox: the
//! same output, the same exit code, the same files. Where that is not so, it is a listed difference with a reason.
//! And what the language does not have is refused, with nothing done.
//!
//! `DIFFERENTIAL_SEED` and `DIFFERENTIAL_COUNT` choose the scripts; a failure prints the seed of its script.

mod arena;
mod differences;
mod generate;
mod setup;

use arena::{Arena, End, Seen, Shell, complaints};
use conformance::random::Random;
use conformance::{this_test, vectors};
use generate::{Coverage, EXEC_MARK, MISSING, PRODUCTIONS, Script};
use setup::{By, Call, Setup, Step};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

/// What takes the place of `pipefail`, which dash 0.5.12 does not know: an option that does nothing.
const NO_PIPEFAIL: &str = "nolog";

/// The text as one shell gets it: for the two others, with what this program does on purpose worked in.
fn render(shell: Shell, script: &Script) -> Vec<u8> {
    let mut text: Vec<u8> = match shell {
        Shell::Ours => Vec::new(),
        _ if script.setup.raw_tools || matches!(script.setup.call.by, By::Name(_)) => Vec::new(),
        Shell::Dash => differences::DASH_PRELUDE.into(),
        Shell::Busybox => differences::busybox_prelude(),
    };
    let mut rest = script.text.as_slice();
    while let [byte, behind @ ..] = rest {
        match *byte {
            // Its `exec` runs its own tool whatever PATH and functions say; not if it has a path.
            EXEC_MARK if shell == Shell::Busybox => text.extend(b"/bin/"),
            EXEC_MARK => {}
            _ if shell == Shell::Dash && rest.starts_with(b"pipefail") => {
                text.extend(NO_PIPEFAIL.as_bytes());
                rest = &rest[8..];
                continue;
            }
            byte => text.push(byte),
        }
        rest = behind;
    }
    text
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Refused(Vec<u8>),
    /// Neither an exit nor a wait.
    Broken(Shell),
    Stdout(Shell),
    /// One complains and the other does not.
    Stderr(Shell),
    End(Shell),
    Tree(Shell),
}

/// Runs a script in all three; what is different, if anything is.
fn compare(arena: &mut Arena, script: &Script) -> Result<(), (Kind, String)> {
    let minute = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() / 60);
    let mut seen = BTreeMap::new();
    loop {
        let start = minute();
        for shell in Shell::ALL {
            if shell != Shell::Busybox || !script.skip_busybox {
                let text = render(shell, script);
                seen.insert(shell, arena.run(shell, &script.setup, &text, script.may_wait));
            }
        }
        if minute() == start || script.may_wait {
            break; // `ls -l` tells the minute
        }
    }
    let mut count = |what| *arena.counts.entry(what).or_default() += 1;
    count("compared with dash");
    if seen.contains_key(&Shell::Busybox) {
        count("compared with BusyBox");
    }
    if seen.values().any(|seen| seen.undecided) {
        count("undecided");
        return Ok(());
    }
    let kind = difference(&seen).filter(|_| !is_option_that_ls_printed(script, &seen[&Shell::Ours].stderr));
    kind.map_or(Ok(()), |kind| {
        let mut report = String::new();
        for (shell, seen) in &seen {
            let _ = writeln!(report, "{shell:?}: {:?}", seen.end);
            let _ = writeln!(report, "  stdout {:?}", String::from_utf8_lossy(&seen.stdout));
            let _ = writeln!(report, "  stderr {:?}", String::from_utf8_lossy(&seen.stderr));
        }
        let ours = &seen[&Shell::Ours].tree;
        for (shell, seen) in &seen {
            for (path, what) in &seen.tree {
                if ours.get(path) != Some(what) {
                    let _ = writeln!(report, "  only {shell:?}: {path:?} {what}");
                }
            }
            for (path, what) in ours {
                if seen.tree.get(path) != Some(what) {
                    let _ = writeln!(report, "  here, not {shell:?}: {path:?} {what}");
                }
            }
        }
        Err((kind, report))
    })
}

fn difference(seen: &BTreeMap<Shell, Seen>) -> Option<Kind> {
    let ours = &seen[&Shell::Ours];
    let alike = seen.values().all(|seen| seen.end == ours.end);
    if (ours.end == End::Code(2) || ours.end == End::Code(127) && !alike) && is_refusal(&ours.stderr) {
        return Some(Kind::Refused(ours.stderr.clone()));
    }
    for (&shell, theirs) in seen {
        if !matches!(theirs.end, End::Code(_) | End::Waits) {
            return Some(Kind::Broken(shell));
        }
        if ours.end != theirs.end {
            return Some(Kind::End(shell));
        }
        // GNU has printed the empty line between two lists when it finds that it cannot read the second.
        let denied =
            [ours, theirs].iter().all(|seen| String::from_utf8_lossy(&seen.stderr).contains(": Permission denied"));
        let lines = |seen: &'_ Seen| {
            told(&seen.stdout)
                .into_iter()
                .filter(|line| !denied || !line.is_empty())
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        };
        if lines(ours) != lines(theirs) {
            return Some(Kind::Stdout(shell));
        }
        let silent = |seen: &Seen| complaints(&seen.stderr).is_empty();
        let times = ours.clean && theirs.clean;
        if comparable(&ours.tree, shell, times) != comparable(&theirs.tree, shell, times) {
            return Some(Kind::Tree(shell));
        }
        if silent(ours) != silent(theirs) {
            return Some(Kind::Stderr(shell));
        }
    }
    None
}

/// A tree, with the times that are to be the same: BusyBox keeps those of files only.
fn comparable(tree: &BTreeMap<OsString, String>, shell: Shell, times: bool) -> Vec<(&OsString, &str)> {
    let stays = |what: &str| match what.as_bytes()[0] {
        b'd' => times && shell != Shell::Busybox,
        b'-' => shell != Shell::Busybox,
        _ => true,
    };
    let kept = |what: &str| what.find(" at ").filter(|_| !stays(what)).unwrap_or(what.len());
    tree.iter().map(|(path, what)| (path, &what[..kept(what)])).collect()
}

/// Lines, those that say one behind the other what was copied in the order of their names: a directory has none.
fn told(stdout: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = stdout.split(|&byte| byte == b'\n').collect();
    let copied = |line: &&[u8]| line.starts_with(b"'") && line.windows(6).any(|part| part == b"' -> '");
    lines.chunk_by_mut(|one, other| copied(one) && copied(other)).for_each(<[_]>::sort_unstable);
    lines
}

/// Whether it is the one listed difference that cannot be worked into the shells' tools, `ls-printed-an-option`: an
/// operand is the output of `ls`, and there is a file with an option's name.
fn is_option_that_ls_printed(script: &Script, stderr: &[u8]) -> bool {
    let printed = script.text.windows(4).any(|text| text == b"$(ls" || text == b"(/bi");
    let options = script.setup.steps.iter().map(Step::path).filter_map(|path| path.rsplit('/').next());
    printed
        && options
            .filter(|name| name.starts_with('-'))
            .any(|name| String::from_utf8_lossy(stderr).contains(&format!(": {name}: not supported\n")))
}

/// Whether the last line says that something is not understood.
fn is_refusal(stderr: &[u8]) -> bool {
    let last = stderr.strip_suffix(b"\n").and_then(|text| text.rsplit(|&byte| byte == b'\n').next());
    let last = String::from_utf8_lossy(last.unwrap_or_default()).into_owned();
    let reasons =
        ["not supported", "not found", "unexpected", "not closed", "missing", "too deep", "not supported in $( )"];
    reasons.iter().any(|reason| last.ends_with(&format!(": {reason}")) || last.contains(&format!(": {reason}: ")))
}

/// The smallest script found that still differs in the same way.
fn shrink(arena: &mut Arena, script: &Script, kind: &Kind) -> Script {
    let mut best = script.clone();
    let mut tries = 250;
    arena.patience = Duration::from_millis(300); // a loop may have lost its end
    let mut same = |arena: &mut Arena, candidate: &Script| {
        tries -= 1;
        let differs = |(found, report): (Kind, String)| {
            found == *kind
                && !["yntax error", "invalid", "missing op", "Usage", "not found", "not closed", "unexpected"]
                    .iter()
                    .any(|word| report.contains(word))
        };
        tries > 0 && compare(arena, candidate).is_err_and(differs)
    };
    let steps = best.setup.steps.len();
    for index in (0..steps).rev() {
        let mut candidate = best.clone();
        candidate.setup.steps.remove(index);
        if same(arena, &candidate) {
            best = candidate;
        }
    }
    for index in (0..best.setup.modes.len()).rev() {
        let mut candidate = best.clone();
        candidate.setup.modes.remove(index);
        if same(arena, &candidate) {
            best = candidate;
        }
    }
    let mut pieces = pieces(&best.text);
    let mut size = pieces.len() / 2;
    while size > 0 {
        let mut start = 0;
        while start < pieces.len() {
            let mut fewer = pieces.clone();
            fewer.drain(start..(start + size).min(pieces.len()));
            let candidate = Script { text: fewer.concat(), ..best.clone() };
            if same(arena, &candidate) {
                (pieces, best) = (fewer, candidate);
            } else {
                start += size;
            }
        }
        size /= 2;
    }
    arena.patience = arena::PATIENCE;
    best
}

/// A script in words, roughly: blanks, newlines and operators are words of their own.
fn pieces(text: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for &byte in text {
        let apart = b" \t\n;()".contains(&byte);
        match pieces.last_mut() {
            Some(last) if !apart && !b" \t\n;()".contains(&last[0]) => last.push(byte),
            _ => pieces.push(vec![byte]),
        }
    }
    pieces
}

fn show(script: &Script) -> String {
    let text: Vec<u8> = script.text.iter().copied().filter(|&byte| byte != EXEC_MARK).collect();
    format!("{}\n  {:?}", String::from_utf8_lossy(&text), script.setup)
}

/// Runs `work` with each of the numbers below `count` on all processors, each thread in an arena of its own.
/// The messages that it returns are the failures.
fn in_parallel(count: usize, work: impl Fn(&mut Arena, usize) -> Option<String> + Sync) -> BTreeMap<String, usize> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let hits = Mutex::new(BTreeMap::new());
    let stop = AtomicBool::new(false);
    let threads = std::thread::available_parallelism().map_or(2, |number| number.get());
    let work = || {
        let mut arena = Arena::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count || stop.load(Ordering::Relaxed) {
                break;
            }
            if let Some(failure) = work(&mut arena, index) {
                let mut failures = failures.lock().expect("no thread has panicked");
                failures.push(failure);
                stop.store(failures.len() >= 10, Ordering::Relaxed);
            }
        }
        let mut hits = hits.lock().expect("no thread has panicked");
        for (name, count) in arena.hits() {
            *hits.entry(name).or_insert(0) += count;
        }
    };
    this_test().waiting(
        || format!("{threads} threads that run {count} scripts"),
        || std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work)))),
    );
    let failures = failures.into_inner().expect("no thread has panicked");
    assert!(failures.is_empty(), "{} failures:\n\n{}", failures.len(), failures.join("\n\n"));
    hits.into_inner().expect("no thread has panicked")
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Failures that were not shrunk would be hard to read, and all of them shrunk would take long.
fn check(arena: &mut Arena, script: &Script, what: &str) -> Option<String> {
    static SHRUNK: AtomicUsize = AtomicUsize::new(0);
    let (kind, report) = compare(arena, script).err()?;
    let few = SHRUNK.fetch_add(1, Ordering::Relaxed) < 3 && !matches!(kind, Kind::Broken(_));
    let small = if few { shrink(arena, script, &kind) } else { script.clone() };
    let small_report = compare(arena, &small).err().map_or(report.clone(), |(_, report)| report);
    Some(format!(
        "=== {what}: {kind:?}\n--- shrunk:\n{}\n{small_report}--- whole:\n{}\n{report}",
        show(&small),
        show(script)
    ))
}

fn generated_scripts_agree(count: usize, seed: u64) {
    let coverage = Mutex::new(Coverage::new());
    let hits = in_parallel(count, |arena, index| {
        let seed = seed.wrapping_add(index as u64);
        let mut own = Coverage::new();
        let script = generate::positive(seed, &mut own);
        let mut coverage = coverage.lock().expect("no thread has panicked");
        for (production, count) in own {
            *coverage.entry(production).or_default() += count;
        }
        drop(coverage);
        check(arena, &script, &format!("DIFFERENTIAL_SEED={seed} DIFFERENTIAL_COUNT=1"))
    });
    let coverage = coverage.into_inner().expect("no thread has panicked");
    println!("{count} scripts; productions: {coverage:#?}\ndifferences worked in: {hits:#?}");
    if count >= 1000 {
        let of = |name: &str| hits.get(name).copied().unwrap_or_default();
        assert!(of("undecided") * 20 < count, "too many say nothing: {}", of("undecided"));
        assert!(of("compared with BusyBox") * 4 > count, "too few for BusyBox: {}", of("compared with BusyBox"));
        let missed: Vec<_> = PRODUCTIONS.iter().filter(|&production| !coverage.contains_key(production)).collect();
        assert!(missed.is_empty(), "productions never used: {missed:?}");
    }
}

#[test]
fn generated_scripts_do_what_they_do_in_dash_and_busybox() {
    let count = number("DIFFERENTIAL_COUNT").unwrap_or(5000) as usize;
    generated_scripts_agree(count, number("DIFFERENTIAL_SEED").unwrap_or(20_260_821));
}

#[test]
#[ignore = "takes many minutes: run by `make test-long`"]
fn long_generated_scripts_do_what_they_do_in_dash_and_busybox() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = number("DIFFERENTIAL_SEED").unwrap_or(now << 24);
    println!("DIFFERENTIAL_SEED={seed}");
    generated_scripts_agree(number("DIFFERENTIAL_COUNT").unwrap_or(50_000) as usize, seed);
}

/// The strings that are known to be sent to a ModelCar, in states of the volume that nobody has thought of.
#[test]
fn known_scripts_do_what_they_do_in_dash_and_busybox() {
    let mut scripts = Vec::new();
    for vector in vectors::all() {
        // What is refused on purpose is not for the shells.
        if vector.recommended.as_ref().and_then(|recommended| recommended.exit_code).is_some_and(|code| code > 1) {
            continue;
        }
        let words: Vec<&str> = vector.argv.iter().map(String::as_str).collect();
        let (text, call) = match words.as_slice() {
            [] => continue,
            [.., script] if script.contains("2>&1") => continue, // the words of a failure, which are each shell's own
            ["sh" | "/bin/sh", "-ec", script] => (script.to_string(), Call { options: &["-e"], ..Call::default() }),
            ["sh" | "/bin/sh", "-c", "--", script] | ["sh" | "/bin/sh", "-c", script, ..] => {
                (script.to_string(), Call::default())
            }
            ["sh" | "/bin/sh", ..] => continue, // a file
            words => {
                let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
                (quoted.join(" ").replacen("/bin/", "", 1), Call { by: By::Name("/bin/"), ..Call::default() })
            }
        };
        scripts.push((text, call));
    }
    assert!(scripts.len() > 90);
    let rounds = 6;
    in_parallel(scripts.len() * rounds, |arena, index| {
        let mut random = Random::new(index as u64);
        let (text, call) = &scripts[index % scripts.len()];
        // The one place that can be written to.
        let mut text = text.replace("ls -la /\n", "ls -la /mnt\n");
        for volume in ["/shared-models", "/tmp/model", "/dest", "/wm-models", "/pvc", "/oci-artifact-0", "/data"] {
            let place = *random.pick(&["/mnt", "/mnt/d", "/mnt/new"]);
            text = text.replace(volume, place);
        }
        if random.chance(50) {
            text = text.replace(" /models", " /mnt/models");
        }
        let names: Vec<String> =
            ["models", "d", "a", "base", "model.bin", "bloom-560m", "models/tight", ".done"].map(Into::into).to_vec();
        let uid = *random.pick(&[1010, 1_000_770_000]);
        let mut setup = Setup::random(&mut random, uid, &names, false, true);
        (setup.gid, setup.call) = (if uid == 1010 { uid } else { 0 }, call.clone());
        let may_wait = ["sleep", "tail"].iter().any(|word| text.contains(word));
        // Columns, X, a redirection that fails, and what else BusyBox does otherwise.
        let other = ["-l", "chmod", ">", "rm ", "-w ", "tar", "-sfv"];
        let skip_busybox = other.iter().any(|word| text.contains(word));
        let script = Script { text: text.into(), setup, may_wait, skip_busybox };
        check(arena, &script, &format!("round {index}"))
    });
}

/// Each listed difference shows, in the shells it is listed for and in no other.
#[test]
fn listed_differences_are_there() {
    let mut arena = Arena::new();
    for listed in differences::all() {
        let name = listed.name;
        assert!(!listed.reason.is_empty(), "{name}");
        let setup = Setup { raw_tools: true, ..listed.setup.clone() };
        let text = listed.script.as_bytes();
        let ours = arena.run(Shell::Ours, &setup, text, false);
        assert_eq!(ours.end, End::Code(listed.ours.0), "{name}: {ours:?}");
        assert_eq!(String::from_utf8_lossy(&ours.stdout), listed.ours.1, "{name}: {ours:?}");
        for shell in [Shell::Dash, Shell::Busybox] {
            let theirs = arena.run(shell, &setup, text, false);
            let same = difference(&BTreeMap::from([(Shell::Ours, ours.clone()), (shell, theirs.clone())])).is_none();
            let differs = listed.differs.contains(&shell);
            assert_eq!(!same, differs, "{name}, {shell:?}: stale, or more than listed\n{ours:?}\n{theirs:?}");
        }
    }
}

/// A root's links lead to the root's files, here too, where the same paths are the machine's.
#[test]
fn the_machines_own_files_stay_as_they_are() {
    use std::io::ErrorKind;
    let mode = |path| fs::metadata(path).expect("a directory").permissions();
    let (before, mut arena) = (mode("/mnt"), Arena::new());
    let setup = |path| Setup::default().link("/mnt/d", "/mnt").file(path).mode("/mnt/d/", 0o500).mode(path, 0o444);
    for path in ["/mnt/d/", "/mnt/d/f"] {
        let seen = arena.run(Shell::Ours, &setup(path), b"chmod 711 d", false);
        assert_eq!((seen.end, seen.tree.len()), (End::Code(0), 2), "{seen:?}"); // `/mnt` and the link
    }
    assert_eq!(mode("/mnt"), before);
    // And whoever follows one all the same is stopped.
    let error = fs::set_permissions("/mnt", before).map_err(|error| error.kind());
    assert_eq!(error, Err(ErrorKind::ReadOnlyFilesystem));
}

/// All that docs/contract.md says the language has is in the scripts that are generated: each rule of the grammar and
/// each sign and word in it, each command and each letter of its options.
#[test]
fn all_that_is_documented_is_generated() {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("contract.md");
    let contract = fs::read_to_string(contract).expect("docs/contract.md");
    let between = |from: &str, to: &str| {
        let (_, rest) = contract.split_once(from).unwrap_or_else(|| panic!("no {from:?} in docs/contract.md"));
        rest.split_once(to).unwrap_or_else(|| panic!("no {to:?} in docs/contract.md")).0.to_string()
    };
    let grammar = between("```text\n", "```");
    let commands = between("\n## Commands\n", "\n### ");

    let mut coverage = Coverage::new();
    let scripts: Vec<String> = (0..3000)
        .map(|seed| String::from_utf8_lossy(&generate::positive(seed, &mut coverage).text).replace('\x01', ""))
        .collect();
    let generated = |text: &str| scripts.iter().any(|script| script.contains(text));

    let mut missing = Vec::new();
    for rule in grammar.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.trim()) {
        let prefix = if rule.starts_with('"') { "word: \" \"".to_string() } else { format!("{rule}: ") };
        if !PRODUCTIONS.iter().any(|production| production.starts_with(&prefix)) {
            missing.push(rule.to_string());
        }
    }
    let quoted = |word: &'_ str| word.strip_prefix('"')?.strip_suffix('"').map(str::to_string);
    let signs: Vec<String> = grammar.split_whitespace().filter_map(quoted).filter(|sign| *sign != "...").collect();
    assert!(signs.len() > 30, "{signs:?}");
    missing.extend(signs.into_iter().filter(|sign| !generated(sign)));
    let words = |line: &str| line.split(" | ").next().unwrap_or_default().to_string();
    let mut count = 0;
    for form in commands
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(words)
        .collect::<String>()
        .split('`')
        .skip(1)
        .step_by(2)
    {
        let mut words = form.split([' ', ',']);
        let name = words.next().unwrap_or_default();
        if name == "sh" {
            continue; // not inside a script
        }
        count += 1;
        if !scripts.iter().any(|script| script.split_whitespace().any(|word| word == name)) {
            missing.push(name.to_string());
        }
        for option in words.filter_map(|word| word.trim_matches(['[', ']']).strip_prefix('-')) {
            for letter in option.chars().filter(char::is_ascii_alphanumeric) {
                let has = |word: &str| word.starts_with('-') && word.contains(letter);
                let called = |part: &str| part.trim_start().starts_with(name) && part.split(' ').any(has);
                if !scripts.iter().any(|script| script.split([';', '\n', '&', '|', '(']).any(called)) {
                    missing.push(format!("{name} -{letter}"));
                }
            }
        }
    }
    assert!(count >= 20, "{count} commands");
    missing.sort();
    missing.dedup();
    assert!(missing.is_empty(), "documented and not generated: {missing:?}");
}

/// Each thing that the language does not have, in each of several places: nothing runs, one line says why.
#[test]
fn what_the_language_lacks_is_refused_whole() {
    let rounds = number("DIFFERENTIAL_ROUNDS").unwrap_or(12) as usize;
    in_parallel(MISSING.len() * rounds, |arena, index| {
        let missing = MISSING[index % MISSING.len()];
        let script = generate::negative(index as u64, missing);
        let seen = arena.run(Shell::Ours, &script.setup, &script.text, false);
        let before = arena.run(Shell::Ours, &script.setup, b"", false).tree;
        let stderr = String::from_utf8_lossy(&seen.stderr);
        let one_line = is_refusal(&seen.stderr) && seen.stderr.iter().filter(|&&byte| byte == b'\n').count() == 1;
        let code = if stderr.contains(": not found: ") { 127 } else { 2 };
        let good = seen.end == End::Code(code) && seen.stdout.is_empty() && one_line && seen.tree == before;
        (!good).then(|| format!("{missing:?} in\n{}\n  {:?} {stderr:?}", show(&script), seen.end))
    });
}
