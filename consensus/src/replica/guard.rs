//! The rollback guard: a node that forgot votes is silent in the views it may have forgotten (SPEC 3.10).

use std::collections::BTreeMap;

use ledger_types::certificate::{Candidate, Certificate, VoteKind};
use ledger_types::hash::sha512_256;
use ledger_types::{Hash, Signature, ValidatorId};

use super::release::Held;
use super::state::Replica;
use super::status::Duty;
use crate::effect::Recipients;
use crate::guard::{Incarnation, Standing, Start};
use crate::ignored::Ignored;
use crate::message::{AnswerStanding, GuardAnswer, GuardRequest, Message, Vote, question_bytes};
use crate::record::Record;
use crate::safety::Silence;

/// How long a node that cannot prove its store is silent in a view while others seem to manage without it, ms.
const PATIENCE_MS: u64 = 2_000;

/// What the guard is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Signs nothing until the operator acts.
    Observing,
    /// Not known to have forgotten anything; signs nothing until enough peers have said so.
    Asking,
    /// Known to have forgotten votes; signs nothing until enough voting peers have said how far.
    Forgot,
    /// Not known to be old, nor to be current: silent up to a view, but not longer than patience in one view.
    Patient { since_ms: u64 },
    /// Votes above its durable bound.
    Voting,
}

/// What a peer said to the running question.
#[derive(Clone, Copy, Debug)]
struct Heard {
    standing: AnswerStanding,
    mark: u64,
}

/// What was seen of a peer, to be shown to it when it asks.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    request: Option<GuardRequest>,
    vote: Option<Vote>,
}

/// The guard of one node.
#[derive(Debug)]
pub(super) struct Guard {
    start: Start,
    phase: Phase,
    /// The durable bound: votes up to this view are known to be forgotten, so nothing is signed there.
    bound: u64,
    /// The bound of a node that only may have forgotten votes; patience lifts it.
    quiet: u64,
    /// The highest incarnation of this node that somebody else lived and that was shown here.
    foreign: Option<Incarnation>,
    /// The same, at the time when the bound was found: what is shown up to it is answered for.
    forgiven: Option<Incarnation>,
    /// The running question and its hash.
    question: Option<(GuardRequest, Hash)>,
    /// One answer per peer at most.
    answers: BTreeMap<ValidatorId, Heard>,
    ask_at_ms: u64,
    /// One entry per peer at most.
    seen: BTreeMap<ValidatorId, Seen>,
}

impl Guard {
    pub(super) fn new(start: Start) -> Self {
        let phase = match start.standing {
            Standing::Current | Standing::Unproven => Phase::Asking,
            Standing::Old => Phase::Forgot,
            Standing::Observer => Phase::Observing,
            Standing::Trusted => Phase::Voting,
        };
        let (answers, seen) = (BTreeMap::new(), BTreeMap::new());
        Self {
            start,
            phase,
            bound: 0,
            quiet: 0,
            foreign: None,
            forgiven: None,
            question: None,
            answers,
            ask_at_ms: 0,
            seen,
        }
    }

    /// Takes what an earlier run recorded.
    pub(super) fn restore(&mut self, bound: Option<u64>) {
        match bound {
            Some(bound) => self.bound = self.bound.max(bound),
            None if matches!(self.phase, Phase::Asking | Phase::Patient { .. } | Phase::Voting) => {
                self.phase = Phase::Forgot;
            }
            None => {}
        }
    }

    /// The records are older than the block file, which is written only after they are: votes are forgotten.
    pub(super) fn restore_older_records(&mut self) -> bool {
        let is_news = matches!(self.phase, Phase::Asking) || self.phase == Phase::Voting;
        let is_answered_for = self.start.standing == Standing::Trusted;
        if is_news && !is_answered_for {
            self.phase = Phase::Forgot;
        }
        is_news && !is_answered_for
    }

    /// What it demands of every signature.
    fn silence(&self) -> Silence {
        match self.phase {
            Phase::Observing | Phase::Asking | Phase::Forgot => Silence::All,
            Phase::Patient { .. } | Phase::Voting => Silence::UpTo(self.bound.max(self.quiet)),
        }
    }

    fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Asking | Phase::Forgot)
    }

    /// Remembers a vote of a peer: the last of the highest view, where NOTARIZE comes first.
    pub(super) fn note_vote(&mut self, vote: &Vote) {
        let rank = |vote: &Vote| (vote.statement.view(), vote.statement.kind() != VoteKind::Notarize);
        let seen = self.seen.entry(vote.signer).or_default();
        if seen.vote.is_none_or(|held| rank(&held) <= rank(vote)) {
            seen.vote = Some(*vote);
        }
    }

    /// Whether somebody shows an incarnation of this node that is neither this one nor before the last one here, and
    /// that no bound answers for.
    fn is_foreign(&mut self, request: &GuardRequest) -> bool {
        let shown = request.current;
        let is_own = shown == self.start.current || Some(shown) == self.start.previous;
        let is_old = self.start.previous.is_some_and(|previous| shown.counter < previous.counter);
        if is_own || is_old || self.forgiven.is_some_and(|forgiven| shown <= forgiven) {
            return false;
        }
        self.foreign = self.foreign.max(Some(shown));
        true
    }

    /// Whether a stored vote or proposal of a view may be said again after a restart: not where another life may have
    /// said something else.
    pub(super) fn may_repeat(&self, view: u64) -> bool {
        view > self.bound && !matches!(self.phase, Phase::Forgot | Phase::Observing)
    }
}

impl Replica {
    /// Whether this node may vote.
    pub(super) fn duty(&self) -> Duty {
        match (self.guard.phase, self.guard.silence()) {
            _ if self.is_below_origin() => Duty::Follows,
            (Phase::Observing, _) => Duty::Observes,
            (Phase::Asking, _) => Duty::Asks,
            (Phase::Forgot, _) => Duty::Forgot,
            (_, Silence::UpTo(bound)) if self.view <= bound => Duty::SilentUpTo(bound),
            _ => Duty::Votes,
        }
    }

    /// Begins to guard, before anything is signed.
    pub(super) fn start_guard(&mut self) {
        if self.guard.phase == Phase::Asking && self.committee.topology().validators().count() == 1 {
            // Nobody to ask, and nobody else's certificate that a forgotten vote could be in.
            self.guard.phase = Phase::Voting;
        }
        self.obey_guard();
    }

    pub(super) fn obey_guard(&mut self) {
        let silence = if self.is_below_origin() { Silence::All } else { self.guard.silence() };
        self.safety.set_silence(silence, self.guard.bound);
    }

    /// Asks, and judges the answers. Never more than the guard's own state changes here.
    pub(super) fn keep_guard(&mut self) -> bool {
        self.ask();
        let next = match self.guard.phase {
            Phase::Asking => self.end_of_asking(),
            Phase::Forgot => self.end_of_forgetting(),
            // The others managed without this node: it keeps silent up to there.
            Phase::Patient { .. } if self.view > self.guard.quiet => Some(Phase::Voting),
            Phase::Patient { .. } if self.patience_ends_ms() <= Some(self.now.monotonic_ms) => {
                tracing::warn!(own = %self.own, view = self.view, "votes from a store that nothing proves");
                self.guard.quiet = 0;
                Some(Phase::Voting)
            }
            Phase::Observing | Phase::Patient { .. } | Phase::Voting => None,
        };
        let Some(next) = next else { return false };
        self.guard.phase = next;
        self.obey_guard();
        if !self.guard.is_asking() {
            (self.guard.question, self.guard.answers) = (None, BTreeMap::new());
        }
        true
    }

    /// Nobody contradicts, and those who could are a quorum with this node.
    fn end_of_asking(&mut self) -> Option<Phase> {
        let answers = self.guard.answers.iter();
        let counted = answers.filter(|(_, heard)| heard.standing != AnswerStanding::Guarded);
        let counted: Vec<(ValidatorId, u64)> = counted.map(|(peer, heard)| (*peer, heard.mark)).collect();
        let signers = counted.iter().map(|(peer, _)| *peer).chain([self.own]);
        if !self.committee.quorum().is_met_by(signers) {
            return None;
        }
        if self.guard.start.standing == Standing::Current {
            return Some(Phase::Voting);
        }
        let marks = counted.iter().map(|(_, mark)| *mark);
        self.guard.quiet = marks.max().unwrap_or(0).saturating_add(1).max(self.safety.mark());
        Some(Phase::Patient { since_ms: self.now.monotonic_ms })
    }

