//! Networks of real replicas in a simulated world: thousands of seeds, an oracle, and proof that it can see.

use std::time::Instant;

use tests::sim::{Family, Model, Scenario, Summary, Verbosity, play, run};

/// Prints past the runner, which shows only what failing tests print: the counts are the result.
macro_rules! say {
    ($($text:tt)*) => {
        _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)))
    };
}

/// Seeds that a gate plays: about four minutes on two cores. `DGT_SIM_SEEDS` asks for another number.
const SEEDS: u64 = 8_000;
/// Seeds of networks with too many liars.
const BEYOND_SEEDS: u64 = 150;
const JOBS: usize = 2;

/// Seeds in which something once happened that must not, with the model they were found in; each was a bug.
const REGRESSIONS: [(u64, Option<Model>); 0] = [];

#[test]
fn nothing_happens_that_must_not() {
    let seeds = match std::env::var("DGT_SIM_SEEDS") {
        Ok(text) => text.parse().expect("DGT_SIM_SEEDS is a number"),
        Err(_) => SEEDS,
    };
    let began = Instant::now();
    let summary = play(0..seeds, &Family::default(), JOBS);
    say!("{summary}");
    say!("{seeds} seeds in {:.0} s", began.elapsed().as_secs_f64());
    assert_eq!(summary.violations.len(), 0, "see above; `sim replay SEED` tells the story");
    assert!(summary.get("not run") * 100 <= seeds, "at most one seed in a hundred may come to nothing");
    if seeds >= 1_000 {
        assert_reach(&summary);
    }
}

/// A run that never gets where things can go wrong proves nothing.
fn assert_reach(summary: &Summary) {
    let seeds = summary.get("seeds");
    for model in ["model: m1", "model: m2"] {
        assert!(summary.get(model) * 5 >= seeds, "a fifth of all seeds is {model}");
    }
    let wanted = [
        "fault: bit flipped",
        "fault: cut off",
        "fault: delayed more than a second",
        "fault: duplicated",
        "fault: generation file lost",
        "fault: killed",
        "fault: lost",
        "fault: machine rolled back",
        "fault: no room",
        "fault: old files restored",
        "fault: power lost",
        "fault: sync failed",
        "fault: unsynced writes lost",
        "refused: unreadable",
        "refused: unverified",
        "rule: assembled with a peer's entries",
        "rule: block abandoned",
        "rule: empty block built",
        "rule: entries served",
        "rule: executed and refused",
        "rule: run served",
        "rule: stored block checked",
        "rule: unassemblable",
        "sent: NULLIFY of a range",
        "sent: REQUEST blocks",
        "sent: REQUEST entries",
        "sent: REQUEST proposal",
        "sent: REQUEST range",
        "start: observer",
        "start: old",
        "start: unproven",
    ];
    let never: Vec<&str> = wanted.into_iter().filter(|name| summary.get(name) == 0).collect();
    assert!(never.is_empty(), "never happened: {never:?}");
}

#[test]
fn a_seed_is_one_run_and_no_other_is_the_same() {
    let family = Family::default();
    let trace = |seed| {
        let outcome = run(&Scenario::draw(seed, &family), Verbosity::Figures);
        (outcome.trace, outcome.counters)
    };
    let first: Vec<_> = (0..20).map(trace).collect();
    let again: Vec<_> = (0..20).map(trace).collect();
    assert_eq!(first, again);
    let mut traces: Vec<u64> = first.iter().map(|(trace, _)| *trace).collect();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), first.len());
}

#[test]
fn a_story_changes_nothing() {
    let scenario = Scenario::draw(7, &Family::default());
    let (short, long) = (run(&scenario, Verbosity::Figures), run(&scenario, Verbosity::Story));
    assert_eq!(short.trace, long.trace);
    assert!(short.story.is_empty() && long.story.len() > 100);
}

#[test]
fn beyond_the_bounds_history_splits_and_is_seen_to() {
    let family = Family { model: Some(Model::Beyond), ..Family::default() };
    let summary = play(0..BEYOND_SEEDS, &family, JOBS);
    let (forked, halted) =
        (summary.get("beyond: forked seeds"), summary.get("beyond: seeds with a halted node"));
    say!("{BEYOND_SEEDS} seeds beyond the bounds: {forked} forked, a node halted in {halted}");
    assert_eq!(summary.violations.len(), 0, "{summary}");
    assert!(forked > 0 && halted > 0, "too many liars must be able to split history");
}

#[test]
fn seeds_that_once_failed_do_not_any_more() {
    for (seed, model) in REGRESSIONS {
        let family = Family { model, ..Family::default() };
        let outcome = run(&Scenario::draw(seed, &family), Verbosity::Figures);
        assert!(outcome.violation.is_none(), "seed {seed}: {:?}", outcome.violation);
    }
}
