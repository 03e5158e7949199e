//! Runs the inputs in the files and directories named, and asks `dash -n` about each script that is understood.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs, panic};

/// What a shell calls a fault of the script and this program an unknown command: words that only end what the
/// language does not have.
const STRAY: &[&str] = &["then", "else", "elif", "fi", "esac", "}", "in", "{"];

fn main() -> ExitCode {
    let mut files = Vec::new();
    env::args_os().skip(1).for_each(|path| collect(Path::new(&path), &mut files));
    files.sort();
    let (mut run, mut understood, mut disagree) = (0, 0, 0);
    for file in &files {
        let input = fs::read(file).expect("a readable file");
        if let Err(finding) = panic::catch_unwind(|| fuzz::run(&input)) {
            println!("{}", file.display());
            panic::resume_unwind(finding);
        }
        run += 1;
        let script = input.split(|&byte| byte == 0).next().unwrap_or_default();
        // An interpreter starts no other program.
        if !cfg!(miri) && fuzz::accepts(&input) {
            understood += 1;
            if let Err(message) = dash(script)
                && !STRAY.iter().any(|word| message.contains(&format!("\"{word}\" unexpected")))
            {
                disagree += 1;
                println!("{}: {:?}\n  {message}", file.display(), String::from_utf8_lossy(script));
            }
        }
    }
    print!("{run} inputs run");
    match cfg!(miri) {
        true => println!(),
        false => println!("; {understood} scripts understood, dash -n disagrees about {disagree}"),
    }
    if run > 0 && disagree == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).expect("a directory").flatten().for_each(|entry| collect(&entry.path(), files));
    } else {
        files.push(path.into());
    }
}

fn dash(script: &[u8]) -> Result<(), String> {
    let mut child = Command::new("dash")
        .arg("-n")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dash is missing: install dash");
    child.stdin.take().expect("a pipe").write_all(script).ok();
    let output = child.wait_with_output().expect("dash");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().into()) }
}
