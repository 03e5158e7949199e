//! The commands that are known to be sent to a ModelCar, and what must come of each: `tests/vectors/*.json`.
//!
//! `argv` is what the process gets after the kubelet has expanded `pod_spec_strings`; `pod_field` says where these
//! stand in the pod. `expected` is what real shells do. Where `recommended` stands, the program that ships does
//! that instead: it is better than a shell there, on purpose.

use crate::{End, Outcome, Pod, Program, Sandbox, Setup};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A command, the pod it runs in, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Vector {
    pub id: String,
    pub source: String,
    pub notes: String,
    pub pod_field: String,
    pub pod_spec_strings: Vec<String>,
    pub argv: Vec<String>,
    pub setup: Setup,
    pub expected: Expected,
    #[serde(default)]
    pub recommended: Option<Recommended>,
    /// Which real shell does something else, `dash` or `busybox`, and why that is right.
    #[serde(default)]
    pub not_true_of: BTreeMap<String, String>,
    /// Which of them does something else in those of its versions that refuse this script.
    #[serde(default)]
    pub not_true_without: BTreeMap<String, String>,
    /// All of the shipped program's standard error, `{pid}` its own; what [`check`] expects if not said.
    #[serde(default)]
    pub message: Option<String>,
}

impl Vector {
    /// Why this program does something else, if it does.
    pub fn not_true_of(&self, program: Program) -> Option<&str> {
        let without = self.not_true_without.get(program.name());
        let refused = |script: &&String| {
            let (shell, words): (_, &[_]) = if program == Program::Dash { ("dash", &[]) } else { ("busybox", &["sh"]) };
            let output = std::process::Command::new(shell).args(words).args(["-c", script.as_str()]).output();
            !output.expect(shell).status.success()
        };
        without.filter(refused).or_else(|| self.not_true_of.get(program.name())).map(String::as_str)
    }
}

/// What a shell does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Where there is a symbolic link in the end.
    pub link_path: Option<String>,
    /// What is in it, between `^` and `$`; `{pid}` is the process's own,
    /// `{other}` that of the process that `live_other_link` is about.
    pub link_target_pattern: Option<String>,
    /// Directories that are there in the end.
    pub mkdirs: Vec<String>,
    /// It waits; else it ends with `exit_code`.
    pub waits: bool,
    /// How it ends.
    pub exit_code: Option<i32>,
    /// All of standard output; if not said, `stdout_contains` is in it.
    pub stdout: Option<String>,
    /// What is in standard output, beside times and the like.
    #[serde(default)]
    pub stdout_contains: Option<String>,
    /// What else is there in the end, or is different then, as [`Sandbox::tree`] has it.
    #[serde(default)]
    pub tree: BTreeMap<String, String>,
    /// What is not there any more.
    #[serde(default)]
    pub gone: Vec<String>,
    /// In words: what SIGTERM does.
    pub after_sigterm: Option<String>,
}

/// What the program that ships does instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Recommended {
    pub link_path: Option<String>,
    pub link_target_pattern: Option<String>,
    pub waits: bool,
    pub exit_code: Option<i32>,
    pub stdout: Option<String>,
    pub why: String,
}

/// How the command reaches the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `args` of a container: the image's ENTRYPOINT stands before it.
    Entrypoint,
    /// `command` of a container: it is run itself.
    Direct,
}

/// Which process it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One of a pod whose containers share a PID namespace.
    InPod,
    /// The first of its container.
    Pid1,
}

/// All vectors.
pub fn all() -> Vec<Vector> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut files: Vec<_> =
        fs::read_dir(directory).expect("vectors").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let read = |file: &Path| fs::read_to_string(file).expect("a readable file");
    let parse = |file| serde_json::from_str(&read(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    files.iter().flat_map(|file| -> Vec<Vector> { parse(file.as_path()) }).collect()
}

/// What the kubelet makes of a string in `command` or `args`, with no variable defined:
/// `$$` is `$`, a reference to an unknown variable and any other `$` stay as they are.
///
/// `third_party/forked/golang/expansion/expand.go` of Kubernetes.
pub fn kubelet_expand(string: &str) -> String {
    let mut out = String::new();
    let mut rest = string;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let length = match from.as_bytes().get(1) {
            Some(b'$') => {
                out.push('$');
                rest = &from[2..];
                continue;
            }
            Some(b'(') => from.find(')').map_or(2, |end| end + 1),
            _ => 1,
        };
        out.push_str(&from[..length]);
        rest = &from[length..];
    }
    out + rest
}

/// Runs a vector and compares; the error says what is different.
pub fn check(vector: &Vector, program: Program, form: Form, place: Place) -> Result<(), String> {
    let run = || {
        let sandbox = Sandbox::with(program, &vector.setup);
        check_in(vector, &sandbox, form, place)
    };
    run().map_err(|difference| format!("{} ({program:?}, {form:?}, {place:?}): {difference}", vector.id))
}

