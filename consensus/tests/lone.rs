//! A network of one: the same replica, its own messages looped back, and a crash at every point between syncs.

mod common;

use common::World;
use consensus::{Change, Message, Record, RecordKey};
use ledger_types::certificate::{Statement, VoteKind};

const SHAPE: &[usize] = &[1];

/// The kinds of what a write puts, in order.
fn kinds(changes: &[Change]) -> Vec<&'static str> {
    let kind = |change: &Change| match change {
        Change::Put(Record::Proposed { .. }) => Some("proposed"),
        Change::Put(Record::Body { .. }) => Some("body"),
        Change::Put(Record::Floor { .. }) => Some("floor"),
        Change::Put(Record::FinalizedAt { .. }) => Some("finalized at"),
        Change::Put(Record::Voted { vote, .. }) => Some(match vote.statement.kind() {
            VoteKind::Notarize => "NOTARIZE",
            VoteKind::Finalize => "FINALIZE",
            VoteKind::Nullify => "NULLIFY",
        }),
        Change::Put(Record::Certificate(certificate)) => Some(match certificate.certified().kind() {
            VoteKind::Notarize => "notarization",
            VoteKind::Finalize => "finalization",
            VoteKind::Nullify => "nullification",
        }),
        Change::Put(Record::Incarnation(_)) => Some("incarnation"),
        Change::Put(Record::Guard { .. }) => Some("guard"),
        Change::Put(Record::Evidence { .. }) => Some("evidence"),
        Change::Delete(_) => None,
    };
    changes.iter().filter_map(kind).collect()
}

#[test]
fn a_block_costs_three_syncs_with_these_records() {
    let mut world = World::new(SHAPE, 1);
    for height in 1..=10 {
        world.submit(height);
        let mut written = Vec::new();
        while world.nodes[0].height() < height {
            while world.nodes[0].unsynced.is_empty() {
                assert!(world.step(), "it goes on without waiting for time");
            }
            let sent = world.sent.len();
            written.push(kinds(&world.nodes[0].unsynced[0].1));
            world.sync(0);
            assert!(world.sent.len() > sent || world.nodes[0].height() == height, "what waited has left");
        }
        let expected: [&[&str]; 3] = [
            &["proposed", "body", "NOTARIZE"],
            &["notarization", "FINALIZE"],
            &["finalization", "floor", "finalized at"],
        ];
        assert_eq!(written, expected);
        assert_eq!(world.now_ms, 0, "no timer is waited for");
        world.run_to_rest(100);
    }
    world.assert_safe();
}

#[test]
fn an_idle_node_writes_nothing_and_waits_for_nothing() {
    let mut world = World::new(SHAPE, 1);
    world.run_to_rest(10);
    assert_eq!((world.nodes[0].syncs, world.sent.len(), world.now_ms), (0, 0, 0));
    world.submit(1);
    world.run_to_rest(100);
    assert_eq!(world.nodes[0].height(), 1);
    assert_eq!(world.nodes[0].replica.as_ref().unwrap().next_deadline(), None);
}

#[test]
fn what_is_decided_is_dropped_once_the_block_file_has_it() {
    let mut world = World::new(SHAPE, 1);
    for batch in 0..20 {
        world.submit(batch);
        world.run_to_rest(100);
    }
    assert_eq!(world.nodes[0].height(), 20);
    let live: Vec<u8> = world.nodes[0].store.keys().map(|key| key[0]).filter(|tag| *tag < 0x20).collect();
    assert_eq!(live, [0x06, 0x07, 0x12], "the floor, its finalization and the life that runs");
    assert!(
        (1..=20).all(|height| world.nodes[0].store.contains_key(&RecordKey::FinalizedAt { height }.encode()))
    );
}

/// Runs to 12 blocks and kills the node at its `crash`-th sync, before the write or between write and receipt.
fn crash_at(crash: u64, is_written: bool) -> bool {
    let mut world = World::new(SHAPE, crash + 1);
    for batch in 0..24 {
        world.submit(batch);
    }
    let mut has_crashed = false;
    for _ in 0..10_000 {
        if world.nodes[0].height() >= 12 {
            break;
        }
        if !has_crashed && world.nodes[0].syncs == crash && !world.nodes[0].unsynced.is_empty() {
            if is_written {
                world.write(0);
            }
            world.kill(0);
            world.start(0);
            has_crashed = true;
        }
        assert!(world.step_or_wait(), "the node carries on by itself");
    }
    assert_eq!(world.nodes[0].height(), 12, "crash {crash}, written: {is_written}");
    world.assert_safe();
    let nullified = |message: &Message| matches!(message, Message::Vote(vote) if matches!(vote.statement, Statement::Nullify { .. }));
    assert!(!world.sent.iter().any(|(_, message)| nullified(message)), "no view is lost by a crash");
    has_crashed
}

#[test]
fn a_crash_between_any_two_syncs_loses_nothing_and_says_nothing_twice() {
    for is_written in [false, true] {
        let crashes = (0..100).take_while(|crash| crash_at(*crash, is_written)).count();
        assert!(crashes >= 24, "only {crashes} places to crash at");
    }
}

#[test]
fn crashes_while_restarting_do_no_harm() {
    let mut world = World::new(SHAPE, 3);
    for batch in 0..20 {
        world.submit(batch);
    }
    for round in 0..2_000 {
        if world.nodes[0].height() >= 10 {
            break;
        }
        if round % 7 == 3 {
            world.kill(0);
            world.start(0);
        }
        world.step_or_wait();
    }
    assert_eq!(world.nodes[0].height(), 10);
    world.assert_safe();
}
