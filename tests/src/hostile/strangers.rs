//! Attacks of those who have no key of the network. Each goes on until it is dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ledger_types::NetworkId;
use libp2p::identity::Keypair;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Acts;
use super::dial::{connect, proposal, secure, source};
use super::liar::Door;

/// Who act at the same time towards one node.
const AT_ONCE: usize = 8;
/// Half-open connections that one of them holds at a time.
const HELD: usize = 64;
/// How long an act may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a stranger does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// Connects and leaves.
    Floods,
    /// Connects and says nothing, a little, or nonsense.
    StopsHalfway,
    /// Shakes hands, with a key that nobody knows.
    HasNoKey,
    /// Shakes hands for another network.
    IsOfAnotherNetwork,
}

impl Stranger {
    /// Attacks these nodes from ever new addresses.
    pub async fn attack(self, doors: Vec<Door>, network: NetworkId, acts: Acts) {
        let next = Arc::new(AtomicU64::new(0));
        let mut all = JoinSet::new();
        for door in doors {
            for _ in 0..AT_ONCE {
                all.spawn(self.go_on(door, network, next.clone(), acts.clone()));
            }
        }
        while all.join_next().await.is_some() {}
    }

    async fn go_on(self, door: Door, network: NetworkId, next: Arc<AtomicU64>, acts: Acts) {
        let key = Keypair::generate_ed25519();
        let mut held = Vec::new();
        loop {
            let number = next.fetch_add(1, Relaxed);
            let _refused = timeout(PATIENCE, self.once(door, network, &key, number, &mut held)).await;
            acts.add();
            if held.len() >= HELD {
                held.clear();
            }
            tokio::task::yield_now().await;
        }
    }

    async fn once(
        self,
        door: Door,
        network: NetworkId,
        key: &Keypair,
        number: u64,
        held: &mut Vec<TcpStream>,
    ) -> io::Result<()> {
        let mut stream = connect(source(number), door.address).await?;
        match self {
            Self::Floods => {}
            Self::StopsHalfway => {
                let noise = proposal("/noise");
                match number % 5 {
                    0 => {}
                    1 => stream.write_all(&noise[..noise.len() / 2]).await?,
                    2 => stream.write_all(&noise).await?,
                    // The largest first message of a handshake, which does not come.
                    3 => stream.write_all(&[&noise[..], &[0xff, 0xff, 1]].concat()).await?,
                    _ => stream.write_all(&[0xff; 1_024]).await?,
                }
                held.push(stream);
            }
            Self::HasNoKey => drop(secure(stream, network, key).await?),
            Self::IsOfAnotherNetwork => drop(secure(stream, NetworkId([9; 32]), key).await?),
        }
        Ok(())
    }
}
