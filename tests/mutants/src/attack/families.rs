//! Attacks that the simulator draws by itself, within a family.

use super::Attack;
use crate::byzantine::Casting;
use crate::sim::{Family, Model, Scenario, Share};

/// Nothing goes wrong.
pub const CALM: Attack = Attack { name: "calm, 1x4", draw: |seed| Scenario::draw(seed, &calm(&[4])) };

/// Messages are lost and late, and there are partitions.
pub const ROUGH: Attack = Attack { name: "losses, 1x4", draw: |seed| Scenario::draw(seed, &rough(&[4])) };

/// The same with two clusters.
pub const ROUGH_CLUSTERS: Attack =
    Attack { name: "losses, 2x4", draw: |seed| Scenario::draw(seed, &rough(&[4, 4])) };

/// Processes die and start again.
pub const CRASHES: Attack = Attack {
    name: "crashes, 1x4",
    draw: |seed| Scenario::draw(seed, &Family { crashes: Share::Always, ..rough(&[4]) }),
};

/// Partitions of six, in which nobody lies.
pub const PARTITIONS_OF_SIX: Attack = Attack {
    name: "partitions, 1x6",
    draw: |seed| Scenario::draw(seed, &Family { partitions: Share::Always, ..calm(&[6]) }),
};

/// Old files put back, while messages are lost.
pub const RESTORES: Attack = Attack {
    name: "restores, 1x4",
    draw: |seed| Scenario::draw(seed, &Family { restores: Share::Always, ..rough(&[4]) }),
};

/// Five of sixteen lie, which M1 stands: each shows two faces.
pub const FIVE_OF_SIXTEEN: Attack = Attack {
    name: "5 split brains, 4x4",
    draw: |seed| Scenario::draw(seed, &gang(&[4, 4, 4, 4], Model::M1, Some(5), Casting::SplitBrain)),
};

/// A whole cluster of four lies, and a node of each other, which M2 stands.
pub const WHOLE_CLUSTER: Attack = Attack {
    name: "split brains M2, 4x4",
    draw: |seed| Scenario::draw(seed, &gang(&[4, 4, 4, 4], Model::M2, None, Casting::SplitBrain)),
};

/// Two of four show two faces: too many.
pub const TWO_OF_FOUR: Attack = Attack {
    name: "2 split brains, 1x4",
    draw: |seed| Scenario::draw(seed, &gang(&[4], Model::Beyond, Some(2), Casting::SplitBrain)),
};

macro_rules! one_liar {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $casting:ident;)*) => {$(
        $(#[$doc])*
        pub const $name: Attack = Attack {
            name: $text,
            draw: |seed| Scenario::draw(seed, &gang(&[4], Model::M1, Some(1), Casting::$casting)),
        };
    )*};
}

one_liar! {
    /// One shows two faces.
    SPLIT_BRAIN = "split brain, 1x4", SplitBrain;
    /// One proposes twice.
    EQUIVOCATING_LEADER = "equivocating leader, 1x4", EquivocatingLeader;
    /// One forges certificates.
    LYING_ARBITRATOR = "lying arbitrator, 1x4", LyingArbitrator;
    /// One proposes blocks that are wrong.
    WRONG_ROOT = "wrong root, 1x4", WrongRoot;
    /// One speaks in others' names.
    FORGER = "forger, 1x4", Forger;
    /// One repeats what was said elsewhere.
    REPLAYER = "replayer, 1x4", Replayer;
    /// One sends too much.
    FLOODER = "flooder, 1x4", Flooder;
}

/// Two neighbours in the order of leaders may build beside what is notarized.
pub const FORKING_LEADERS: Attack = Attack {
    name: "2 forking leaders, 1x7",
    draw: |seed| Scenario::draw(seed, &gang(&[7], Model::M1, Some(2), Casting::ForkingLeader)),
};

/// One answers those who lag falsely, while many lag.
pub const LIAR_IN_SYNC: Attack = Attack {
    name: "liar in sync, 1x4",
    draw: |seed| {
        let family = gang(&[4], Model::M1, Some(1), Casting::LiarInSync);
        Scenario::draw(seed, &Family { losses: Share::Always, partitions: Share::Always, ..family })
    },
};

/// One proposes blocks that are wrong, and execution is slow.
pub const WRONG_ROOT_SLOWLY: Attack = Attack {
    name: "wrong root, slow execution, 1x4",
    draw: |seed| {
        let mut scenario = (WRONG_ROOT.draw)(seed);
        scenario.slowness.execution_ms = 140;
        scenario
    },
};

/// One answers starting nodes falsely, and old files are put back.
pub const LIAR_ABOUT_ITS_PAST: Attack = Attack {
    name: "liar about its past, restores, 1x7",
    draw: |seed| {
        let family = gang(&[7], Model::M1, Some(1), Casting::LiarAboutItsPast);
        Scenario::draw(seed, &Family { restores: Share::Always, losses: Share::Always, ..family })
    },
};

fn calm(shape: &[usize]) -> Family {
    Family { shape: Some(shape.to_vec()), ..Family::calm() }
}

fn rough(shape: &[usize]) -> Family {
    Family { losses: Share::Always, partitions: Share::Always, ..calm(shape) }
}

fn gang(shape: &[usize], model: Model, liars: Option<usize>, casting: Casting) -> Family {
    Family { model: Some(model), liars, castings: Some(vec![casting]), ..calm(shape) }
}
