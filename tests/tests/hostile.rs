//! Real nodes under attack, by strangers and by one of four validators: commits go on, memory stays bounded, nobody crashes,
//! and all come to the same chain.
//!
//! Each attack lasts a few seconds; `DGT_ATTACK_SECONDS` makes it longer. Times depend on the machine and are printed; only
//! gross delays fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what an attack did must be seen")]

use std::fmt::Debug;
use std::sync::Arc;

use tests::byzantine::Casting;
use tests::hostile::Acts;
use tests::hostile::liar::{Liar, doors, network_file};
use tests::hostile::members::Member;
use tests::hostile::siege::{Outcomes, Siege, phase};
use tests::hostile::strangers::Stranger;
use tests::testnet::Testnet;

const MIB: u64 = 1 << 20;
/// What one honest node may hold more because of strangers: handshakes in progress are few and small.
const STRANGERS_BYTES: u64 = 64 * MIB;
/// What it may hold more because of a liar: what waits to be sent to it (16 + 32 + 32 MiB, and as much on the way), what of
/// it waits to be handled (32 MiB), three frames that are being read, and its batches in the pool (64 MiB).
const LIAR_BYTES: u64 = 320 * MIB;
/// Sockets that may be there more.
const FILES: u64 = 128;
/// Commits may take so many times longer, if they take longer than that.
const SLOWER: u128 = 10;
const SLOW_MS: u128 = 2_000;

/// A siege, and what went wrong in it: all attacks are made even if one succeeds.
struct Trial {
    siege: Siege,
    failures: Vec<String>,
}

impl Trial {
    fn of(siege: Siege) -> Self {
        eprintln!("in peace: {}", siege.peace());
        Self { siege, failures: Vec::new() }
    }

    /// Tells what an attack did, and notes what should not be.
    fn judge(&mut self, attack: impl Debug, outcomes: &Outcomes, most_bytes: u64, most_ms: u128) {
        let Outcomes { acts, latency, grown } = outcomes;
        let (bytes, files) = (grown.anonymous / MIB, grown.files);
        let told = format!("{attack:?}: {acts} acts; {latency}; at most {bytes} MiB and {files} files more");
        eprintln!("{told}");
        let is_held =
            *acts > 0 && grown.anonymous <= most_bytes && grown.files <= FILES && latency.p99() <= most_ms;
        if !is_held {
            self.failures.push(told);
        }
    }

    /// Commits may take longer under attack, and not for ever.
    fn most_ms(&self) -> u128 {
        (self.siege.peace().p99() * SLOWER).max(SLOW_MS)
    }

    fn end(self) {
        let peace = self.siege.peace().clone();
        self.siege.end();
        assert!(self.failures.is_empty(), "in peace {peace}; {:#?}", self.failures);
    }
}

/// Three of four nodes, and the keys of the fourth.
fn three_and_a_liar() -> (Trial, Arc<Liar>) {
    let mut network = Testnet::create(1, 4);
    let liar = Arc::new(Liar::instead_of(&network, 3));
    (0..3).for_each(|index| network.start_node(index));
    network.wait_ready();
    let siege = Siege::of(network, Member::OnlyLives.attack(liar.clone(), Acts::default()));
    (Trial::of(siege), liar)
}

#[test]
fn strangers_do_not_stop_a_network() {
    let network = Testnet::start(1, 4);
    let (doors, id) = (doors(&network), network_file(&network).network_id());
    let mut trial = Trial::of(Siege::of(network, async {}));
    let most_ms = trial.most_ms();
    for attack in [Stranger::Floods, Stranger::StopsHalfway, Stranger::HasNoKey, Stranger::IsOfAnotherNetwork]
    {
        let outcomes = trial.siege.under(phase(), |acts| attack.attack(doors.clone(), id, acts));
        trial.judge(attack, &outcomes, STRANGERS_BYTES, most_ms);
    }
    trial.end();
}

#[test]
fn a_validator_that_breaks_the_rules_of_links_does_not_stop_the_others() {
    let (mut trial, liar) = three_and_a_liar();
    let most_ms = trial.most_ms();
    for attack in [
        Member::OpensStreams,
        Member::BreaksFrames,
        Member::SaysUseless,
        Member::IsDeaf,
        Member::IsRestless,
        Member::FillsSockets,
        Member::SeemsFarAway,
    ] {
        let outcomes = trial.siege.under(phase(), |acts| attack.attack(liar.clone(), acts));
        trial.judge(attack, &outcomes, LIAR_BYTES, most_ms);
    }
    // Its good batches are as good as anybody's, so a full pool of them is before the others'.
    let attack = Member::SendsBatches;
    let outcomes = trial.siege.under(phase(), |acts| attack.attack(liar.clone(), acts));
    trial.judge(attack, &outcomes, LIAR_BYTES, u128::MAX);
    trial.end();
}

#[test]
fn a_validator_that_lies_does_not_stop_the_others_or_make_them_differ() {
    let (mut trial, liar) = three_and_a_liar();
    let most_ms = trial.most_ms();
    for casting in Casting::ALL {
        let outcomes = trial.siege.under(phase() / 2, |acts| liar.clone().play(casting, acts));
        trial.judge(casting, &outcomes, LIAR_BYTES, most_ms);
    }
    trial.end();
}
