//! Threads that somebody waits for.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

use crate::engine::EngineHandle;

/// A thread that is waited for when this is dropped. What ends it has to be dropped before.
pub(crate) struct Joined(Option<JoinHandle<()>>);

impl Joined {
    /// Starts a thread of a node, which stops in order if the thread panics.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub(crate) fn spawn(
        name: &'static str,
        engine: EngineHandle,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let run = move || {
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                engine.fail(format!("the thread {name} panicked"));
            }
        };
        Builder::new().name(name.to_owned()).spawn(run).map(|thread| Self(Some(thread)))
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        // It does not panic any more.
        let _ = self.0.take().map(JoinHandle::join);
    }
}
