//! From a seed to a scenario, within what a family allows.

mod clocks;
mod mishaps;

use consensus::Timing;

use super::crypto::Signatures;
use super::network::{Cut, Delay, NetworkPlan};
use super::oracle::{Arithmetic, tolerated};
use super::scenario::{Load, Model, Role, Scenario, Slowness};
use super::{LEAST_BLOCKS, mixing};
use crate::byzantine::Casting;
use crate::random::Random;

/// How often a family wants something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// In no scenario.
    Never,
    /// In some, as the seed says.
    #[default]
    Drawn,
    /// In all.
    Always,
}

impl Share {
    /// Draws; "some" is one in so many.
    fn draw(self, random: &mut Random, one_in: u64) -> bool {
        let is_drawn = random.once_in(one_in);
        match self {
            Self::Never => false,
            Self::Drawn => is_drawn,
            Self::Always => true,
        }
    }
}

/// Which scenarios are wanted. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// The sizes of the clusters, if they are fixed. They must suit the model.
    pub shape: Option<Vec<usize>>,
    /// How many lie, if that is fixed.
    pub model: Option<Model>,
    /// The exact number of liars, if it is fixed; otherwise what the model allows.
    pub liars: Option<usize>,
    /// The characters to choose from, if not all.
    pub castings: Option<Vec<Casting>>,
    /// Loss, long delays.
    pub losses: Share,
    /// Partitions.
    pub partitions: Share,
    /// Kills and losses of power.
    pub crashes: Share,
    /// Failing and slow disks, flipped bits.
    pub disks: Share,
    /// Wrong clocks.
    pub clocks: Share,
    /// Old files put back; the start can tell.
    pub restores: Share,
    /// Old files put back with the file beside the keys, which no start can tell. Such a node counts as a liar.
    pub rollbacks: Share,
    /// How signatures are made, if that is fixed.
    pub signatures: Option<Signatures>,
}

impl Family {
    /// Nothing goes wrong but what is added.
    #[must_use]
    pub fn calm() -> Self {
        let never = Share::Never;
        Self {
            model: Some(Model::Honest),
            losses: never,
            partitions: never,
            crashes: never,
            disks: never,
            clocks: never,
            restores: never,
            rollbacks: never,
            ..Self::default()
        }
    }
}

/// Shapes with how often they come. Small ones are quick and tell most.
const SHAPES: [(u64, &[usize]); 21] = [
    (10, &[1]),
    (8, &[2]),
    (8, &[3]),
    (170, &[4]),
    (12, &[5]),
    (16, &[6]),
    (24, &[7]),
    (6, &[10]),
    (8, &[2, 2]),
    (32, &[4, 4]),
    (8, &[1, 4]),
    (12, &[3, 3, 3]),
    (16, &[4, 4, 4]),
    (8, &[4, 3, 5]),
    (16, &[1, 1, 1, 1]),
    (16, &[2, 2, 2, 2]),
    (10, &[3, 3, 3, 3]),
    (20, &[4, 4, 4, 4]),
    (10, &[1, 1, 1, 1, 1, 1, 1]),
    (1, &[4, 4, 4, 4, 4]),
    (1, &[6, 6, 6, 6, 6, 6]),
];

impl Scenario {
    /// Everything that a seed says, within what the family allows.
    pub fn draw(seed: u64, family: &Family) -> Self {
        let random = &mut Random::new(mixing::mix(seed, 0x5ce0));
        let model = family.model.unwrap_or_else(|| match random.below(0..100) {
            0..=27 => Model::Honest,
            28..=58 => Model::M1,
            59..=89 => Model::M2,
            _ => Model::Beyond,
        });
        let shape = family.shape.clone().unwrap_or_else(|| draw_shape(model, random));
        let size: usize = shape.iter().sum();
        let signatures = if random.once_in(100) { Signatures::Ed25519 } else { Signatures::Simulated };
        let mut scenario = Self {
            seed,
            model,
            cast: draw_cast(model, &shape, family, random),
            timing: if random.once_in(6) { Timing::WAN } else { Timing::LAN },
            network: draw_network(family, random),
            clocks: Vec::new(),
            slowness: draw_slowness(family, random),
            mishaps: Vec::new(),
            load: draw_load(random),
            heal_ms: draw_duration(size, random),
            least_blocks: LEAST_BLOCKS + random.below(0..10),
            signatures: family.signatures.unwrap_or(signatures),
            shape,
        };
        scenario.clocks = (0..size).map(|_| clocks::draw_good(random)).collect();
        scenario.draw_mishaps(family, random);
        scenario.draw_clocks(family, random);
        scenario.draw_beginning(random);
        scenario.draw_cuts(family, random);
        scenario.mishaps.sort_by_key(|mishap| mishap.at_ms);
        scenario
    }

