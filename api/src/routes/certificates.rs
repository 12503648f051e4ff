//! `/blocks/{id}/certificate` and `/votes`: who decided a block.

use std::sync::Arc;

use axum::extract::State;
use ledger_types::certificate::{Candidate, Certificate, CertificateVote, Section, VoteKind};
use ledger_types::{BlockHeader, BlockId, Topology, ValidatorId, VoteKey};
use serde::Serialize;

use crate::call::Call;
use crate::envelope::Envelope;
use crate::error::{ApiResult, ErrorKind};
use crate::finality::Finality;
use crate::shapes::Base64;
use crate::shared::Shared;

/// `GET /blocks/{id}/certificate`.
pub(crate) async fn of_block(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    let id = call.id_before_last()?;
    shared
        .heavy(move |shared| {
            let height = shared.api.reader.height_of(&id)?.ok_or(ErrorKind::BlockNotFound)?;
            let Finality { certificate, headers } = Finality::of(shared, height)?;
            let certificate = certificate.ok_or(ErrorKind::CertificateNotFound)?;
            let shape = CertificateShape::of(&certificate, &headers, &shared.api.description.topology)?;
            Ok(Envelope::data(shape).link(call.link(&[])).ok())
        })
        .await
}

/// `GET /votes?height=`: the votes that made the block at a height final, by default the head, in the topology's order.
pub(crate) async fn by_height(State(shared): State<Arc<Shared>>, call: Call) -> ApiResult {
    shared
        .heavy(move |shared| {
            let height = call.query.height(shared.api.reader.head().height)?;
            let certificate = Finality::of(shared, height)?.certificate;
            let certificate = certificate.ok_or(ErrorKind::CertificateNotFound)?;
            let votes = CastVoteShape::all_of(&certificate, &shared.api.description.topology)?;
            Ok(Envelope::data(votes).link(call.link(&[])).ok())
        })
        .await
}

/// A finalization. As everywhere, 64-bit numbers are strings.
#[derive(Serialize)]
struct CertificateShape<'a> {
    /// The canonical bytes: what `dgt verify-certificate` reads.
    certificate: Base64<Vec<u8>>,
    epoch: String,
    /// The block's header and those of its descendants up to the block that is voted on.
    headers: Vec<Base64<Vec<u8>>>,
    sections: Vec<SectionShape<'a>>,
    statement: StatementShape,
}

#[derive(Serialize)]
struct StatementShape {
    block_id: BlockId,
    block_num: String,
    kind: &'static str,
    view: String,
}

#[derive(Serialize)]
struct SectionShape<'a> {
    cluster: u16,
    name: &'a str,
    signers: Vec<VoteShape<'a>>,
}

#[derive(Serialize)]
struct VoteShape<'a> {
    from_view: String,
    kind: &'static str,
    name: &'a str,
    signature: String,
    validator: String,
    vote_key: VoteKey,
}

/// A vote by itself: with what it is for and where its signer belongs.
#[derive(Serialize)]
struct CastVoteShape<'a> {
    block_id: BlockId,
    block_num: String,
    cluster: &'a str,
    from_view: String,
    kind: &'static str,
    name: &'a str,
    signature: String,
    validator: String,
    view: String,
    vote_key: VoteKey,
}

impl<'a> CertificateShape<'a> {
    fn of(certificate: &Certificate, headers: &[BlockHeader], topology: &'a Topology) -> ApiResult<Self> {
        let candidate = certificate.certified().candidate().ok_or(ErrorKind::CertificateNotFound)?;
        let kind = certificate.certified().kind();
        let sections = certificate.sections();
        Ok(Self {
            certificate: Base64(certificate.to_bytes()),
            epoch: certificate.epoch().to_string(),
            headers: headers.iter().map(|header| Base64(header.encode())).collect(),
            sections: sections
                .iter()
                .map(|section| SectionShape::of(kind, section, topology))
                .collect::<ApiResult<_>>()?,
            statement: StatementShape {
                block_id: candidate.block,
                block_num: candidate.height.to_string(),
                kind: kind_name(kind),
                view: candidate.view.to_string(),
            },
        })
    }
}

impl<'a> SectionShape<'a> {
    fn of(kind: VoteKind, section: &Section, topology: &'a Topology) -> ApiResult<Self> {
        let cluster = topology.clusters().get(usize::from(section.cluster));
        let signers = section.votes.iter().map(|(node, vote)| {
            VoteShape::of(kind, ValidatorId { cluster: section.cluster, node: *node }, vote, topology)
        });
        Ok(Self {
            cluster: section.cluster,
            name: &cluster.ok_or(ErrorKind::ResourceHeaderInvalid)?.name,
            signers: signers.collect::<ApiResult<_>>()?,
        })
    }
}

impl<'a> VoteShape<'a> {
    /// # Errors
    /// 21 when the signer is not of this network.
    fn of(
        kind: VoteKind,
        signer: ValidatorId,
        vote: &CertificateVote,
        topology: &'a Topology,
    ) -> ApiResult<Self> {
        let validator = topology.validator(signer).ok_or(ErrorKind::ResourceHeaderInvalid)?;
        Ok(Self {
            from_view: vote.from_view.to_string(),
            kind: kind_name(kind),
            name: &validator.name,
            signature: vote.signature.to_string(),
            validator: signer.to_string(),
            vote_key: validator.vote_key,
        })
    }
}

impl<'a> CastVoteShape<'a> {
    /// The votes of a finalization, in the topology's order.
    ///
    /// # Errors
    /// 106 when the certificate names no block, 21 when a signer is not of this network.
    fn all_of(certificate: &Certificate, topology: &'a Topology) -> ApiResult<Vec<Self>> {
        let candidate = certificate.certified().candidate().ok_or(ErrorKind::CertificateNotFound)?;
        let kind = certificate.certified().kind();
        let shape = |(signer, vote)| Self::of(&candidate, kind, signer, &vote, topology);
        certificate.votes().map(shape).collect()
    }

    fn of(
        candidate: &Candidate,
        kind: VoteKind,
        signer: ValidatorId,
        vote: &CertificateVote,
        topology: &'a Topology,
    ) -> ApiResult<Self> {
        let cluster = topology.clusters().get(usize::from(signer.cluster));
        let VoteShape { from_view, kind, name, signature, validator, vote_key } =
            VoteShape::of(kind, signer, vote, topology)?;
        Ok(Self {
            block_id: candidate.block,
            block_num: candidate.height.to_string(),
            cluster: &cluster.ok_or(ErrorKind::ResourceHeaderInvalid)?.name,
            from_view,
            kind,
            name,
            signature,
            validator,
            view: candidate.view.to_string(),
            vote_key,
        })
    }
}

fn kind_name(kind: VoteKind) -> &'static str {
    match kind {
        VoteKind::Notarize => "NOTARIZE",
        VoteKind::Finalize => "FINALIZE",
        VoteKind::Nullify => "NULLIFY",
    }
}
