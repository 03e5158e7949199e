//! The shipped files are what the kernel and a careful reader expect: nothing to relocate, nothing writable, nothing
//! superfluous.

use conformance::{Arch, on_every_architecture};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

// The ELF specification's names.
const ELFCLASS64: u64 = 2;
const ELFDATA2LSB: u64 = 1;
const ELFDATA2MSB: u64 = 2;
const EV_CURRENT: u64 = 1;
const ELFOSABI_NONE: u64 = 0;
const ET_DYN: u64 = 3;
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const PT_NOTE: u64 = 4;
const PT_GNU_STACK: u64 = 0x6474_e551;
const PT_GNU_PROPERTY: u64 = 0x6474_e553;
const PF_X: u64 = 1;
const PF_W: u64 = 2;
const PF_R: u64 = 4;

/// A program header, `Elf64_Phdr`.
#[derive(Debug)]
struct Segment {
    kind: u64,
    flags: u64,
    offset: u64,
    address: u64,
    in_file: u64,
    in_memory: u64,
    align: u64,
}

/// A file with its header, `Elf64_Ehdr`.
struct File {
    bytes: Vec<u8>,
    kind: u64,
    machine: u64,
    version: u64,
    entry: u64,
    section_headers: u64,
    flags: u64,
    header_size: u64,
    segment_header_size: u64,
    section_count: u64,
    section_names: u64,
    segments: Vec<Segment>,
}

fn file(arch: Arch) -> File {
    let bytes = fs::read(arch.shipped_file()).expect("a shipped file");
    assert_eq!(&bytes[..4], b"\x7fELF");
    let big = u64::from(bytes[5]) == ELFDATA2MSB;
    let number = |at: u64, size: usize| {
        let bytes = &bytes[at as usize..][..size];
        let join = |all, byte: &u8| all << 8 | u64::from(*byte);
        if big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    };
    let first = number(32, 8);
    let segments = (0..number(56, 2)).map(|index| first + 56 * index).map(|at| Segment {
        kind: number(at, 4),
        flags: number(at + 4, 4),
        offset: number(at + 8, 8),
        address: number(at + 16, 8),
        in_file: number(at + 32, 8),
        in_memory: number(at + 40, 8),
        align: number(at + 48, 8),
    });
    File {
        kind: number(16, 2),
        machine: number(18, 2),
        version: number(20, 4),
        entry: number(24, 8),
        section_headers: number(40, 8),
        flags: number(48, 4),
        header_size: number(52, 2),
        segment_header_size: number(54, 2),
        section_count: number(60, 2),
        section_names: number(62, 2),
        segments: segments.collect(),
        bytes,
    }
}

impl File {
    fn of_kind(&self, kind: u64) -> Vec<&Segment> {
        self.segments.iter().filter(|segment| segment.kind == kind).collect()
    }

    fn ident(&self, index: usize) -> u64 {
        self.bytes[index].into()
    }
}

on_every_architecture!(it_is_a_position_independent_file_for_its_machine, |arch| {
    let file = file(arch);
    assert_eq!(file.ident(4), ELFCLASS64);
    assert_eq!(file.ident(5), if arch.column("order") == "big" { ELFDATA2MSB } else { ELFDATA2LSB });
    assert_eq!(file.ident(6), EV_CURRENT);
    assert_eq!(file.ident(7), ELFOSABI_NONE);
    assert_eq!(file.ident(8), 0);
    assert_eq!(file.kind, ET_DYN);
    assert_eq!(file.machine, arch.number("e_machine"));
    assert_eq!(file.version, EV_CURRENT);
    assert_eq!(file.flags, arch.number("e_flags"));
    assert_eq!(file.header_size, 64);
    assert_eq!(file.segment_header_size, 56);
});

on_every_architecture!(it_has_two_loaded_segments_readable_and_executable, |arch| {
    let file = file(arch);
    let loaded = file.of_kind(PT_LOAD);
    let [first, rest] = loaded[..] else { panic!("{loaded:?}") };
    for segment in [first, rest] {
        assert_eq!(segment.flags, PF_R | PF_X);
        assert_eq!(segment.in_file, segment.in_memory, "no memory that is not in the file");
    }
    assert_eq!((first.offset, first.address, rest.offset), (0, 0, first.in_file), "no byte lies between");
    let headers = 64 + 56 * file.segments.len() as u64;
    assert!((headers..first.in_file).contains(&file.entry), "the entry point {:#x} lies elsewhere", file.entry);
});

