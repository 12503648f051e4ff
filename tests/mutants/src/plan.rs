//! Which attacks are aimed at which mutant.

use crate::attack::{self, Attack};
use crate::trial::{Plan, Sign};

/// How to attack the mutant of a name; `None` if nobody has thought about it.
pub fn plan(name: &str) -> Option<Plan> {
    let violation = |attacks: &'static [Attack]| Some(Plan { attacks, sign: Sign::Violation });
    match name {
        "v0-nullify-ahead" => violation(&[attack::FLOODER]),
        "v1-notarize-twice" => violation(&[attack::SPLIT_BRAIN, attack::EQUIVOCATING_LEADER]),
        "v2-parent-not-notarized" => violation(&[attack::FORKING_LEADERS]),
        "v2-views-skipped" => violation(&[attack::ROUGH]),
        "v2-height-unchecked" | "v2-time-unbounded" => violation(&[attack::WRONG_ROOT]),
        "v2-cluster-not-awaited" => violation(&[attack::ROUGH_CLUSTERS]),
        "v2-body-not-recorded" => violation(&[attack::CALM]),
        "v3-without-notarization" | "v3-after-nullify" => violation(&[attack::ROUGH]),
        "v3-without-execution" => violation(&[attack::WRONG_ROOT_SLOWLY]),
        "v3-roots-not-compared" => violation(&[attack::WRONG_ROOT]),
        "v4-nullify-after-finalize" => violation(&[attack::FLOODER, attack::ROUGH]),
        "v4-range-unchecked" => violation(&[attack::ROUGH]),
        "v5-propose-unsynced"
        | "v5-notarize-unsynced"
        | "v5-finalize-unsynced"
        | "v5-nullify-unsynced"
        | "v5-commit-unsynced" => violation(&[attack::CALM]),
        "v6-nullify-below-floor" | "v6-votes-dropped-without-floor" => violation(&[attack::CALM]),
        "restart-forgets-proposed" => violation(&[attack::DYING_LEADER]),
        "restart-forgets-finalize" => violation(&[attack::LONE_WITNESS]),
        "restart-forgets-notarize" | "restart-forgets-nullify" | "restart-forgets-all" => {
            violation(&[attack::CRASHES, attack::DYING_LEADER])
        }
        "quorum-flat-less-one" | "quorum-flat-rule-dropped" => violation(&[attack::FIVE_OF_SIXTEEN]),
        "quorum-cluster-rule-dropped" | "quorum-cluster-less-one" | "quorum-node-less-one" => {
            violation(&[attack::WHOLE_CLUSTER])
        }
        "quorum-both-less-one" => violation(&[attack::SPLIT_BRAIN]),
        "quorum-2f-plus-1" | "quorum-of-the-connected" => violation(&[attack::PARTITIONS_OF_SIX]),
        "certificate-unsigned" | "certificate-too-small" => violation(&[attack::LYING_ARBITRATOR]),
        "vote-unsigned" | "vote-signer-claimed" => violation(&[attack::FORGER]),
        "signed-without-kind" => violation(&[attack::SPLIT_BRAIN, attack::LYING_ARBITRATOR]),
        "signed-without-network" | "signed-without-epoch" | "signed-without-committee" => {
            violation(&[attack::REPLAYER])
        }
        "leader-unchecked" => violation(&[attack::FORGER, attack::FORKING_LEADERS]),
        "run-unproven" => violation(&[attack::LIAR_IN_SYNC]),
        "guard-absent" | "guard-range-below-bound" => violation(&[attack::RESTORES]),
        "guard-no-margin" => violation(&[attack::FORGETFUL_LEADER]),
        "guard-counts-itself" => violation(&[attack::ONE_FORGETS]),
        "guard-counts-guarded" => violation(&[attack::FOUR_FORGET]),
        "guard-believes-marks" => violation(&[attack::LIAR_ABOUT_ITS_PAST]),
        "guard-hides-bound" => violation(&[attack::LIAR_ABOUT_ITS_PAST, attack::RESTORES]),
        "guard-blind-to-own-votes" => Some(Plan { attacks: &[attack::TWO_ROLLED_BACK], sign: Sign::Fork }),
        "guard-lost-at-crash" => violation(&[attack::FORGETS_AND_DIES]),
        "proposes-twice" => violation(&[attack::ROUGH]),
        "conflict-ignored" => Some(Plan { attacks: &[attack::TWO_OF_FOUR], sign: Sign::NoHalt }),
        "nothing-repeated" => violation(&[attack::ROUGH_CLUSTERS, attack::PARTITIONS_OF_SIX]),
        "proposals-not-fetched" => violation(&[attack::SILENCE_WHILE_AWAY]),
        "entries-not-gathered" => violation(&[attack::SILENCE_WHILE_SCATTERED]),
        "runs-not-asked-for" | "timers-off" => violation(&[attack::ROUGH]),
        _ => None,
    }
}
