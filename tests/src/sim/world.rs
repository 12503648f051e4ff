//! The world: nodes, liars, and one thing after the other.

use consensus::{Input, Message};

use super::common::Common;
use super::liar::Liar;
use super::mixing;
use super::outcome::{Outcome, Violation};
use super::queue::Event;
use super::record::Verbosity;
use super::scenario::Scenario;
use super::shell::Shell;
use crate::random::Random;

/// Views after healing in which a block must come.
const VIEWS_TO_PROGRESS: u64 = 20;
/// The longest time after healing until then, and again until every live node has the block, milliseconds.
const PATIENCE_MS: u64 = 400_000;
/// How long a world that need not make progress goes on after healing, milliseconds.
const EPILOGUE_MS: u64 = 6_000;
/// How often clients look for lost batches, milliseconds.
const RESUBMIT_MS: u64 = 1_000;
/// More events than this are a storm.
const MOST_EVENTS: u64 = 3_000_000;

enum Actor {
    Honest(Box<Shell>),
    Liar(Box<Liar>),
}

/// One run of a scenario.
pub(super) struct World {
    actors: Vec<Actor>,
    common: Common,
    random: Random,
    events: u64,
    next_batch: u64,
    /// Whether the scenario demands progress, and of whom.
    must_progress: bool,
    live: u64,
    /// The highest view that a node had entered when the world healed.
    healed_in: u64,
}

impl World {
    pub(super) fn new(scenario: &Scenario, verbosity: Verbosity) -> Self {
        let mut random = Random::new(mixing::mix(scenario.seed, 0x776f_726c));
        let mut common = Common::new(scenario.clone(), verbosity, &mut random);
        let actors = (0..scenario.size())
            .map(|node| Actor::Honest(Box::new(Shell::new(node, &common, random.fork()))))
            .collect();
        for (index, mishap) in scenario.mishaps.iter().enumerate() {
            common.queue.plan(mishap.at_ms, Event::Mishap { index });
        }
        for (index, role) in scenario.cast.iter().enumerate() {
            common.queue.plan(role.begin_ms, Event::Turn { index });
        }
        for node in 0..scenario.size() {
            common.queue.plan(random.below(0..20), Event::Start { node, life: 0 });
        }
        common.queue.plan(20, Event::Submit);
        common.queue.plan(RESUBMIT_MS, Event::Resubmit);
        common.queue.plan(scenario.heal_ms, Event::Heal);
        Self {
            actors,
            common,
            random,
            events: 0,
            next_batch: 1,
            must_progress: scenario.must_progress(),
            live: scenario.live(),
            healed_in: 0,
        }
    }

    /// Runs to the end.
    pub(super) fn run(mut self) -> Outcome {
        let mut violation = None;
        while let Some((at_ms, event)) = self.common.queue.next() {
            self.common.now_ms = at_ms;
            self.common.recorder.now_ms = at_ms;
            self.events += 1;
            self.trace(&event);
            self.dispatch(event);
            if self.events > MOST_EVENTS {
                self.common.oracle.violate("a storm of events".to_owned());
            }
            if let Some(text) = self.common.oracle.violation() {
                violation = Some(Violation { at_ms, text: text.to_owned() });
                let text = text.to_owned();
                self.common.recorder.tell(|| format!("VIOLATION: {text}"));
                break;
            }
            if self.is_over() {
                break;
            }
        }
        self.outcome(violation)
    }

    fn trace(&mut self, event: &Event) {
        let number = |index: usize| index as u64;
        let numbers = match event {
            Event::Deliver { from, to, bytes } => [1, number(from * 64 + to), mixing::hash(0, bytes)],
            Event::Batch { to, batch, .. } => [2, number(*to), *batch],
            Event::Answer { node, life, .. } => [3, number(*node), *life],
            Event::Synced { node, life } => [4, number(*node), *life],
            Event::SyncChain { node, life } => [5, number(*node), *life],
            Event::Tick { node, life } => [6, number(*node), *life],
            Event::LiarTick { node } => [7, number(*node), 0],
            Event::Mishap { index } => [8, number(*index), 0],
            Event::Start { node, life } => [9, number(*node), *life],
            Event::Operator { node, life } => [10, number(*node), *life],
            Event::Turn { index } => [11, number(*index), 0],
            Event::Submit => [12, 0, 0],
            Event::Resubmit => [13, 0, 0],
            Event::Heal => [14, 0, 0],
        };
        self.common.recorder.trace(numbers);
    }

