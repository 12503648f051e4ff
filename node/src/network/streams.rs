//! The streams of one connection: one way each, opened by who sends on it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, SubstreamProtocol};

use super::Way;
use super::door::Open;

/// All ways, each with the name under which both sides know it; the number is the version.
const NAMES: [(Way, &str); 3] =
    [(Way::Consensus, "/dgt/consensus/1"), (Way::Blocks, "/dgt/blocks/1"), (Way::Batches, "/dgt/batches/1")];
/// Streams that wait to be looked at: more are closed, since no honest peer opens so many.
const MOST_WAITING: usize = 8;

/// A stream that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) way: Way,
    pub(super) is_inbound: bool,
    pub(super) stream: Stream,
}

/// Opens and takes streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    wanted: VecDeque<Way>,
    opened: VecDeque<Opened>,
}

/// Agrees on the way of a stream.
#[derive(Clone, Debug)]
pub(super) struct Agree(&'static [(Way, &'static str)]);

impl UpgradeInfo for Agree {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Vec<StreamProtocol> {
        self.0.iter().map(|(_, name)| StreamProtocol::new(name)).collect()
    }
}

impl Agree {
    fn on(stream: Stream, name: &StreamProtocol) -> Ready<Result<(Option<Way>, Stream), Infallible>> {
        let way = NAMES.iter().find(|(_, known)| *known == name.as_ref()).map(|(way, _)| *way);
        ready(Ok((way, stream)))
    }
}

impl InboundUpgrade<Stream> for Agree {
    type Output = (Option<Way>, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        Self::on(stream, &name)
    }
}

impl OutboundUpgrade<Stream> for Agree {
    type Output = (Option<Way>, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        Self::on(stream, &name)
    }
}

impl Streams {
    fn take(&mut self, is_inbound: bool, (way, stream): (Option<Way>, Stream)) {
        if let Some(way) = way.filter(|_| self.opened.len() < MOST_WAITING) {
            self.opened.push_back(Opened { way, is_inbound, stream });
        }
    }
}

impl ConnectionHandler for Streams {
    type FromBehaviour = Open;
    type ToBehaviour = Opened;
    type InboundProtocol = Agree;
    type OutboundProtocol = Agree;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Agree> {
        SubstreamProtocol::new(Agree(&NAMES), ())
    }

    fn connection_keep_alive(&self) -> bool {
        // The keeper closes connections; an idle one is as good as any.
        true
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Agree, (), Opened>> {
        if let Some(opened) = self.opened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(opened));
        }
        let name = self.wanted.pop_front().and_then(|way| NAMES.iter().position(|(known, _)| *known == way));
        match name.and_then(|place| NAMES.get(place..=place)) {
            Some(one) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(Agree(one), ()),
            }),
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
            // A stream that cannot be opened leaves its link down: the peer drops the connection for its silence.
            _ => {}
        }
    }
}
