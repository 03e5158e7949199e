//! The modules stand in the order that the table in `src/lib.rs` says, and none knows one above it: so there is no circle.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules, from the top down; those of one row are neighbours.
fn rows() -> Vec<Vec<String>> {
    let library = fs::read_to_string(source().join("lib.rs")).expect("src/lib.rs");
    let rows = library.lines().filter_map(|line| line.strip_prefix("//! | [`")).map(|row| {
        let names = row.split(" | ").next().expect("a cell");
        names
            .split([',', ' '])
            .map(|name| name.trim_matches(['[', ']', '`']).to_string())
            .filter(|name| !name.is_empty())
            .collect()
    });
    rows.collect()
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("src")
}

/// The files of a module: `NAME.rs`, or all below `NAME/`.
fn files(name: &str) -> Vec<PathBuf> {
    let single = source().join(format!("{name}.rs"));
    if single.exists() {
        return vec![single];
    }
    let directory = fs::read_dir(source().join(name)).unwrap_or_else(|error| panic!("src/{name}: {error}"));
    directory.map(|entry| entry.expect("an entry").path()).collect()
}

/// The names behind each `crate::` of a file, also those in braces; comments do not count.
fn uses(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut names = Vec::new();
    for rest in code.join("\n").split("crate::").skip(1) {
        let list = match rest.strip_prefix('{') {
            Some(list) => list.split_once('}').expect("a list that ends").0,
            None => rest,
        };
        let words = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
        for word in words {
            let word = word.trim();
            names.push(word.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_string());
        }
    }
    names
}

#[test]
fn every_module_has_its_row() {
    let mut listed: Vec<String> = rows().concat();
    listed.sort();
    let library = fs::read_to_string(source().join("lib.rs")).expect("src/lib.rs");
    let mut there: Vec<String> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(ToString::to_string)
        .collect();
    there.sort();
    assert_eq!(listed, there);
    assert!(there.len() > 5, "{there:?}");
}

#[test]
fn no_module_knows_one_above_it() {
    let rows = rows();
    let row_of = |name: &str| rows.iter().position(|row| row.iter().any(|other| other == name));
    let mut count = 0;
    for (index, name) in rows.iter().enumerate().flat_map(|(index, row)| row.iter().map(move |name| (index, name))) {
        for file in files(name) {
            let text = fs::read_to_string(&file).expect("a source file");
            for used in uses(&text) {
                // What is at the top of the crate, but for the macros, which are written as if they were there.
                let Some(row) = row_of(&used) else {
                    assert!(["z", "table", "start"].contains(&used.as_str()), "{}: crate::{used}", file.display());
                    continue;
                };
                count += 1;
                assert!(row >= index, "{}: {name} knows {used}, which stands above it", file.display());
            }
        }
    }
    assert!(count > 40, "{count} uses");
}
