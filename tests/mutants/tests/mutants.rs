//! Every mutant of the consensus crate is noticed by the simulator; the crate as written is not.
//!
//! `DGT_MUTANTS=text` tries only the mutants whose name contains the text, `DGT_MUTANT_SEEDS=n` plays up to `n` seeds
//! of each attack.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use consensus::table::{self, Mutant};
use mutants::attack::Attack;
use mutants::plan::plan;
use mutants::trial::{Kill, Plan, play, try_to_kill};

/// Prints past the runner, which shows only what failing tests print: the counts are the result.
macro_rules! say {
    ($($text:tt)*) => {
        _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)))
    };
}

/// Seeds of each attack at most, if nothing else is said.
const SEEDS: u64 = 400;
/// Seeds of each attack that the crate as written has to stand.
const CONTROL_SEEDS: u64 = 12;
/// Threads. A mutant is on or off on one of them.
const JOBS: usize = 2;

/// Hands out the items of a list to the threads and collects what they make of them, in the list's order.
fn on_all_threads<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (Mutex::new(0), Mutex::new(BTreeMap::new()));
    let take = || {
        let mut next = next.lock().expect("nothing panics while it counts");
        *next += 1;
        items.get(*next - 1).map(|item| (*next, item))
    };
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                while let Some((place, item)) = take() {
                    let result = work(item);
                    done.lock().expect("nothing panics while it inserts").insert(place, result);
                }
            });
        }
    });
    done.into_inner().expect("all threads are done").into_values().collect()
}

fn is_wanted(name: &str) -> bool {
    std::env::var("DGT_MUTANTS").map_or(true, |text| name.contains(&text))
}

#[test]
fn every_mutant_is_noticed() {
    let seeds = std::env::var("DGT_MUTANT_SEEDS").map_or(SEEDS, |text| text.parse().unwrap());
    let mutants: Vec<&Mutant> = table::mutants().filter(|mutant| is_wanted(mutant.name)).collect();
    let verdicts = on_all_threads(&mutants, |mutant| {
        let plan = plan(mutant.name).unwrap_or_else(|| panic!("no plan against {}", mutant.name));
        let start = Instant::now();
        let kill = try_to_kill(mutant.name, &plan, seeds);
        say!(
            "{:34} {:6} ms  {}",
            mutant.name,
            start.elapsed().as_millis(),
            if kill.is_some() { "noticed" } else { "SURVIVES" }
        );
        kill
    });
    say!("\nmutants: name | what is broken | seeds | attack | what the simulator said");
    for (mutant, verdict) in mutants.iter().zip(&verdicts) {
        match verdict {
            Some(Kill { attack, seeds, seen }) => {
                say!("{} | {} | {seeds} | {attack} | {seen}", mutant.name, mutant.breaks);
            }
            None => say!("{} | {} | SURVIVES", mutant.name, mutant.breaks),
        }
    }
    let survivors: Vec<&str> =
        mutants.iter().zip(&verdicts).filter(|(_, it)| it.is_none()).map(|(mutant, _)| mutant.name).collect();
    say!("mutants: {} of {} noticed", mutants.len() - survivors.len(), mutants.len());
    assert!(survivors.is_empty(), "not noticed: {survivors:?}");
}

#[test]
fn the_crate_as_written_stands_every_attack() {
    let plans = table::mutants().filter_map(|mutant| plan(mutant.name));
    let attacks = plans.flat_map(|Plan { attacks, .. }| attacks).map(|it| (it.name, *it));
    let attacks: Vec<Attack> = attacks.collect::<BTreeMap<_, _>>().into_values().collect();
    let violations = on_all_threads(&attacks, |attack| {
        (0..CONTROL_SEEDS).find_map(|seed| {
            let outcome = play(None, &(attack.draw)(seed));
            let violation = outcome.map_or_else(Some, |outcome| outcome.violation.map(|it| it.text));
            violation.map(|text| format!("{}, seed {seed}: {text}", attack.name))
        })
    });
    say!("control: {} attacks, {CONTROL_SEEDS} seeds of each, no mutant", attacks.len());
    let violations: Vec<String> = violations.into_iter().flatten().collect();
    assert!(violations.is_empty(), "{violations:#?}");
}
