//! What a committed transaction did. Layout: ledger/FORMAT.md, "receipt".

use bytes::Bytes;

use crate::address::Address;
use crate::codec::{CodecError, Reader, Writer};
use crate::ids::TransactionId;

/// The record of one committed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction.
    pub transaction: TransactionId,
    /// All sets in address order, then all deletes in address order.
    pub state_changes: Vec<StateChange>,
    /// Events that the family added, in order.
    pub events: Vec<Event>,
    /// Opaque data that the family added, in order.
    pub data: Vec<Bytes>,
}

/// One address's new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The address.
    pub address: Address,
    /// The value set, or `None` for a delete.
    pub value: Option<Bytes>,
}

/// Something a family wants subscribers to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// For example `settings/update`.
    pub event_type: String,
    /// Key and value pairs to filter by, in order.
    pub attributes: Vec<(String, String)>,
    /// Opaque data.
    pub data: Bytes,
}

impl Receipt {
    /// The stored form, also the leaf under a block's `receipts_root`.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&self.transaction.0).u32(count(self.state_changes.len()));
        for change in &self.state_changes {
            writer.raw(&change.address.0);
            match &change.value {
                None => writer.u8(0),
                Some(value) => writer.u8(1).bytes(value),
            };
        }
        writer.u32(count(self.events.len()));
        for event in &self.events {
            writer.bytes(event.event_type.as_bytes()).u32(count(event.attributes.len()));
            for (key, value) in &event.attributes {
                writer.bytes(key.as_bytes()).bytes(value.as_bytes());
            }
            writer.bytes(&event.data);
        }
        writer.u32(count(self.data.len()));
        for data in &self.data {
            writer.bytes(data);
        }
        writer.finish()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a receipt.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let transaction = TransactionId(reader.array("transaction id")?);
        let mut state_changes = Vec::new();
        for _ in 0..reader.count(Address::LEN + 1, "state change count")? {
            let address = Address(reader.array("address")?);
            let value = match reader.u8("state change tag")? {
                0 => None,
                1 => Some(reader.bytes("value")?),
                _ => return reader.bad("state change tag"),
            };
            state_changes.push(StateChange { address, value });
        }
        let mut events = Vec::new();
        for _ in 0..reader.count(12, "event count")? {
            let event_type = reader.string("event type")?;
            let mut attributes = Vec::new();
            for _ in 0..reader.count(8, "attribute count")? {
                attributes.push((reader.string("attribute key")?, reader.string("attribute value")?));
            }
            events.push(Event { event_type, attributes, data: reader.bytes("event data")? });
        }
        let mut data = Vec::new();
        for _ in 0..reader.count(4, "data count")? {
            data.push(reader.bytes("receipt data")?);
        }
        reader.finish()?;
        Ok(Self { transaction, state_changes, events, data })
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("invariant: receipts are bounded by limits::RECEIPT_BYTES")
}
