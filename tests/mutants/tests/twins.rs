//! Twins finds broken rules, too: the same enumeration that the crate as written survives.

use mutants::trial::twins_against;

/// Prints past the runner, which shows only what failing tests print: the counts are the result.
macro_rules! say {
    ($($text:tt)*) => {
        _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)))
    };
}

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
        say!("twins: {name} | {} of {SCENARIOS} | first in scenario {found}", report.violations);
        assert!(report.violations > 0, "{name}");
    }
}
