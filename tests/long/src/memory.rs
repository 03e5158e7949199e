//! What the sidecars take, as the kernel counts it.

use conformance::Process;
use std::fs;
use std::path::PathBuf;
use std::process;

/// A memory control group around this process and those it starts. Left and removed when dropped.
pub struct Group {
    path: PathBuf,
    home: PathBuf,
    usage: PathBuf,
}

impl Group {
    /// Makes one and enters it; None where that is not allowed, or memory is not counted by group.
    pub fn enter() -> Option<Group> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        // `4:memory:/home` in version 1, which has a tree for each kind; `0::/home` in version 2.
        let (root, home, usage) = match own.lines().find_map(|line| line.split_once(":memory:")) {
            Some((_, home)) => (PathBuf::from("/sys/fs/cgroup/memory"), home, "memory.usage_in_bytes"),
            None => ("/sys/fs/cgroup".into(), own.lines().find_map(|line| line.strip_prefix("0::"))?, "memory.current"),
        };
        let path = root.join(format!("link-model-and-wait-{}", process::id()));
        fs::create_dir(&path).ok()?;
        let group = Group { usage: path.join(usage), home: root.join(home.trim_start_matches('/')), path };
        fs::write(group.path.join("cgroup.procs"), process::id().to_string()).ok()?;
        group.usage.is_file().then_some(group)
    }

    /// KiB in use, the kernel's own for these processes among them.
    pub fn used(&self) -> i64 {
        let bytes = fs::read_to_string(&self.usage).expect("the group's usage");
        bytes.trim().parse::<i64>().expect("a number") / 1024
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::write(self.home.join("cgroup.procs"), process::id().to_string());
        if let Err(error) = fs::remove_dir(&self.path) {
            println!("INFO {} could not be removed: {error}", self.path.display());
        }
    }
}

/// What the machine and the group have in use, in KiB.
pub struct Usage(Vec<(String, i64)>);

impl Usage {
    /// As it is now. The machine's figures are of all that runs on it.
    pub fn now(group: Option<&Group>) -> Usage {
        let text = fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
        let machine =
            ["PageTables", "KernelStack", "Slab"].map(|name| (format!("machine: {name}"), field(&text, name)));
        let group = group.map(|group| ("control group: all that is counted".into(), group.used()));
        Usage(machine.into_iter().chain(group).collect())
    }

    /// What came since then.
    pub fn since(self, before: &Usage) -> Usage {
        let both = self.0.into_iter().zip(&before.0);
        Usage(both.map(|((name, now), (_, before))| (name, now - before)).collect())
    }
}

/// Prints the table: the processes' own figures, and what the machine and the group have in use more than before.
pub fn print(processes: &[Process], grown: &Usage) {
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
    for (name, sum) in &grown.0 {
        row(name, *sum);
    }
}

/// A number that stands behind `name:`.
fn field(text: &str, name: &str) -> i64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let value = lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.split_whitespace().next());
    value.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}
