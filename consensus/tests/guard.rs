//! The rollback guard of one node: when it votes, and when it keeps silent (SPEC 3.10).

mod common;

use common::{Answer, Store, Subject, Votes, candidate};
use consensus::guard::{Incarnation, Standing};
use consensus::message::{AnswerStanding, GuardAnswer};
use consensus::{Duty, Effect, Input, Message, Record, RecordKey, Wanted};
use ledger_types::ValidatorId;
use ledger_types::certificate::{Certified, Statement, VoteKind};

/// One of four that does not lead views 1 to 3.
fn node(standing: Standing) -> Subject {
    let fits = |committee: &consensus::Committee, place| (1..=3).all(|view| committee.leader(view) != place);
    Subject::starting(&[4], fits, standing, Store::new())
}

/// What a peer that is in view `view` answers.
fn reached(node: &Subject, view: u64) -> Answer {
    let before = Certified::Nullification { view: view - 1 };
    Answer { mark: view, proof: Some(node.certificate_from(before, 1)), ..Answer::NEW }
}

/// Hears one answer of each of so many others.
fn hear_answers(node: &mut Subject, answer: &Answer, count: usize) -> Votes {
    let others = node.others();
    others.iter().take(count).flat_map(|peer| node.hear(node.guard_answer(*peer, answer.clone()))).collect()
}

/// An old node that was told that its peers reached view 9: it must not sign up to view 10.
fn healed() -> Subject {
    let mut node = node(Standing::Old);
    let answer = reached(&node, 9);
    hear_answers(&mut node, &answer, 3);
    assert_eq!(node.replica.status().duty, Duty::SilentUpTo(10));
    node
}

/// Whether the current view's good proposal gets its vote.
fn votes_for_a_block(node: &mut Subject) -> bool {
    let view = node.replica.status().view;
    let header = node.child_of_genesis(view);
    node.hear_block(&header).contains(&(VoteKind::Notarize, view))
}

fn bound(node: &Subject) -> Option<Option<u64>> {
    node.stored(&RecordKey::Guard { epoch: 0 }).map(|record| match record {
        Record::Guard { bound, .. } => bound,
        other => unreachable!("{other:?}"),
    })
}

/// What the node answers to a peer that asks.
fn answer_of(node: &mut Subject, asker: ValidatorId) -> GuardAnswer {
    let current = Incarnation { counter: 5, nonce: [5; 16] };
    let request = node.guard_request(asker, None, current);
    node.take_effects();
    node.hear(Message::GuardRequest(request));
    let answers = node.take_messages().into_iter().filter_map(|(_, message)| match message {
        Message::GuardAnswer(answer) => Some(*answer),
        _ => None,
    });
    answers.last().expect("an answer")
}

#[test]
fn a_current_node_votes_once_a_quorum_with_itself_has_answered() {
    for standing in [AnswerStanding::Asking, AnswerStanding::Voting] {
        let mut node = node(Standing::Current);
        assert_eq!(node.replica.status().duty, Duty::Asks);
        assert!(!votes_for_a_block(&mut node));
        let answer = Answer { standing, ..Answer::NEW };
        assert_eq!(hear_answers(&mut node, &answer, 1), [], "two of four");
        assert_eq!(hear_answers(&mut node, &answer, 1), [], "the same peer again");
        assert_eq!(hear_answers(&mut node, &answer, 2), [(VoteKind::Notarize, 1)]);
        assert_eq!((node.replica.status().duty, bound(&node)), (Duty::Votes, None));
    }
}

#[test]
fn guarded_peers_do_not_count() {
    for standing in [Standing::Current, Standing::Unproven, Standing::Old] {
        let mut node = node(standing);
        let duty = node.replica.status().duty;
        let guarded = Answer { standing: AnswerStanding::Guarded, ..Answer::NEW };
        hear_answers(&mut node, &guarded, 3);
        assert_eq!(node.replica.status().duty, duty);
    }
}

#[test]
fn an_old_node_needs_a_quorum_of_voting_peers_without_itself() {
    let mut node = node(Standing::Old);
    assert_eq!(node.replica.status().duty, Duty::Forgot);
    let answer = reached(&node, 10);
    hear_answers(&mut node, &answer, 2);
    let third = node.others()[2];
    let asking = Answer { standing: AnswerStanding::Asking, ..answer.clone() };
    node.hear(node.guard_answer(third, asking));
    assert_eq!(node.replica.status().duty, Duty::Forgot, "an asking one may have forgotten too");
    node.hear(node.guard_answer(third, answer));
    assert_eq!((node.replica.status().duty, bound(&node)), (Duty::SilentUpTo(11), Some(Some(11))));
}

