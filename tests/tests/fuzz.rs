//! The stable driver of the fuzz bodies: each is fed its seeds, mutations of them, and random bytes.
//!
//! `DGT_FUZZ_EXECUTIONS` says how many inputs each body gets (default 20,000), `DGT_SEED` repeats a run's choices.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was run must be seen")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Instant;

use data_encoding::HEXLOWER;
use tests::fuzz_bodies::{BODIES, Body, mutate};
use tests::random::Random;

/// One input in so many is random bytes, which are not longer than this.
const RANDOM_ONCE_IN: u64 = 10;
const RANDOM_BYTES: u64 = 200;
fn executions() -> u64 {
    std::env::var("DGT_FUZZ_EXECUTIONS").map_or(20_000, |text| text.parse().expect("a number"))
}

/// What a body was given.
struct Fuzzed {
    executions: u64,
    accepted: u64,
    seconds: f64,
}

/// Runs a body so many times.
///
/// # Errors
/// The input on which it panicked, in hex.
fn fuzz(body: &Body, executions: u64, random: &mut Random) -> Result<Fuzzed, String> {
    let (seeds, start) = ((body.seeds)(), Instant::now());
    let run = |input: &[u8]| {
        catch_unwind(AssertUnwindSafe(|| (body.run)(input)))
            .map_err(|_| format!("{} panics on {}", body.name, HEXLOWER.encode(input)))
    };
    let mut accepted = 0;
    for seed in &seeds {
        if !run(seed)? {
            return Err(format!("{} refuses its seed {}", body.name, HEXLOWER.encode(seed)));
        }
        accepted += 1;
    }
    let mut last = seeds[0].clone();
    for _ in 0..executions {
        let input = if random.once_in(RANDOM_ONCE_IN) {
            (0..random.below(0..RANDOM_BYTES)).map(|_| random.draw() as u8).collect()
        } else {
            // What was accepted before is changed further now and then, so that mutations add up.
            let from =
                if random.once_in(4) { &last } else { &seeds[random.below(0..seeds.len() as u64) as usize] };
            let mut input = from.clone();
            mutate(&mut input, &seeds, random);
            input
        };
        if run(&input)? {
            accepted += 1;
            last = input;
        }
    }
    let executions = executions + seeds.len() as u64;
    Ok(Fuzzed { executions, accepted, seconds: start.elapsed().as_secs_f64() })
}

#[test]
fn no_body_panics() {
    let (mut random, executions) = (Random::from_env(), executions());
    // Every body has its own choices, whatever the order in which they run.
    let queue: Vec<_> = BODIES.iter().map(|body| (body, random.fork())).collect();
    let (queue, results) = (Mutex::new(queue), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some((body, mut random)) = queue.lock().unwrap().pop() else { return };
                    let result = fuzz(body, executions, &mut random);
                    results.lock().unwrap().push((body.name, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(name, _)| *name);
    let mut total = 0;
    for (name, result) in &results {
        let Fuzzed { executions, accepted, seconds } =
            result.as_ref().unwrap_or_else(|error| panic!("{error}"));
        println!("{name:<20} {executions:>9} executions  {accepted:>9} accepted  {seconds:>6.1} s");
        assert!(accepted < executions, "{name} accepts everything");
        total += executions;
    }
    println!("{:<20} {total:>9} executions of {} bodies", "all", results.len());
    assert_eq!(results.len(), BODIES.len());
}

#[test]
fn the_driver_finds_what_is_wrong() {
    fn seeds() -> Vec<Vec<u8>> {
        vec![b"length 0004 ....".to_vec()]
    }
    let body = |run| Body { name: "planted", run, seeds };
    let found = |run| fuzz(&body(run), 20_000, &mut Random::new(1)).map(|_| ()).unwrap_err();
    let panics = found(|input| input.first() == Some(&b'l') && input[11] != 0);
    assert!(panics.starts_with("planted panics on 6c"), "{panics}");
    let second = found(|input| {
        assert!(input.len() != 17, "a second encoding is accepted");
        true
    });
    assert!(second.starts_with("planted panics on "), "{second}");
    assert!(found(|_| false).starts_with("planted refuses its seed"));
}

#[test]
fn every_body_has_a_target_of_cargo_fuzz() {
    let folder = tests::workspace::root().join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let targets = manifest["bin"].as_array().unwrap().iter();
    let targets: Vec<&str> = targets.map(|target| target["name"].as_str().unwrap()).collect();
    assert!(targets.iter().eq(BODIES.iter().map(|body| &body.name)), "{targets:?}");
    for name in targets {
        let text = std::fs::read_to_string(folder.join(format!("targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("fuzz_bodies::{name}(input)")), "{name}");
    }
}
