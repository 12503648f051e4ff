//! Owns the consensus thread and performs its effects, in order: this is the only shell around the replica.
//!
//! Four threads, one way: the *driver* feeds the replica and syncs the consensus file; the *executor* builds and checks
//! blocks; the *committer* writes decided blocks and shows the new head; the *answerer* reads what peers ask for. The
//! driver never waits for the others. What peers say comes by the *inbox*, from the network's threads.

mod answers;
mod arriving;
mod attendance;
mod committer;
mod driver;
mod executor;
mod inbox;
mod meter;
mod progress;
mod pulse;
mod recovery;
mod refs;
mod signatures;
#[cfg(test)]
mod tests;
mod vote_store;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use api::Pipeline;
use consensus::evidence::Evidence;
use consensus::store::Operator;
use consensus::{Committee, Duty, Ed25519Signer, Input, Params, PeerStatus, Replica, Status, Timing, Tip};
use ledger::{Ledger, Pool};
use ledger_types::{Lineage, PrivateKey, Topology, ValidatorId};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::broadcast::Broadcast;
use crate::clock::Clock;
use crate::network::Links;
use arriving::Arriving;
pub(crate) use inbox::PeerInbox;
pub(crate) use progress::Progress;
use pulse::Fault;
use vote_store::LedgerVotes;
pub(crate) use vote_store::finalization;

/// What the engine works on.
pub(crate) struct Parts {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) pool: Arc<Pool>,
    /// The ids of the network: votes are signed under the last.
    pub(crate) lineage: Lineage,
    pub(crate) topology: Topology,
    pub(crate) own: ValidatorId,
    pub(crate) vote_key: PrivateKey,
    pub(crate) timing: Timing,
    pub(crate) clock: Clock,
    /// The way to the other validators.
    pub(crate) links: Links,
    /// Sends what is pending for long to the others again.
    pub(crate) broadcast: Arc<Broadcast>,
    /// The file beside the keys that tells which life of this node ran last.
    pub(crate) vote_generation: PathBuf,
    /// What the operator says about the consensus file.
    pub(crate) operator: Operator,
    /// Where the way of transactions is measured.
    pub(crate) pipeline: Arc<Pipeline>,
}

/// The running engine.
pub(crate) struct Engine {
    inputs: Sender<driver::Event>,
    committee: Arc<Committee>,
    shown: Arc<Mutex<Shown>>,
    going: Going,
    doubt: Option<String>,
    fault: Arc<Fault>,
    arriving: Arc<Arriving>,
    head: watch::Receiver<u64>,
    /// What was decided before the restart is committed when the head is here.
    recovered_height: u64,
    threads: Vec<JoinHandle<()>>,
}

/// What the replica shows of itself.
#[derive(Clone, Debug)]
struct Shown {
    status: Status,
    evidence: Vec<Evidence>,
    /// Validators that do not know how far they voted.
    doubtful: Vec<ValidatorId>,
    /// What the others told of themselves.
    peers: Vec<(ValidatorId, PeerStatus)>,
}

/// How catching up goes, if it is going on.
type Going = Arc<Mutex<Option<Progress>>>;

impl Shown {
    fn of(replica: &Replica) -> Self {
        Self {
            status: replica.status(),
            evidence: replica.evidence().copied().collect(),
            doubtful: replica.doubtful().collect(),
            peers: replica.peers().collect(),
        }
    }
}

/// A handle for those who tell the engine that the pool changed, or ask how it is.
#[derive(Clone)]
pub(crate) struct EngineHandle {
    inputs: Sender<driver::Event>,
    committee: Arc<Committee>,
    shown: Arc<Mutex<Shown>>,
    going: Going,
    /// Why the node could not vote when it started.
    doubt: Option<String>,
    fault: Arc<Fault>,
    arriving: Arc<Arriving>,
}

impl EngineHandle {
    /// Tells the replica that batches came.
    pub(crate) fn pool_changed(&self) {
        // A stopped driver needs no news.
        let _ = self.inputs.send(driver::Event::PoolChanged);
    }

    /// Where the replica stands.
    pub(crate) fn status(&self) -> Status {
        self.shown.lock().status
    }

    /// How catching up goes, if this node lags.
    pub(crate) fn progress(&self) -> Option<Progress> {
        *self.going.lock()
    }

