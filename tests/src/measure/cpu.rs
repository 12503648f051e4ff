//! CPU time of processes, as the kernel counts it.

use std::collections::BTreeMap;

/// The kernel counts CPU time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds of a process, and those of its threads by their names; numbers at the end of a name do not count.
#[derive(Clone, Debug, Default)]
pub struct CpuTimes {
    /// Threads that have ended included.
    total: f64,
    threads: BTreeMap<String, f64>,
}

impl CpuTimes {
    /// Of a process, and of the threads that it has now.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn of(pid: i32) -> Self {
        let process = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
        let mut times = Self { total: name_and_seconds(&process).1, threads: BTreeMap::new() };
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).expect("a running process") {
            let path = task.expect("a thread").path().join("stat");
            // A thread may end while one looks.
            let Ok(stat) = std::fs::read_to_string(path) else { continue };
            let (name, seconds) = name_and_seconds(&stat);
            *times.threads.entry(name.to_owned()).or_default() += seconds;
        }
        times
    }

    /// Of several processes together.
    pub fn of_all(pids: &[i32]) -> Self {
        let mut all = Self::default();
        for times in pids.iter().map(|pid| Self::of(*pid)) {
            all.total += times.total;
            times
                .threads
                .into_iter()
                .for_each(|(name, seconds)| *all.threads.entry(name).or_default() += seconds);
        }
        all
    }

    /// What was used since an earlier look.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        self.total -= before.total;
        for (name, seconds) in &mut self.threads {
            // Of a name whose threads have ended less may be left than there was.
            *seconds = (*seconds - before.threads.get(name).copied().unwrap_or(0.0)).max(0.0);
        }
        self
    }

    /// All threads, seconds; those that have ended included.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The threads that were there, by name, seconds.
    pub fn threads(&self) -> &BTreeMap<String, f64> {
        &self.threads
    }

    /// Microseconds of each thread for each of so many transactions.
    pub fn table(&self, transactions: u64) -> String {
        let each =
            self.threads.iter().map(|(name, seconds)| (name, seconds * 1e6 / transactions.max(1) as f64));
        let each = each.filter(|(_, us)| *us >= 0.5).map(|(name, us)| format!("{name} {us:.0}"));
        each.collect::<Vec<_>>().join(", ")
    }
}

/// What a `stat` file of `/proc` says of a process or a thread. The name may hold brackets and spaces.
fn name_and_seconds(stat: &str) -> (&str, f64) {
    let (front, back) = stat.rsplit_once(')').expect("a name in brackets");
    let name = front.split_once('(').expect("a name in brackets").1;
    let mut fields = back.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|text| text.parse::<f64>().ok()).expect("a number");
    let seconds = (ticks() + ticks()) / TICKS_PER_SECOND;
    (name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-'), seconds)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{CpuTimes, name_and_seconds};

    #[test]
    fn a_line_of_the_kernel_is_read() {
        let line = "42 (a ) b-17) S 1 42 42 0 -1 4194560 1 0 0 0 150 50 7 7 20 0 1 0 100 0 0";
        assert_eq!(name_and_seconds(line), ("a ) b", 2.0));
    }

    #[test]
    fn threads_that_ended_count() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let before = CpuTimes::of(pid);
        let busy = || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(200) {}
        };
        std::thread::Builder::new().name("busy-1".into()).spawn(busy).unwrap().join().unwrap();
        let used = CpuTimes::of(pid).since(&before);
        assert!(used.total() >= 0.05, "{used:?}");
        assert!(used.threads().values().all(|seconds| *seconds >= 0.0), "{used:?}");
    }
}
