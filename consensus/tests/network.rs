//! Whole committees in memory, to final blocks.

mod common;

use common::World;
use consensus::Message;

/// Feeds batches while the chain grows, so that neighbouring blocks overlap, until `height` blocks are final.
fn grow(world: &mut World, height: u64) {
    for batch in 0..2 * height {
        world.submit(batch);
    }
    world.run_to_height(height, 400_000);
    world.assert_safe();
}

#[test]
fn four_nodes_finalise_blocks() {
    for seed in 0..4 {
        grow(&mut World::new(&[4], seed), 20);
    }
}

#[test]
fn two_clusters_of_four_finalise_blocks() {
    for seed in 0..2 {
        let mut world = World::new(&[4, 4], seed);
        grow(&mut world, 20);
        for block in &world.nodes[0].chain[1..] {
            let certificate = block.certificate.as_ref().unwrap();
            assert_eq!(certificate.sections().len(), 2, "the proposing cluster's and the other's");
        }
    }
}

#[test]
fn odd_shapes_finalise_blocks() {
    for shape in [&[1, 1][..], &[2], &[3, 2], &[1, 4, 2]] {
        grow(&mut World::new(shape, 7), 10);
    }
}

#[test]
fn one_node_down_costs_its_views_only() {
    for down in 0..4 {
        let mut world = World::new(&[4], 5);
        world.kill(down);
        for batch in 0..40 {
            world.submit(batch);
        }
        world.run_to_height(20, 400_000);
        world.assert_safe();
    }
}

#[test]
fn lost_messages_cost_time_and_nothing_else() {
    for seed in 0..6 {
        let mut world = World::new(&[4], seed);
        world.loses_one_in = 5;
        grow(&mut world, 15);
    }
}

#[test]
fn killed_nodes_come_back_with_their_votes() {
    for seed in 0..6 {
        let mut world = World::new(&[4], seed);
        for batch in 0..60 {
            world.submit(batch);
        }
        for round in 0..40 {
            for _ in 0..37 {
                world.step_or_wait();
            }
            let node = (seed as usize + round) % 4;
            world.kill(node);
            world.start(node);
        }
        world.run_to_height(20, 400_000);
        world.assert_safe();
    }
}

#[test]
fn all_nodes_killed_at_once_go_on() {
    for seed in 0..6 {
        let mut world = World::new(&[4], seed);
        for batch in 0..60 {
            world.submit(batch);
        }
        for _ in 0..12 {
            for _ in 0..83 {
                world.step_or_wait();
            }
            (0..4).for_each(|node| world.kill(node));
            (0..4).for_each(|node| world.start(node));
        }
        world.run_to_height(20, 400_000);
        world.assert_safe();
    }
}

#[test]
fn an_idle_network_sends_heartbeats_and_writes_nothing() {
    let mut world = World::new(&[4], 3);
    grow(&mut world, 5);
    world.run_for(10_000);
    let (sent, syncs) = (world.sent.len(), world.nodes[0].syncs);
    world.run_for(10_000);
    let heartbeats = world.sent.split_off(sent);
    assert!(heartbeats.iter().all(|(_, message)| matches!(message, Message::Heartbeat(_))));
    assert_eq!((heartbeats.len(), world.nodes[0].syncs), (40, syncs), "one a second of each node");
}