    /// What the other validators last told of themselves, as far as they did.
    pub(crate) fn peers(&self) -> Vec<(ValidatorId, PeerStatus)> {
        self.shown.lock().peers.clone()
    }

    /// Who is proven to have lied.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        self.shown.lock().evidence.clone()
    }

    /// Stops the process in order: it must not go on.
    pub(crate) fn fail(&self, reason: String) {
        self.fault.set_fatal(reason);
        // The driver looks at faults when it is woken.
        self.pool_changed();
    }

    /// Why the node had to stop taking part, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.get()
    }

    /// Why the node does not take part now, if so: a fault, or a vote store that it cannot trust.
    pub(crate) fn refusal(&self) -> Option<String> {
        let doubt = || {
            match self.status().duty {
            Duty::Observes | Duty::Forgot => {
                let later = "own votes were seen that pbft_consensus-01.lmdb does not hold";
                Some(self.doubt.clone().unwrap_or_else(|| later.to_owned()))
            }
            Duty::Follows => Some(
                "this node has not yet the block that its network went back to by `dgt rollback`: it fetches the \
                 blocks up to there, and signs nothing"
                    .to_owned(),
            ),
            Duty::Votes | Duty::Asks | Duty::SilentUpTo(_) => None,
        }
        };
        let doubt = || match (doubt()?, self.too_many_forgot()) {
            (own, Some(all)) => Some(format!("{own}. {all}")),
            (own, None) => Some(own),
        };
        self.fault.get().or_else(doubt)
    }

    /// Why validators that are here cannot decide anything, if it is because they lost votes.
    pub(crate) fn too_many_forgot(&self) -> Option<String> {
        let shown = self.shown.lock();
        let is_so = shown.status.is_quorum_heard && !shown.status.is_quorum_voting;
        is_so.then(|| too_few_vote(&shown.doubtful, &self.committee))
    }

    /// Why the node takes no batches now, if so: it does not take part, or nothing could decide them.
    pub(crate) fn not_ready(&self) -> Option<String> {
        self.refusal().or_else(|| {
            let status = self.status();
            let unheard = (!status.is_quorum_heard).then(|| below_quorum(status.heard, &self.committee));
            unheard.or_else(|| self.too_many_forgot())
        })
    }
}

/// Why nothing can be decided although enough validators are heard.
fn too_few_vote(doubtful: &[ValidatorId], committee: &Committee) -> String {
    let names: Vec<String> = doubtful.iter().map(ValidatorId::to_string).collect();
    format!(
        "Of {} validators {} must vote (the quorum), and {} do not know how far they voted, because their votes were \
         restored or lost: nothing can be decided. If it stays so, too many were restored at once: stop all nodes and let \
         them go back to a block that all agree on, by `dgt rollback`",
        committee.topology().validators().count(),
        committee.quorum().flat_quorum(),
        names.join(", ")
    )
}

