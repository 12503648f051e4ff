//! Liars that follow the chain and twist what an honest replica would say.

use bytes::Bytes;
use consensus::Message;
use ledger_types::ValidatorId;

use super::face::{Clock, Face, Word};
use super::{Character, Stage};

/// What a liar makes of an honest replica's words.
pub(super) trait Twist {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// The replica wants something said.
    fn on_word(&mut self, stage: &mut Stage<'_>, face: &Face, word: Word);

    /// A message arrived; the replica heard it, too.
    fn on_heard(&mut self, _stage: &mut Stage<'_>, _face: &Face, _from: ValidatorId, _message: &Message) {}

    /// Some time passed.
    fn on_time(&mut self, _stage: &mut Stage<'_>, _face: &Face) {}
}

/// A twist with its replica, which begins when it first hears or does something.
pub(super) struct Twisted<T> {
    twist: T,
    face: Option<Face>,
}

impl<T: Twist> Twisted<T> {
    pub(super) fn new(twist: T) -> Self {
        Self { twist, face: None }
    }
}

impl<T: Twist> Character for Twisted<T> {
    fn name(&self) -> &'static str {
        self.twist.name()
    }

    fn on_message(&mut self, stage: &mut Stage<'_>, from: ValidatorId, bytes: &Bytes) {
        let Ok(message) = Message::decode(bytes.clone()) else { return };
        let face = self.face.get_or_insert_with(|| Face::new(stage, Clock::Behind));
        let words = face.hear(stage, from, message.clone());
        self.twist.on_heard(stage, face, from, &message);
        for word in words {
            self.twist.on_word(stage, face, word);
        }
    }

    fn on_tick(&mut self, stage: &mut Stage<'_>) {
        let face = self.face.get_or_insert_with(|| Face::new(stage, Clock::Behind));
        for word in face.tick(stage) {
            self.twist.on_word(stage, face, word);
        }
        self.twist.on_time(stage, face);
    }
}

/// Says it as an honest validator would.
pub(super) fn say(stage: &mut Stage<'_>, face: &Face, word: &Word) {
    let (to, message) = match word {
        Word::Say(to, message) => (stage.audience(*to), Some(message.clone())),
        Word::Entries(to, block, indices) => (vec![*to], face.entries(*block, indices).map(Message::Entries)),
        Word::Run(to, from_height) => {
            (vec![*to], face.run(*from_height).map(|run| Message::Run(Box::new(run))))
        }
    };
    if let Some(message) = message {
        stage.send(&to, &message);
    }
}
