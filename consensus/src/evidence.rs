//! Proof that a validator lied: two signed statements that no honest node signs both. Only the type so far; the
//! signatures are all that it holds, so that every node judges it alike.

use ledger_types::certificate::Statement;

use crate::message::Vote;

/// Two votes of one validator that exclude each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    first: Vote,
    second: Vote,
}

impl Evidence {
    /// Evidence, if two votes are by one signer and exclude each other.
    pub fn new(first: Vote, second: Vote) -> Option<Self> {
        let excludes = first.signer == second.signer
            && (are_exclusive(&first.statement, &second.statement)
                || are_exclusive(&second.statement, &first.statement));
        excludes.then_some(Self { first, second })
    }

    /// The two votes.
    pub fn votes(&self) -> [Vote; 2] {
        [self.first, self.second]
    }
}

fn are_exclusive(first: &Statement, second: &Statement) -> bool {
    match (first, second) {
        // SPEC 3.5 V1, and what follows from V3: at most one block per view.
        (Statement::Notarize(one), Statement::Notarize(other))
        | (Statement::Finalize(one), Statement::Finalize(other)) => one.view == other.view && one != other,
        // SPEC 3.5 V3 and V4.
        (Statement::Finalize(one), Statement::Nullify { from_view, view }) => {
            (*from_view..=*view).contains(&one.view)
        }
        _ => false,
    }
}
