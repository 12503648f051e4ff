//! Twins finds broken rules, too: the same enumeration that the crate as written survives.
#![allow(clippy::print_stdout, reason = "the table is the result")]

use mutants::trial::twins_against;

/// Scenarios for each.
const SCENARIOS: u64 = 400;

#[test]
fn twins_finds_what_is_broken() {
    let control = twins_against(None, SCENARIOS);
    assert_eq!(control.first_violation, None);
    let broken = [
        "v1-notarize-twice",
        "v3-after-nullify",
        "v4-nullify-after-finalize",
        "v4-range-unchecked",
        "v6-nullify-below-floor",
        "quorum-both-less-one",
        "quorum-of-the-connected",
        "proposes-twice",
    ];
    for name in broken {
        let report = twins_against(Some(name), SCENARIOS);
        let found =
            report.first_violation.map_or("SURVIVES".into(), |(number, seen)| format!("{number}: {seen}"));
        println!("twins: {name} | {} of {SCENARIOS} | first in scenario {found}", report.violations);
        assert!(report.violations > 0, "{name}");
    }
}