    /// When trouble begins. Who need not make progress in the end must have made some before.
    fn draw_beginning(&mut self, random: &mut Random) {
        let calm_ms = match self.must_progress() {
            true if random.once_in(2) => 0,
            true => random.below(0..2_000),
            false => {
                self.load.batches += 24;
                self.load.every_ms = 450;
                self.load.is_gossiped = true;
                random.below(6_000..8_000)
            }
        };
        self.network.begin_ms = calm_ms;
        self.heal_ms += calm_ms;
        for mishap in &mut self.mishaps {
            mishap.at_ms += calm_ms;
        }
        for clock in &mut self.clocks {
            for jump in &mut clock.jumps {
                jump.0 += calm_ms;
            }
            if calm_ms > 0 && !clock.jumps.is_empty() {
                let skew_ms = std::mem::replace(&mut clock.skew_ms, 0);
                clock.jumps.insert(0, (calm_ms, skew_ms));
            }
        }
        for role in &mut self.cast {
            role.begin_ms = calm_ms;
        }
    }

    fn draw_cuts(&mut self, family: &Family, random: &mut Random) {
        if !family.partitions.draw(random, 2) || self.size() == 1 {
            return;
        }
        for _ in 0..random.below(1..5) {
            let begin_ms = random.below(self.network.begin_ms..self.heal_ms);
            let end_ms = begin_ms + random.below(200..8_000);
            let (name, side) = self.draw_side(random);
            let all = (0..self.size()).fold(0u64, |set, node| set | 1 << node);
            let mut cut = |from, to| self.network.cuts.push(Cut { from, to, begin_ms, end_ms, name });
            let is_one_way = random.once_in(4);
            cut(side, all & !side);
            if !is_one_way {
                cut(all & !side, side);
            }
        }
    }

    /// Who is on one side of a partition.
    fn draw_side(&self, random: &mut Random) -> (&'static str, u64) {
        let size = self.size() as u64;
        match random.below(0..3) {
            0 => ("node", 1 << random.below(0..size)),
            1 => ("halves", random.below(1..(1 << size) - 1)),
            _ if self.shape.len() == 1 => ("halves", random.below(1..(1 << size) - 1)),
            _ => {
                let chosen = random.below(1..(1 << self.shape.len()) - 1);
                let cluster_of =
                    self.shape.iter().enumerate().flat_map(|(cluster, count)| vec![cluster; *count]);
                let nodes = cluster_of.enumerate().filter(|(_, cluster)| chosen >> cluster & 1 == 1);
                ("clusters", nodes.fold(0, |set, (node, _)| set | 1 << node))
            }
        }
    }
}

/// How long trouble lasts, milliseconds; a second of a large network is a lot of work.
fn draw_duration(size: usize, random: &mut Random) -> u64 {
    random.below(match size {
        0..12 => 4_000..20_000,
        12..24 => 3_000..10_000,
        _ => 3_000..6_000,
    })
}

fn draw_shape(model: Model, random: &mut Random) -> Vec<usize> {
    let suits = |shape: &[usize]| {
        let in_clusters = tolerated(shape.len()) + shape.iter().map(|size| tolerated(*size)).sum::<usize>();
        match model {
            Model::Honest => true,
            Model::M1 => tolerated(shape.iter().sum()) > 0,
            Model::M2 => in_clusters > 0,
            Model::Beyond => shape.iter().sum::<usize>() >= 4,
        }
    };
    let fitting = || SHAPES.iter().filter(|(_, shape)| suits(shape));
    let mut left = random.below(0..fitting().map(|(weight, _)| weight).sum());
    for (weight, shape) in fitting() {
        if left < *weight {
            return shape.to_vec();
        }
        left -= weight;
    }
    vec![4]
}

