//! Who is there: heartbeats, help for those who lag, views given up at once, and questions (SPEC 3.8).

mod common;

use common::{Subject, candidate};
use consensus::{Effect, Input, Message, Recipients, Wanted};
use ledger_types::ValidatorId;
use ledger_types::certificate::{Certified, VoteKind};

/// A node of these clusters that leads none of the first four views.
fn node(shape: &[usize]) -> Subject {
    Subject::new(shape, |committee, place| (1..=3).all(|view| committee.leader(view) != place))
}

fn heartbeats(messages: &[(Recipients, Message)]) -> usize {
    messages
        .iter()
        .filter(|(to, it)| *to == Recipients::Others && matches!(it, Message::Heartbeat(_)))
        .count()
}

/// Lets time pass while these are heard every second; the votes that leave.
fn wait_with(node: &mut Subject, seconds: u64, heard: &[ValidatorId]) -> Vec<(VoteKind, u64)> {
    let mut votes = Vec::new();
    for _ in 0..seconds {
        for peer in heard {
            let view = node.replica.status().view;
            let heartbeat = node.heartbeat(*peer, view, 0, 0);
            votes.extend(node.hear(heartbeat));
        }
        votes.extend(node.wait(1_000));
    }
    votes
}

#[test]
fn a_node_says_every_second_that_it_is_there() {
    let mut node = node(&[4]);
    assert_eq!(heartbeats(&node.take_messages()), 1, "at its start");
    node.wait(5_000);
    assert_eq!(heartbeats(&node.take_messages()), 5);
    let mut lone = Subject::new(&[1], |_, _| true);
    lone.wait(5_000);
    assert_eq!(heartbeats(&lone.take_messages()), 0, "to nobody");
}

#[test]
fn a_heartbeat_tells_where_its_node_is() {
    let mut node = node(&[4]);
    let header = node.child_of_genesis(1);
    node.hear_block(&header);
    node.hear(node.certificate(Certified::Finalization(candidate(&header))));
    node.skip_to(7);
    node.take_effects();
    node.wait(1_000);
    let told = node.take_messages().into_iter().find_map(|(_, message)| match message {
        Message::Heartbeat(heartbeat) => Some(heartbeat),
        _ => None,
    });
    let heartbeat = told.expect("a heartbeat");
    assert_eq!((heartbeat.view, heartbeat.final_view, heartbeat.final_height), (7, 1, 1));
    assert_eq!((heartbeat.signer, heartbeat.wall_ms), (node.own, node.now.wall_ms));
}

#[test]
fn what_a_peer_tells_is_shown_with_the_offset_of_its_clock() {
    let mut node = node(&[4]);
    let peer = node.others()[0];
    node.now.wall_ms += 250;
    let heartbeat = node.heartbeat(peer, 9, 2, 5);
    node.now.wall_ms -= 250;
    node.hear(heartbeat);
    let (place, status) = node.replica.peers().next().expect("one was heard");
    assert_eq!((place, status.view, status.final_height, status.clock_offset_ms), (peer, 9, 5, 250));
}

#[test]
fn a_heartbeat_counts_only_from_its_signer() {
    let mut node = node(&[4]);
    let (peer, other) = (node.others()[0], node.others()[1]);
    let heartbeat = node.heartbeat(peer, 9, 2, 5);
    node.hear_from(other, heartbeat);
    assert!(node.replica.peers().all(|(place, status)| place == other && status.view == 0));
}

/// The certificates that were sent to one peer.
fn help(node: &mut Subject, peer: ValidatorId) -> Vec<Certified> {
    let to_peer = |(to, message)| match message {
        Message::Certificate(certificate) if to == Recipients::One(peer) => Some(certificate.certified()),
        _ => None,
    };
    node.take_messages().into_iter().filter_map(to_peer).collect()
}