fn check_in(vector: &Vector, sandbox: &Sandbox, form: Form, place: Place) -> Result<(), String> {
    let shipped = matches!(sandbox.program(), Program::Shipped(_));
    let mut expected = vector.expected.clone();
    if let (true, Some(recommended)) = (shipped, &vector.recommended) {
        expected.link_path.clone_from(&recommended.link_path);
        expected.link_target_pattern.clone_from(&recommended.link_target_pattern);
        expected.waits = recommended.waits;
        expected.exit_code = recommended.exit_code;
        if recommended.stdout.is_some() {
            expected.stdout.clone_from(&recommended.stdout);
            expected.stdout_contains = None;
        }
    }
    let mut argv: Vec<&str> = vector.argv.iter().map(String::as_str).collect();
    if form == Form::Entrypoint || argv.is_empty() {
        argv.insert(0, "/bin/link-model-and-wait");
    }
    let command = sandbox.command(&argv);
    let pod = Pod::new();
    let command = if place == Place::Pid1 { command.as_init() } else { command.in_pod(&pod) };

    let before = sandbox.tree();
    let (process, outcome) = command.settle();
    let pid = process.pid.to_string();
    let other = process.other_pid().map(|pid| pid.to_string()).unwrap_or_default();
    let target = expected.link_target_pattern.as_ref().map(|pattern| {
        let pattern = pattern.strip_prefix('^').and_then(|pattern| pattern.strip_suffix('$'));
        pattern.expect("a pattern from ^ to $").replace("{pid}", &pid).replace("{other}", &other)
    });

    // What is there: all that was there, the link, the directories, and nothing else.
    let mut tree = before.clone();
    if let (Some(link), Some(target)) = (&expected.link_path, &target) {
        tree.insert(link.clone(), format!("-> {target}"));
    }
    for directory in &expected.mkdirs {
        tree.entry(directory.clone()).or_insert_with(|| made(vector));
    }
    tree.extend(expected.tree.clone());
    for path in &expected.gone {
        if tree.remove(path).is_none() {
            return Err(format!("{path} was not there before, so it cannot go"));
        }
    }
    // A shell that follows a live link to itself leaves another one in its own root; that is the fault that
    // `recommended` is about, and its place is not part of the vector.
    let compare_tree = shipped || vector.setup.live_self_link.is_none();

    let differs = |what: &str, is: &dyn std::fmt::Debug, should: &dyn std::fmt::Debug| {
        Err(format!("{what} is\n  {is:?}\nbut should be\n  {should:?}\nof {process:?}"))
    };
    let wanted = match expected.exit_code {
        Some(code) => Outcome::Ended(End::Code(code)),
        None => Outcome::Waits,
    };
    if expected.waits != (wanted == Outcome::Waits) {
        return Err("the vector says both that it waits and that it ends".into());
    }
    if outcome != wanted {
        return differs("the outcome", &outcome, &wanted);
    }
    match (&expected.stdout, &expected.stdout_contains) {
        (Some(stdout), None) if process.stdout() != *stdout => {
            return differs("standard output", &process.stdout(), stdout);
        }
        (None, Some(part)) if !process.stdout().contains(part) => {
            return differs("standard output", &process.stdout(), &format!("...{part}..."));
        }
        (Some(_), None) | (None, Some(_)) => {}
        _ => return Err("the vector must have one of stdout and stdout_contains".into()),
    }
    if compare_tree && sandbox.tree() != tree {
        return differs("the file tree", &sandbox.tree(), &tree);
    }
    match &vector.message {
        _ if !shipped => {}
        Some(message) => {
            let message = message.replace("{pid}", &pid);
            if process.stderr() != message {
                return differs("standard error", &process.stderr(), &message);
            }
        }
        None => check_messages(&process.stderr(), &expected, target.as_deref(), &before)?,
    }
    if outcome == Outcome::Waits {
        // A shell that is PID 1 does not hear it, and would have to be killed.
        if shipped {
            let (end, _) = process.stop(libc::SIGTERM);
            if end != End::Code(0) {
                return differs("the end after SIGTERM", &end, &End::Code(0));
            }
        } else if place == Place::InPod {
            // A shell that has a trap for it ends by itself.
            let (end, _) = process.stop(libc::SIGTERM);
            if ![End::Signal(libc::SIGTERM), End::Code(128 + libc::SIGTERM)].contains(&end) {
                return differs("the end after SIGTERM", &end, &End::Signal(libc::SIGTERM));
            }
        }
        if compare_tree && sandbox.tree() != tree {
            return differs("the file tree after SIGTERM", &sandbox.tree(), &tree);
        }
    }
    Ok(())
}

/// What `tree` says of a directory that the command made.
fn made(vector: &Vector) -> String {
    let chmod = vector.argv.iter().any(|word| word.contains("chmod 775"));
    if chmod { "dir 0775".into() } else { "dir 0755".into() }
}

/// Standard error is one line for the link, or one line for the command that failed, or nothing.
fn check_messages(
    stderr: &str,
    expected: &Expected,
    target: Option<&str>,
    before: &BTreeMap<String, String>,
) -> Result<(), String> {
    let linked = match (&expected.link_path, target) {
        (Some(path), Some(target)) if expected.exit_code.is_none_or(|code| code == 0) => {
            Some(format!("link-model-and-wait: {path} -> {target}\n"))
        }
        _ => None,
    };
    let quiet = linked.is_none()
        && (expected.exit_code != Some(1) || expected.stdout.as_ref().is_some_and(|stdout| stdout.contains("NOK")));
    let good = match &linked {
        Some(line) => stderr == line,
        // KServe's init command says what is wrong by itself, unless a command in it failed.
        None if quiet && !before.contains_key("/models") => stderr.is_empty(),
        None if quiet => stderr.is_empty() || stderr.lines().count() == 1,
        None => {
            let mut parts = stderr.strip_suffix('\n').unwrap_or_default().split(": ");
            let (Some(_command), Some(path), Some(_reason), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return Err(format!("standard error is not one line, COMMAND: PATH: REASON, but {stderr:?}"));
            };
            path.starts_with('/') && !stderr.trim_end().contains('\n')
        }
    };
    if good {
        Ok(())
    } else {
        Err(format!("standard error is {stderr:?} but should be {:?}", linked.unwrap_or_default()))
    }
}
