//! New images under load.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tests::client::Outcome;
use tests::containers::{Containers, Release};

use crate::{is_skipped, new_batch};

/// An operator upgrades one node after the other; clients that keep away from it meanwhile see no refusal.
#[test]
fn an_upgrade_of_one_node_after_the_other_refuses_no_write() {
    if is_skipped() {
        return;
    }
    let mut network = Containers::up(1, 4);
    let nodes: Vec<_> = network.all().map(|index| network.client(index).clone()).collect();
    let (away, is_over) = (Mutex::new(None), AtomicBool::new(false));
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = Vec::new();
            while !is_over.load(Ordering::SeqCst) {
                let number = written.len();
                // Held while one batch is written: a node goes only between two.
                let away = away.lock().unwrap();
                let node =
                    (number..).map(|next| next % nodes.len()).find(|node| Some(*node) != *away).unwrap();
                let batch = new_batch();
                assert_eq!(nodes[node].decide(&batch), Outcome::Committed, "batch {number}");
                written.push(batch.header_signature);
            }
            written
        });
        let _over = Over(&is_over);
        network.project_mut().use_release(Release::Next);
        for index in network.all() {
            let old = network.inspect(index, "{{.Image}}");
            *away.lock().unwrap() = Some(index);
            network.recreate(index);
            assert_ne!(network.inspect(index, "{{.Image}}"), old);
            network.project().wait_healthy(network.name(index));
            *away.lock().unwrap() = None;
        }
        is_over.store(true, Ordering::SeqCst);
        writer.join().unwrap()
    });
    eprintln!("{} batches written during the upgrade", written.len());
    for index in network.all() {
        let outcomes = network.client(index).try_outcomes(&written, 10).unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Committed), "{}", network.name(index));
    }
    network.wait_same_head();
    network.bring_out().check_same_files();
}

/// Ends the writer, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
