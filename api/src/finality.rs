//! Why a block is final: the certificate that this node holds, and the headers that lead to the block it names.

use ledger::Reader;
use ledger::reader::ReadError;
use ledger_types::BlockHeader;
use ledger_types::certificate::Certificate;

use crate::error::{ApiResult, ErrorKind};
use crate::shared::Shared;

/// Headers between a block and the one that its certificate finalizes, at most. A committee that finalizes at all does
/// so within a few blocks.
const HEADERS: u64 = 256;

/// Holds certificates. The node implements it, since they are consensus's.
pub trait FinalitySource: Send + Sync + 'static {
    /// The finalization of the block at a height, or of the nearest descendant that has one; `None` for the first block,
    /// and when this node holds none.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    fn finalization(&self, height: u64) -> Result<Option<Certificate>, ReadError>;
}

/// What makes a block final.
pub(crate) struct Finality {
    /// Absent for the first block: it is agreed on before anybody votes.
    pub(crate) certificate: Option<Certificate>,
    /// The block's header, then those of its descendants up to the one that the certificate names.
    pub(crate) headers: Vec<BlockHeader>,
}

impl Finality {
    /// The finality of a committed block.
    ///
    /// # Errors
    /// 106 when the node holds no certificate that is near enough.
    pub(crate) fn of(shared: &Shared, height: u64) -> ApiResult<Self> {
        let api = &shared.api;
        let certificate = api.finality.finalization(height)?;
        let last = match &certificate {
            Some(certificate) => certificate.certified().candidate().map(|candidate| candidate.height),
            None => (height == 0).then_some(0),
        };
        // What is decided and not committed yet has a certificate and no header.
        let end = api.reader.head().height.min(height.saturating_add(HEADERS - 1));
        let near = last.filter(|last| (height..=end).contains(last));
        let last = near.ok_or(ErrorKind::CertificateNotFound)?;
        let headers = (height..=last).map(|height| header_at(&api.reader, height));
        Ok(Self { certificate, headers: headers.collect::<Result<_, _>>()? })
    }
}

/// The header at a height that is not above the head.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn header_at(reader: &Reader, height: u64) -> Result<BlockHeader, ReadError> {
    let missing =
        || ReadError::damaged("block", format!("block {height}"), "missing although it is committed");
    reader.header(height)?.ok_or_else(missing)
}
