//! What is so old that nobody need look at its signatures.

use super::status::Status;
use crate::message::Message;

impl Status {
    /// Whether a replica that stood here once ignores a message whatever its signatures say, now and later: certificates
    /// and proposals below its floor, which is never lowered, and runs that begin below its head. A caller may drop these
    /// unverified, or who repeats old ones would have every signature in them checked each time. (What is lost by that: a
    /// second PROPOSE of a block that is decided, as evidence; and that a peer answered with such a run, which is then no
    /// more asked for.)
    ///
    /// Votes are never passed: an old one shows that its signer lags (SPEC 3.5), or what it signed in an earlier life
    /// (G1, G3). Nor are answers to a guard's questions.
    pub fn has_passed(&self, message: &Message) -> bool {
        match message {
            Message::Certificate(certificate) => certificate.view() < self.final_view,
            Message::Propose(propose) => {
                // Above the head a block below the floor may be one that is missing here.
                propose.header.view < self.final_view && propose.header.height <= self.decided_height
            }
            Message::Run(run) => run.headers.first().is_some_and(|first| first.height <= self.decided_height),
            Message::Vote(_)
            | Message::Request(_)
            | Message::Entries(_)
            | Message::Heartbeat(_)
            | Message::GuardRequest(_)
            | Message::GuardAnswer(_) => false,
        }
    }
}
