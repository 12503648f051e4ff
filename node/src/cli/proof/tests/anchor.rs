use ledger_types::certificate::{Candidate, Certified};
use ledger_types::{BlockHeader, BlockId, NetworkId};
use proptest::prelude::*;
use proptest::sample::Index;

use super::network::{ANCHOR, GENESIS, QUORUM, certificate, header};

fn candidate(header: &BlockHeader) -> Candidate {
    Candidate { view: header.view, height: header.height, block: header.id() }
}

/// Three blocks, one on top of the other.
fn chain() -> Vec<BlockHeader> {
    let mut headers = vec![header(7, BlockId([9; 64]))];
    for height in 8..10 {
        headers.push(header(height, headers[headers.len() - 1].id()));
    }
    headers
}

fn encode(headers: &[BlockHeader]) -> Vec<Vec<u8>> {
    headers.iter().map(BlockHeader::encode).collect()
}

/// What the anchor says of headers whose last one these validators finalized.
fn checked(headers: &[BlockHeader], signers: &[usize]) -> Result<u64, String> {
    let last = candidate(&headers[headers.len() - 1]);
    let certificate = certificate(Certified::Finalization(last), signers);
    let found = ANCHOR.check(Some(certificate), &encode(headers));
    found.map(|found| found.header.height).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_block_is_final_by_its_own_certificate_or_a_descendants() {
    let chain = chain();
    assert_eq!(checked(&chain[..1], &QUORUM), Ok(7));
    assert_eq!(checked(&chain, &QUORUM), Ok(7));
    assert_eq!(checked(&chain[2..], &[0, 1, 2, 3, 4, 5, 6, 7]), Ok(9));
}

#[test]
fn too_few_or_strange_votes_finalize_nothing() {
    let chain = chain();
    for few in [&[0, 1, 2, 4, 5][..], &[0, 1, 2, 3, 4, 5], &[]] {
        assert!(checked(&chain, few).unwrap_err().contains("quorum"), "{few:?}");
    }
    let last = candidate(&chain[2]);
    let refusal = |certified, headers: &[BlockHeader]| {
        let certificate = certificate(certified, &QUORUM);
        format!("{:#}", ANCHOR.check(Some(certificate), &encode(headers)).unwrap_err())
    };
    assert!(refusal(Certified::Notarization(last), &chain).contains("finalizes nothing"));
    assert!(refusal(Certified::Nullification { view: 9 }, &chain).contains("finalizes nothing"));
    assert!(refusal(Certified::Finalization(last), &chain[..2]).contains("another block"));
    let other_height = Candidate { height: 8, ..last };
    assert!(refusal(Certified::Finalization(other_height), &chain).contains("another block"));
    assert!(refusal(Certified::Finalization(last), &[]).contains("no header"));
}

#[test]
fn headers_of_others_or_with_gaps_are_refused() {
    let chain = chain();
    let without_middle = [chain[0].clone(), chain[2].clone()];
    assert!(checked(&without_middle, &QUORUM).unwrap_err().contains("follow"));
    let mut strange = chain.clone();
    strange[0].network_id = NetworkId([0; 32]);
    assert!(checked(&strange, &QUORUM).unwrap_err().contains("another network"));
    let mut strange = chain;
    strange[2].cfg_hash = ledger_types::ConfigHash([0; 32]);
    assert!(checked(&strange[2..], &QUORUM).unwrap_err().contains("another committee"));
}

#[test]
fn without_a_certificate_only_the_networks_own_block_0_is_final() {
    let check =
        |headers: &[BlockHeader]| ANCHOR.check(None, &encode(headers)).map_err(|error| format!("{error:#}"));
    let folder = tempfile::tempdir().unwrap();
    let ledger = crate::wiring::open_ledger(folder.path(), &GENESIS, 1 << 30, false, u64::MAX).unwrap();
    let block_0 = ledger.reader().header(0).unwrap().unwrap();
    let found = check(std::slice::from_ref(&block_0)).unwrap();
    assert!((found.header == block_0) && found.signers.is_empty());
    let changed = BlockHeader { time_ms: block_0.time_ms + 1, ..block_0 };
    assert!(check(&[changed]).unwrap_err().contains("block 0"));
    assert!(check(&chain()).unwrap_err().contains("no certificate"));
}

proptest! {
    #[test]
    fn a_changed_bit_is_refused(in_header in any::<bool>(), at in any::<Index>(), bit in 0..8u8) {
        let chain = chain();
        let mut certificate = certificate(Certified::Finalization(candidate(&chain[2])), &QUORUM);
        let mut headers = encode(&chain);
            prop_assert!(ANCHOR.check(Some(certificate.clone()), &headers).is_ok());
        let header = at.index(3);
        let bytes = if in_header { &mut headers[header] } else { &mut certificate };
        let len = bytes.len();
        bytes[at.index(len)] ^= 1 << bit;
        prop_assert!(ANCHOR.check(Some(certificate), &headers).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(
        certificate in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
        headers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..3),
    ) {
        prop_assert!(ANCHOR.check(certificate, &headers).is_err());
    }
}
