//! Who votes: every vote goes to every validator, so whoever is not heard in a view in which a quorum was is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consensus::{Committee, Vote};
use ledger_types::ValidatorId;

/// Views that a vote may be late.
const GRACE: u64 = 8;

/// The votes heard in the last views, at most one entry a validator in each of some views.
pub(super) struct Attendance {
    committee: Arc<Committee>,
    own: ValidatorId,
    /// The views that were entered here or are near, with who voted in them.
    views: BTreeMap<u64, Heard>,
    newest: u64,
}

#[derive(Default)]
struct Heard {
    was_entered: bool,
    by: BTreeSet<ValidatorId>,
}

impl Attendance {
    pub(super) fn new(committee: Arc<Committee>, own: ValidatorId) -> Self {
        Self { committee, own, views: BTreeMap::new(), newest: 0 }
    }

    /// A validator's vote of any kind came. Votes of views that are not near are passed over.
    pub(super) fn voted(&mut self, vote: &Vote) {
        let near = self.newest.saturating_sub(GRACE)..=self.newest.saturating_add(GRACE);
        // A NULLIFY speaks of a range, of which only the part that is near counts: a range without end costs nothing.
        let first = vote.statement.from_view().max(*near.start());
        for view in first..=vote.statement.view().min(*near.end()) {
            self.views.entry(view).or_default().by.insert(vote.signer);
        }
    }

    /// This node enters a view: who did not vote in those that are over by now. Views that it passed over, or whose quorum
    /// it did not hear itself, tell nothing of others.
    pub(super) fn entered(&mut self, view: u64) -> Vec<ValidatorId> {
        self.newest = self.newest.max(view);
        self.views.entry(view).or_default().was_entered = true;
        let over = self.newest.saturating_sub(GRACE);
        let kept = self.views.split_off(&over);
        let over = std::mem::replace(&mut self.views, kept);
        over.into_values().filter(|heard| heard.was_entered).flat_map(|heard| self.missed(heard.by)).collect()
    }

    fn missed(&self, mut heard: BTreeSet<ValidatorId>) -> Vec<ValidatorId> {
        // This node does not hear itself over a link.
        heard.insert(self.own);
        match self.committee.quorum().is_met_by(heard.iter().copied()) {
            true => {
                let all = self.committee.topology().validators().map(|(id, _)| id);
                all.filter(|id| !heard.contains(id)).collect()
            }
            false => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use consensus::Vote;
    use ledger_types::certificate::{Candidate, Statement};
    use ledger_types::{BlockId, Signature, ValidatorId};

    use super::{Attendance, GRACE};
    use crate::testing::{committee, ledger, network, validator};

    fn attendance() -> Attendance {
        let directory = tempfile::tempdir().unwrap();
        let network = network(4);
        Attendance::new(committee(&ledger(directory.path(), &network), &network), validator(1))
    }

    fn notarize(signer: ValidatorId, view: u64) -> Vote {
        let candidate = Candidate { view, height: view, block: BlockId::ZERO };
        Vote { signer, statement: Statement::Notarize(candidate), signature: Signature::ZERO }
    }

    fn nullify(signer: ValidatorId, from_view: u64, view: u64) -> Vote {
        Vote { signer, statement: Statement::Nullify { from_view, view }, signature: Signature::ZERO }
    }

    #[test]
    fn who_is_not_heard_where_a_quorum_is_is_missed_once_for_each_view() {
        let mut attendance = attendance();
        let mut missed = Vec::new();
        for view in 1..=20 {
            missed.extend(attendance.entered(view));
            attendance.voted(&notarize(validator(2), view));
            // A vote may be late.
            attendance.voted(&notarize(validator(3), view.saturating_sub(GRACE - 1)));
        }
        assert_eq!(missed, [validator(4); 11], "of views 1 to 11; 12 to 20 are not over");
    }

    #[test]
    fn views_of_which_this_node_heard_little_tell_nothing() {
        let mut attendance = attendance();
        let mut missed = Vec::new();
        for view in 1..=20 {
            missed.extend(attendance.entered(view));
            attendance.voted(&notarize(validator(2), view));
        }
        // Two of four are no quorum: it may be this node that was cut off.
        assert_eq!(missed, []);
        for other in 2..=3 {
            (1_000..1_010).for_each(|view| attendance.voted(&notarize(validator(other), view)));
        }
        missed.extend(attendance.entered(1_005));
        assert_eq!(missed, [], "views that it passed over");
    }

    #[test]
    fn a_range_counts_in_each_of_its_views_and_takes_no_room() {
        let mut attendance = attendance();
        assert_eq!(attendance.entered(10), []);
        assert_eq!(attendance.entered(11), []);
        attendance.voted(&nullify(validator(2), 1, u64::MAX));
        attendance.voted(&nullify(validator(3), 10, 11));
        assert!(attendance.views.len() <= 2 * 8 + 2, "{}", attendance.views.len());
        assert_eq!(attendance.entered(30), [validator(4), validator(4)]);
    }
}
