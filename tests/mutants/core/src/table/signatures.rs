//! Who said it, and what exactly.
//!
//! Not here: the epoch of a certificate. Its signatures are verified over the committee's own epoch.

use super::{Mutant, Patch};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "certificate-unsigned",
        breaks: "the signatures in a certificate are not verified",
        patches: &[Patch {
            file: "certificates.rs",
            find: "if !is_signed {",
            replace: "if !is_signed && !MUTANT {",
        }],
    },
    Mutant {
        name: "certificate-too-small",
        breaks: "a certificate with too few signers is accepted",
        patches: &[Patch {
            file: "certificates.rs",
            find: "!committee.quorum().is_met_by(certificate.signers())",
            replace: "!committee.quorum().is_met_by(certificate.signers()) && !MUTANT",
        }],
    },
    Mutant {
        name: "vote-unsigned",
        breaks: "the signature of a vote is not verified",
        patches: &[Patch {
            file: "message/verify.rs",
            find: "Self::Vote(vote) => {",
            replace: "Self::Vote(vote) if MUTANT && committee.vote_key(vote.signer).is_some() => {}
                Self::Vote(vote) => {",
        }],
    },
    Mutant {
        name: "vote-signer-claimed",
        breaks: "a vote counts for whom it names, whoever signed it",
        patches: &[Patch {
            file: "message/verify.rs",
            find: "Self::Vote(vote) => {",
            replace: "Self::Vote(vote) if MUTANT => {
                let bytes = committee.statement_bytes(&vote.statement);
                let mut members = committee.topology().validators().map(|(id, _)| id);
                if !members.any(|id| signed(id, &bytes, &vote.signature).is_ok()) {
                return Err(VerifyError::BadSignature(vote.signer));
                }
                }
                Self::Vote(vote) => {",
        }],
    },
    Mutant {
        name: "signed-without-kind",
        breaks: "the kind of a vote is not in what is signed",
        patches: &[Patch {
            file: "committee.rs",
            find: ".u8(kind).raw(&network_id.0)",
            replace: ".u8(if MUTANT { 0 } else { kind }).raw(&network_id.0)",
        }],
    },
    Mutant {
        name: "signed-without-network",
        breaks: "the network is not in what is signed",
        patches: &[Patch {
            file: "committee.rs",
            find: ".raw(&network_id.0)",
            replace: ".raw(&if MUTANT { [0; 32] } else { network_id.0 })",
        }],
    },
    Mutant {
        name: "signed-without-epoch",
        breaks: "the epoch is not in what is signed",
        patches: &[Patch {
            file: "committee.rs",
            find: ".u64(self.epoch).raw(",
            replace: ".u64(if MUTANT { 0 } else { self.epoch }).raw(",
        }],
    },
    Mutant {
        name: "signed-without-committee",
        breaks: "the committee is not in what is signed",
        patches: &[Patch {
            file: "committee.rs",
            find: ".raw(&self.cfg_hash.0)",
            replace: ".raw(&if MUTANT { [0; 32] } else { self.cfg_hash.0 })",
        }],
    },
    Mutant {
        name: "leader-unchecked",
        breaks: "a proposal is accepted from anybody",
        patches: &[Patch {
            file: "message/verify.rs",
            find: "committee.leader(view) != proposer",
            replace: "(!MUTANT && committee.leader(view) != proposer)",
        }],
    },
    Mutant {
        name: "run-unproven",
        breaks: "blocks of a run are accepted without a finalization",
        patches: &[
            Patch {
                file: "message/verify.rs",
                find: "certificates::check_history(certificate, committee, verifier)?;",
                replace: "if !MUTANT { certificates::check_history(certificate, committee, verifier)?; }",
            },
            Patch {
                file: "message/verify.rs",
                find: "let is_final = last.is_some_and(|last| match &run.certificate {",
                replace: "let is_final = MUTANT || last.is_some_and(|last| match &run.certificate {",
            },
        ],
    },
];