    fn dispatch(&mut self, event: Event) {
        let common = &mut self.common;
        match event {
            Event::Deliver { from, to, bytes } => match &mut self.actors[to] {
                Actor::Honest(shell) => deliver(shell, common, from, &bytes),
                Actor::Liar(liar) => liar.on_message(common, from, &bytes),
            },
            Event::Batch { to, batch, is_forwarded } => self.on_batch(to, batch, is_forwarded),
            Event::Answer { node, life, order, input } => {
                if let Some(shell) = living(&mut self.actors, node, life) {
                    shell.on_answer(common, order, *input);
                }
            }
            Event::Synced { node, life } => {
                if let Some(shell) = living(&mut self.actors, node, life) {
                    shell.on_synced(common);
                }
            }
            Event::SyncChain { node, life } => {
                if let Some(shell) = living(&mut self.actors, node, life) {
                    shell.on_chain_due(common);
                }
            }
            Event::Tick { node, life } => {
                if let Some(shell) = living(&mut self.actors, node, life) {
                    shell.on_tick(common);
                }
            }
            Event::LiarTick { node } => {
                if let Actor::Liar(liar) = &mut self.actors[node] {
                    liar.on_tick(common);
                }
            }
            Event::Mishap { index } => {
                let mishap = common.scenario.mishaps[index].clone();
                if let Actor::Honest(shell) = &mut self.actors[mishap.node] {
                    shell.suffer(common, &mishap);
                }
            }
            Event::Start { node, life } => {
                if let Some(shell) = living(&mut self.actors, node, life) {
                    shell.start(common);
                }
            }
            Event::Operator { node, life } => {
                if let Some(shell) = living(&mut self.actors, node, life) {
                    common.recorder.count("start: operator says restored");
                    shell.stop(common, None, 1);
                }
            }
            Event::Turn { index } => self.turn(index),
            Event::Submit => self.submit(),
            Event::Resubmit => self.resubmit(),
            Event::Heal => self.heal(),
        }
    }

    /// A node begins to lie.
    fn turn(&mut self, index: usize) {
        let role = self.common.scenario.cast[index].clone();
        self.common.recorder.tell(|| format!("node {} begins to lie: {:?}", role.node, role.casting));
        self.common.lying |= 1 << role.node;
        let head = match &self.actors[role.node] {
            Actor::Honest(shell) => shell.disk.head().header.clone(),
            Actor::Liar(_) => return,
        };
        let liar = Liar::new(&role, head, &mut self.common, self.random.fork());
        self.actors[role.node] = Actor::Liar(Box::new(liar));
    }

    fn heal(&mut self) {
        self.common.late_batch = Some(self.next_batch);
        // The highest view ever entered: a node may be down just now.
        self.healed_in = self.common.oracle.entered();
        let view = self.healed_in;
        self.common.recorder.tell(|| format!("the world heals in view {view}"));
        self.common.plan_in(10, Event::Submit);
    }

    /// The honest nodes that must make progress.
    fn live(&self) -> impl Iterator<Item = &Shell> {
        let live = self.live;
        self.actors.iter().enumerate().filter_map(move |(node, actor)| match actor {
            Actor::Honest(shell) if live >> node & 1 == 1 => Some(&**shell),
            _ => None,
        })
    }

    fn submit(&mut self) {
        let load = self.common.scenario.load;
        let is_healed = self.common.late_batch.is_some();
        if !is_healed && self.next_batch > load.batches {
            return;
        }
        let batch = self.next_batch;
        self.next_batch += 1;
        self.reach(batch);
        let wait_ms = match is_healed {
            true => self.random.below(150..400),
            false => self.random.below(0..load.every_ms.max(1)) + 1,
        };
        if self.common.now_ms + wait_ms < self.common.scenario.heal_ms || is_healed {
            self.common.plan_in(wait_ms, Event::Submit);
        }
    }

    /// Gives a batch to some nodes; to one at least.
    fn reach(&mut self, batch: u64) {
        let size = self.actors.len();
        let sure = usize::try_from(self.random.below(0..size as u64)).unwrap_or(0);
        for node in 0..size {
            if node == sure || self.random.below(0..1_000) < self.common.scenario.load.reach_permille {
                self.common.plan_in(1, Event::Batch { to: node, batch, is_forwarded: false });
            }
        }
    }

    /// Clients submit again what is not committed for long, as pools do not survive a crash.
    fn resubmit(&mut self) {
        self.check_liveness();
        let oldest = self.live().filter_map(|shell| shell.pool.first_missing(self.next_batch)).max();
        if let Some(batch) = oldest {
            for missing in batch..self.next_batch.min(batch + 8) {
                self.reach(missing);
            }
        }
        self.common.plan_in(RESUBMIT_MS, Event::Resubmit);
    }

