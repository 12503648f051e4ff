//! Restarts of whole networks whose nodes judge their stores: who votes again, and how soon (SPEC 3.10).

mod common;

use common::{Committed, Store, World};
use consensus::guard::Incarnation;
use consensus::store::Operator;
use consensus::{Duty, Message};

/// A network with blocks; nobody has forgotten anything.
fn grown(shape: &[usize], seed: u64, height: u64) -> World {
    let mut world = World::asleep(shape, seed);
    world.is_guarded = true;
    world.start_all();
    for batch in 0..2 * height {
        world.submit(batch);
    }
    world.run_to_height(height, 400_000);
    world
}

/// New batches for so many blocks.
fn submit(world: &mut World, first: u64, blocks: u64) {
    (first..first + 2 * blocks).for_each(|batch| world.submit(batch));
}

fn duties(world: &World) -> Vec<Duty> {
    world.statuses().into_iter().map(|status| status.expect("all run").duty).collect()
}

/// Kills all nodes, then starts them with `start`.
fn restart_all(world: &mut World, start: impl Fn(&mut World, usize)) {
    let nodes = 0..world.nodes.len();
    nodes.clone().for_each(|node| world.kill(node));
    nodes.for_each(|node| start(world, node));
}

#[test]
fn all_nodes_that_start_at_once_with_their_stores_go_on_at_once() {
    for (seed, shape) in [&[4][..], &[2, 2], &[4, 4]].into_iter().enumerate() {
        let mut world = grown(shape, seed as u64, 5);
        restart_all(&mut world, World::start);
        let started_ms = world.now_ms;
        submit(&mut world, 1_000, 3);
        world.run_to_height(8, 400_000);
        assert!(world.now_ms - started_ms < 1_000, "took {} ms", world.now_ms - started_ms);
        assert!(duties(&world).iter().all(|duty| *duty == Duty::Votes));
        world.assert_safe();
    }
}

#[test]
fn the_first_start_of_a_network_waits_out_its_patience_once() {
    let mut world = World::asleep(&[4], 3);
    world.is_guarded = true;
    world.start_all();
    submit(&mut world, 0, 3);
    world.run_to_height(3, 400_000);
    assert!((2_000..4_000).contains(&world.now_ms), "took {} ms", world.now_ms);
}

#[test]
fn one_restarted_node_goes_on_at_once() {
    for node in 0..4 {
        let mut world = grown(&[4], 7, 5);
        world.kill(node);
        world.start(node);
        let started_ms = world.now_ms;
        submit(&mut world, 1_000, 3);
        world.run_to_height(8, 400_000);
        assert!(world.now_ms - started_ms < 1_000, "took {} ms", world.now_ms - started_ms);
        world.assert_safe();
    }
}

#[test]
fn a_full_restart_with_one_old_store_goes_on_and_the_old_one_votes_again() {
    for seed in 0..4 {
        let mut world = grown(&[4], seed, 3);
        let old = seed as usize % 4;
        let (store, chain) = (world.nodes[old].store.clone(), world.nodes[old].chain.clone());
        submit(&mut world, 1_000, 4);
        world.run_to_height(7, 400_000);
        restart_all(&mut world, |world, node| {
            if node == old {
                (world.nodes[node].store, world.nodes[node].chain) = (store.clone(), chain.clone());
            }
            // The file beside the keys is not part of a backup.
            world.nodes[node].file = world.nodes[node].file.map(|file| match node == old {
                true => Incarnation { counter: file.counter + 1, ..file },
                false => file,
            });
            world.start(node);
        });
        assert_eq!(duties(&world)[old], Duty::Forgot);
        submit(&mut world, 2_000, 10);
        world.run_to_height(15, 400_000);
        assert_eq!(duties(&world)[old], Duty::Votes);
        let voted = |(sender, message): &(_, Message)| {
            *sender == world.nodes[old].place
                && matches!(message, Message::Vote(vote) if vote.statement.view() > 15)
        };
        assert!(world.sent.iter().any(voted));
        world.assert_safe();
    }
}

#[test]
fn an_operator_s_word_is_enough_to_be_guarded() {
    let mut world = grown(&[4], 1, 4);
    world.kill(2);
    world.start_as(2, Operator::Restored);
    submit(&mut world, 1_000, 10);
    world.run_to_height(12, 400_000);
    assert_eq!(duties(&world), [Duty::Votes; 4]);
    world.assert_safe();
}

#[test]
fn a_restored_machine_of_seven_votes_again_for_good() {
    for seed in 0..3 {
        let mut world = grown(&[7], seed, 3);
        let files = |world: &World| {
            let node = &world.nodes[5];
            (node.store.clone(), node.chain.clone(), node.file)
        };
        let (store, chain, file) = files(&world);
        // Lives that the copy knows nothing of.
        for life in 0..3 {
            world.kill(5);
            world.start(5);
            submit(&mut world, 1_000 + 100 * life, 2);
            world.run_to_height(5 + 2 * life, 400_000);
        }
        world.kill(5);
        (world.nodes[5].store, world.nodes[5].chain, world.nodes[5].file) = (store, chain, file);
        world.start(5);
        submit(&mut world, 2_000, 10);
        world.run_to_height(18, 400_000);
        world.run_for(3_000);
        assert_eq!(duties(&world)[5], Duty::Votes, "seed {seed}");
        world.assert_safe();
    }
}

/// What a backup of a node holds.
fn files(world: &World, node: usize) -> (Store, Vec<Committed>) {
    (world.nodes[node].store.clone(), world.nodes[node].chain.clone())
}

#[test]
fn backups_put_back_at_any_time_contradict_nothing() {
    for seed in 0..12u64 {
        let mut world = grown(&[4], seed, 2);
        submit(&mut world, 1_000, 60);
        for round in 1..4 {
            let steps = world.draw(100);
            (0..steps).for_each(|_| _ = world.step_or_wait());
            let node = world.draw(4);
            let (store, chain) = files(&world, node);
            let steps = 50 + world.draw(400);
            (0..steps).for_each(|_| _ = world.step_or_wait());
            world.kill(node);
            (world.nodes[node].store, world.nodes[node].chain) = (store, chain);
            world.start_as(node, Operator::Restored);
            // The next one only when this one votes again: of four, one may be away.
            while duties(&world)[node] != Duty::Votes {
                assert!(world.step_or_wait() && world.now_ms < round * 60_000, "seed {seed}");
            }
        }
        world.run_to_height(20, 400_000);
        world.assert_safe();
    }
}

#[test]
fn a_machine_put_back_with_all_its_files_learns_it_from_its_peers() {
    for seed in 0..8u64 {
        let mut world = grown(&[4], seed, 2);
        submit(&mut world, 1_000, 4);
        let steps = 50 + world.draw(150);
        (0..steps).for_each(|_| _ = world.step_or_wait());
        let node = world.draw(4);
        let ((store, chain), file) = (files(&world, node), world.nodes[node].file);
        world.run_to_height(6, 400_000);
        // At rest all that it said was heard.
        world.run_for(10_000);
        world.kill(node);
        (world.nodes[node].store, world.nodes[node].chain, world.nodes[node].file) = (store, chain, file);
        world.start(node);
        submit(&mut world, 2_000, 10);
        world.run_to_height(12, 400_000);
        world.assert_safe();
    }
}
