//! One line on the terminal that is written over while a run lasts.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(250);

/// What a run has done so far. Counts are transactions.
#[derive(Debug)]
pub(super) struct Counters {
    posted: AtomicU64,
    decided: AtomicU64,
    phase: Mutex<&'static str>,
}

impl Counters {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { posted: AtomicU64::new(0), decided: AtomicU64::new(0), phase: Mutex::new("") })
    }

    pub(super) fn count_posted(&self, transactions: usize) {
        self.posted.fetch_add(transactions as u64, Ordering::Relaxed);
    }

    pub(super) fn count_decided(&self, transactions: usize) {
        self.decided.fetch_add(transactions as u64, Ordering::Relaxed);
    }

    pub(super) fn enter(&self, phase: &'static str) {
        *self.phase.lock() = phase;
    }
}

/// The line, until it is dropped. There is none when standard error is no terminal.
pub(super) struct Progress(Option<JoinHandle<()>>);

impl Progress {
    pub(super) fn start(counters: Arc<Counters>) -> Self {
        Self(std::io::stderr().is_terminal().then(|| tokio::spawn(show(counters))))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(line) = &self.0 {
            line.abort();
            eprint!("\r\x1b[2K");
        }
    }
}

async fn show(counters: Arc<Counters>) {
    let (mut ticks, start) = (interval(EVERY), Instant::now());
    let (mut last, mut last_at) = (0, start);
    loop {
        let now = ticks.tick().await;
        let posted = counters.posted.load(Ordering::Relaxed);
        let decided = counters.decided.load(Ordering::Relaxed);
        let rate = (decided - last) as f64 / (now - last_at).as_secs_f64().max(1e-3);
        let (phase, in_flight) = (*counters.phase.lock(), posted.saturating_sub(decided));
        let seconds = (now - start).as_secs();
        eprint!(
            "\r\x1b[2K{seconds:>4} s  {phase:<12} {rate:>7.0} tx/s  {decided} decided, {in_flight} in flight"
        );
        (last, last_at) = (decided, now);
    }
}
