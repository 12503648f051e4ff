//! A pool filled with batches that wait for what never comes.

use ledger_types::limits::{PAYLOAD_BYTES, POOL_BYTES, POOL_WAITING_BATCHES};
use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use tests::client::Outcome;
use tests::load::{key, set};
use txfamilies::sign_batch;

use crate::forgery::raw;
use crate::victim::{Victim, kind};

const LIST: usize = 1_000;
/// Payloads of the largest size in one batch: with an eighth one it would be no smaller than a block.
const PAYLOADS: usize = 7;

fn never() -> String {
    "ab".repeat(64)
}

#[test]
fn batches_that_wait_for_ever_fill_their_share_of_the_pool_and_no_more() {
    let mut victim = Victim::start(&[]);
    let bob = key(Curve::Ed25519, "bob");
    let waiting =
        |number: usize| sign_batch(&bob, &[set("w", 1).with_nonce(number.to_string()).after(never())]);
    for list in 0..POOL_WAITING_BATCHES / LIST {
        let batches: Vec<proto::Batch> = (0..LIST).map(|index| waiting(list * LIST + index)).collect();
        assert_eq!(victim.submit(&batches).status, 202);
    }
    let one_more = [waiting(POOL_WAITING_BATCHES)];
    let answer = victim.submit(&one_more);
    assert_eq!(kind(answer.status, &answer.text), "429/31", "{answer:?}");
    assert_eq!(victim.outcomes(&one_more), [Outcome::Unknown]);
    let ids = [waiting(0).header_signature];
    assert_eq!(victim.client().try_outcomes(&ids, 0).unwrap(), [Outcome::Pending]);
    victim.survived("a pool of batches that wait");
    victim.stop();
}

#[test]
fn a_pool_that_holds_its_bytes_takes_no_more() {
    let mut victim = Victim::start(&[]);
    let bob = key(Curve::Ed25519, "bob");
    let large = |number: usize| {
        let payloads = (0..PAYLOADS).map(|index| {
            raw("intkey", "1.0", vec![0; PAYLOAD_BYTES])
                .with_nonce(format!("{number}-{index}"))
                .after(never())
        });
        sign_batch(&bob, &payloads.collect::<Vec<_>>())
    };
    let most = POOL_BYTES / (PAYLOADS * PAYLOAD_BYTES);
    for number in 0..most {
        assert_eq!(victim.submit(&[large(number)]).status, 202, "{number}");
    }
    for number in most..most + 3 {
        let answer = victim.submit(&[large(number)]);
        assert_eq!(kind(answer.status, &answer.text), "429/31", "{answer:?}");
    }
    victim.survived("a pool of large batches");
    victim.stop();
}
