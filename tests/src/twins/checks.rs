//! What must hold, judged from outside: by what a process said and committed, with no code of the core but its types.

use std::collections::BTreeMap;

use consensus::{Message, Vote};
use ledger_types::certificate::{Candidate, Statement};
use ledger_types::{BlockId, ValidatorId};

/// The one history that all processes commit: by height, the first block that any of them committed there.
#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<u64, BlockId>);

impl History {
    /// Takes a commit.
    ///
    /// # Errors
    /// When another block was committed at that height.
    pub(crate) fn commit(&mut self, height: u64, block: BlockId) -> Result<(), String> {
        let first = *self.0.entry(height).or_insert(block);
        (first == block).then_some(()).ok_or_else(|| format!("two blocks are final at height {height}"))
    }

    /// The number of heights.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

/// What one process has signed.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    proposed: BTreeMap<u64, BlockId>,
    notarized: BTreeMap<u64, Candidate>,
    finalized: BTreeMap<u64, Candidate>,
    nullified: BTreeMap<u64, u64>,
}

impl Spoken {
    /// Takes a message that the process of this validator sends.
    ///
    /// # Errors
    /// When it contradicts an earlier one.
    pub(crate) fn say(&mut self, own: ValidatorId, message: &Message) -> Result<(), String> {
        match message {
            Message::Propose(propose) if propose.header.proposer == own => {
                let view = propose.header.view;
                once(&mut self.proposed, view, propose.header.id(), "proposed")
            }
            Message::Vote(vote) if vote.signer == own => self.vote(vote),
            _ => Ok(()),
        }
    }

    fn vote(&mut self, vote: &Vote) -> Result<(), String> {
        match vote.statement {
            Statement::Notarize(block) => once(&mut self.notarized, block.view, block, "notarized"),
            Statement::Finalize(block) => {
                once(&mut self.finalized, block.view, block, "finalized")?;
                let covering = self.nullified.range(block.view..).find(|(_, from)| **from <= block.view);
                match covering {
                    None => Ok(()),
                    Some((to, from)) => {
                        Err(format!("finalized view {} after nullifying {from}..={to}", block.view))
                    }
                }
            }
            Statement::Nullify { from_view, view } => {
                once(&mut self.nullified, view, from_view, "nullified")?;
                match self.finalized.range(from_view..=view).next() {
                    None => Ok(()),
                    Some((locked, _)) => {
                        Err(format!("nullified {from_view}..={view} after finalizing {locked}"))
                    }
                }
            }
        }
    }
}

fn once<T: PartialEq + Copy>(
    said: &mut BTreeMap<u64, T>,
    view: u64,
    value: T,
    what: &str,
) -> Result<(), String> {
    let first = *said.entry(view).or_insert(value);
    (first == value).then_some(()).ok_or_else(|| format!("{what} twice in view {view}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_types::Signature;

    const OWN: ValidatorId = ValidatorId { cluster: 0, node: 1 };

    fn block(view: u64, byte: u8) -> Candidate {
        Candidate { view, height: view, block: BlockId([byte; 64]) }
    }

    fn contradiction(statements: &[Statement]) -> Option<String> {
        let mut spoken = Spoken::default();
        let vote = |statement: &Statement| {
            Message::Vote(Vote { signer: OWN, statement: *statement, signature: Signature::ZERO })
        };
        statements.iter().map(vote).find_map(|message| spoken.say(OWN, &message).err())
    }

    #[test]
    fn contradictions_are_seen_in_either_order() {
        let (one, other) = (Statement::Notarize(block(2, 1)), Statement::Notarize(block(2, 2)));
        assert_eq!(contradiction(&[one, one, Statement::Notarize(block(3, 2))]), None);
        assert!(contradiction(&[one, other]).is_some());
        let (lock, range) = (Statement::Finalize(block(2, 1)), Statement::Nullify { from_view: 1, view: 3 });
        assert!(contradiction(&[lock, range]).is_some());
        assert!(contradiction(&[range, lock]).is_some());
        assert_eq!(contradiction(&[lock, Statement::Nullify { from_view: 3, view: 3 }]), None);
    }

    #[test]
    fn two_blocks_at_one_height_are_a_fork() {
        let mut history = History::default();
        assert_eq!(history.commit(1, BlockId([1; 64])), Ok(()));
        assert_eq!(history.commit(1, BlockId([1; 64])), Ok(()));
        assert!(history.commit(1, BlockId([2; 64])).is_err());
    }
}
