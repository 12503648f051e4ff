//! The streams of one connection: one way each, opened by who sends on it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use ledger_types::NetworkId;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, InvalidProtocol, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};

use super::Way;
use super::door::Open;

/// The ways, each with the name under which both sides know it; the number is the version.
const NAMES: [(Way, &str); 3] =
    [(Way::Consensus, "/dgt/consensus/1"), (Way::Blocks, "/dgt/blocks/1"), (Way::Batches, "/dgt/batches/1")];
/// Streams that wait to be looked at: more are closed, since no honest peer opens so many.
const MOST_WAITING: usize = 8;

/// The names of the ways in a network. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Names(Arc<[(Way, StreamProtocol)]>);

impl Names {
    /// With the id of a network in them, if nothing before them is bound to it.
    pub(super) fn new(bound_to: Option<NetworkId>) -> Result<Self, InvalidProtocol> {
        let named = NAMES.map(|(way, name)| {
            let name = bound_to.map_or_else(|| name.to_owned(), |network| format!("{name}/{network}"));
            Ok((way, StreamProtocol::try_from_owned(name)?))
        });
        Ok(Self(named.into_iter().collect::<Result<_, InvalidProtocol>>()?))
    }
}

/// What became of a stream.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is open.
    Opened { way: Way, is_inbound: bool, stream: Stream },
    /// The peer knows none of this name.
    Refused,
}

/// Opens and takes streams.
#[derive(Debug)]
pub(super) struct Streams {
    names: Names,
    wanted: VecDeque<Way>,
    outcomes: VecDeque<Outcome>,
}

/// Agrees on the way of a stream: one, or whichever the peer wants.
#[derive(Clone, Debug)]
pub(super) struct Agree {
    names: Names,
    way: Option<Way>,
}

impl UpgradeInfo for Agree {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Vec<StreamProtocol> {
        let is_meant = |way: &Way| self.way.is_none_or(|meant| meant == *way);
        self.names.0.iter().filter(|(way, _)| is_meant(way)).map(|(_, name)| name.clone()).collect()
    }
}

impl Agree {
    fn on(self, stream: Stream, name: &StreamProtocol) -> Ready<Result<(Option<Way>, Stream), Infallible>> {
        let way = self.names.0.iter().find(|(_, known)| known == name).map(|(way, _)| *way);
        ready(Ok((way, stream)))
    }
}

impl InboundUpgrade<Stream> for Agree {
    type Output = (Option<Way>, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        self.on(stream, &name)
    }
}

impl OutboundUpgrade<Stream> for Agree {
    type Output = (Option<Way>, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        self.on(stream, &name)
    }
}

impl Streams {
    /// Opens nothing before it is told.
    pub(super) fn new(names: Names) -> Self {
        Self { names, wanted: VecDeque::new(), outcomes: VecDeque::new() }
    }

    fn take(&mut self, is_inbound: bool, (way, stream): (Option<Way>, Stream)) {
        if let Some(way) = way {
            self.tell(Outcome::Opened { way, is_inbound, stream });
        }
    }

    fn tell(&mut self, outcome: Outcome) {
        if self.outcomes.len() < MOST_WAITING {
            self.outcomes.push_back(outcome);
        }
    }
}

impl ConnectionHandler for Streams {
    type FromBehaviour = Open;
    type ToBehaviour = Outcome;
    type InboundProtocol = Agree;
    type OutboundProtocol = Agree;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Agree> {
        SubstreamProtocol::new(Agree { names: self.names.clone(), way: None }, ())
    }

    fn connection_keep_alive(&self) -> bool {
        // The keeper closes connections; an idle one is as good as any.
        true
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Agree, (), Outcome>> {
        if let Some(outcome) = self.outcomes.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(outcome));
        }
        match self.wanted.pop_front() {
            Some(way) => {
                let agree = Agree { names: self.names.clone(), way: Some(way) };
                let protocol = SubstreamProtocol::new(agree, ());
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
            }
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, Open: Open) {
        self.wanted.extend(NAMES.map(|(way, _)| way));
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Agree, Agree>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                self.take(true, protocol);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                self.take(false, protocol);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError {
                error: StreamUpgradeError::NegotiationFailed,
                ..
            }) => self.tell(Outcome::Refused),
            // A stream that cannot be opened for another reason leaves its link down: the peer drops the connection for its silence.
            _ => {}
        }
    }
}