    /// Enough peers that vote themselves have told how far they went: to have signed in a view this node held a
    /// certificate of the one before, and one of its honest signers is among them.
    fn end_of_forgetting(&mut self) -> Option<Phase> {
        let answers = self.guard.answers.iter();
        let counted = answers.filter(|(_, heard)| heard.standing == AnswerStanding::Voting);
        let counted: Vec<(ValidatorId, u64)> = counted.map(|(peer, heard)| (*peer, heard.mark)).collect();
        if !self.committee.quorum().is_met_by(counted.iter().map(|(peer, _)| *peer)) {
            return None;
        }
        let marks = counted.iter().map(|(_, mark)| *mark);
        let bound = marks.max().unwrap_or(0).saturating_add(1).max(self.safety.mark());
        self.guard.bound = self.guard.bound.max(bound);
        self.guard.forgiven = self.guard.forgiven.max(self.guard.foreign);
        let epoch = self.committee.epoch();
        self.journal.put(Record::Guard { epoch, bound: Some(self.guard.bound) });
        tracing::warn!(own = %self.own, bound = self.guard.bound, "forgot votes: silent up to this view");
        Some(Phase::Voting)
    }

    /// This node has seen its own signature where its store has none.
    pub(super) fn on_forgotten(&mut self) {
        let is_answered_for = self.guard.start.standing == Standing::Trusted;
        if is_answered_for || matches!(self.guard.phase, Phase::Observing | Phase::Forgot) {
            return;
        }
        tracing::error!(own = %self.own, view = self.view, "own signatures that this store does not hold");
        self.journal.put(Record::Guard { epoch: self.committee.epoch(), bound: None });
        self.guard.phase = Phase::Forgot;
        // Answers to an earlier question may be older than what was forgotten.
        (self.guard.question, self.guard.answers, self.guard.ask_at_ms) = (None, BTreeMap::new(), 0);
        self.obey_guard();
        // What is signed and not sent may contradict what was forgotten.
        self.held.retain(|held| !held.is(Held::is_signed));
    }

    /// Compares an own vote that somebody shows with the store.
    pub(super) fn check_own_vote(&mut self, vote: &Vote) {
        if self.safety.has_forgotten(&vote.statement) {
            self.on_forgotten();
        }
    }

    /// Compares an own proposal that somebody shows with the store.
    pub(super) fn check_own_proposal(&mut self, shown: Candidate) {
        if self.safety.has_forgotten_proposal(shown.view, shown.block) {
            self.on_forgotten();
        }
    }

    /// Compares this node's part of a certificate with the store.
    pub(super) fn check_own_part(&mut self, certificate: &Certificate) {
        let own = certificate.votes().find(|(signer, _)| *signer == self.own);
        let statement = own.and_then(|(_, vote)| certificate.certified().statement(vote.from_view));
        if statement.is_some_and(|statement| self.safety.has_forgotten(&statement)) {
            self.on_forgotten();
        }
    }

    fn ask(&mut self) {
        if !self.guard.is_asking() || self.guard.ask_at_ms > self.now.monotonic_ms {
            return;
        }
        let request = match self.guard.question {
            Some((request, _)) => request,
            None => self.new_question(),
        };
        let delta_ms = self.timers.delta_ms().max(1);
        self.guard.ask_at_ms = self.now.monotonic_ms.saturating_add(2 * delta_ms);
        self.send(Recipients::Others, Message::GuardRequest(request));
    }

