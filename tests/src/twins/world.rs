//! The driver of one scenario: who hears whom, and when time passes.

use std::collections::VecDeque;

use consensus::message::VerifiedMessage;
use consensus::{Input, Message, Recipients};
use ledger_types::ValidatorId;
use ledger_types::certificate::VoteKind;

use super::checks::History;
use super::network::Network;
use super::process::{Act, NameVerifier, Process};
use super::report::Counts;
use super::scenario::{PROCESSES, ROUNDS, Scenario};

/// If nobody enters a view or commits for so long, longer than the longest timer of a view, then nobody will.
const PATIENCE_MS: u64 = 750;
/// Once all hear each other a block must be final within so many views.
const VIEWS_TO_PROGRESS: u64 = 20;
/// Far more messages than any scenario needs.
const MESSAGES: u64 = 20_000;

/// A message on its way.
struct Sent {
    from: ValidatorId,
    /// The process.
    to: usize,
    message: VerifiedMessage,
}

/// One scenario on its way.
pub(crate) struct World<'a> {
    network: &'a Network,
    scenario: Scenario,
    processes: Vec<Process>,
    /// Messages on their way, in the order in which they were sent.
    wire: VecDeque<Sent>,
    now_ms: u64,
    /// When somebody last entered a view or committed.
    moved_ms: u64,
    /// NULLIFYs and nullifications of views up to this one reach everybody.
    released: u64,
    /// Whether all hear each other in everything.
    is_healed: bool,
    history: History,
    counts: Counts,
    violation: Option<String>,
}

impl<'a> World<'a> {
    /// Runs a scenario to its end.
    ///
    /// # Errors
    /// What went wrong.
    pub(crate) fn run(network: &'a Network, scenario: Scenario) -> Result<Counts, String> {
        let mut world = Self {
            network,
            scenario,
            processes: Vec::with_capacity(PROCESSES),
            wire: VecDeque::new(),
            now_ms: 0,
            moved_ms: 0,
            released: 0,
            is_healed: false,
            history: History::default(),
            counts: Counts::default(),
            violation: None,
        };
        world.start();
        world.run_rounds();
        world.run_healed();
        world.counts.blocks = world.history.len();
        world.violation.map_or(Ok(world.counts), Err)
    }

    fn start(&mut self) {
        let start = |process: usize| {
            let place = self.network.leaders[self.scenario.validator(process)];
            Process::start(process, place, self.network.committee.clone(), &self.network.genesis)
        };
        let (processes, acts): (Vec<Process>, Vec<Vec<Act>>) = (0..PROCESSES).map(start).unzip();
        self.processes = processes;
        for (process, acts) in acts.into_iter().enumerate() {
            self.perform(process, acts);
        }
    }

    /// The rounds with groups, until somebody is beyond the last of them, or nobody gets any further.
    fn run_rounds(&mut self) {
        while self.violation.is_none() && self.highest_view() <= ROUNDS {
            if self.step() {
                continue;
            }
            if self.now_ms - self.moved_ms > PATIENCE_MS {
                if self.released >= self.highest_view() {
                    return;
                }
                self.released += 1;
                self.moved_ms = self.now_ms;
            }
            self.wait();
        }
    }

    /// Everybody hears everybody: a new block becomes final everywhere.
    fn run_healed(&mut self) {
        self.is_healed = true;
        let heights: Vec<usize> = self.processes.iter().map(|process| process.chain.len()).collect();
        let height = heights.into_iter().max().unwrap_or(0);
        let last_view = self.highest_view() + VIEWS_TO_PROGRESS;
        while self.violation.is_none() {
            let mut honest =
                (0..PROCESSES).filter(|it| !self.scenario.is_twin(*it)).map(|it| &self.processes[it]);
            if honest.all(|process| process.chain.len() > height) {
                return;
            }
            if self.highest_view() > last_view {
                self.violation = Some(format!("no block became final in {VIEWS_TO_PROGRESS} views"));
            } else if !self.step() {
                self.wait();
            }
        }
    }