/// A node in view 5 with a final block in view 1, and that finalization.
fn ahead() -> (Subject, Certified) {
    let mut node = node(&[4]);
    let header = node.child_of_genesis(1);
    node.hear_block(&header);
    let finalization = Certified::Finalization(candidate(&header));
    node.hear(node.certificate(finalization));
    node.skip_to(5);
    (node, finalization)
}

#[test]
fn a_peer_that_lags_behind_a_quiet_network_is_helped() {
    let (mut node, finalization) = ahead();
    let peer = node.others()[0];
    node.hear(node.heartbeat(peer, 1, 0, 0));
    assert_eq!(help(&mut node, peer), [], "it may come along by itself");
    node.wait(1_001);
    node.take_effects();
    node.hear(node.heartbeat(peer, 1, 0, 0));
    let helped = help(&mut node, peer);
    assert!(helped.contains(&finalization) && helped.contains(&Certified::Nullification { view: 4 }));
    node.wait(10);
    node.hear(node.heartbeat(peer, 1, 0, 0));
    assert_eq!(help(&mut node, peer), [], "once per delta");
    node.wait(2_000);
    node.take_effects();
    node.hear(node.heartbeat(peer, 5, 1, 1));
    assert_eq!(help(&mut node, peer), [], "it is where this node is");
    node.wait(2_000);
    node.take_effects();
    node.hear(node.heartbeat(peer, 5, 0, 0));
    assert!(help(&mut node, peer).contains(&finalization), "it lacks the final block only");
}

#[test]
fn a_peer_whose_clock_was_set_back_is_helped() {
    let (mut node, finalization) = ahead();
    let peer = node.others()[0];
    let hear_late = |node: &mut Subject, view, late_ms| {
        let wall_ms = node.now.wall_ms;
        node.now.wall_ms -= late_ms;
        let heartbeat = node.heartbeat(peer, view, 0, 0);
        node.now.wall_ms = wall_ms;
        node.take_effects();
        node.hear(heartbeat);
        help(node, peer)
    };
    hear_late(&mut node, 5, 0);
    // It restarts with a clock that is an hour late, and has forgotten where it was.
    node.wait(10_000);
    let helped: Vec<Certified> = (0..5)
        .flat_map(|_| {
            node.wait(1_000);
            hear_late(&mut node, 1, 3_600_000)
        })
        .collect();
    assert!(helped.contains(&finalization));
}

#[test]
fn a_peer_far_behind_is_helped_at_once() {
    let (mut node, finalization) = ahead();
    node.skip_to(20);
    let peer = node.others()[0];
    node.take_effects();
    node.hear(node.heartbeat(peer, 12, 1, 1));
    assert_eq!(help(&mut node, peer), [], "eight views behind");
    node.wait(10);
    node.hear(node.heartbeat(peer, 11, 1, 1));
    assert!(help(&mut node, peer).contains(&finalization));
}

#[test]
fn the_view_of_a_silent_leader_is_given_up_at_once_after_five_seconds() {
    for (seconds, is_early) in [(4, true), (6, false)] {
        let mut node = node(&[4]);
        let silent = node.committee.leader(2);
        let heard: Vec<ValidatorId> = node.others().into_iter().filter(|it| *it != silent).collect();
        assert_eq!(wait_with(&mut node, seconds, &heard), []);
        let mut votes = node.skip_to(2);
        votes.extend(node.feed(Input::Pending { since_ms: Some(0) }));
        let expected: &[_] = if is_early { &[] } else { &[(VoteKind::Nullify, 2)] };
        assert_eq!(votes, expected, "after {seconds} s");
    }
}

#[test]
fn a_leader_that_is_heard_has_its_time() {
    let mut node = node(&[4]);
    let heard = node.others();
    wait_with(&mut node, 8, &heard);
    node.skip_to(2);
    assert_eq!(node.feed(Input::Pending { since_ms: Some(0) }), []);
}