fn draw_cast(model: Model, shape: &[usize], family: &Family, random: &mut Random) -> Vec<Role> {
    let size: usize = shape.iter().sum();
    let mut nodes = match (model, family.liars) {
        (Model::Honest, _) => Vec::new(),
        (_, Some(count)) => some_of(&(0..size).collect::<Vec<_>>(), count, random),
        (Model::M1, None) => {
            let most = tolerated(size);
            let count = if random.once_in(2) { most } else { index(random, 1, most + 1) };
            some_of(&(0..size).collect::<Vec<_>>(), count, random)
        }
        (Model::M2, None) => draw_m2(shape, random),
        (Model::Beyond, None) => draw_beyond(shape, random),
    };
    nodes.sort_unstable();
    let choice = family.castings.clone().unwrap_or_else(|| match model {
        // What splits a chain if anything can.
        Model::Beyond => Casting::FORKING.to_vec(),
        _ => Casting::ALL.to_vec(),
    });
    let one = choice[index(random, 0, choice.len())];
    let acts_together = random.once_in(2) || model == Model::Beyond;
    let mut casting = || if acts_together { one } else { choice[index(random, 0, choice.len())] };
    nodes.into_iter().map(|node| Role { node, casting: casting(), begin_ms: 0 }).collect()
}

/// Whole clusters as far as M2 allows, and some nodes in the others; one node at least.
fn draw_m2(shape: &[usize], random: &mut Random) -> Vec<usize> {
    let is_full = random.once_in(2);
    let upto = |most: usize, random: &mut Random| if is_full { most } else { index(random, 0, most + 1) };
    loop {
        let count = upto(tolerated(shape.len()), random);
        let wholly = some_of(&(0..shape.len()).collect::<Vec<_>>(), count, random);
        let (mut nodes, mut first) = (Vec::new(), 0);
        for (cluster, size) in shape.iter().enumerate() {
            let members: Vec<usize> = (first..first + size).collect();
            first += size;
            let count = if wholly.contains(&cluster) { *size } else { upto(tolerated(*size), random) };
            nodes.extend(some_of(&members, count, random));
        }
        if !nodes.is_empty() {
            return nodes;
        }
    }
}

/// As few liars as break both M1 and M2, or some more.
fn draw_beyond(shape: &[usize], random: &mut Random) -> Vec<usize> {
    let (arithmetic, size) = (Arithmetic::new(shape), shape.iter().sum());
    let everybody: Vec<usize> = (0..size).collect();
    loop {
        let count = tolerated(size) + 1 + index(random, 0, 3);
        let nodes = some_of(&everybody, count.min(size - 2), random);
        let set = nodes.iter().fold(0u64, |set, node| set | 1 << node);
        if !arithmetic.is_m1(set) && !arithmetic.is_m2(set) {
            return nodes;
        }
    }
}

/// Some members of a group, in no order.
fn some_of(group: &[usize], count: usize, random: &mut Random) -> Vec<usize> {
    let mut left = group.to_vec();
    (0..count.min(group.len())).map(|_| left.swap_remove(index(random, 0, left.len()))).collect()
}

fn index(random: &mut Random, from: usize, to: usize) -> usize {
    usize::try_from(random.below(from as u64..to as u64)).unwrap_or(from)
}

fn draw_network(family: &Family, random: &mut Random) -> NetworkPlan {
    let usual_ms = if random.once_in(8) { random.below(20..150) } else { random.below(1..20) };
    let calm = Delay { least_ms: 0, usual_ms, slow_permille: 0, most_ms: 0 };
    let is_bad = family.losses.draw(random, 2);
    let slow_permille = if random.once_in(2) { random.below(1..100) } else { 0 };
    let most_ms = if random.once_in(3) { 10_000 } else { 1_000 };
    let bad = Delay { least_ms: 0, usual_ms: usual_ms + random.below(0..60), slow_permille, most_ms };
    let loss_permille = if random.once_in(2) { random.below(0..301) } else { random.below(0..50) };
    NetworkPlan {
        loss_permille: if is_bad { loss_permille } else { 0 },
        duplicate_permille: if is_bad && random.once_in(3) { random.below(1..200) } else { 0 },
        bad: if is_bad { bad } else { calm },
        calm,
        begin_ms: 0,
        cuts: Vec::new(),
    }
}

fn draw_slowness(family: &Family, random: &mut Random) -> Slowness {
    let is_slow = family.disks.draw(random, 4);
    Slowness {
        sync_ms: random.below(0..8),
        slow_permille: if is_slow { random.below(1..100) } else { 0 },
        slow_sync_ms: 2_000,
        execution_ms: if random.once_in(4) { random.below(20..140) } else { random.below(0..10) },
        chain_sync_ms: random.below(50..3_000),
    }
}

fn draw_load(random: &mut Random) -> Load {
    Load {
        batches: random.below(6..24),
        every_ms: random.below(100..1_500),
        reach_permille: random.below(0..1_000),
        is_gossiped: !random.once_in(4),
    }
}
