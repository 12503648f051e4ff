//! What the keeper knows of one peer: its connections, and when the next thing is due.

use std::collections::BTreeSet;
use std::time::Duration;

use ledger_types::ValidatorId;
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::open::HANDSHAKE;

/// How long after a failed attempt the next one is made: doubled each time up to the second.
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MOST: Duration = Duration::from_secs(2);
/// How long a peer is shut out that sent what no honest one sends: doubled each time up to the second.
const SHUT_OUT: Duration = Duration::from_secs(1);
const SHUT_OUT_MOST: Duration = Duration::from_secs(60);
/// How long others may call this process a second one before it believes them: longer than they hold on to one that is
/// gone.
const DISPLACED: Duration = Duration::from_secs(7);
/// How long a link must stay as it is before its next change is worth a line in the log.
const TOLD: Duration = Duration::from_secs(1);
/// Connections of one peer at most: one of each direction, what takes their places, and
/// what is being closed.
const CONNECTIONS: usize = 4;
/// How often in a row a peer must close a connection before it counts as refusing: once it may just have stopped.
const HANG_UPS: u32 = 3;

/// A peer as the keeper sees it.
pub(super) struct Remote {
    pub(super) id: PeerId,
    /// `HOST:PORT`.
    pub(super) address: String,
    /// Its connections, oldest first.
    pub(super) connections: Vec<ConnectionId>,
    /// Those that are being closed, and still hold a socket.
    closing: BTreeSet<ConnectionId>,
    /// The one that this node sends on.
    pub(super) sending: Option<ConnectionId>,
    /// When that one must be up.
    up_by: Option<Instant>,
    /// Connections in a row that it closed before the link was up.
    hang_ups: u32,
    failures: u32,
    dial_at: Option<Instant>,
    faults: u32,
    /// Until when it is shut out.
    out_until: Option<Instant>,
    /// When the log last told of its link.
    told: Option<Instant>,
    /// Since when it calls this process a second one.
    busy_since: Option<Instant>,
}

impl Remote {
    /// A peer without connections, to be dialled at once.
    pub(super) fn new(id: PeerId, address: String) -> Self {
        Self {
            id,
            address,
            connections: Vec::new(),
            closing: BTreeSet::new(),
            sending: None,
            up_by: None,
            hang_ups: 0,
            failures: 0,
            dial_at: Some(Instant::now()),
            faults: 0,
            out_until: None,
            told: None,
            busy_since: None,
        }
    }

