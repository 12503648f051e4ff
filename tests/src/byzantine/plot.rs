//! What the liars of a run have agreed on: whom they show which of their two faces. All of them find it in the same
//! stream of random numbers, without a message.

use std::collections::BTreeMap;

use ledger_types::ValidatorId;

use super::Stage;
use crate::random::Random;

/// So many ways to part the honest nodes are tried for one that lets both parts decide.
const ATTEMPTS: usize = 64;
/// Turns remembered.
const KEPT: usize = 64;

/// The honest nodes, in two parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Halves([Vec<ValidatorId>; 2]);

impl Halves {
    /// The members of a half, 0 or 1, in order.
    pub(super) fn half(&self, index: usize) -> &[ValidatorId] {
        &self.0[index & 1]
    }

    /// The half that an honest node is in; `None` for a liar.
    pub(super) fn of(&self, id: ValidatorId) -> Option<usize> {
        self.0.iter().position(|half| half.contains(&id))
    }

    /// The same halves in the other order.
    pub(super) fn swapped(self) -> Self {
        let Self([first, second]) = self;
        Self([second, first])
    }

    /// Whether each half would be a quorum together with all liars.
    pub(super) fn can_both_decide(&self, stage: &Stage<'_>) -> bool {
        let quorum = stage.committee.quorum();
        self.0.iter().all(|half| quorum.is_met_by(half.iter().chain(stage.liars).copied()))
    }

    /// Whether each half with the liars can make a cluster certificate for a block of this leader.
    fn can_both_open(&self, stage: &Stage<'_>, leader: ValidatorId) -> bool {
        let least = stage.committee.quorum().node_quorum(leader.cluster).unwrap_or(usize::MAX);
        let members = |half: &Vec<ValidatorId>| {
            half.iter().chain(stage.liars).filter(|id| id.cluster == leader.cluster).count()
        };
        self.0.iter().all(|half| members(half) >= least)
    }

    /// How good a way to part the honest nodes this is: for how many of these leaders both halves can decide.
    fn worth(&self, stage: &Stage<'_>, leaders: &[ValidatorId]) -> usize {
        if !self.can_both_decide(stage) {
            return 0;
        }
        1 + leaders.iter().filter(|leader| self.can_both_open(stage, **leader)).count()
    }
}

/// The common plan.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    seed: u64,
    known: BTreeMap<u64, Halves>,
}

impl Plot {
    /// The plan that is in a stream. Liars with clones of one stream have one plan.
    pub(super) fn new(stream: &Random) -> Self {
        Self { seed: stream.clone().draw(), known: BTreeMap::new() }
    }

    /// The stream of random numbers that all liars share for one purpose.
    pub(super) fn stream(&self, turn: u64) -> Random {
        Random::new(self.seed ^ turn.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The halves of a view: at random even, uneven or by cluster, and if there is such a way, so that the liars
    /// complete a quorum with either half for a block of the view's leader.
    pub(super) fn halves_of_view(&mut self, stage: &Stage<'_>, view: u64) -> Halves {
        let leader = stage.committee.leader(view);
        self.halves(stage, view, &[leader])
    }

    /// The halves of a turn that the caller counts, good for as many of the liars' views as can be.
    pub(super) fn halves_of_turn(&mut self, stage: &Stage<'_>, turn: u64) -> Halves {
        self.halves(stage, turn, stage.liars)
    }

    fn halves(&mut self, stage: &Stage<'_>, turn: u64, leaders: &[ValidatorId]) -> Halves {
        if let Some(halves) = self.known.get(&turn) {
            return halves.clone();
        }
        let mut stream = self.stream(turn);
        let honest = stage.honest();
        let mut best = part(&honest, &mut stream);
        let mut worth = best.worth(stage, leaders);
        // Whatever the halves: two quorums have so many members in all.
        let is_possible = honest.len() + 2 * stage.liars.len() >= 2 * stage.committee.quorum().flat_quorum();
        for _ in 0..if is_possible { ATTEMPTS } else { 0 } {
            if worth > leaders.len() {
                break;
            }
            let other = part(&honest, &mut stream);
            let other_worth = other.worth(stage, leaders);
            if other_worth > worth {
                (best, worth) = (other, other_worth);
            }
        }
        // Turns come roughly in order, so the oldest is the one that is needed least.
        if self.known.len() >= KEPT {
            self.known.pop_first();
        }
        self.known.insert(turn, best.clone());
        best
    }
}

fn part(honest: &[ValidatorId], stream: &mut Random) -> Halves {
    let (style, share, order) = (stream.below(0..4), stream.below(1..8), stream.draw());
    let mut halves = Halves::default();
    for id in honest {
        let is_second = match style {
            // Whole clusters.
            0 => order >> (id.cluster % 64) & 1 == 1,
            // Uneven by an eighth up to seven.
            1 => stream.below(0..8) < share,
            _ => stream.once_in(2),
        };
        halves.0[usize::from(is_second)].push(*id);
    }
    halves
}