    fn new_question(&mut self) -> GuardRequest {
        let Start { previous, current, .. } = self.guard.start;
        // With the incarnation this tells one question of this node from every other, also after a snapshot of the
        // running process was brought back: then the clock has gone on.
        let asked_ms = self.now.wall_ms;
        let (signer, signature) = (self.own, Signature::ZERO);
        let request =
            self.safety.guard_request(GuardRequest { signer, previous, current, asked_ms, signature });
        let hash = sha512_256(&[&question_bytes(&self.committee, &request)]);
        self.guard.question = Some((request, hash));
        request
    }

    pub(super) fn on_guard_request(&mut self, request: &GuardRequest) -> Result<(), Ignored> {
        if request.signer == self.own {
            // Another process runs with this node's key, or did.
            if self.guard.is_foreign(request) {
                self.on_forgotten();
            }
            return Err(Ignored::Duplicate);
        }
        let seen = self.guard.seen.entry(request.signer).or_default();
        // The first of a counter stays.
        if seen.request.is_none_or(|held| held.current.counter < request.current.counter) {
            seen.request = Some(*request);
        }
        let Seen { request: seen_request, vote: seen_vote } = *seen;
        let mark = self.safety.mark().max(self.guard.bound).max(self.guard.quiet);
        let unsigned = GuardAnswer {
            signer: self.own,
            asker: request.signer,
            question: sha512_256(&[&question_bytes(&self.committee, request)]),
            standing: match self.guard.phase {
                _ if self.is_below_origin() => AnswerStanding::Guarded,
                Phase::Asking => AnswerStanding::Asking,
                Phase::Observing | Phase::Forgot => AnswerStanding::Guarded,
                Phase::Patient { .. } | Phase::Voting => AnswerStanding::Voting,
            },
            mark,
            proof: self.newest_certificate().cloned(),
            seen_request,
            seen_vote,
            signature: Signature::ZERO,
        };
        let answer = Message::GuardAnswer(Box::new(self.safety.guard_answer(unsigned)));
        self.answer(request.signer, answer);
        Ok(())
    }

    pub(super) fn on_guard_answer(&mut self, answer: &GuardAnswer) -> Result<(), Ignored> {
        let is_asked = self.guard.question.is_some_and(|(_, question)| question == answer.question);
        if answer.asker != self.own || answer.signer == self.own {
            return Err(Ignored::Unasked);
        }
        // Own signatures prove themselves, whenever they are shown.
        if answer.seen_request.is_some_and(|request| self.guard.is_foreign(&request)) {
            self.on_forgotten();
        }
        if let Some(vote) = answer.seen_vote {
            self.check_own_vote(&vote);
        }
        // Without the question that was asked when the phase began, the answer may be older than what was forgotten.
        if !is_asked || self.guard.question.is_none() {
            return Err(Ignored::Unasked);
        }
        if let Some(proof) = answer.proof.clone() {
            let _ignored = self.on_certificate(proof);
        }
        // What is final here needs none: at the first start after a rollback there is no certificate.
        let certified = answer.proof.as_ref().map_or(0, Certificate::view);
        let proven = certified.max(self.safety.floor()).saturating_add(2);
        if answer.mark > proven {
            return Err(Ignored::Unproven);
        }
        self.guard.answers.insert(answer.signer, Heard { standing: answer.standing, mark: answer.mark });
        Ok(())
    }

    /// The certificate of the highest view.
    fn newest_certificate(&self) -> Option<&Certificate> {
        let passed = self
            .views
            .iter()
            .rev()
            .find_map(|(_, slot)| slot.notarization.as_ref().or(slot.nullification.as_ref()));
        let known = passed.into_iter().chain(self.highest_finalization()).chain(&self.entry);
        known.max_by_key(|certificate| certificate.view())
    }

    fn patience_ends_ms(&self) -> Option<u64> {
        match self.guard.phase {
            Phase::Patient { since_ms } => {
                Some(since_ms.max(self.timers.entered_ms()).saturating_add(PATIENCE_MS))
            }
            _ => None,
        }
    }

    /// When to ask again, or when patience ends.
    pub(super) fn guard_deadline(&self) -> Option<u64> {
        let ask = self.guard.is_asking().then_some(self.guard.ask_at_ms);
        ask.or_else(|| self.patience_ends_ms())
    }
}
