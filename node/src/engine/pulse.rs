//! How the engine says that it had to stop.

use tokio::sync::watch;

/// The first reason why the engine stopped taking part. Reads go on; writes are refused with its text.
pub(crate) struct Fault(watch::Sender<Option<Reason>>);

/// Why the engine stopped.
#[derive(Clone, Debug)]
struct Reason {
    text: String,
    /// Whether the process must not go on: it does not know what the disk holds.
    is_fatal: bool,
}

impl Fault {
    /// No fault yet.
    pub(crate) fn none() -> Self {
        Self(watch::channel(None).0)
    }

    /// Records a reason after which reads may go on; the first reason stays.
    pub(crate) fn set(&self, text: String) {
        self.record(Reason { text, is_fatal: false });
    }

    /// Records a reason after which the process must not go on; the first reason stays.
    pub(crate) fn set_fatal(&self, text: String) {
        self.record(Reason { text, is_fatal: true });
    }

    fn record(&self, reason: Reason) {
        tracing::error!(reason = reason.text, "this node stops voting");
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(reason);
            is_first
        });
    }

    /// The reason, if there is one.
    pub(crate) fn get(&self) -> Option<String> {
        self.0.borrow().as_ref().map(|reason| reason.text.clone())
    }

    /// Waits for any reason.
    pub(crate) async fn any(&self) -> String {
        self.wait_for(|_| true).await
    }

    /// Waits until the process must not go on.
    pub(crate) async fn fatal(&self) -> String {
        self.wait_for(|reason| reason.is_fatal).await
    }

    async fn wait_for(&self, wanted: fn(&Reason) -> bool) -> String {
        let mut faults = self.0.subscribe();
        let found = faults.wait_for(|reason| reason.as_ref().is_some_and(wanted)).await;
        let found = found.expect("invariant: the sender lives as long as self");
        found.as_ref().map(|reason| reason.text.clone()).unwrap_or_default()
    }
}
