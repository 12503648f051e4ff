//! Attacks on nodes whose files go back in time. Random ones miss these: each needs several things in one order.

use super::Attack;
use crate::byzantine::Casting;
use crate::random::Random;
use crate::sim::{Cut, Delay, Family, Load, Mishap, Model, Role, Scenario, Trouble, mixing};

/// A leader forgets the block that it just proposed and nobody heard of, and starts before anybody has given its view
/// up: none of its peers has signed there.
pub const FORGETFUL_LEADER: Attack = Attack {
    name: "a leader forgets its last block, 1x4",
    draw: |seed| {
        let (mut scenario, mut random) = busy(seed, &[4]);
        let node = pick(&mut random, 4);
        let begin_ms = random.below(3_200..4_500);
        let back_ms = begin_ms + random.below(20..400);
        copy(&mut scenario, node, begin_ms - 600);
        mute(&mut scenario, 1 << node, begin_ms, back_ms);
        happen(&mut scenario, node, back_ms, random.below(1..30), Trouble::Restored);
        heal(&mut scenario, back_ms + 4_000);
        scenario
    },
};

/// A leader dies with its block proposed and nobody hearing of it, and starts at once.
pub const DYING_LEADER: Attack = Attack {
    name: "a leader dies with its block, 1x4",
    draw: |seed| {
        let (mut scenario, mut random) = busy(seed, &[4]);
        let mut at_ms = 2_300;
        for _ in 0..4 {
            let node = pick(&mut random, 4);
            let begin_ms = at_ms + random.below(0..700);
            let back_ms = begin_ms + random.below(20..400);
            mute(&mut scenario, 1 << node, begin_ms, back_ms);
            happen(&mut scenario, node, back_ms, random.below(1..30), Trouble::Killed);
            at_ms = back_ms + 600;
        }
        heal(&mut scenario, at_ms);
        scenario
    },
};

/// A node alone sees a notarization, finalizes it unheard, dies and starts at once; of the others one is away.
pub const LONE_WITNESS: Attack = Attack {
    name: "the only one who finalized dies, 1x4",
    draw: |seed| {
        let (mut scenario, mut random) = busy(seed, &[4]);
        let order = shuffled(&mut random, 4);
        let (witness, away) = (order[0], 1 << order[1]);
        let begin_ms = random.below(2_800..4_300);
        let (back_ms, down_ms) = (begin_ms + random.below(20..400), random.below(1..30));
        part(&mut scenario, away, !away, begin_ms, back_ms + 3_000);
        // Nor is heard what it says again at its start.
        mute(&mut scenario, 1 << witness, begin_ms, back_ms + down_ms + 20);
        happen(&mut scenario, witness, back_ms, down_ms, Trouble::Killed);
        heal(&mut scenario, back_ms + 3_000);
        scenario
    },
};

/// A node falls silent for good while another is away.
pub const SILENCE_WHILE_AWAY: Attack =
    Attack { name: "one falls silent, one is away, 1x4", draw: |seed| fall_silent(seed, true) };

/// A node falls silent for good while batches reach some nodes only.
pub const SILENCE_WHILE_SCATTERED: Attack =
    Attack { name: "one falls silent, batches are scattered, 1x4", draw: |seed| fall_silent(seed, false) };

/// Four of seven forget at once, one of them what it alone had finalized. Two of the others lag, and the one that does
/// not is away for a while.
pub const FOUR_FORGET: Attack = Attack {
    name: "four forget, two lag, 1x7",
    draw: |seed| {
        let (mut scenario, mut random) = busy(seed, &[7]);
        let order = shuffled(&mut random, 7);
        let (forgetful, lagging, knowing) = (&order[..4], set(&order[4..6]), set(&order[6..]));
        let back_ms = 3_900 + random.below(0..600);
        let lag_ms = random.below(3_000..3_300);
        part(&mut scenario, lagging, !lagging, lag_ms, back_ms);
        part(&mut scenario, knowing, !knowing, back_ms, back_ms + 1_500);
        mute(&mut scenario, 1 << order[0], back_ms - random.below(20..400), back_ms);
        for node in forgetful {
            copy(&mut scenario, *node, lag_ms);
            happen(&mut scenario, *node, back_ms, random.below(1..20), Trouble::Restored);
        }
        heal(&mut scenario, back_ms + 6_000);
        scenario
    },
};

/// One of four forgets what it said last and nobody heard. Of the others one lies about its past, one lags, and the one
/// that knows is away.
pub const ONE_FORGETS: Attack = Attack {
    name: "one forgets, one lies, one lags, 1x4",
    draw: |seed| {
        let (mut scenario, mut random) = busy(seed, &[4]);
        let order = shuffled(&mut random, 4);
        let (forgetful, liar, lagging, knowing) = (order[0], order[1], 1 << order[2], 1 << order[3]);
        scenario.model = Model::M1;
        scenario.cast = vec![Role { node: liar, casting: Casting::LiarAboutItsPast, begin_ms: 0 }];
        let (back_ms, lag_ms) = (3_900 + random.below(0..600), random.below(3_000..3_300));
        part(&mut scenario, lagging, !lagging, lag_ms, back_ms);
        copy(&mut scenario, forgetful, lag_ms);
        mute(&mut scenario, 1 << forgetful, back_ms - random.below(20..400), back_ms);
        happen(&mut scenario, forgetful, back_ms, random.below(1..20), Trouble::Restored);
        part(&mut scenario, knowing, !knowing, back_ms, back_ms + 6_000);
        heal(&mut scenario, back_ms + 6_000);
        scenario
    },
};