#[test]
fn it_asks_until_it_knows() {
    let mut node = node(Standing::Old);
    node.take_effects();
    node.wait(1_000);
    let asked = |message: &Message| matches!(message, Message::GuardRequest(_));
    let count = |node: &mut Subject| node.take_messages().iter().filter(|(_, it)| asked(it)).count();
    assert_eq!(count(&mut node), 10, "every 2 delta");
    let answer = reached(&node, 10);
    hear_answers(&mut node, &answer, 3);
    node.take_effects();
    node.wait(1_000);
    assert_eq!(count(&mut node), 0);
}

#[test]
fn nothing_is_signed_up_to_one_view_above_what_peers_reached() {
    let mut node = healed();
    for view in 9..=10 {
        node.skip_to(view);
        assert_eq!(node.replica.status().view, view);
        assert!(!votes_for_a_block(&mut node), "view {view}");
        let header = node.child_of_genesis(view);
        let notarization = node.certificate(Certified::Notarization(candidate(&header)));
        node.feed(Input::Pending { since_ms: Some(0) });
        assert_eq!(node.wait(10_000), [], "and no NULLIFY");
        if view == 10 {
            let votes = node.hear(notarization);
            assert!(votes.iter().all(|(_, view)| *view > 10), "no FINALIZE either: {votes:?}");
        }
    }
    let mut node = healed();
    node.skip_to(11);
    assert!(votes_for_a_block(&mut node));
}

#[test]
fn a_leader_proposes_nothing_up_to_its_bound() {
    let fits = |committee: &consensus::Committee, place| committee.leader(11) == place;
    let mut node = Subject::starting(&[4], fits, Standing::Old, Store::new());
    let answer = reached(&node, 10);
    hear_answers(&mut node, &answer, 3);
    node.feed(Input::Pending { since_ms: Some(0) });
    let builds = |node: &mut Subject| {
        node.take_effects().iter().any(|effect| matches!(effect, Effect::BuildProposal { .. }))
    };
    node.skip_to(11);
    assert!(!builds(&mut node));
    node.skip_to(15);
    assert!(builds(&mut node), "one of four leads every fourth view");
}

#[test]
fn a_mark_counts_only_with_a_certificate_of_two_views_below_or_later() {
    let of = |node: &Subject, view: u64, mark| {
        let proof = Some(node.certificate_from(Certified::Nullification { view }, 1));
        Answer { mark, proof, ..Answer::NEW }
    };
    let bare = Answer { mark: 1_000, ..Answer::NEW };
    let mut one = node(Standing::Old);
    hear_answers(&mut one, &bare, 3);
    assert_eq!(one.replica.status().duty, Duty::Forgot);
    let far = of(&one, 7, 10);
    hear_answers(&mut one, &far, 3);
    assert_eq!(one.replica.status().duty, Duty::Forgot);
    let near = of(&one, 7, 9);
    hear_answers(&mut one, &near, 3);
    assert_eq!(bound(&one), Some(Some(10)));

    let mut other = node(Standing::Old);
    hear_answers(&mut other, &Answer { mark: 3, ..Answer::NEW }, 3);
    assert_eq!(other.replica.status().duty, Duty::Forgot);
    hear_answers(&mut other, &Answer { mark: 2, ..Answer::NEW }, 3);
    assert_eq!(bound(&other), Some(Some(3)));
}

#[test]
fn the_highest_mark_counts() {
    let mut node = node(Standing::Old);
    let [first, second, third] = [2, 10, 2].map(|view| reached(&node, view));
    for (peer, answer) in node.others().into_iter().zip([first, second, third]) {
        node.hear(node.guard_answer(peer, answer));
    }
    assert_eq!(bound(&node), Some(Some(11)));
}

#[test]
fn the_bound_survives_a_restart() {
    let mut node = healed();
    node.restart(Standing::Current);
    hear_answers(&mut node, &Answer::NEW, 3);
    assert_eq!(node.replica.status().duty, Duty::SilentUpTo(10));
    assert!(!votes_for_a_block(&mut node));
    node.skip_to(11);
    assert!(votes_for_a_block(&mut node));
}

#[test]
fn a_crash_before_the_answers_leaves_it_guarded() {
    let mut node = node(Standing::Current);
    hear_answers(&mut node, &Answer::NEW, 3);
    let forgotten = node.vote(node.own, Statement::Nullify { from_view: 1, view: 1 });
    node.hear(forgotten);
    assert_eq!(bound(&node), Some(None));
    node.restart(Standing::Current);
    assert_eq!(node.replica.status().duty, Duty::Forgot);
}

#[test]
fn a_second_guard_keeps_the_higher_bound() {
    let mut node = healed();
    node.restart(Standing::Old);
    let peers = reached(&node, 3);
    hear_answers(&mut node, &peers, 3);
    assert_eq!(bound(&node), Some(Some(10)));
}

