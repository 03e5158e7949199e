//! The numbers in the program's source are those of the kernel, for every architecture, whatever machine this runs
//! on: compared with the tables of two crates that are generated from the kernel's own, `syscalls` and
//! `linux-raw-sys`.

use conformance::Arch;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program's directory.
fn program() -> &'static Path {
    tests().parent().expect("the program's directory")
}

/// The tests' own.
fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo keeps the source of a crate that the package in `directory` depends on.
fn source_of(name: &str, directory: &Path) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(directory)
        .output()
        .expect("cargo metadata");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == name).unwrap_or_else(|| panic!("no crate {name}"));
    Path::new(package["manifest_path"].as_str().expect("a path")).parent().expect("a directory").into()
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A number as Rust writes it, or several of them in a bitwise or.
fn number(text: &str) -> Option<u64> {
    text.split('|').try_fold(0, |all, part| {
        let digits = part.trim().trim_end_matches("_usize").replace('_', "");
        let (digits, radix) = match digits.get(..2) {
            Some("0x") => (&digits[2..], 16),
            Some("0o") => (&digits[2..], 8),
            _ => (&digits[..], 10),
        };
        Some(all | u64::from_str_radix(digits, radix).ok()?)
    })
}

/// All constants in a source text that are plain numbers.
fn constants(source: &str) -> BTreeMap<String, u64> {
    let lines = source.lines().map(|line| line.trim().trim_start_matches("pub ").trim_start_matches("pub(crate) "));
    let lines = lines.filter_map(|line| line.strip_prefix("const "));
    let pairs = lines.filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let value = rest.split_once('=')?.1.split(';').next()?.trim();
        let value = value.strip_prefix("Errno::new(").and_then(|value| value.strip_suffix(')')).unwrap_or(value);
        Some((name.to_string(), number(value)?))
    });
    pairs.collect()
}

/// What a crate has for an architecture, among what it has for all: it calls them as Rust does, as the target begins.
fn its_own(arch: Arch, directory: PathBuf, prefix: &str) -> PathBuf {
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_its_own = |path: &PathBuf| {
        let name = path.file_stem().expect("a name").to_str().expect("text");
        name.strip_prefix(prefix).is_some_and(|name| arch.column("target").starts_with(name))
    };
    let longest = paths.filter(is_its_own).max_by_key(|path| path.file_stem().map(|name| name.len()));
    longest.unwrap_or_else(|| panic!("nothing for {arch:?} in {}", directory.display()))
}

/// The program's file for an architecture.
fn arch_source(arch: Arch) -> String {
    read(program().join("src/arch").join(arch.name()).with_extension("rs"))
}

/// The program's system call numbers: those written down, and those that it takes from the crate `sc`.
fn call_numbers(arch: Arch) -> BTreeMap<String, u64> {
    let source = arch_source(arch);
    let (_, module) = source.split_once("pub mod nr {").expect("a module `nr`");
    let (module, _) = module.split_once("\n}").expect("its end");
    let mut numbers = constants(module);
    if let Some((_, list)) = module.split_once("pub use sc::nr::{") {
        let tables = source_of("sc", program()).join("src/platform");
        let table = constants(&read(its_own(arch, tables, "linux-").join("nr.rs")));
        let (list, _) = list.split_once('}').expect("its end");
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let number = *table.get(name).unwrap_or_else(|| panic!("sc has no {name} for {arch:?}"));
            numbers.insert(name.into(), number);
        }
    }
    numbers
}

/// The system call numbers that the crate `syscalls` has: lines like `openat = 56,`.
fn independent_numbers(arch: Arch) -> BTreeMap<String, u64> {
    let table = read(its_own(arch, source_of("syscalls", tests()).join("src/arch"), ""));
    let (_, table) = table.split_once("pub enum Sysno {").expect("the enum");
    let (table, _) = table.split_once('}').expect("its end");
    let pairs = table.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(" = "));
    pairs.filter_map(|(name, value)| Some((name.to_string(), number(value)?))).collect()
}

/// The tables of `linux-raw-sys` for an architecture.
fn kernel_constants(arch: Arch) -> BTreeMap<String, u64> {
    let directory = its_own(arch, source_of("linux-raw-sys", tests()).join("src"), "");
    let mut all = constants(&read(directory.join("general.rs")));
    all.append(&mut constants(&read(directory.join("errno.rs"))));
    all.append(&mut constants(&read(directory.join("prctl.rs"))));
    all
}

#[test]
fn every_system_call_has_the_number_of_its_architecture() {
    for arch in Arch::ALL {
        let (kernel, independent) = (kernel_constants(arch), independent_numbers(arch));
        for (name, number) in call_numbers(arch) {
            let call = name.to_lowercase();
            assert_eq!(Some(&number), independent.get(&call), "{call} on {arch:?}, after `syscalls`");
            assert_eq!(Some(&number), kernel.get(&format!("__NR_{call}")), "{call} on {arch:?}, after `linux-raw-sys`");
        }
    }
}

#[test]
fn every_architecture_has_the_same_system_calls() {
    let names = |arch| call_numbers(arch).into_keys().collect::<Vec<_>>();
    let first = names(Arch::ALL[0]);
    assert!(first.len() > 10, "these are all? {first:?}");
    for arch in Arch::ALL {
        assert_eq!(names(arch), first, "{arch:?}");
    }
}

#[test]
fn every_constant_that_differs_has_the_value_of_its_architecture() {
    for arch in Arch::ALL {
        let source = arch_source(arch);
        let (before, after) = source.split_once("pub mod nr {").expect("a module `nr`");
        let kernel = kernel_constants(arch);
        let own = constants(&format!("{before}{}", after.split_once("\n}").expect("its end").1));
        assert!(own.contains_key("O_DIRECTORY"), "{arch:?}: {own:?}");
        for (name, value) in own {
            // Where the kernel brings the code to return with, the flag is left out.
            if name == "SA_RESTORER" && value == 0 && arch.name() != "x86_64" {
                continue;
            }
            assert_eq!(Some(&value), kernel.get(&name), "{name} on {arch:?}");
        }
    }
}

/// What a name means: `O_CLOEXEC` is in the table; `MAP_PRIVATE_ANONYMOUS` is `MAP_PRIVATE` and `MAP_ANONYMOUS`.
fn meaning(name: &str, kernel: &BTreeMap<String, u64>) -> Option<u64> {
    if let Some(value) = kernel.get(name) {
        return Some(*value);
    }
    let (prefix, words) = name.split_once('_')?;
    words.split('_').try_fold(0, |all, word| Some(all | kernel.get(&format!("{prefix}_{word}"))?))
}

#[test]
fn every_constant_in_shared_code_is_right_on_every_architecture() {
    let shared = constants(&read(program().join("src/sys.rs")));
    for arch in Arch::ALL {
        let kernel = kernel_constants(arch);
        let known = shared.iter().filter_map(|(name, value)| Some((name, *value, meaning(name, &kernel)?)));
        let mut count = 0;
        for (name, value, right) in known {
            assert_eq!(value, right, "{name} in src/sys.rs, on {arch:?}");
            count += 1;
        }
        assert!(count > 8, "only {count} of {shared:?} are known to linux-raw-sys");
    }
}
