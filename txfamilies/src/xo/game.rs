//! A game, and the text that games at one address are stored as: `name,board,state,player1,player2`, joined with `|`
//! in the order of those texts.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::family::ApplyError;

/// Games by name.
pub(super) type Games = BTreeMap<String, Game>;

/// The rows, columns and diagonals.
const LINES: [[usize; 3]; 8] =
    [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];

/// Where a game stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    P1Next,
    P2Next,
    P1Win,
    P2Win,
    Tie,
}

impl State {
    const ALL: [Self; 5] = [Self::P1Next, Self::P2Next, Self::P1Win, Self::P2Win, Self::Tie];

    fn as_str(self) -> &'static str {
        match self {
            Self::P1Next => "P1-NEXT",
            Self::P2Next => "P2-NEXT",
            Self::P1Win => "P1-WIN",
            Self::P2Win => "P2-WIN",
            Self::Tie => "TIE",
        }
    }
}

/// One game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Game {
    board: String,
    state: State,
    player1: String,
    player2: String,
}

impl Game {
    /// A game that nobody has played yet.
    pub(super) fn new() -> Self {
        let board = "-".repeat(9);
        Self { board, state: State::P1Next, player1: String::new(), player2: String::new() }
    }

    /// Marks a space, 1 to 9, for a player. The first to take becomes player 1, the next one player 2; one may be both.
    pub(super) fn take(&mut self, space: u8, player: &str) -> Result<(), ApplyError> {
        let (mark, mine) = match self.state {
            State::P1Next => ("X", &self.player1),
            State::P2Next => ("O", &self.player2),
            State::P1Win | State::P2Win | State::Tie => {
                return Err(ApplyError::invalid("Invalid Action: Game has ended"));
            }
        };
        if !mine.is_empty() && mine != player {
            let player: String = player.chars().take(6).collect();
            return Err(ApplyError::invalid(format!("Not this player's turn: {player}")));
        }
        let index = usize::from(space) - 1;
        if self.board.as_bytes()[index] != b'-' {
            return Err(ApplyError::invalid(format!("Invalid Action: space {space} already taken")));
        }
        if self.player1.is_empty() {
            player.clone_into(&mut self.player1);
        } else if self.player2.is_empty() {
            player.clone_into(&mut self.player2);
        }
        self.board.replace_range(index..=index, mark);
        self.state = self.state_after_move();
        Ok(())
    }

    fn state_after_move(&self) -> State {
        let board = self.board.as_bytes();
        let wins = |mark| LINES.iter().any(|line| line.iter().all(|space| board[*space] == mark));
        match self.state {
            _ if wins(b'X') => State::P1Win,
            _ if wins(b'O') => State::P2Win,
            _ if !board.contains(&b'-') => State::Tie,
            State::P1Next => State::P2Next,
            _ => State::P1Next,
        }
    }
}

/// Reads the games at an address.
pub(super) fn decode(bytes: &[u8]) -> Result<Games, ApplyError> {
    let unreadable = || ApplyError::invalid("Failed to deserialize game data");
    let text = std::str::from_utf8(bytes).map_err(|_| unreadable())?;
    text.split('|').map(|game| decode_one(game).ok_or_else(unreadable)).collect()
}

fn decode_one(text: &str) -> Option<(String, Game)> {
    let mut fields = text.split(',');
    let mut field = || fields.next().map(str::to_owned);
    let (name, board, state) = (field()?, field()?, field()?);
    let state = State::ALL.into_iter().find(|known| known.as_str() == state)?;
    let game = Game { board, state, player1: field()?, player2: field()? };
    let sound = game.board.len() == 9 && game.board.bytes().all(|mark| b"-XO".contains(&mark));
    (sound && fields.next().is_none()).then_some((name, game))
}

/// Writes the games at an address.
pub(super) fn encode(games: &Games) -> Bytes {
    let mut texts: Vec<String> = games
        .iter()
        .map(|(name, game)| {
            format!("{name},{},{},{},{}", game.board, game.state.as_str(), game.player1, game.player2)
        })
        .collect();
    // By the whole text, not by the name alone: a name may have characters that sort before the comma.
    texts.sort();
    texts.join("|").into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Game, decode, encode};

    #[test]
    fn several_games_share_an_address_in_the_order_of_their_texts() {
        let games = ["a", "a!", "b"].map(|name| (name.to_owned(), Game::new())).into_iter().collect();
        let bytes = encode(&games);
        let row = ",---------,P1-NEXT,,";
        assert_eq!(bytes, format!("a!{row}|a{row}|b{row}"));
        assert_eq!(decode(&bytes), Ok(games));
    }

    #[test]
    fn other_texts_are_not_games() {
        for bad in [
            "",
            "a",
            "a,--------,P1-NEXT,,",
            "a,---------,P3-NEXT,,",
            "a,---------,TIE,,,",
            "a,--------Q,TIE,,",
        ] {
            assert!(decode(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(decode(&[0xff]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_games_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
        }
    }
}
