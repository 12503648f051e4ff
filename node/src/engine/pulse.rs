//! How the engine says that it had to stop.

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The first reason why the engine stopped taking part. Reads go on; writes are refused with this text.
#[derive(Default)]
pub(crate) struct Fault {
    reason: Mutex<Option<String>>,
    fatal: Notify,
}

impl Fault {
    /// Records a reason; the first one stays.
    pub(crate) fn set(&self, reason: String) {
        tracing::error!(reason, "this node stops voting");
        self.reason.lock().get_or_insert(reason);
    }

    /// Records a reason after which the process must not go on: what the disk holds is unknown.
    pub(crate) fn set_fatal(&self, reason: String) {
        self.set(reason);
        self.fatal.notify_one();
    }

    /// The reason, if there is one.
    pub(crate) fn get(&self) -> Option<String> {
        self.reason.lock().clone()
    }

    /// Waits until the process must stop.
    pub(crate) async fn fatal(&self) {
        self.fatal.notified().await;
    }
}
