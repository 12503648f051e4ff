//! Byzantine characters for the simulator, a file each. A character takes the place of a validator: it holds that
//! validator's key, hears what is sent to it, and sends what it likes. It cannot sign for honest validators, and it
//! cannot read or stop what others send each other; delaying the network is the simulator's own part.
//!
//! Most characters run a *face*: an honest replica inside, whose words are twisted on their way out, so that a lie is
//! always one about the view that the others are in. What several liars must agree on comes from their common *plot*.

mod ambush;
mod ballots;
mod casting;
mod double_voter;
mod equivocating_leader;
mod face;
mod flooder;
mod forger;
mod forking_leader;
mod gang;
mod late;
mod liar_about_its_past;
mod liar_in_sync;
mod lying_arbitrator;
mod lying_cluster;
mod plot;
mod proposals;
mod replayer;
mod silent;
mod split_brain;
mod stage;
#[cfg(test)]
mod tests;
mod twist;
mod wrong_root;

use std::sync::Arc;

use bytes::Bytes;
use consensus::{Committee, Signer, Timing};
use ledger_types::certificate::Statement;
use ledger_types::{BlockHeader, Signature, ValidatorId};

pub use casting::{Casting, cast};

use crate::random::Random;

/// What a character sees and can do in one turn.
pub struct Stage<'a> {
    /// The committee: shape, keys, leaders, what is signed.
    pub committee: &'a Arc<Committee>,
    /// The newest block that was final at its node when it began to lie: genesis if it never was honest.
    pub genesis: &'a BlockHeader,
    /// The delays that honest nodes use.
    pub timing: Timing,
    /// The validator it plays.
    pub own: ValidatorId,
    /// All validators that lie in this run, itself included, in order. Liars may act together.
    pub liars: &'a [ValidatorId],
    /// Virtual time, milliseconds.
    pub now_ms: u64,
    /// Its own random numbers.
    pub random: &'a mut Random,
    /// Signs for a liar; `None` for an honest validator.
    pub signer: &'a dyn Fn(ValidatorId) -> Option<Box<dyn Signer>>,
    /// What any validator, honest ones too, said on *another* network, or in another epoch, with the same key: its
    /// signature over the statement as that other committee writes it. Never called with this run's committee.
    pub elsewhere: &'a dyn Fn(ValidatorId, &Committee, &Statement) -> Signature,
    /// What it sends this turn: encoded messages to single validators. Liars hear each other this way, too.
    pub outbox: &'a mut Vec<(ValidatorId, Bytes)>,
    /// What it did, by name, for the statistics: "proposed twice", "nullified after finalizing", ...
    pub acts: &'a mut Vec<&'static str>,
}

/// A validator that does not follow the protocol.
pub trait Character {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// A message arrived from a validator; the bytes may be anything.
    fn on_message(&mut self, stage: &mut Stage<'_>, from: ValidatorId, bytes: &Bytes);

    /// Some time passed: comes every 20 to 100 virtual milliseconds, drawn at random.
    fn on_tick(&mut self, stage: &mut Stage<'_>);
}