    fn highest_view(&self) -> u64 {
        self.processes.iter().map(|process| process.view).max().unwrap_or(0)
    }

    /// Delivers the oldest message; `false` if there is none.
    fn step(&mut self) -> bool {
        let Some(Sent { from, to, message }) = self.wire.pop_front() else { return false };
        self.counts.delivered += 1;
        if self.counts.delivered > MESSAGES {
            self.violation = Some(format!("not over after {MESSAGES} messages"));
        }
        let acts = self.processes[to].feed(self.now_ms, Input::Message { from, message });
        self.perform(to, acts);
        true
    }

    /// Lets time pass to the next deadline, which is there as long as a batch is pending.
    fn wait(&mut self) {
        let deadlines: Vec<Option<u64>> = self.processes.iter().map(Process::deadline).collect();
        let Some(next) = deadlines.iter().flatten().min().copied() else {
            self.violation = Some("everything stands still for ever".into());
            return;
        };
        self.now_ms = next;
        for (process, due) in deadlines.into_iter().enumerate() {
            if due.is_some_and(|due| due <= next) {
                let acts = self.processes[process].wake(next);
                self.perform(process, acts);
            }
        }
    }

    fn perform(&mut self, process: usize, acts: Vec<Act>) {
        for act in acts {
            let outcome = match act {
                Act::Send(to, message) => self.send(process, to, message),
                Act::Commit(height, block) => {
                    self.moved_ms = self.now_ms;
                    self.counts.early_commits += u64::from(!self.is_healed);
                    self.history.commit(height, block)
                }
                Act::Enter => {
                    self.moved_ms = self.now_ms;
                    Ok(())
                }
                Act::Halt(reason) => Err(format!("halted: {reason}")),
            };
            if let Err(reason) = outcome {
                self.violation.get_or_insert(format!("process {process}: {reason}"));
            }
        }
    }

    fn send(&mut self, from: usize, to: Recipients, message: Message) -> Result<(), String> {
        let place = self.processes[from].place;
        let is_answer = to != Recipients::Others;
        if !is_answer {
            // Whoever asks a twin may get what the other one said.
            self.processes[from].spoken.say(place, &message)?;
        }
        let is_meant = |process: &Process| match to {
            // Twins do not speak to each other: each is all that the other knows of its validator.
            Recipients::Others => process.place != place,
            Recipients::One(one) => process.place == one,
        };
        let meant: Vec<usize> = (0..PROCESSES).filter(|it| is_meant(&self.processes[*it])).collect();
        let (reached, withheld): (Vec<usize>, Vec<usize>) =
            meant.into_iter().partition(|to| self.is_heard(from, *to, &message, is_answer));
        self.counts.withheld += withheld.len() as u64;
        if reached.is_empty() {
            return Ok(());
        }
        let verified = message.verify(&self.network.committee, &NameVerifier);
        let verified = verified.map_err(|error| format!("sends what does not verify: {error}"))?;
        let sent = |to| Sent { from: place, to, message: verified.clone() };
        self.wire.extend(reached.into_iter().map(sent));
        Ok(())
    }

    /// Whether a message gets through. PROPOSEs and votes belong to the round of their view. Certificates also go with
    /// the round that their sender is in, and whatever answers a question, or asks one, belongs to that round alone.
    fn is_heard(&self, from: usize, to: usize, message: &Message, is_answer: bool) -> bool {
        let joined = |view: u64| self.is_healed || self.scenario.are_joined(view, from, to);
        let sender_view = self.processes[from].view;
        match message {
            Message::Propose(propose) if !is_answer => joined(propose.header.view),
            Message::Vote(vote) => {
                let view = vote.statement.view();
                joined(view) || (vote.statement.kind() == VoteKind::Nullify && view <= self.released)
            }
            Message::Certificate(certificate) => {
                let view = certificate.view();
                let is_nullification = certificate.certified().kind() == VoteKind::Nullify;
                joined(view) || joined(sender_view) || (is_nullification && view <= self.released)
            }
            _ => joined(sender_view),
        }
    }
}
