//! The list of architectures is whole: each has its file in `src/arch`, its branch there, and all of the tests.

use conformance::Arch;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

fn names() -> BTreeSet<String> {
    Arch::ALL.iter().map(|arch| arch.name().to_string()).collect()
}

#[test]
fn every_file_of_an_architecture_has_a_row_and_every_row_a_file() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/arch");
    let files = fs::read_dir(&directory).expect("src/arch").map(|entry| entry.expect("an entry").path());
    let stems = files.map(|file| file.file_stem().expect("a name").to_str().expect("text").to_string());
    // `hosted` is no machine: the harness of the fuzzer is its kernel.
    let machines = stems.filter(|stem| stem != "mod" && stem != "hosted").collect::<BTreeSet<_>>();
    assert_eq!(machines, names());
    let shared = fs::read_to_string(directory.join("mod.rs")).expect("src/arch/mod.rs");
    for name in names() {
        assert!(shared.contains(&format!("mod {name};")), "src/arch/mod.rs does not choose {name}");
    }
}

#[test]
fn no_two_rows_share_a_name() {
    for column in ["image", "kernel", "debian", "target", "e_machine"] {
        let values = Arch::ALL.iter().map(|arch| arch.column(column)).collect::<BTreeSet<_>>();
        assert_eq!(values.len(), Arch::ALL.len(), "{column}");
    }
}

#[test]
fn every_architecture_has_every_test() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--quiet", "--locked"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.args(["--", "--list"]).output().expect("cargo test");
    assert!(output.status.success(), "cargo test -- --list: {}", String::from_utf8_lossy(&output.stderr));
    let mut tests = BTreeMap::<String, BTreeSet<String>>::new();
    for line in String::from_utf8(output.stdout).expect("text").lines() {
        if let Some((test, arch)) = line.strip_suffix(": test").and_then(|name| name.split_once("::on_")) {
            tests.entry(arch.into()).or_default().insert(test.into());
        }
    }
    assert_eq!(tests.keys().cloned().collect::<BTreeSet<_>>(), names());
    let all = tests.values().next().expect("tests");
    assert!(all.len() > 50, "these are all? {all:?}");
    for (arch, its) in &tests {
        assert_eq!(its, all, "{arch}");
    }
}
