//! The characters by name.

use super::Character;
use super::double_voter::DoubleVoter;
use super::equivocating_leader::EquivocatingLeader;
use super::flooder::Flooder;
use super::forger::Forger;
use super::forking_leader::ForkingLeader;
use super::late::Late;
use super::liar_about_its_past::LiarAboutItsPast;
use super::liar_in_sync::LiarInSync;
use super::lying_arbitrator::LyingArbitrator;
use super::lying_cluster::LyingCluster;
use super::plot::Plot;
use super::replayer::Replayer;
use super::silent::Silent;
use super::split_brain::SplitBrain;
use super::twist::Twisted;
use super::wrong_root::WrongRoot;
use crate::random::Random;

/// Who is played. Each has a file, which says what it does and which rule it attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Casting {
    /// Proposes two blocks in its views.
    EquivocatingLeader,
    /// Says nothing, or not everything, or not to all.
    Silent,
    /// Is right, but late.
    Late,
    /// Votes both ways.
    DoubleVoter,
    /// Acts with all other liars: two blocks, two majorities.
    LyingCluster,
    /// Forges certificates and holds true ones back.
    LyingArbitrator,
    /// Proposes blocks that are wrong.
    WrongRoot,
    /// Proposes on blocks that others have gone beyond.
    ForkingLeader,
    /// Repeats what was said, here and elsewhere.
    Replayer,
    /// Sends too much.
    Flooder,
    /// Speaks in others' names.
    Forger,
    /// Answers starting nodes falsely.
    LiarAboutItsPast,
    /// Answers those who lag falsely.
    LiarInSync,
    /// Shows each half of the honest nodes its own face.
    SplitBrain,
}

impl Casting {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::EquivocatingLeader,
        Self::Silent,
        Self::Late,
        Self::DoubleVoter,
        Self::LyingCluster,
        Self::LyingArbitrator,
        Self::WrongRoot,
        Self::ForkingLeader,
        Self::Replayer,
        Self::Flooder,
        Self::Forger,
        Self::LiarAboutItsPast,
        Self::LiarInSync,
        Self::SplitBrain,
    ];

    /// Those that fork the chain when there are more of them than it stands, or when a quorum is too small. All liars
    /// of a run should be the same one.
    pub const FORKING: [Self; 2] = [Self::LyingCluster, Self::SplitBrain];

    /// The name in reports and on command lines; that of [`Character::name`].
    pub fn name(self) -> &'static str {
        match self {
            Self::EquivocatingLeader => "equivocating leader",
            Self::Silent => "silent",
            Self::Late => "late",
            Self::DoubleVoter => "double voter",
            Self::LyingCluster => "lying cluster",
            Self::LyingArbitrator => "lying arbitrator",
            Self::WrongRoot => "wrong root",
            Self::ForkingLeader => "forking leader",
            Self::Replayer => "replayer",
            Self::Flooder => "flooder",
            Self::Forger => "forger",
            Self::LiarAboutItsPast => "liar about its past",
            Self::LiarInSync => "liar in sync",
            Self::SplitBrain => "split brain",
        }
    }

    /// The casting of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|casting| casting.name() == name)
    }
}

/// A character, ready to play one validator in one run. All liars of a run get clones of one stream: what they must
/// agree on they find in it.
pub fn cast(casting: Casting, plot: &Random) -> Box<dyn Character> {
    let plot = || Plot::new(plot);
    match casting {
        Casting::EquivocatingLeader => Box::new(Twisted::new(EquivocatingLeader::new(plot()))),
        Casting::Silent => Box::new(Twisted::new(Silent::new())),
        Casting::Late => Box::new(Twisted::new(Late::new())),
        Casting::DoubleVoter => Box::new(Twisted::new(DoubleVoter::new(plot()))),
        Casting::LyingCluster => Box::new(Twisted::new(LyingCluster::new(plot()))),
        Casting::LyingArbitrator => Box::new(Twisted::new(LyingArbitrator::new(plot()))),
        Casting::WrongRoot => Box::new(Twisted::new(WrongRoot::new(plot()))),
        Casting::ForkingLeader => Box::new(Twisted::new(ForkingLeader::new(plot()))),
        Casting::Replayer => Box::new(Twisted::new(Replayer::new())),
        Casting::Flooder => Box::new(Twisted::new(Flooder::new())),
        Casting::Forger => Box::new(Twisted::new(Forger::new())),
        Casting::LiarAboutItsPast => Box::new(Twisted::new(LiarAboutItsPast::new())),
        Casting::LiarInSync => Box::new(Twisted::new(LiarInSync::new())),
        Casting::SplitBrain => Box::new(SplitBrain::new(plot())),
    }
}