#[test]
fn d7_a_healed_node_answers_with_its_bound() {
    let mut node = healed();
    let asker = node.others()[0];
    let answer = answer_of(&mut node, asker);
    assert_eq!((answer.mark, answer.standing), (10, AnswerStanding::Voting));
    node.restart(Standing::Current);
    let answer = answer_of(&mut node, asker);
    assert_eq!((answer.mark, answer.standing), (10, AnswerStanding::Asking));
}

#[test]
fn an_answer_tells_how_far_the_node_signed_and_proves_it() {
    let mut node = Subject::new(&[4], |committee, place| committee.leader(9) != place);
    node.skip_to(9);
    assert!(votes_for_a_block(&mut node));
    let asker = node.others()[1];
    let answer = answer_of(&mut node, asker);
    assert_eq!((answer.mark, answer.asker, answer.standing), (9, asker, AnswerStanding::Voting));
    assert_eq!(answer.proof.map(|proof| proof.view()), Some(8));
}

#[test]
fn guarded_nodes_say_that_they_are() {
    for standing in [Standing::Old, Standing::Observer] {
        let mut node = node(standing);
        let asker = node.others()[0];
        assert_eq!(answer_of(&mut node, asker).standing, AnswerStanding::Guarded);
    }
}

#[test]
fn what_was_seen_of_the_asker_is_shown_to_it() {
    let mut node = node(Standing::Trusted);
    let asker = node.others()[0];
    let votes = [2, 5, 4].map(|view| node.vote(asker, Statement::Nullify { from_view: view, view }));
    votes.into_iter().for_each(|vote| _ = node.hear(vote));
    let life = |counter| Incarnation { counter, nonce: [8; 16] };
    for counter in [3, 9, 7] {
        let request = node.guard_request(asker, None, life(counter));
        node.hear(Message::GuardRequest(request));
    }
    let answer = answer_of(&mut node, asker);
    assert_eq!(answer.seen_vote, Some(votes[1]), "of the highest view");
    assert_eq!(answer.seen_request.map(|it| it.current), Some(life(9)), "of the highest life");
}

#[test]
fn the_vote_that_is_shown_is_the_last_of_its_view() {
    for is_late in [false, true] {
        let mut node = node(Standing::Trusted);
        let asker = node.others()[0];
        let block = candidate(&node.child_of_genesis(1));
        let mut votes =
            [Statement::Notarize(block), Statement::Finalize(block)].map(|it| node.vote(asker, it));
        let finalize = votes[1];
        if is_late {
            votes.reverse();
        }
        votes.into_iter().for_each(|vote| _ = node.hear(vote));
        assert_eq!(answer_of(&mut node, asker).seen_vote, Some(finalize), "NOTARIZE came late: {is_late}");
    }
}

#[test]
fn v0_no_view_ahead_is_nullified_for_a_peer() {
    let mut node = node(Standing::Trusted);
    node.skip_to(4);
    let asker = node.others()[0];
    let request = node.request(asker, Wanted::Range { from_view: 1, to_view: 50 });
    let votes = node.hear(request);
    assert!(votes.iter().all(|(_, view)| *view <= 4), "{votes:?}");
}

/// The first views of the NULLIFYs among the effects.
fn nullified_from(node: &mut Subject) -> Vec<u64> {
    let from = |(_, message)| match message {
        Message::Vote(vote) if vote.statement.kind() == VoteKind::Nullify => Some(vote.statement.from_view()),
        _ => None,
    };
    node.take_messages().into_iter().filter_map(from).collect()
}

#[test]
fn a_nullify_never_reaches_down_to_the_bound() {
    let mut node = healed();
    node.skip_to(13);
    node.feed(Input::Pending { since_ms: Some(0) });
    node.take_effects();
    assert!(!node.wait(10_000).is_empty(), "it gives view 13 up");
    let asker = node.others()[0];
    for to_view in [3, 10, 11, 12] {
        node.wait(100);
        node.hear(node.request(asker, Wanted::Range { from_view: 1, to_view }));
    }
    let from = nullified_from(&mut node);
    assert!(!from.is_empty() && from.iter().all(|view| *view >= 11), "{from:?}");
}

#[test]
fn an_answer_to_an_earlier_question_does_not_count() {
    let mut node = node(Standing::Current);
    let first = node.question.expect("asked");
    hear_answers(&mut node, &Answer::NEW, 3);
    node.wait(10);
    let forgotten = node.vote(node.own, Statement::Nullify { from_view: 1, view: 1 });
    node.hear(forgotten);
    assert_eq!(node.replica.status().duty, Duty::Forgot);
    for peer in node.others() {
        node.hear(node.guard_answer_to(&first, peer, Answer::NEW));
    }
    assert_eq!(node.replica.status().duty, Duty::Forgot);
    hear_answers(&mut node, &Answer::NEW, 3);
    assert_eq!(bound(&node), Some(Some(1)));
}