#[test]
fn without_a_quorum_nobody_is_judged() {
    let mut node = node(&[4]);
    let silent = node.committee.leader(2);
    let heard: Vec<ValidatorId> = node.others().into_iter().filter(|it| *it != silent).take(1).collect();
    wait_with(&mut node, 8, &heard);
    node.skip_to(2);
    assert_eq!(node.feed(Input::Pending { since_ms: Some(0) }), []);
    assert!(!node.replica.status().is_quorum_heard);
}

#[test]
fn an_idle_view_of_a_silent_leader_stays() {
    let mut node = node(&[4]);
    let silent = node.committee.leader(2);
    let heard: Vec<ValidatorId> = node.others().into_iter().filter(|it| *it != silent).collect();
    wait_with(&mut node, 8, &heard);
    let mut votes = node.skip_to(2);
    votes.extend(wait_with(&mut node, 8, &heard));
    assert_eq!(votes, [], "nothing is pending");
}

#[test]
fn d23_the_view_of_a_cluster_that_cannot_certify_is_given_up_at_once() {
    let mut node = node(&[4, 4, 4, 4]);
    let leader = node.committee.leader(2);
    let cluster = |place: &ValidatorId| place.cluster == leader.cluster;
    let silent: Vec<ValidatorId> =
        node.others().into_iter().filter(|it| cluster(it) && *it != leader).take(2).collect();
    assert_ne!(node.own.cluster, leader.cluster);
    let heard: Vec<ValidatorId> = node.others().into_iter().filter(|it| !silent.contains(it)).collect();
    assert!(heard.contains(&leader));
    wait_with(&mut node, 6, &heard);
    assert!(node.replica.status().is_quorum_heard);
    assert_eq!(node.replica.status().heard, 14);
    node.skip_to(2);
    assert_eq!(node.feed(Input::Pending { since_ms: Some(0) }), [(VoteKind::Nullify, 2)]);
}

#[test]
fn a_returning_quorum_resets_the_guess_of_delays() {
    let mut node = node(&[4]);
    let heard: Vec<ValidatorId> = node.others();
    wait_with(&mut node, 1, &heard);
    node.skip_to(20);
    let slow_ms = node.replica.status().delta_ms;
    assert_eq!(slow_ms, 1_000, "many views since the last final one");
    node.wait(7_000);
    assert!(!node.replica.status().is_quorum_heard);
    node.hear(node.heartbeat(heard[0], 20, 0, 0));
    assert_eq!(node.replica.status().delta_ms, slow_ms, "two of four");
    node.hear(node.heartbeat(heard[1], 20, 0, 0));
    assert_eq!((node.replica.status().is_quorum_heard, node.replica.status().delta_ms), (true, 50));
}

/// How many of so many questions are answered.
fn answered(node: &mut Subject, asker: ValidatorId, questions: usize) -> usize {
    node.take_effects();
    for _ in 0..questions {
        let request = node.request(asker, Wanted::Blocks { from_height: 0 });
        node.hear(request);
    }
    let is_answer = |effect: &Effect| matches!(effect, Effect::SendRun { to, .. } if *to == asker);
    node.take_effects().iter().filter(|effect| is_answer(effect)).count()
}

#[test]
fn four_questions_for_blocks_of_a_peer_are_answered_within_a_delta() {
    let mut node = node(&[4]);
    let (one, other) = (node.others()[0], node.others()[1]);
    assert_eq!(answered(&mut node, one, 40), 4, "each counts as four");
    assert_eq!(answered(&mut node, other, 3), 3, "each has its own measure");
    node.wait(49);
    assert_eq!(answered(&mut node, one, 1), 0);
    node.wait(1);
    assert_eq!(answered(&mut node, one, 40), 4);
}

#[test]
fn a_question_is_taken_from_its_signer_only() {
    let mut node = node(&[4]);
    let (asker, thief) = (node.others()[0], node.others()[1]);
    node.take_effects();
    for signer in [asker, node.own] {
        let request = node.request(signer, Wanted::Blocks { from_height: 0 });
        node.hear_from(thief, request);
    }
    assert!(node.take_effects().is_empty());
}
