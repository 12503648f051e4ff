//! What happens in a run: plain data, all of it drawn from a seed.

use consensus::Timing;

use super::clock::ClockPlan;
use super::crypto::Signatures;
use super::network::NetworkPlan;
use super::oracle::Arithmetic;
use crate::byzantine::Casting;

/// How many lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Model {
    /// Nobody.
    Honest,
    /// At most `f(N)` nodes, anywhere.
    M1,
    /// At most `f(C)` clusters wholly, and at most `f(n)` nodes in each other.
    M2,
    /// More: forks are to be expected.
    Beyond,
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Honest, Self::M1, Self::M2, Self::Beyond];

    /// Its name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::M1 => "m1",
            Self::M2 => "m2",
            Self::Beyond => "beyond",
        }
    }
}

/// A node that lies.
#[derive(Clone, Debug)]
pub struct Role {
    /// The node, counted over all clusters.
    pub node: usize,
    /// How it lies.
    pub casting: Casting,
    /// When it begins to, milliseconds; it is honest before.
    pub begin_ms: u64,
}

/// Something that goes wrong with one node.
#[derive(Clone, Debug)]
pub struct Mishap {
    /// When, milliseconds.
    pub at_ms: u64,
    /// To whom.
    pub node: usize,
    /// What.
    pub trouble: Trouble,
    /// How long the node is down afterwards, milliseconds, if it goes down.
    pub down_ms: u64,
}

/// What can go wrong with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The process is killed: unsynced writes to the vote store are gone.
    Killed,
    /// The machine loses power: so is the unsynced end of the block file.
    PowerLost,
    /// The next write finds no room; the process stops, and starts when there is some.
    NoRoom,
    /// The next sync fails: what it wrote may be there or not; the process stops.
    SyncFails,
    /// A bit of a stored record flips, then the machine loses power. At its start the node finds that and signs nothing;
    /// later its operator says so.
    BitFlips,
    /// Somebody copies the node's files while it runs.
    Copied,
    /// Somebody stops the node, copies its files and starts it again, as backups are made.
    CopiedAtRest,
    /// The copy is put back, but for the file beside the keys. Of a copy at rest the next start can tell that it is old.
    Restored,
    /// The copy is put back with the file beside the keys: no start can tell. From now on the node counts as a liar.
    MachineRolledBack,
    /// The file beside the keys gets lost, and the process is killed. Nothing is forgotten.
    FileLost,
}

/// The delays of a node's disk and executor, milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Slowness {
    /// The longest usual sync of the vote store.
    pub sync_ms: u64,
    /// How many of a thousand syncs are slow.
    pub slow_permille: u64,
    /// The longest slow sync.
    pub slow_sync_ms: u64,
    /// The longest execution of a block.
    pub execution_ms: u64,
    /// The longest time from a commit to a synced block file.
    pub chain_sync_ms: u64,
}

/// What clients do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Batches before the network is healed.
    pub batches: u64,
    /// The time between two of them at most, milliseconds.
    pub every_ms: u64,
    /// The share of nodes, in thousandths, that a client reaches with a batch; the rest hear of it from those.
    pub reach_permille: u64,
    /// Whether pools tell each other; if not, some nodes have to ask for entries.
    pub is_gossiped: bool,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where everything below comes from, and all further random numbers.
    pub seed: u64,
    /// The sizes of the clusters.
    pub shape: Vec<usize>,
    /// How many lie.
    pub model: Model,
    /// Who lies.
    pub cast: Vec<Role>,
    /// The nodes' delays.
    pub timing: Timing,
    /// The wire.
    pub network: NetworkPlan,
    /// Clocks, one a node.
    pub clocks: Vec<ClockPlan>,
    /// Disks and executors.
    pub slowness: Slowness,
    /// What goes wrong, by time.
    pub mishaps: Vec<Mishap>,
    /// What clients do.
    pub load: Load,
    /// When everything works for good, milliseconds: no loss, no partitions, no crashes, all clocks right but few.
    pub heal_ms: u64,
    /// How many blocks must be committed before the run may end.
    pub least_blocks: u64,
    /// How signatures are made.
    pub signatures: Signatures,
}

impl Scenario {
    /// How many nodes there are.
    pub fn size(&self) -> usize {
        self.shape.iter().sum()
    }

    /// The nodes that lie at any time, or whose machine is rolled back, a bit each.
    pub fn liars(&self) -> u64 {
        let rolled_back = self.mishaps.iter().filter(|it| it.trouble == Trouble::MachineRolledBack);
        let nodes = self.cast.iter().map(|role| role.node).chain(rolled_back.map(|it| it.node));
        nodes.fold(0, |set, node| set | 1 << node)
    }

    /// The nodes that need not take part after healing although they do not lie: their past was lost, or their clock is
    /// wrong for ever.
    pub fn absent(&self) -> u64 {
        let lost =
            self.mishaps.iter().filter(|it| matches!(it.trouble, Trouble::BitFlips | Trouble::Restored));
        let set = lost.fold(0, |set, it| set | 1u64 << it.node);
        let limit = i64::try_from(self.timing.drift_ms / 2).unwrap_or(i64::MAX);
        let is_wrong =
            |clock: &ClockPlan| clock.jumps.last().map_or(clock.skew_ms, |(_, error)| *error).abs() > limit;
        let wrong = self.clocks.iter().enumerate().filter(|(_, clock)| is_wrong(clock));
        wrong.fold(set, |set, (node, _)| set | 1 << node)
    }

    /// The honest nodes that must make progress after healing.
    pub fn live(&self) -> u64 {
        let all = (0..self.size()).fold(0u64, |set, node| set | 1 << node);
        all & !self.liars() & !self.absent()
    }

    /// Whether progress must be made after healing: M1 or M2 holds, and the live nodes are a quorum.
    pub fn must_progress(&self) -> bool {
        let arithmetic = Arithmetic::new(&self.shape);
        self.is_safe() && arithmetic.is_quorum(self.live())
    }

    /// Whether M1 or M2 holds.
    pub fn is_safe(&self) -> bool {
        let arithmetic = Arithmetic::new(&self.shape);
        arithmetic.is_m1(self.liars()) || arithmetic.is_m2(self.liars())
    }
}