    /// Tells the log, but not each time of a peer that comes and goes.
    pub(super) fn tell(&mut self, peer: ValidatorId, what: &str) {
        match self.told.is_none_or(|told| told.elapsed() > TOLD) {
            true => tracing::info!(%peer, "{what}"),
            false => tracing::debug!(%peer, "{what}"),
        }
        self.told = Some(Instant::now());
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.dial_at, self.out_until, self.up_by].into_iter().flatten().min()
    }

    /// Whether to dial now; if so, it is tried again later in any case, unless it succeeds.
    pub(super) fn begin_dial(&mut self, now: Instant) -> bool {
        let is_due = self.dial_at.is_some_and(|due| due <= now);
        if is_due {
            self.dial_at = Some(now + RETRY_MOST * 2);
        }
        is_due
    }

    /// Whether a dial that is prepared is still wanted.
    pub(super) fn wants_dial(&mut self) -> bool {
        let is_wanted = self.connections.is_empty() && self.out_until.is_none();
        if !is_wanted {
            self.dial_at = None;
        }
        is_wanted
    }

    /// Plans the next attempt, if there is no connection.
    pub(super) fn retry(&mut self) {
        if self.connections.is_empty() {
            let wait = (RETRY * 2_u32.pow(self.failures.min(8))).min(RETRY_MOST);
            self.failures = self.failures.saturating_add(1);
            let at = Instant::now() + wait;
            self.dial_at = Some(self.out_until.map_or(at, |until| until.max(at)));
        }
    }

    /// Takes a new connection, or has one too many closed.
    pub(super) fn connected(&mut self, connection: ConnectionId) -> bool {
        if self.connections.len() + self.closing.len() >= CONNECTIONS {
            self.closing.insert(connection);
            return false;
        }
        self.connections.push(connection);
        self.dial_at = None;
        true
    }

    /// Chooses what to send on, if nothing is chosen: the oldest connection.
    pub(super) fn choose(&mut self) -> Option<ConnectionId> {
        let chosen = self.connections.first().copied().filter(|_| self.sending.is_none())?;
        (self.sending, self.up_by) = (Some(chosen), Some(Instant::now() + HANDSHAKE));
        Some(chosen)
    }

    /// The peer takes what is sent to it.
    pub(super) fn up(&mut self) {
        (self.failures, self.hang_ups, self.busy_since, self.up_by) = (0, 0, None, None);
    }

    /// It closed a connection; whether it does so each time before the link is up.
    pub(super) fn hung_up(&mut self, connection: ConnectionId) -> bool {
        if self.sending == Some(connection) && self.up_by.is_some() {
            self.hang_ups = self.hang_ups.saturating_add(1);
        }
        self.hang_ups >= HANG_UPS
    }

    /// What to send on does not come up.
    pub(super) fn stuck(&self, now: Instant) -> Option<ConnectionId> {
        self.sending.filter(|_| self.up_by.is_some_and(|due| due <= now))
    }

    /// A connection is about to be closed.
    pub(super) fn closing(&mut self, connection: ConnectionId) {
        self.closing.insert(connection);
    }

    /// A connection's socket is gone.
    pub(super) fn closed(&mut self, connection: ConnectionId) {
        self.closing.remove(&connection);
    }

    /// Forgets a connection; whether it was the one to send on.
    pub(super) fn forget(&mut self, connection: ConnectionId) -> bool {
        self.connections.retain(|held| *held != connection);
        let was_sending = self.sending == Some(connection);
        if was_sending {
            (self.sending, self.up_by) = (None, None);
        }
        was_sending
    }

    /// The peer is shut out from now on.
    pub(super) fn shut_out(&mut self) {
        let wait = (SHUT_OUT * 2_u32.pow(self.faults.min(8))).min(SHUT_OUT_MOST);
        self.faults = self.faults.saturating_add(1);
        self.out_until = Some(Instant::now() + wait);
    }

    /// Whether it is let in again from now on.
    pub(super) fn let_in(&mut self, now: Instant) -> bool {
        self.out_until.take_if(|until| *until <= now).is_some()
    }

    /// It calls this process a second one.
    pub(super) fn busy(&mut self) {
        self.busy_since.get_or_insert_with(Instant::now);
    }

    /// Whether it has called this process a second one for long.
    pub(super) fn is_long_busy(&self) -> bool {
        self.busy_since.is_some_and(|since| since.elapsed() > DISPLACED)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;
    use libp2p::swarm::ConnectionId;
    use tokio::time::Instant;

    use super::{CONNECTIONS, RETRY, RETRY_MOST, Remote, SHUT_OUT, SHUT_OUT_MOST};

    fn remote() -> Remote {
        Remote::new(PeerId::random(), String::new())
    }

    #[test]
    fn attempts_become_rarer_until_the_link_is_up() {
        let mut remote = remote();
        assert!(remote.begin_dial(Instant::now()), "at once");
        assert!(!remote.begin_dial(Instant::now()), "one at a time");
        let waits = |remote: &mut Remote| {
            remote.retry();
            let due = remote.due().map(|due| due.saturating_duration_since(Instant::now()));
            due.expect("it is planned").as_millis().next_multiple_of(50)
        };
        let first = RETRY.as_millis();
        let planned = [(); 5].map(|()| waits(&mut remote));
        assert_eq!(planned, [first, first * 2, first * 4, RETRY_MOST.as_millis(), RETRY_MOST.as_millis()]);
        remote.up();
        assert_eq!(waits(&mut remote), first);
        let connection = ConnectionId::new_unchecked(1);
        assert!(remote.connected(connection) && remote.due().is_none());
        remote.retry();
        assert_eq!(remote.due(), None, "it has a connection");
    }

    #[test]
    fn connections_are_bounded_with_those_that_are_being_closed() {
        let mut remote = remote();
        let ids: Vec<ConnectionId> = (0..=CONNECTIONS).map(ConnectionId::new_unchecked).collect();
        let taken: Vec<bool> = ids.iter().map(|id| remote.connected(*id)).collect();
        assert_eq!(taken.iter().filter(|taken| **taken).count(), CONNECTIONS);
        assert_eq!(remote.choose(), Some(ids[0]));
        assert_eq!(remote.choose(), None, "it is chosen");
        assert!(remote.stuck(Instant::now()).is_none());
        remote.closing(ids[0]);
        assert!(remote.forget(ids[0]), "it was sent on");
        assert_eq!(remote.choose(), Some(ids[1]));
        let next = ConnectionId::new_unchecked(99);
        assert!(!remote.connected(next), "the closed one and the refused one hold their sockets");
        ids.iter().chain([&next]).for_each(|id| remote.closed(*id));
        assert!(remote.connected(next));
    }

    #[test]
    fn who_sends_junk_is_shut_out_longer_each_time() {
        let mut remote = remote();
        remote.begin_dial(Instant::now());
        let mut begun = Instant::now();
        for wait in [SHUT_OUT, SHUT_OUT * 2, SHUT_OUT * 4] {
            remote.shut_out();
            assert!(!remote.wants_dial());
            assert!(!remote.let_in(begun + wait - RETRY));
            begun = Instant::now();
            assert!(remote.let_in(begun + wait) && remote.wants_dial());
            assert!(!remote.let_in(begun + wait), "once");
        }
        (0..20).for_each(|_| remote.shut_out());
        assert!(remote.let_in(Instant::now() + SHUT_OUT_MOST), "a minute at most");
    }
}
