//! One mutant on trial: attacked until the simulator notices.

use std::panic::{AssertUnwindSafe, catch_unwind};

use consensus::mutant;

use crate::attack::Attack;
use crate::sim::{self, Outcome, Scenario, Verbosity};
use crate::twins;

/// What shows that a rule is broken, if it does not happen with the crate as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The oracle reports a violation.
    Violation,
    /// Two histories, in a scenario beyond the bounds.
    Fork,
    /// A fork that no node stops at, in a scenario beyond the bounds.
    NoHalt,
}

/// How a mutant is attacked.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// With what, in turns.
    pub attacks: &'static [Attack],
    /// What gives it away.
    pub sign: Sign,
}

/// How a mutant was noticed.
#[derive(Clone, Debug)]
pub struct Kill {
    /// The attack.
    pub attack: &'static str,
    /// How many seeds were played, this one included.
    pub seeds: u64,
    /// What was seen.
    pub seen: String,
}

/// Attacks a mutant, all of its plan's attacks in turns, with up to so many seeds of each.
pub fn try_to_kill(name: &'static str, plan: &Plan, seeds: u64) -> Option<Kill> {
    let mut played = 0;
    for seed in 0..seeds {
        for attack in plan.attacks {
            played += 1;
            let seen = sign_of(name, plan.sign, &(attack.draw)(seed));
            if let Some(seen) = seen {
                return Some(Kill { attack: attack.name, seeds: played, seen });
            }
        }
    }
    None
}

/// Runs Twins on a mutant: how many of the first scenarios go wrong, and what goes wrong first.
pub fn twins_against(name: Option<&'static str>, scenarios: u64) -> twins::Report {
    mutant::set(name);
    let report = twins::run(0..scenarios, 1);
    mutant::set(None);
    report
}

fn sign_of(name: &'static str, sign: Sign, scenario: &Scenario) -> Option<String> {
    let seen = match play(Some(name), scenario) {
        Err(panic) => Some(format!("panicked: {panic}")),
        Ok(broken) => match sign {
            Sign::Violation => broken.violation.map(|it| it.text),
            Sign::Fork => broken.has_forked.then(|| "two histories".into()),
            Sign::NoHalt => {
                (broken.has_forked && broken.halted == 0).then(|| "a fork that nobody halts at".into())
            }
        },
    };
    // It counts only if the crate as written does better in the very same scenario.
    let is_told_apart = || {
        play(None, scenario).is_ok_and(|unbroken| match sign {
            Sign::Violation => unbroken.violation.is_none(),
            Sign::Fork => !unbroken.has_forked,
            Sign::NoHalt => unbroken.halted > 0,
        })
    };
    seen.filter(|_| is_told_apart())
}

/// Plays a scenario on this thread with a mutant on, or with none.
///
/// # Errors
/// When the world panics: what it said.
pub fn play(name: Option<&'static str>, scenario: &Scenario) -> Result<Outcome, String> {
    mutant::set(name);
    let outcome = catch_unwind(AssertUnwindSafe(|| sim::run(scenario, Verbosity::Figures)));
    mutant::set(None);
    outcome.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other.downcast_ref::<&str>().copied().unwrap_or("without a word").to_owned(),
    })
}
