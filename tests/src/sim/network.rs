//! The wire: what is lost, late, doubled or cut, until the scenario heals it.

use crate::random::Random;

/// How long messages take.
#[derive(Clone, Copy, Debug)]
pub struct Delay {
    /// The shortest usual delay, milliseconds.
    pub least_ms: u64,
    /// The longest usual delay.
    pub usual_ms: u64,
    /// How many of a thousand messages are slow.
    pub slow_permille: u64,
    /// The longest delay of a slow one.
    pub most_ms: u64,
}

impl Delay {
    fn draw(&self, random: &mut Random) -> u64 {
        let longest = match random.below(0..1_000) < self.slow_permille {
            true => self.most_ms,
            false => self.usual_ms,
        };
        random.below(self.least_ms..longest.max(self.least_ms) + 1)
    }
}

/// Messages from one set of nodes to another that do not arrive for a while.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The senders, a bit each.
    pub from: u64,
    /// The receivers, a bit each.
    pub to: u64,
    /// When it begins, milliseconds.
    pub begin_ms: u64,
    /// When it ends.
    pub end_ms: u64,
    /// What to call it in reports.
    pub name: &'static str,
}

/// The wire, as planned.
#[derive(Clone, Debug)]
pub struct NetworkPlan {
    /// How many of a thousand messages are lost while it is bad.
    pub loss_permille: u64,
    /// How many of a thousand arrive twice, always.
    pub duplicate_permille: u64,
    /// Delays while it is bad.
    pub bad: Delay,
    /// Delays before and after that.
    pub calm: Delay,
    /// When it begins to be bad, milliseconds.
    pub begin_ms: u64,
    /// Partitions. All end when the scenario heals.
    pub cuts: Vec<Cut>,
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives, at this time.
    Arrives(u64),
    /// It arrives twice.
    ArrivesTwice(u64, u64),
    /// It is lost.
    Lost,
    /// It is cut off by a partition.
    Cut,
}

/// The wire.
pub(super) struct Network {
    plan: NetworkPlan,
    heal_ms: u64,
    random: Random,
}

impl Network {
    pub(super) fn new(plan: NetworkPlan, heal_ms: u64, random: Random) -> Self {
        Self { plan, heal_ms, random }
    }

    /// Decides what becomes of a message that one node sends another now.
    pub(super) fn fate(&mut self, now_ms: u64, from: usize, to: usize) -> Fate {
        let is_bad = (self.plan.begin_ms..self.heal_ms).contains(&now_ms);
        if is_bad && self.is_cut(now_ms, from, to) {
            return Fate::Cut;
        }
        if is_bad && self.random.below(0..1_000) < self.plan.loss_permille {
            return Fate::Lost;
        }
        let delay = if is_bad { self.plan.bad } else { self.plan.calm };
        let first = now_ms + delay.draw(&mut self.random);
        if self.random.below(0..1_000) < self.plan.duplicate_permille {
            return Fate::ArrivesTwice(first, now_ms + delay.draw(&mut self.random));
        }
        Fate::Arrives(first)
    }

    fn is_cut(&self, now_ms: u64, from: usize, to: usize) -> bool {
        let separates = |cut: &Cut| {
            (cut.begin_ms..cut.end_ms).contains(&now_ms) && cut.from >> from & 1 == 1 && cut.to >> to & 1 == 1
        };
        self.plan.cuts.iter().any(separates)
    }
}
