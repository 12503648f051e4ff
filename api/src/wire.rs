//! Just enough of the protobuf wire format to cut a message into its parts. A decoder makes some 90 bytes out of an
//! empty submessage of 2, so what a client sends is counted before it is decoded.

use bytes::{Buf as _, Bytes};
use prost::decode_length_delimiter as varint;

/// The bytes are not a protobuf message, or the field has another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The submessages in the field of a number, in order, as slices of the message. Ends after the first error.
pub(crate) fn submessages(mut message: Bytes, number: u32) -> impl Iterator<Item = Result<Bytes, Malformed>> {
    std::iter::from_fn(move || {
        while message.has_remaining() {
            match next_field(&mut message, number) {
                Ok(None) => {}
                Ok(Some(submessage)) => return Some(Ok(submessage)),
                Err(malformed) => {
                    message.clear();
                    return Some(Err(malformed));
                }
            }
        }
        None
    })
}

/// Reads one field: its content when it has the number wanted.
fn next_field(message: &mut Bytes, wanted: u32) -> Result<Option<Bytes>, Malformed> {
    let key = take_varint(message)?;
    let (number, wire_type) = (key >> 3, key & 7);
    let len = match wire_type {
        0 => {
            take_varint(message)?;
            0
        }
        1 => 8,
        2 => take_varint(message)?,
        5 => 4,
        // Groups, deprecated before this protocol was made, and what no encoder writes.
        _ => return Err(Malformed),
    };
    if len > message.remaining() || number == 0 {
        return Err(Malformed);
    }
    let content = message.split_to(len);
    match (number == wanted as usize, wire_type) {
        (true, 2) => Ok(Some(content)),
        (true, _) => Err(Malformed),
        (false, _) => Ok(None),
    }
}

fn take_varint(message: &mut Bytes) -> Result<usize, Malformed> {
    varint(message).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ledger_types::proto::client::{Batch, BatchList};
    use prost::Message as _;

    use super::{Malformed, submessages};

    #[test]
    fn a_list_is_cut_into_its_batches() {
        let batches: Vec<_> = (0..3)
            .map(|trace| Batch { header: vec![7; 200 * trace].into(), trace: trace == 1, ..Batch::default() })
            .collect();
        let list =
            BatchList { batches: batches.clone(), candidate_id: vec![1, 2].into(), block_num: u64::MAX };
        let parts: Vec<_> = submessages(list.encode_to_vec().into(), 1).map(Result::unwrap).collect();
        assert_eq!(parts, batches.iter().map(|batch| Bytes::from(batch.encode_to_vec())).collect::<Vec<_>>());
        assert_eq!(submessages(list.encode_to_vec().into(), 9).count(), 0);
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for bytes in [
            &[0x0a][..],
            &[0x0a, 2, 0],
            &[0x08, 1],
            &[0xff],
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            let parts: Vec<_> = submessages(Bytes::copy_from_slice(bytes), 1).collect();
            assert_eq!(parts, [Err(Malformed)], "{bytes:?}");
        }
    }
}
