//! What the sidecars take, as the kernel counts it.

use conformance::Process;
use std::fs;

/// Fields of `/proc/meminfo`, in KiB.
pub struct Machine([i64; FIELDS.len()]);

const FIELDS: [&str; 5] = ["MemFree", "AnonPages", "PageTables", "KernelStack", "Slab"];

impl Machine {
    /// As it is now.
    pub fn now() -> Machine {
        let text = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
        Machine(FIELDS.map(|name| field(&text, name)))
    }

    /// What came since then.
    pub fn since(&self, before: &Machine) -> Machine {
        Machine(std::array::from_fn(|index| self.0[index] - before.0[index]))
    }
}

/// Prints the table: the processes' own figures, and how the machine's have changed.
pub fn print(processes: &[Process], grown: &Machine) {
    println!("{:<46}{:>12}{:>12}", format!("memory of {} sidecars", processes.len()), "sum KiB", "each KiB");
    let row = |name: &str, sum: i64| println!("{name:<46}{sum:>12}{:>12.1}", sum as f64 / processes.len() as f64);
    let maps: Vec<String> = processes.iter().map(|process| process.proc("smaps_rollup")).collect();
    for (name, what) in [
        ("Rss", "resident"),
        ("Pss", "resident, shared pages divided"),
        ("Private_Dirty", "written to, its own"),
        ("Swap", "swapped out"),
    ] {
        row(&format!("{name}: {what}"), maps.iter().map(|text| field(text, name)).sum());
    }
    row("VmPTE: page tables", processes.iter().map(|process| field(&process.proc("status"), "VmPTE")).sum());
    // With all that a container is to the kernel: namespaces, mounts, credentials; and what this test keeps of each.
    for (name, sum) in FIELDS.iter().zip(grown.0) {
        row(&format!("machine: {name}"), sum);
    }
}

/// A number that stands behind `name:`.
fn field(text: &str, name: &str) -> i64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let value = lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.split_whitespace().next());
    value.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}