/// One of four forgets and dies again before it has learnt how far; those who know are soon away.
pub const FORGETS_AND_DIES: Attack = Attack {
    name: "one forgets and dies again, 1x4",
    draw: |seed| {
        let (mut scenario, mut random) = busy(seed, &[4]);
        let order = shuffled(&mut random, 4);
        let (forgetful, lagging, knowing) = (order[0], 1 << order[1], set(&order[2..]));
        let (back_ms, lag_ms) = (3_900 + random.below(0..600), random.below(3_000..3_300));
        part(&mut scenario, lagging, !lagging, lag_ms, back_ms);
        copy(&mut scenario, forgetful, lag_ms);
        // Alone at first, so that it learns nothing before it dies.
        part(&mut scenario, 1 << forgetful, !(1 << forgetful), back_ms, back_ms + 200);
        happen(&mut scenario, forgetful, back_ms, 1, Trouble::Restored);
        happen(&mut scenario, forgetful, back_ms + 100, 100, Trouble::Killed);
        part(&mut scenario, knowing, !knowing, back_ms + 200 + random.below(10..300), back_ms + 6_000);
        heal(&mut scenario, back_ms + 6_000);
        scenario
    },
};

/// Two machines of four go back with all their files. One peer lags; the other knows better and is heard for a moment.
pub const TWO_ROLLED_BACK: Attack = Attack {
    name: "two machines rolled back, 1x4",
    draw: |seed| {
        let (mut scenario, mut random) = busy(seed, &[4]);
        let order = shuffled(&mut random, 4);
        let (lagging, knowing) = (1 << order[2], 1 << order[3]);
        scenario.model = Model::Beyond;
        let (back_ms, lag_ms) = (3_900 + random.below(0..600), random.below(3_000..3_300));
        part(&mut scenario, lagging, !lagging, lag_ms, back_ms);
        for node in &order[..2] {
            happen(&mut scenario, *node, lag_ms, 0, Trouble::Copied);
            happen(&mut scenario, *node, back_ms, random.below(1..20), Trouble::MachineRolledBack);
        }
        part(&mut scenario, knowing, !knowing, back_ms + random.below(20..200), back_ms + 6_000);
        heal(&mut scenario, back_ms + 6_000);
        scenario
    },
};

/// A node falls silent for good while another is away, or lacks what blocks are made of: all three others are needed
/// from then on, and none may miss anything for long.
fn fall_silent(seed: u64, is_away: bool) -> Scenario {
    let (mut scenario, mut random) = busy(seed, &[4]);
    let order = shuffled(&mut random, 4);
    let begin_ms = random.below(3_200..4_500);
    scenario.model = Model::M1;
    scenario.cast = vec![Role { node: order[0], casting: Casting::Silent, begin_ms }];
    if is_away {
        part(&mut scenario, 1 << order[1], !(1 << order[1]), begin_ms - 100, begin_ms + 1_500);
    } else {
        (scenario.load.reach_permille, scenario.load.is_gossiped) = (600, false);
    }
    heal(&mut scenario, begin_ms + 1_500);
    scenario
}

/// A calm network, and a stream for what the attack draws. Batches come at nearly every moment until 4.8 s; the first
/// start takes 2 s of that, in which no node can prove that it forgot nothing.
fn busy(seed: u64, shape: &[usize]) -> (Scenario, Random) {
    let family = Family { shape: Some(shape.to_vec()), ..Family::calm() };
    let mut scenario = Scenario::draw(seed, &family);
    let wire = Delay { least_ms: 0, usual_ms: 10, slow_permille: 0, most_ms: 0 };
    (scenario.network.calm, scenario.network.bad, scenario.network.begin_ms) = (wire, wire, 0);
    scenario.load = Load { batches: 160, every_ms: 60, reach_permille: 1_000, is_gossiped: true };
    scenario.least_blocks = 0;
    let slowness = &mut scenario.slowness;
    (slowness.sync_ms, slowness.execution_ms, slowness.chain_sync_ms) = (3, 5, 50);
    (scenario, Random::new(mixing::mix(seed, 0xa77c)))
}

fn heal(scenario: &mut Scenario, at_ms: u64) {
    scenario.heal_ms = at_ms;
    scenario.mishaps.sort_by_key(|mishap| mishap.at_ms);
}

/// Between two lives, so that the next start can tell from the file beside the keys.
fn copy(scenario: &mut Scenario, node: usize, at_ms: u64) {
    scenario.mishaps.push(Mishap { at_ms, node, trouble: Trouble::CopiedAtRest, down_ms: 5 });
}

/// Something happens to a node.
fn happen(scenario: &mut Scenario, node: usize, at_ms: u64, down_ms: u64, trouble: Trouble) {
    scenario.mishaps.push(Mishap { at_ms, node, trouble, down_ms });
}

/// Nobody hears these nodes.
fn mute(scenario: &mut Scenario, nodes: u64, begin_ms: u64, end_ms: u64) {
    scenario.network.cuts.push(Cut { from: nodes, to: !nodes, begin_ms, end_ms, name: "mute" });
}

/// Neither side hears the other.
fn part(scenario: &mut Scenario, one: u64, other: u64, begin_ms: u64, end_ms: u64) {
    for (from, to) in [(one, other), (other, one)] {
        scenario.network.cuts.push(Cut { from, to, begin_ms, end_ms, name: "parted" });
    }
}

fn pick(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(0..count as u64)).unwrap_or(0)
}

fn shuffled(random: &mut Random, count: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..count).collect();
    (0..count).map(|_| left.swap_remove(pick(random, left.len()))).collect()
}

fn set(nodes: &[usize]) -> u64 {
    nodes.iter().fold(0, |set, node| set | 1 << node)
}
