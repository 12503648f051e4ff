//! How far the consensus file takes a restarted node: decided blocks that the block file lost or never had.

use std::collections::BTreeMap;

use consensus::{Record, Tip};
use ledger_types::BlockId;
use ledger_types::certificate::VoteKind;

/// The height that the node reaches from its own files: that of the highest finalised block whose body is stored together
/// with those of all blocks between it and the tip. The tip's own height when there is none.
pub(super) fn height_of(records: &[Record], tip: &Tip) -> u64 {
    let mut headers = BTreeMap::new();
    let mut finalised: Vec<BlockId> = Vec::new();
    for record in records {
        match record {
            Record::Body { propose, .. } => _ = headers.insert(propose.header.id(), &propose.header),
            Record::Certificate(certificate) if certificate.certified().kind() == VoteKind::Finalize => {
                finalised.extend(certificate.certified().candidate().map(|candidate| candidate.block));
            }
            _ => {}
        }
    }
    let reaches_tip = |block: &BlockId| {
        let mut next = headers.get(block)?;
        let height = next.height;
        while next.height > tip.height + 1 {
            next = headers.get(&next.parent)?;
        }
        (next.parent == tip.block).then_some(height)
    };
    finalised.iter().filter_map(reaches_tip).max().unwrap_or(tip.height)
}
