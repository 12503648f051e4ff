//! Why there is no link to a peer, in words, as far as the transport tells.

use std::error::Error;
use std::fmt;

use ledger_types::ValidatorId;
use libp2p::swarm::DialError;
use libp2p::{PeerId, TransportError, noise};

use super::Links;
use super::peer::Peer;

/// Why there is no link to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Its host name means nothing.
    NoName(String),
    /// Nobody answers, or nobody who speaks as a node does.
    NotReached(String),
    /// The handshake, or the names of the streams, are of another network.
    Foreign,
    /// Somebody else answers.
    OtherKey(PeerId),
    /// This node itself answers.
    Own,
    /// It hangs up after the handshake.
    HangsUp,
    /// It hears another process with this node's keys.
    Busy,
    /// It is shut out for what it sent.
    ShutOut(String),
}

impl Trouble {
    /// What a failed dial tells; `None` if this node itself did not want it.
    pub(super) fn of(error: &DialError) -> Option<Self> {
        match error {
            DialError::WrongPeerId { obtained, .. } => Some(Self::OtherKey(*obtained)),
            DialError::LocalPeerId { .. } => Some(Self::Own),
            DialError::Transport(attempts) => {
                let errors = || attempts.iter().filter_map(|(_, error)| cause(error));
                match errors().any(is_handshake) {
                    true => Some(Self::Foreign),
                    false => Some(Self::NotReached(errors().last().map(innermost).unwrap_or_default())),
                }
            }
            DialError::NoAddresses
            | DialError::DialPeerConditionFalse(_)
            | DialError::Aborted
            | DialError::Denied { .. } => None,
        }
    }

    /// Whether the two nodes take each other for members of different networks: waiting does not mend it.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Foreign | Self::OtherKey(_) | Self::Own | Self::HangsUp)
    }
}

/// Notes why there is no link to a peer, and tells the log when that is news. Those who refuse do so for good, so when they
/// are more than can be faulty, they are named together.
pub(super) fn note(links: &Links, peer: ValidatorId, trouble: Trouble, believed: usize) {
    let (text, is_refusal) = (trouble.to_string(), trouble.is_refusal());
    if !links.peers.get(&peer).is_some_and(|end| end.set_trouble(trouble)) {
        return;
    }
    if !is_refusal {
        tracing::info!(%peer, "no link: {text}");
        return;
    }
    tracing::warn!(%peer, "no link: {text}");
    let refuses = |end: &Peer| end.trouble().is_some_and(|trouble| trouble.is_refusal());
    let refusing = links.peers.iter().filter(|(_, end)| refuses(end));
    let refusing: Vec<String> = refusing.map(|(peer, _)| peer.to_string()).collect();
    if refusing.len() >= believed {
        tracing::error!(
            "{} of {} other validators refuse this node or are not who they should be: {}. More than can be faulty: \
             most likely this node's network file, its keys or a rollback differ from theirs",
            refusing.len(),
            links.peers.len(),
            refusing.join(", ")
        );
    }
}

fn cause(error: &TransportError<std::io::Error>) -> Option<&(dyn Error + 'static)> {
    match error {
        TransportError::Other(error) => match error.get_ref() {
            Some(inner) => Some(inner),
            None => Some(error),
        },
        TransportError::MultiaddrNotSupported(_) => None,
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| error.source())
}

/// Whether the keys of the handshake did not fit: the network's id goes into them.
fn is_handshake(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| match error.downcast_ref() {
        Some(noise::Error::Noise(_)) => true,
        // What does not decrypt comes as an error of the stream.
        Some(noise::Error::Io(error)) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    })
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName(error) => write!(f, "its host name is not found: {error}"),
            Self::NotReached(error) => write!(f, "no node answers at its address: {error}"),
            Self::Foreign => f.write_str(
                "it refuses the handshake: its network id is another one (another network file, or dgt rollback \
                 was done on one side only)",
            ),
            Self::OtherKey(_) => f.write_str(
                "who answers at its address shows another net key than the network file has for it: the address \
                 in network.peers is wrong, or the keys there are",
            ),
            Self::Own => f.write_str("its address in network.peers is this node's own"),
            Self::HangsUp => f.write_str(
                "it hangs up after the handshake: it does not know this node's net key (another network file), \
                 or has shut this node out for what it sent",
            ),
            Self::Busy => f.write_str("it hears another process with this node's keys"),
            Self::ShutOut(reason) => write!(f, "it is shut out for a while for what it sent: {reason}"),
        }
    }
}
