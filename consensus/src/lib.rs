//! F-BFT: one Simplex-style protocol over clusters of validators, as a pure state machine.
//!
//! The shell feeds a [`Replica`] with [`Input`]s and performs the [`Effect`]s it answers with, in order. Nothing
//! here reads a clock, does I/O, starts a thread or draws a random number, so a run is a function of its inputs.
//! The protocol, its rules and encodings are written down in `SPEC.md`; code cites them as `SPEC 3.5 V2`.
//!
//! The way of a view: [`Effect::BuildProposal`] → [`Input::ProposalBuilt`] → [`Effect::Persist`] →
//! [`Input::Persisted`] → [`Effect::Send`] → votes in [`Input::Message`] → notarization → [`Effect::EnterView`]
//! and FINALIZE votes → finalization → [`Effect::Commit`].
#![forbid(unsafe_code)]

mod arbitration;
mod blocks;
pub mod certificates;
mod cluster;
mod committee;
mod crypto;
mod effect;
pub mod evidence;
pub mod guard;
mod ignored;
mod input;
mod journal;
mod leader;
pub mod message;
mod params;
pub mod quorum;
pub mod record;
mod replica;
mod safety;
pub mod store;
mod timers;
mod views;

pub use certificates::CertificateError;
pub use committee::Committee;
pub use crypto::{Ed25519Signer, Ed25519Verifier, Signer, Verifier};
pub use effect::{Effect, Recipients};
pub use ignored::Ignored;
pub use input::{Input, Now};
pub use journal::PersistId;
pub use message::{Message, Propose, Request, VerifiedMessage, VerifyError, Vote, Wanted};
pub use params::{Params, Timing};
pub use quorum::Quorum;
pub use record::{Change, Record, RecordKey};
pub use replica::{Duty, PeerStatus, Replica, Role, Status, Tip};
