//! One process for one key. A process names itself by a number drawn at its start; while one is linked, no other with the
//! same key is heard (SPEC 3.10 has what is left to the guard).

use std::collections::{BTreeMap, BTreeSet};

use ledger_types::ValidatorId;
use libp2p::swarm::ConnectionId;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::frames::SILENCE;

/// What a process calls itself.
pub(super) type ProcessId = [u8; 16];

/// Which process speaks for each peer.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<BTreeMap<ValidatorId, Claim>>);

#[derive(Debug)]
struct Claim {
    process: ProcessId,
    connections: BTreeSet<ConnectionId>,
    heard: Instant,
}

impl Claims {
    /// Whether a process may speak for a peer on a connection.
    pub(super) fn claim(
        &self,
        peer: ValidatorId,
        process: ProcessId,
        connection: ConnectionId,
        heard: Instant,
    ) -> bool {
        let mut claims = self.0.lock();
        let held =
            claims.get_mut(&peer).filter(|held| held.process == process || held.heard + SILENCE > heard);
        match held {
            Some(held) if held.process == process => {
                held.connections.insert(connection);
                held.heard = heard;
                true
            }
            Some(_) => false,
            None => {
                claims.insert(peer, Claim { process, connections: [connection].into(), heard });
                true
            }
        }
    }

    /// Something came from a peer's process.
    pub(super) fn heard(&self, peer: ValidatorId, now: Instant) {
        if let Some(claim) = self.0.lock().get_mut(&peer) {
            claim.heard = now;
        }
    }

    /// Whether a peer's process speaks on this connection.
    pub(super) fn holds(&self, peer: ValidatorId, connection: ConnectionId) -> bool {
        self.0.lock().get(&peer).is_some_and(|claim| claim.connections.contains(&connection))
    }

    /// A connection is gone; with its last one a process lets go.
    pub(super) fn release(&self, peer: ValidatorId, connection: ConnectionId) {
        let mut claims = self.0.lock();
        if let Some(claim) = claims.get_mut(&peer) {
            claim.connections.remove(&connection);
            if claim.connections.is_empty() {
                claims.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ledger_types::ValidatorId;
    use libp2p::swarm::ConnectionId;
    use tokio::time::Instant;

    use super::{Claims, SILENCE};

    #[test]
    fn a_second_process_waits_until_the_first_is_gone_or_silent() {
        let (claims, peer) = (Claims::default(), ValidatorId { cluster: 0, node: 1 });
        let [a, b, c] = [1, 2, 3].map(ConnectionId::new_unchecked);
        let (begin, moment) = (Instant::now(), Duration::from_millis(1));
        assert!(claims.claim(peer, [1; 16], a, begin));
        assert!(claims.claim(peer, [1; 16], b, begin), "its second connection");
        assert!(!claims.claim(peer, [2; 16], c, begin));
        assert!(!claims.holds(peer, c));
        claims.release(peer, a);
        assert!(!claims.claim(peer, [2; 16], c, begin), "one connection is left");
        claims.release(peer, b);
        assert!(claims.claim(peer, [2; 16], c, begin), "all are gone");
        let later = begin + SILENCE - moment;
        claims.heard(peer, later);
        assert!(!claims.claim(peer, [3; 16], a, later + SILENCE - moment));
        assert!(claims.claim(peer, [3; 16], a, later + SILENCE), "it was silent too long");
        assert!(!claims.holds(peer, c), "and is not heard any more");
    }
}
