//! A stopped node with something in each of its files.

use ledger_types::signature::Curve;
use txfamilies::sign_batch;

use crate::client::HeadBlock;
use crate::load::{dec, inc, key, set};
use crate::node::{Home, Node};

/// A node that was stopped in order, and its head: a few blocks with batches of both curves, and rejections.
pub fn node() -> (Home, HeadBlock) {
    let home = Home::new();
    let node = home.start();
    fill(&node, "");
    let head = node.client().head();
    node.stop();
    (home, head)
}

/// Commits batches to a node and has some rejected; names begin with `prefix`.
pub fn fill(node: &Node, prefix: &str) {
    for number in 0..3 {
        let sets: Vec<_> = (0..20).map(|index| set(&format!("{prefix}{number}-{index}"), 1)).collect();
        node.client().commit(&sign_batch(&key(Curve::Secp256k1, "bob"), &sets));
        let (change, never) = (inc(&format!("{prefix}{number}-0"), 2), format!("{prefix}never"));
        node.client().commit(&sign_batch(&key(Curve::Ed25519, "alice"), &[change]));
        node.client().decide(&sign_batch(&key(Curve::Ed25519, "alice"), &[dec(&never, number)]));
    }
}
