//! What is enumerated: who is doubled, and who hears whom in each round.

/// Processes: one for each validator, and the twin's second one.
pub(crate) const PROCESSES: usize = 5;
/// Validators.
pub(crate) const VALIDATORS: usize = 4;
/// Rounds with groups of their own: views 1 to 4. Each validator leads one.
pub(crate) const ROUNDS: u64 = 4;
/// Ways to split five processes into at most two groups, as a number of bits.
const GROUP_BITS: u32 = 4;
/// The number of scenarios: every split in every round, for every position of the twin.
pub const SCENARIOS: u64 = VALIDATORS as u64 * (1 << (GROUP_BITS * ROUNDS as u32));
/// Odd, so that multiplying with it permutes the numbers below the power of two that [`SCENARIOS`] is.
const SHUFFLE: u64 = 0x9e37_79b9_7f4a_7c15;

/// One scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// The validator that runs twice; validator `n` leads view `n + 1`.
    pub(crate) twin: usize,
    rounds: u64,
}

impl Scenario {
    /// The scenario with a number, taken modulo [`SCENARIOS`]. Neighbouring numbers are far apart in everything, so
    /// that any range of them is a fair sample.
    pub(crate) fn new(number: u64) -> Self {
        let shuffled = number.wrapping_mul(SHUFFLE) % SCENARIOS;
        let (rounds, twin) = (shuffled >> 2, shuffled & 3);
        Self { twin: usize::try_from(twin).expect("invariant: two bits"), rounds }
    }

    /// The validator that a process plays: process `n` plays validator `n`, the last one is the twin's second.
    pub(crate) fn validator(&self, process: usize) -> usize {
        if process < VALIDATORS { process } else { self.twin }
    }

    /// Whether a process is one of the two that share a key.
    pub(crate) fn is_twin(&self, process: usize) -> bool {
        self.validator(process) == self.twin
    }

    /// Whether two processes hear each other in a round; after the last one everybody does.
    pub(crate) fn are_joined(&self, view: u64, one: usize, other: usize) -> bool {
        self.side(view, one) == self.side(view, other)
    }

    /// Whether a process is apart from process 0 in a round.
    fn side(&self, view: u64, process: usize) -> bool {
        if view == 0 || view > ROUNDS || process == 0 {
            return false;
        }
        let bit = (view - 1) * u64::from(GROUP_BITS) + process as u64 - 1;
        self.rounds >> bit & 1 == 1
    }
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "validator {} is doubled (processes {} and {VALIDATORS})", self.twin, self.twin)?;
        for view in 1..=ROUNDS {
            let group = |side: bool| {
                let members = (0..PROCESSES).filter(|process| self.side(view, *process) == side);
                members.map(|process| process.to_string()).collect::<String>()
            };
            write!(f, ", view {view}: {}|{}", group(false), group(true))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_scenario_comes_once() {
        let seen: BTreeSet<(usize, u64)> =
            (0..SCENARIOS).map(Scenario::new).map(|it| (it.twin, it.rounds)).collect();
        assert_eq!((seen.len() as u64, SCENARIOS), (SCENARIOS, 4 * 16u64.pow(4)));
    }

    #[test]
    fn groups_are_two_at_most_and_gone_after_the_last_round() {
        for number in 0..1_000 {
            let scenario = Scenario::new(number);
            for view in 1..=ROUNDS + 2 {
                let joined = |process| scenario.are_joined(view, 1, process);
                let (here, there): (Vec<usize>, Vec<usize>) = (0..PROCESSES).partition(|it| joined(*it));
                assert!(there.iter().all(|one| scenario.are_joined(view, *one, there[0])));
                assert!(view <= ROUNDS || here.len() == PROCESSES);
            }
        }
    }
}