on_every_architecture!(the_kernel_keeps_two_mappings, |arch| {
    let (file, page) = (file(arch), arch.number("page"));
    let loaded = file.of_kind(PT_LOAD);
    // Were they neighbours, they would become one, of which all is brought in that lies about.
    assert!(loaded[1].address / page > loaded[0].in_memory.div_ceil(page), "{loaded:?}");
});

on_every_architecture!(nothing_is_writable_but_the_stack_and_nothing_writable_is_executable, |arch| {
    for segment in file(arch).segments.iter().filter(|segment| segment.kind != PT_GNU_STACK) {
        assert_eq!(segment.flags & PF_W, 0, "{segment:?}");
    }
});

on_every_architecture!(it_asks_for_a_stack_that_is_not_executable, |arch| {
    let file = file(arch);
    let stack = file.of_kind(PT_GNU_STACK);
    assert_eq!(stack.len(), 1, "{stack:?}");
    assert_eq!(stack[0].flags, PF_R | PF_W);
});

on_every_architecture!(it_needs_no_interpreter_no_library_and_no_relocation, |arch| {
    // Relocations are found by PT_DYNAMIC or by section headers, and there is neither.
    let file = file(arch);
    assert!(file.of_kind(PT_INTERP).is_empty());
    assert!(file.of_kind(PT_DYNAMIC).is_empty());
    let known = [PT_LOAD, PT_GNU_STACK, PT_GNU_PROPERTY, PT_NOTE];
    for segment in &file.segments {
        assert!(known.contains(&segment.kind), "{segment:?}");
    }
});

on_every_architecture!(it_has_no_section_headers, |arch| {
    let file = file(arch);
    assert_eq!(file.section_headers, 0);
    assert_eq!(file.section_count, 0);
    assert_eq!(file.section_names, 0);
});

on_every_architecture!(it_can_be_mapped_with_the_largest_pages_of_its_machine, |arch| {
    let largest = arch.number("page");
    for segment in file(arch).of_kind(PT_LOAD) {
        assert!(segment.align.is_power_of_two() && segment.align >= largest, "{segment:?}");
        assert_eq!(segment.offset % segment.align, segment.address % segment.align, "{segment:?}");
    }
});

/// Bytes at the end of the file, all of them zero, where the linker would have written the section headers.
const LEFT_FREE: usize = 3 * 64;

on_every_architecture!(the_file_ends_where_its_segments_end, |arch| {
    let file = file(arch);
    let ends = file.of_kind(PT_LOAD).into_iter().map(|segment| segment.offset + segment.in_file);
    assert_eq!(ends.max().map(|end| end.next_multiple_of(8)), Some((file.bytes.len() - LEFT_FREE) as u64));
});

on_every_architecture!(it_has_no_stretch_of_dead_bytes, |arch| {
    let file = file(arch);
    let headers = 64 + 56 * file.segments.len();
    // Padding between functions is shorter than this, also with a vector of zeros behind it, and PT_GNU_STACK's zeros lie
    // in the headers.
    let all = &file.bytes[headers..file.bytes.len() - LEFT_FREE];
    let dead = all.windows(48).position(|bytes| bytes.iter().all(|&byte| byte == 0));
    assert_eq!(dead.map(|at| headers + at), None, "48 bytes of zero at this offset");
});

on_every_architecture!(it_is_within_its_budget_of_bytes, |arch| {
    let (bytes, budget) = (file(arch).bytes.len() as u64, arch.number("budget"));
    assert!(bytes <= budget, "{bytes} bytes, and the budget is {budget}");
});

on_every_architecture!(everybody_may_read_and_run_it, |arch| {
    // A file that cannot be read makes a process that is not dumpable, and nobody could look through its root.
    let mode = fs::metadata(arch.shipped_file()).expect("a shipped file").permissions().mode();
    assert_eq!(mode & 0o7777, 0o755, "{mode:o}");
});

on_every_architecture!(it_names_no_path_of_the_machine_that_built_it, |arch| {
    let bytes = file(arch).bytes;
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").display().to_string();
    let home = std::env::var("HOME").ok().filter(|home| home.len() > "/root".len()).unwrap_or_else(|| "/home/".into());
    for trace in [&here, &home, ".cargo", ".rs", "rustc", "/src/", "/tmp/"] {
        let found = bytes.windows(trace.len()).any(|window| window == trace.as_bytes());
        assert!(!found, "{trace:?} is in the file");
    }
});