impl Engine {
    /// Restores the replica from the consensus file and starts the threads.
    pub(crate) fn start(parts: Parts) -> Result<Self> {
        let Parts { ledger, pool, topology, own, vote_key, timing, clock, links, broadcast, .. } = parts;
        let Parts { vote_generation, operator, lineage, pipeline, .. } = parts;
        let (inputs, events) = channel();
        let (work, tasks) = channel();
        let (decided, commits) = channel();
        let (shown, head) = watch::channel(ledger.head().height);
        let fault = Arc::new(Fault::none());

        let genesis = ledger.reader().block_id(0)?.context("the ledger has no genesis block")?;
        let committee = Arc::new(Committee::new(lineage, 0, topology, &genesis));
        let signer = Ed25519Signer::new(vote_key).context("the vote key is not an ed25519 key")?;
        let mut votes = LedgerVotes(ledger.clone());
        let (start, loaded) =
            vote_store::start(&mut votes, (&vote_generation, committee.network_id()), operator)?;
        let doubt = vote_store::doubt(&start, &loaded);
        if let Some(doubt) = &doubt {
            tracing::error!(doubt, "this node does not vote");
        }
        let params = Params { committee: committee.clone(), own, timing, start };
        let records = loaded.records;
        let tip = tip_of(&ledger)?;
        let recovered_height = recovery::height_of(&records, &tip);
        let (replica, effects) = Replica::restore(params, Box::new(signer), records, tip, clock.now());
        let replica_shown = Arc::new(Mutex::new(Shown::of(&replica)));

        let (questions, answerer) = {
            let (ledger, pool, links) = (ledger.clone(), pool.clone(), links.clone());
            answers::Answerer::new(ledger, pool, links, committee.origin())
        };
        let driver = driver::Driver {
            replica,
            votes,
            ledger: ledger.clone(),
            pool: pool.clone(),
            clock,
            work,
            decided,
            questions,
            links,
            shown: replica_shown.clone(),
            meter: meter::Meter::new(pipeline.clone(), committee.clone(), own),
            fault: fault.clone(),
        };
        let arriving = Arc::new(Arriving::default());
        let executor = executor::Executor {
            ledger: ledger.clone(),
            pool: pool.clone(),
            committee: committee.clone(),
            own,
            clock,
            answers: inputs.clone(),
            pipeline: pipeline.clone(),
            arriving: arriving.clone(),
            fault: fault.clone(),
        };
        let going = Going::default();
        let committer = committer::Committer {
            ledger,
            pool,
            clock,
            shown,
            broadcast,
            consensus: replica_shown.clone(),
            going: going.clone(),
            answers: inputs.clone(),
            pipeline,
            fault: fault.clone(),
        };
        let threads = vec![
            spawn("consensus", move || driver.run(&events, effects))?,
            spawn("execute", move || executor.run(&tasks))?,
            spawn("commit", move || committer.run(&commits))?,
            spawn("answer", move || answerer.run())?,
        ];
        Ok(Self {
            inputs,
            committee,
            shown: replica_shown,
            going,
            doubt,
            fault,
            arriving,
            head,
            recovered_height,
            threads,
        })
    }

    /// A handle on the engine.
    pub(crate) fn handle(&self) -> EngineHandle {
        EngineHandle {
            inputs: self.inputs.clone(),
            committee: self.committee.clone(),
            shown: self.shown.clone(),
            going: self.going.clone(),
            doubt: self.doubt.clone(),
            fault: self.fault.clone(),
            arriving: self.arriving.clone(),
        }
    }

    /// Waits until everything that was decided before the restart is committed again.
    ///
    /// # Errors
    /// When a fault comes first.
    pub(crate) async fn recovered(&self) -> Result<()> {
        let mut head = self.head.clone();
        tokio::select! {
            _ = head.wait_for(|height| *height >= self.recovered_height) => Ok(()),
            reason = self.fault.any() => Err(anyhow::anyhow!(reason)),
        }
    }

    /// Waits until the process must stop, because it does not know what the disk holds.
    pub(crate) async fn fatal(&self) -> String {
        self.fault.fatal().await
    }

    /// Tells the height of the newest readable block.
    pub(crate) fn head(&self) -> watch::Receiver<u64> {
        self.head.clone()
    }

    /// Stops the threads: no new votes, decided blocks are still written and synced.
    pub(crate) fn stop(self) {
        let _ = self.inputs.send(driver::Event::Stop);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("an engine thread panicked");
            }
        }
    }
}

/// How many validators are heard, and how many are needed.
fn below_quorum(heard: usize, committee: &Committee) -> String {
    let (quorum, count) = (committee.quorum(), committee.topology().validators().count());
    let needed = quorum.flat_quorum();
    let until = match needed.saturating_sub(heard) {
        0 => format!("those of {} clusters are enough each", quorum.cluster_quorum()),
        1 => "another is back".to_owned(),
        more => format!("{more} more are back"),
    };
    format!(
        "{heard} of {count} validators are heard and {needed} must vote (the quorum): writes wait until {until}; reads go on"
    )
}

fn tip_of(ledger: &Ledger) -> Result<Tip> {
    let head = ledger.head();
    let header = ledger.reader().header(head.height)?.context("the head has no header")?;
    Ok(Tip { height: head.height, block: head.id, header })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).context("starting a thread")
}

/// Takes everything that is queued after waiting for the first; `None` when nobody sends any more.
fn take_all<T>(receiver: &Receiver<T>) -> Option<Vec<T>> {
    let first = receiver.recv().ok()?;
    Some(std::iter::once(first).chain(receiver.try_iter()).collect())
}

impl From<Input> for driver::Event {
    fn from(input: Input) -> Self {
        Self::Input(Box::new(input))
    }
}
