//! Twins: one validator of four runs twice under every split of the first four views.
//!
//! The gate runs a share of all 262,144 scenarios, `DGT_TWINS=all` all of them, `DGT_TWINS=N` the first `N`.

use tests::twins;

/// Prints past the runner, which shows only what failing tests print: the counts are the result.
macro_rules! say {
    ($($text:tt)*) => {
        _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)))
    };
}

/// What fits into the gate's time.
const SHARE: u64 = 20_000;

#[test]
fn no_split_of_views_and_no_twin_makes_two_histories() {
    let count = match std::env::var("DGT_TWINS") {
        Ok(text) if text == "all" => twins::SCENARIOS,
        Ok(text) => text.parse().expect("DGT_TWINS is `all` or a number"),
        Err(_) => SHARE,
    };
    let report = twins::run(0..count, 2);
    say!("twins: {report}");
    if let Some((number, _)) = report.first_violation {
        say!("scenario {number}: {}", twins::describe(number));
    }
    assert_eq!(report.violations, 0);
    // The scenarios do what they are for: views fail, and blocks become final, while there are groups.
    assert!(report.counts.early_commits > report.scenarios && report.counts.withheld > report.scenarios);
}

#[test]
fn a_scenario_goes_the_same_way_every_time() {
    assert_eq!(twins::run(100..140, 1), twins::run(100..140, 2));
}