#[test]
fn an_unproven_node_waits_two_seconds_in_a_view_that_others_reached() {
    let mut node = node(Standing::Unproven);
    assert_eq!(hear_answers(&mut node, &Answer::NEW, 2), []);
    assert_eq!((node.replica.status().duty, bound(&node)), (Duty::SilentUpTo(1), None));
    assert!(!votes_for_a_block(&mut node));
    assert_eq!(node.wait(1_999), []);
    assert!(node.wait(1).contains(&(VoteKind::Notarize, 1)));
}

#[test]
fn an_unproven_node_votes_at_once_above_what_others_reached() {
    let mut node = node(Standing::Unproven);
    let answer = reached(&node, 5);
    hear_answers(&mut node, &answer, 2);
    node.skip_to(6);
    assert!(!votes_for_a_block(&mut node), "view 6 is one above");
    node.skip_to(7);
    assert!(votes_for_a_block(&mut node));
}

#[test]
fn an_unproven_node_past_its_bound_keeps_it() {
    let mut node = node(Standing::Unproven);
    let answer = reached(&node, 5);
    hear_answers(&mut node, &answer, 2);
    node.skip_to(9);
    node.feed(Input::Pending { since_ms: Some(0) });
    node.take_effects();
    assert!(!node.wait(10_000).is_empty(), "it gives view 9 up");
    let asker = node.others()[0];
    for to_view in [2, 5, 6] {
        node.wait(100);
        node.hear(node.request(asker, Wanted::Range { from_view: 1, to_view }));
    }
    let from = nullified_from(&mut node);
    assert!(!from.is_empty() && from.iter().all(|view| *view >= 7), "{from:?}");
}

#[test]
fn a_silent_node_does_not_spin() {
    for standing in [Standing::Observer, Standing::Old] {
        let mut node = node(standing);
        node.feed(Input::Pending { since_ms: Some(0) });
        node.wait(10_000);
        assert!(node.ticks < 300, "{standing:?}: woken {} times in ten seconds", node.ticks);
    }
    let mut node = healed();
    node.feed(Input::Pending { since_ms: Some(0) });
    node.wait(10_000);
    assert!(node.ticks < 300, "woken {} times in ten seconds", node.ticks);
}

#[test]
fn an_observer_follows_and_commits_and_signs_nothing() {
    let mut node = node(Standing::Observer);
    assert_eq!(node.question, None, "it has nothing to ask");
    let header = node.child_of_genesis(1);
    let mut votes = node.hear_block(&header);
    votes.extend(node.hear(node.certificate(Certified::Notarization(candidate(&header)))));
    votes.extend(node.hear(node.certificate(Certified::Finalization(candidate(&header)))));
    let commits = |effect: &Effect| matches!(effect, Effect::Commit { block, .. } if *block == header.id());
    assert!(node.take_effects().iter().any(commits));
    node.feed(Input::Pending { since_ms: Some(0) });
    votes.extend(node.wait(5_000));
    assert_eq!((votes, node.replica.status().duty), (vec![], Duty::Observes));
}

#[test]
fn a_lone_node_has_nobody_to_ask() {
    for standing in [Standing::Current, Standing::Unproven, Standing::Trusted] {
        let node = Subject::starting(&[1], |_, _| true, standing, Store::new());
        assert_eq!((node.replica.status().duty, node.question), (Duty::Votes, None));
    }
    let node = Subject::starting(&[1], |_, _| true, Standing::Old, Store::new());
    assert_eq!(node.replica.status().duty, Duty::Forgot, "nobody can tell how far it went");
}

#[test]
fn votes_dropped_at_a_start_leave_a_floor() {
    let mut node = node(Standing::Trusted);
    assert!(votes_for_a_block(&mut node));
    node.tip = node.child_of_genesis(5);
    node.restart(Standing::Trusted);
    assert_eq!(node.stored(&RecordKey::Voted { kind: VoteKind::Notarize, epoch: 0, view: 1 }), None);
    assert_eq!(node.stored(&RecordKey::Floor), Some(Record::Floor { epoch: 0, view: 5 }));
}

#[test]
fn records_older_than_the_block_file_are_known_to_be() {
    for standing in [Standing::Current, Standing::Unproven] {
        let mut node = node(Standing::Trusted);
        assert!(votes_for_a_block(&mut node));
        // Files of two moments: the block file is written only after the floor that goes with it.
        node.tip = node.child_of_genesis(5);
        node.restart(standing);
        assert_eq!(node.replica.status().duty, Duty::Forgot);
        assert_eq!(
            node.stored(&RecordKey::Guard { epoch: 0 }),
            Some(Record::Guard { epoch: 0, bound: None })
        );
    }
}
