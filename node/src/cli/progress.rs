//! A line on the terminal that is written over while work goes on.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(200);

/// What is done, of how much, and how fast. Nothing is shown where standard error is no terminal.
#[derive(Default)]
pub(super) struct Progress {
    /// What is worked on now, and since when.
    task: Option<(&'static str, Instant)>,
    shown: Option<Instant>,
}

impl Progress {
    /// Tells how far a task is, in units of something; `all` when that is known.
    pub(super) fn show(&mut self, task: &'static str, unit: &str, done: u64, all: Option<u64>) {
        let start = match self.task {
            Some((known, start)) if known == task => start,
            _ => Instant::now(),
        };
        self.task = Some((task, start));
        if self.shown.is_some_and(|shown| shown.elapsed() < EVERY) || !std::io::stderr().is_terminal() {
            return;
        }
        eprint!("\r\x1b[2K{}", line(task, unit, done, all, start.elapsed()));
        self.shown = Some(Instant::now());
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[2K");
        }
    }
}

/// `pages [#######.......................] 24 %, 1200 of 5000 MiB, 600/s`.
fn line(task: &str, unit: &str, done: u64, all: Option<u64>, elapsed: Duration) -> String {
    const WIDTH: usize = 30;
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    let Some(all) = all else { return format!("{task} {done} {unit}, {rate:.0}/s") };
    let share = done.min(all) as f64 / all.max(1) as f64;
    let filled = (share * WIDTH as f64) as usize;
    let bar = format!("[{}{}]", "#".repeat(filled), ".".repeat(WIDTH - filled));
    format!("{task} {bar} {:.0} %, {done} of {all} {unit}, {rate:.0}/s", share * 100.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::line;

    #[test]
    fn a_line_tells_how_far_and_how_fast() {
        let two = Duration::from_secs(2);
        let bar = format!("[{}{}]", "#".repeat(7), ".".repeat(23));
        assert_eq!(
            line("dump", "records", 1200, Some(5000), two),
            format!("dump {bar} 24 %, 1200 of 5000 records, 600/s")
        );
        assert_eq!(line("load", "records", 7, None, two), "load 7 records, 4/s");
        assert!(line("pages", "MiB", 0, Some(0), Duration::ZERO).contains(" 0 %, 0 of 0 MiB"));
        assert!(line("pages", "MiB", 9, Some(3), two).contains("100 %"));
    }
}
