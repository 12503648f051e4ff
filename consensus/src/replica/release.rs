//! What waited for its records leaves, and own messages come back in through the door of everybody's.

use ledger_types::certificate::Certificate;
use ledger_types::{BlockHeader, BlockId};

use super::state::Replica;
use crate::effect::{Effect, Recipients};
use crate::message::{Message, VerifiedMessage};

/// What waits.
#[derive(Debug)]
pub(super) enum Held {
    /// An own message.
    Message(Box<Message>),
    /// A decided block, until its finalization is durable, or else the floor it raised.
    Commit { block: BlockId, header: Box<BlockHeader>, certificate: Option<Box<Certificate>> },
}

impl Held {
    /// Whether it is a vote or a proposal.
    pub(super) fn is_signed(&self) -> bool {
        matches!(self, Self::Message(message) if matches!(**message, Message::Vote(_) | Message::Propose(_)))
    }
}

impl Replica {
    /// Lets go whatever is durable, in order.
    pub(super) fn release(&mut self) -> bool {
        let synced = self.journal.synced();
        let mut has_released = false;
        while let Some(first) = self.held.pop_front() {
            match first.open(&synced) {
                Ok(held) => self.let_go(held),
                Err(still_held) => {
                    self.held.push_front(still_held);
                    break;
                }
            }
            has_released = true;
        }
        has_released
    }

    fn let_go(&mut self, held: Held) {
        match held {
            Held::Message(message) => {
                self.send(Recipients::Others, (*message).clone());
                // An own message that is stale by now is as harmless as a peer's.
                let _ignored = self.on_message(VerifiedMessage::own(*message).into_message());
            }
            Held::Commit { block, header, certificate } => {
                let certificate = certificate.map(|certificate| *certificate);
                self.effects.push(Effect::Commit { block, header: *header, certificate });
            }
        }
    }
}