    fn on_batch(&mut self, to: usize, batch: u64, is_forwarded: bool) {
        let Actor::Honest(shell) = &mut self.actors[to] else { return };
        let now = self.common.clocks(to);
        if shell.replica.is_none() || !shell.pool.add(batch, now.monotonic_ms) {
            return;
        }
        shell.tell_pending(&mut self.common);
        // Once the world is healed everybody hears of every batch: a leader that does not would rightly hold.
        let is_gossiped = self.common.scenario.load.is_gossiped || self.common.late_batch.is_some();
        if !is_forwarded && is_gossiped {
            for peer in (0..self.actors.len()).filter(|peer| *peer != to) {
                self.common.forward(to, peer, batch);
            }
        }
    }

    /// After healing a block must come within some views, and then be everywhere.
    fn check_liveness(&mut self) {
        let scenario = &self.common.scenario;
        if self.common.late_batch.is_none() || !self.must_progress {
            return;
        }
        let waited_ms = self.common.now_ms - scenario.heal_ms;
        let views =
            self.live().filter_map(|shell| Some(shell.replica.as_ref()?.status().view)).max().unwrap_or(0);
        let views = views.saturating_sub(self.healed_in);
        match self.common.progress {
            None if views > VIEWS_TO_PROGRESS || waited_ms > PATIENCE_MS => {
                let text = format!("no progress in {views} views and {waited_ms} ms after healing");
                self.common.oracle.violate(text);
            }
            Some(progress) if self.common.now_ms > progress.at_ms + PATIENCE_MS => {
                let late: Vec<String> = self
                    .live()
                    .filter(|shell| shell.height() < progress.height)
                    .map(|it| it.place.to_string())
                    .collect();
                if !late.is_empty() {
                    let text = format!("{} never got block {}", late.join(", "), progress.height);
                    self.common.oracle.violate(text);
                }
            }
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        let common = &self.common;
        if common.late_batch.is_none() {
            return false;
        }
        if !self.must_progress {
            return common.now_ms > common.scenario.heal_ms + EPILOGUE_MS;
        }
        common.progress.is_some_and(|progress| {
            common.oracle.height() >= common.scenario.least_blocks
                && self.live().all(|shell| shell.height() >= progress.height)
        })
    }

    fn outcome(mut self, violation: Option<Violation>) -> Outcome {
        let common = &mut self.common;
        let forks = common.oracle.forks();
        if forks > 0 {
            common.recorder.add("beyond: conflicting commits", forks);
        }
        let halts =
            self.actors.iter().filter(|actor| matches!(actor, Actor::Honest(it) if it.has_halted)).count();
        Outcome {
            seed: common.scenario.seed,
            violation,
            trace: common.recorder.trace,
            blocks: common.oracle.height(),
            virtual_ms: common.now_ms,
            events: self.events,
            has_forked: forks > 0,
            halted: halts as u64,
            must_progress: self.must_progress,
            views_to_progress: common.progress.map(|it| it.view.saturating_sub(self.healed_in)),
            progress_ms: common.progress.map(|it| it.at_ms.saturating_sub(common.scenario.heal_ms)),
            counters: std::mem::take(&mut common.recorder.counters),
            acts: std::mem::take(&mut common.recorder.acts),
            story: common.recorder.story.take().unwrap_or_default(),
        }
    }
}

/// The node if it is honest and still in that life.
fn living(actors: &mut [Actor], node: usize, life: u64) -> Option<&mut Shell> {
    match &mut actors[node] {
        Actor::Honest(shell) if shell.life == life => Some(shell),
        _ => None,
    }
}

/// Bytes arrive at an honest node: what does not read or verify is dropped.
fn deliver(shell: &mut Shell, common: &mut Common, from: usize, bytes: &bytes::Bytes) {
    if shell.replica.is_none() {
        return;
    }
    let verified = match Message::decode(bytes.clone()) {
        Ok(message) => message.verify(&common.committee, &*common.verifier),
        Err(_) => return common.recorder.count("refused: unreadable"),
    };
    match verified {
        Ok(message) => {
            let from = common.places[from];
            shell.handle(common, Input::Message { from, message });
        }
        Err(error) => {
            common.recorder.count("refused: unverified");
            common.recorder.tell(|| format!("{} drops a message of node {from}: {error}", shell.place));
        }
    }
}
