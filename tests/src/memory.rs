//! The memory of a process, as the kernel counts it: from outside, and whatever the process says of itself.

/// Memory of a running process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The most that was resident at any time since the start (`VmHWM`): anonymous memory, and the pages of mapped files
    /// that happened to be in memory. The kernel keeps the mark itself, so no peak is missed between two looks.
    pub peak: u64,
    /// Memory of no file that is resident now (`RssAnon`).
    pub anonymous: u64,
    /// Pages of mapped files that are resident now (`RssFile`): the program itself, and the store.
    pub mapped: u64,
}

/// The memory of a process that runs.
pub fn of(pid: i32) -> Memory {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let bytes = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = value.and_then(|value| value.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("no {name} in {status}")) * 1024
    };
    Memory { peak: bytes("VmHWM"), anonymous: bytes("RssAnon"), mapped: bytes("RssFile") }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn memory_that_is_touched_is_counted_and_its_peak_kept() {
        const BYTES: usize = 64 << 20;
        let pid = i32::try_from(std::process::id()).unwrap();
        let before = of(pid);
        let touched = vec![7_u8; BYTES];
        let during = of(pid);
        assert!(during.anonymous >= before.anonymous + touched.len() as u64 / 2, "{before:?} {during:?}");
        drop(touched);
        let after = of(pid);
        assert!(after.peak >= during.anonymous, "{during:?} {after:?}");
        assert!(after.anonymous < during.anonymous, "{during:?} {after:?}");
    }
}
