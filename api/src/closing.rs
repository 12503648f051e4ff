//! The end of the server, as those see it whose work would go on for ever.

use tokio::sync::watch;

/// Tells when the server begins to close.
#[derive(Clone, Debug)]
pub(crate) struct Closing(watch::Receiver<bool>);

impl Closing {
    /// A signal that has not come yet; it comes with `true`, or when the sender goes away.
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (begin, begun) = watch::channel(false);
        (begin, Self(begun))
    }

    /// Comes back when the server begins to close.
    pub(crate) async fn begun(&mut self) {
        // An error means that the server is gone already.
        let _ = self.0.wait_for(|begun| *begun).await;
    }
}
