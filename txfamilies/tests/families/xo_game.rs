//! Games of xo.

use txfamilies::xo::{Action, Payload, address};
use txfamilies::{MemoryContext, UnsignedTransaction};

use crate::{apply, public};

fn run(context: &mut MemoryContext, player: u8, action: Action) -> Result<(), String> {
    apply(context, player, &Payload { name: "g".into(), action }.transaction())
}

fn stored(context: &MemoryContext) -> String {
    String::from_utf8(context.state()[&address("g")].to_vec()).expect("games are text")
}

/// Plays spaces, players 1 and 2 in turn.
fn play(spaces: &[u8]) -> MemoryContext {
    let mut context = MemoryContext::new(0);
    run(&mut context, 1, Action::Create).expect("a new game");
    for (space, player) in spaces.iter().zip([1, 2].into_iter().cycle()) {
        run(&mut context, player, Action::Take { space: *space }).expect("a free space");
    }
    context
}

#[test]
fn a_game_goes_from_creation_to_a_win() {
    let context = play(&[]);
    assert_eq!(stored(&context), "g,---------,P1-NEXT,,");
    let context = play(&[5, 1]);
    assert_eq!(stored(&context), format!("g,O---X----,P1-NEXT,{},{}", public(1), public(2)));
    for (spaces, end) in [
        (&[1, 4, 2, 5, 3][..], "XXXOO----,P1-WIN"),
        (&[1, 4, 2, 5, 9, 6], "XX-OOO--X,P2-WIN"),
        (&[1, 2, 5, 3, 9], "XOO-X---X,P1-WIN"),
        (&[3, 1, 5, 2, 7], "OOX-X-X--,P1-WIN"),
        (&[2, 1, 3, 4, 5, 7], "OXXOX-O--,P2-WIN"),
        (&[1, 2, 3, 5, 4, 6, 8, 7, 9], "XOXXOOOXX,TIE"),
        (&[1, 4, 2, 5, 6, 7, 8, 9, 3], "XXXOOXOXO,P1-WIN"),
    ] {
        assert_eq!(stored(&play(spaces)), format!("g,{end},{},{}", public(1), public(2)));
    }
}

#[test]
fn the_rules_refuse_in_the_words_that_clients_know() {
    let mut context = MemoryContext::new(0);
    let error = |text: &str| Err(text.to_owned());
    let take = |space| Action::Take { space };
    assert_eq!(run(&mut context, 1, take(1)), error("Invalid action: Take requires an existing game"));
    assert_eq!(run(&mut context, 1, Action::Delete), error("Invalid action: game does not exist"));
    run(&mut context, 3, Action::Create).unwrap();
    assert_eq!(run(&mut context, 1, Action::Create), error("Invalid action: Game already exists: g"));
    run(&mut context, 1, take(1)).unwrap();
    assert_eq!(run(&mut context, 2, take(1)), error("Invalid Action: space 1 already taken"));
    run(&mut context, 2, take(2)).unwrap();
    let turn = format!("Not this player's turn: {}", &public(2)[..6]);
    assert_eq!(run(&mut context, 2, take(3)), Err(turn));
    for (player, space) in [(1, 4), (2, 3), (1, 7)] {
        run(&mut context, player, take(space)).unwrap();
    }
    assert_eq!(run(&mut context, 2, take(9)), error("Invalid Action: Game has ended"));
    run(&mut context, 9, Action::Delete).unwrap();
    assert!(context.state().is_empty(), "anybody may delete, and nothing stays");
}

#[test]
fn one_player_may_be_both() {
    let mut context = play(&[]);
    run(&mut context, 1, Action::Take { space: 1 }).unwrap();
    run(&mut context, 1, Action::Take { space: 2 }).unwrap();
    assert_eq!(stored(&context), format!("g,XO-------,P1-NEXT,{0},{0}", public(1)));
}

#[test]
fn payloads_are_name_action_space() {
    let refused = |text: &str| {
        let transaction = UnsignedTransaction::new("xo", "1.0", &[address("g")], text.into());
        apply(&mut MemoryContext::new(0), 1, &transaction).unwrap_err()
    };
    for text in ["", "g", "g,create", "g,take,1,", "g,create,,"] {
        assert_eq!(refused(text), "Invalid payload serialization", "{text}");
    }
    assert_eq!(refused(",create,"), "Name is required");
    assert_eq!(refused("a|b,create,"), "Name cannot contain \"|\"");
    assert_eq!(refused("g,,"), "Action is required");
    assert_eq!(refused("g,give,"), "Invalid action: give");
    for space in ["", "0", "10", "-1", "x", "1.0", "256", "257"] {
        assert_eq!(refused(&format!("g,take,{space}")), "Space must be an integer from 1 to 9");
    }
    for action in [Action::Create, Action::Delete, Action::Take { space: 9 }] {
        let payload = Payload { name: "имя".into(), action };
        assert_eq!(Payload::decode(&payload.encode()), Ok(payload));
    }
}
