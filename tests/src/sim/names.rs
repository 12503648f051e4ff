//! What messages are called in counters and stories.

use consensus::{Message, Recipients, Wanted};
use ledger_types::ValidatorId;
use ledger_types::certificate::Statement;

use super::record::Recorder;

/// The counter of a message that an honest node sends.
pub(super) fn sent(message: &Message) -> &'static str {
    match message {
        Message::Propose(_) => "sent: PROPOSE",
        Message::Vote(vote) => match vote.statement {
            Statement::Notarize(_) => "sent: NOTARIZE",
            Statement::Finalize(_) => "sent: FINALIZE",
            Statement::Nullify { from_view, view } if from_view < view => "sent: NULLIFY of a range",
            Statement::Nullify { .. } => "sent: NULLIFY",
        },
        Message::Certificate(_) => "sent: CERT",
        Message::Request(request) => match request.wanted {
            Wanted::Proposal { .. } => "sent: REQUEST proposal",
            Wanted::Range { .. } => "sent: REQUEST range",
            Wanted::Entries { .. } => "sent: REQUEST entries",
            Wanted::Blocks { .. } => "sent: REQUEST blocks",
        },
        Message::Entries(_) => "sent: ENTRIES",
        Message::Run(_) => "sent: RUN",
        Message::Heartbeat(_) => "sent: HEARTBEAT",
        Message::GuardRequest(_) => "sent: GUARD_REQUEST",
        Message::GuardAnswer(_) => "sent: GUARD_ANSWER",
    }
}

/// Adds a line about a message to the story; heartbeats would drown the rest.
pub(super) fn tell_sent(recorder: &mut Recorder, from: ValidatorId, to: Recipients, message: &Message) {
    if matches!(message, Message::Heartbeat(_)) {
        return;
    }
    recorder.tell(|| {
        let to = match to {
            Recipients::Others => "all".to_owned(),
            Recipients::One(place) => place.to_string(),
        };
        format!("{from} -> {to}: {}", describe(message))
    });
}

/// A message in a few words.
pub(super) fn describe(message: &Message) -> String {
    match message {
        Message::Propose(propose) => {
            let header = &propose.header;
            let (view, height, block) = (header.view, header.height, header.id());
            format!(
                "PROPOSE view {view} height {height} {block:?} with {} nullifications",
                propose.nullifications.len()
            )
        }
        Message::Vote(vote) => format!("{} {}", vote.signer, describe_statement(&vote.statement)),
        Message::Certificate(certificate) => {
            let signers: Vec<String> = certificate.signers().map(|signer| signer.to_string()).collect();
            format!(
                "CERT {:?} from view {} by {}",
                certificate.certified(),
                certificate.from_view(),
                signers.join(" ")
            )
        }
        Message::Request(request) => format!("REQUEST {:?}", request.wanted),
        Message::Entries(entries) => format!("ENTRIES {:?}, {} bytes", entries.block, entries.entries.len()),
        Message::Run(run) => {
            let first = run.headers.first().map_or(0, |header| header.height);
            format!("RUN from {first}, {} headers, {} bodies", run.headers.len(), run.bodies.len())
        }
        Message::Heartbeat(heartbeat) => format!("HEARTBEAT view {}", heartbeat.view),
        Message::GuardRequest(request) => format!("GUARD_REQUEST incarnation {}", request.current.counter),
        Message::GuardAnswer(answer) => format!("GUARD_ANSWER {:?}, mark {}", answer.standing, answer.mark),
    }
}

fn describe_statement(statement: &Statement) -> String {
    match statement {
        Statement::Notarize(it) => format!("NOTARIZE view {} height {} {:?}", it.view, it.height, it.block),
        Statement::Finalize(it) => format!("FINALIZE view {} height {} {:?}", it.view, it.height, it.block),
        Statement::Nullify { from_view, view } => format!("NULLIFY {from_view}..{view}"),
    }
}
