//! Emits the linker flags for a libc-free, position-independent, static ELF file.

use std::env;

/// The largest page, and the features, that the row of `arches.txt` has for this `target_arch` and `target_endian`.
fn machine(arch: &str, endian: &str) -> Option<[&'static str; 2]> {
    include_str!("arches.txt").lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let [_, _, _, target, _, _, order, page, _, features, _] =
            line.split_whitespace().collect::<Vec<_>>().try_into().expect("11 columns in each row of arches.txt");
        (target.starts_with(arch) && order == endian).then_some([page, features])
    })
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=arches.txt");
    println!("cargo::rerun-if-changed=src/link.ld");

    let var = |name: &str| env::var(name).unwrap_or_default();
    let (arch, endian) = (var("CARGO_CFG_TARGET_ARCH"), var("CARGO_CFG_TARGET_ENDIAN"));
    // Any other machine is refused by src/arch/mod.rs, with a message a person can act on.
    let Some([page, features]) = machine(&arch, &endian) else { return };
    let (source, out) = (var("CARGO_MANIFEST_DIR"), var("OUT_DIR"));

    // Set in .cargo/config.toml, as only Cargo itself can hand them to the compiler.
    let enabled = var("CARGO_CFG_TARGET_FEATURE");
    for feature in features.split(',').filter(|&feature| feature != "-") {
        let (on, name) = (feature.starts_with('+'), &feature[1..]);
        if enabled.split(',').any(|enabled| enabled == name) != on {
            println!(
                "cargo::error=arches.txt wants {feature} for {arch}: -Ctarget-feature={feature} in .cargo/config.toml"
            );
        }
    }

    for flag in [
        // No shared library is looked for, and none is recorded.
        "-static".into(),
        // Position-independent, so that address-space randomisation covers the program too.
        "-pie".into(),
        // Nobody relocates the program, so it must not need it: no PT_INTERP, no dynamic section.
        "--no-dynamic-linker".into(),
        // What lies where, and the checks that nothing else is there.
        format!("-T{source}/src/link.ld"),
        format!("--defsym=PAGE={page}"),
        format!("-zmax-page-size={page}"),
        // The kernel reads segments only. (The linker leaves the place of the headers at the end, as zeros.)
        "-znosectionheader".into(),
        // No hash of the inputs: the digest of the image says more.
        "--build-id=none".into(),
        // No table for an unwinder.
        "--no-eh-frame-hdr".into(),
        // What is the same is there once, also a string that another ends with.
        "--icf=all".into(),
        "-O2".into(),
        // Bytes per function, for the size report.
        format!("-Map={out}/link.map"),
    ] {
        println!("cargo::rustc-link-arg-bins={flag}");
    }
}
