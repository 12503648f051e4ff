//! Somebody who says nothing, or nothing to some, or not everything. Attacks progress: quorums, leaders' turns and
//! answers must do without any `f`; and SPEC 3.5 D15's lost certificates, since what only some heard must reach all.

use std::collections::BTreeSet;

use consensus::Message;
use ledger_types::ValidatorId;
use ledger_types::certificate::VoteKind;

use super::Stage;
use super::face::{Face, Word};
use super::twist::Twist;

/// What is not said at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Silence {
    /// Anything.
    Complete,
    /// Anything to these.
    Towards(BTreeSet<ValidatorId>),
    /// Own proposals.
    Proposals,
    /// Votes of a kind.
    Votes(VoteKind),
    /// Certificates.
    Certificates,
    /// Nothing is held back.
    None,
}

/// See the module.
pub(super) struct Silent {
    silence: Silence,
    until_ms: u64,
}

impl Silent {
    pub(super) fn new() -> Self {
        Self { silence: Silence::None, until_ms: 0 }
    }

    fn draw(stage: &mut Stage<'_>) -> Silence {
        match stage.random.below(0..9) {
            0..3 => Silence::Complete,
            3..5 => {
                let all: Vec<_> = stage.committee.topology().validators().map(|(id, _)| id).collect();
                Silence::Towards(all.into_iter().filter(|_| stage.random.once_in(2)).collect())
            }
            5 => Silence::Proposals,
            6 => Silence::Votes(VoteKind::Notarize),
            7 => Silence::Votes(VoteKind::Finalize),
            _ => Silence::Certificates,
        }
    }
}

impl Twist for Silent {
    fn name(&self) -> &'static str {
        "silent"
    }

    fn on_word(&mut self, stage: &mut Stage<'_>, _face: &Face, word: Word) {
        let Word::Say(to, message) = word else {
            stage.act("left a question unanswered");
            return;
        };
        let mut audience = stage.audience(to);
        let act = match (&self.silence, &message) {
            (Silence::Complete, _) => "said nothing",
            (Silence::Proposals, Message::Propose(_)) => "kept its proposal",
            (Silence::Votes(kind), Message::Vote(vote)) if vote.statement.kind() == *kind => "kept its vote",
            (Silence::Certificates, Message::Certificate(_)) => "kept a certificate",
            (Silence::Towards(deprived), _) => {
                audience.retain(|id| !deprived.contains(id));
                stage.send(&audience, &message);
                "said something to some only"
            }
            _ => return stage.send(&audience, &message),
        };
        stage.act(act);
    }

    fn on_time(&mut self, stage: &mut Stage<'_>, _face: &Face) {
        if stage.now_ms >= self.until_ms {
            self.silence = Self::draw(stage);
            self.until_ms = stage.now_ms.saturating_add(stage.random.below(500..8_000));
        }
    }
}
