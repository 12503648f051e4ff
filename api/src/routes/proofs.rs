//! Proofs of inclusion and absence, each with what makes its block final, so that a client who knows the network's keys
//! needs to trust no node. How they are checked: docs of `ledger::roots` and `ledger::state`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use ledger::Reader;
use ledger::reader::{Inclusion, ReadError};
use ledger::roots::{ENTRIES, RECEIPTS};
use ledger_types::{Address, BlockId, Hash, TransactionId};
use serde::Serialize;

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::{ApiResult, ErrorKind};
use crate::finality::Finality;
use crate::shapes::Base64;
use crate::shared::{Pin, Shared};

/// `GET /transactions/{id}/proof`.
pub(crate) async fn of_transaction(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let kind = InclusionKind {
        domain: ENTRIES,
        root: "entries_root",
        missing: ErrorKind::TransactionNotFound,
        read: Reader::transaction_proof,
    };
    of_inclusion(shared, call, kind).await
}

/// `GET /receipts/{id}/proof`.
pub(crate) async fn of_receipt(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let kind = InclusionKind {
        domain: RECEIPTS,
        root: "receipts_root",
        missing: ErrorKind::ReceiptNotFound,
        read: Reader::receipt_proof,
    };
    of_inclusion(shared, call, kind).await
}

/// What is included in what.
struct InclusionKind {
    domain: &'static [u8],
    root: &'static str,
    missing: ErrorKind,
    read: fn(&Reader, &TransactionId) -> Result<Option<Inclusion>, ReadError>,
}

async fn of_inclusion(shared: Arc<Shared>, call: Call, kind: InclusionKind) -> ApiResult {
    let id: TransactionId = call.id_before_last()?;
    shared
        .heavy(move |shared| {
            let inclusion = (kind.read)(&shared.api.reader, &id)?.ok_or(kind.missing)?;
            let height = inclusion.place.batch.height;
            let shape = InclusionShape {
                block: FinalBlockShape::of(shared, height)?,
                content: Base64(inclusion.content),
                domain: String::from_utf8_lossy(kind.domain).into_owned(),
                id,
                leaf_count: inclusion.count,
                leaf_index: inclusion.index,
                path: inclusion.path,
                root: kind.root,
                transaction_index: inclusion.place.index,
            };
            Ok(Envelope::data(shape).link(call.link(&[])).ok())
        })
        .await
}

/// `GET /state/{address}?proof=true`: the value or `null`, with the proof that it is so.
pub(crate) async fn of_state(
    shared: Arc<Shared>,
    call: Call,
    address: Address,
    pin: Pin,
) -> ApiResult<Response> {
    shared
        .heavy(move |shared| {
            let reader = &shared.api.reader;
            let shape = StateProofShape {
                address,
                block: FinalBlockShape::of(shared, pin.height)?,
                proof: Base64(reader.state_proof(&address, pin.height)?.encode()),
                value: reader.state(&address, pin.height)?.map(Base64),
            };
            let link = call.link(&[("head", &pin.id.to_string())]);
            Ok(Envelope::data(shape).head(pin.id).link(link).ok())
        })
        .await
}

/// A block whose header is all that a proof needs of it, and why it is final.
#[derive(Serialize)]
struct FinalBlockShape {
    block_num: String,
    certificate: Option<Base64<Vec<u8>>>,
    /// The block's header and those of its descendants up to the block that the certificate names.
    headers: Vec<Base64<Vec<u8>>>,
    id: BlockId,
}

impl FinalBlockShape {
    fn of(shared: &Shared, height: u64) -> ApiResult<Self> {
        let Finality { certificate, headers } = Finality::of(shared, height)?;
        let block = headers.first().ok_or(ErrorKind::BlockNotFound)?;
        Ok(Self {
            block_num: height.to_string(),
            certificate: certificate.map(|certificate| Base64(certificate.to_bytes())),
            id: block.id(),
            headers: headers.iter().map(|header| Base64(header.encode())).collect(),
        })
    }
}

#[derive(Serialize)]
struct InclusionShape {
    block: FinalBlockShape,
    /// The encoded entry or receipt: what the leaf is the hash of.
    content: Base64<Bytes>,
    domain: String,
    id: TransactionId,
    leaf_count: usize,
    leaf_index: usize,
    path: Vec<Hash>,
    /// The field of the header that the path leads to.
    root: &'static str,
    /// The transaction's index in its batch.
    transaction_index: u32,
}

#[derive(Serialize)]
struct StateProofShape {
    address: Address,
    block: FinalBlockShape,
    proof: Base64<Vec<u8>>,
    value: Option<Base64<Bytes>>,
}
