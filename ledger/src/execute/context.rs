//! What one transaction sees and changes: declared addresses only, on top of what its batch and block changed before.

use bytes::Bytes;
use ledger_types::family::{Context, ContextError};
use ledger_types::ids::ParseIdError;
use ledger_types::receipt::{Event, Receipt, StateChange};
use ledger_types::{Address, AddressPrefix, Transaction, limits};

use super::batch::Before;
use super::effects::Changes;
use crate::store::StoreError;

/// The context of one transaction.
pub(super) struct TransactionContext<'a> {
    /// Inputs, then outputs.
    declared: Vec<AddressPrefix>,
    input_count: usize,
    /// What earlier transactions of this batch changed.
    batch: &'a Changes,
    before: &'a Before<'a>,
    time_ms: u64,
    changes: Changes,
    events: Vec<Event>,
    data: Vec<Bytes>,
    receipt_bytes: usize,
    fault: Option<StoreError>,
}

/// A declared input or output that is not an address prefix.
#[derive(Debug)]
pub(super) struct BadPrefix(pub(super) String);

impl<'a> TransactionContext<'a> {
    pub(super) fn new(
        transaction: &Transaction,
        (batch, before): (&'a Changes, &'a Before<'a>),
        time_ms: u64,
    ) -> Result<Self, BadPrefix> {
        let (inputs, outputs) = (&transaction.header.inputs, &transaction.header.outputs);
        let mut declared = Vec::with_capacity(inputs.len() + outputs.len());
        for text in inputs.iter().chain(outputs) {
            declared.push(text.parse().map_err(|_: ParseIdError| BadPrefix(text.clone()))?);
        }
        Ok(Self {
            declared,
            input_count: inputs.len(),
            batch,
            before,
            time_ms,
            changes: Changes::new(),
            events: Vec::new(),
            data: Vec::new(),
            receipt_bytes: 0,
            fault: None,
        })
    }

    /// A fault of this node's storage that a read met: it must stop the block, whatever the family made of it.
    pub(super) fn take_fault(&mut self) -> Option<StoreError> {
        self.fault.take()
    }

    /// The transaction's changes and its receipt: all sets, then all deletes, each in address order.
    pub(super) fn finish(self, transaction: &Transaction) -> (Changes, Receipt) {
        let change = |(address, value): (&Address, &Option<Bytes>)| StateChange {
            address: *address,
            value: value.clone(),
        };
        let sets = self.changes.iter().filter(|(_, value)| value.is_some());
        let deletes = self.changes.iter().filter(|(_, value)| value.is_none());
        let state_changes = sets.chain(deletes).map(change).collect();
        let (events, data) = (self.events, self.data);
        (self.changes, Receipt { transaction: transaction.id, state_changes, events, data })
    }

    fn grow_receipt(&mut self, bytes: usize) -> Result<(), ContextError> {
        self.receipt_bytes = self.receipt_bytes.saturating_add(bytes);
        if self.receipt_bytes > limits::RECEIPT_BYTES {
            let what = "the receipt's events and data, in bytes,";
            return Err(ContextError::Limit { what, limit: limits::RECEIPT_BYTES });
        }
        Ok(())
    }

    fn may_read(&self, address: &Address) -> bool {
        self.declared[..self.input_count].iter().any(|prefix| prefix.covers(address))
    }

    fn may_write(&self, address: &Address) -> bool {
        self.declared[self.input_count..].iter().any(|prefix| prefix.covers(address))
    }
}

impl Context for TransactionContext<'_> {
    fn get(&mut self, address: &Address) -> Result<Option<Bytes>, ContextError> {
        if !self.may_read(address) {
            return Err(ContextError::GetUnauthorized(*address));
        }
        let of_block = self.before.block.iter().map(|effects| &effects.changes);
        let mut newest_first = [&self.changes, self.batch].into_iter().chain(of_block);
        if let Some(value) = newest_first.find_map(|changes| changes.get(address)) {
            return Ok(value.clone());
        }
        self.before.past.state(address).map_err(|error| {
            let shown = ContextError::State(error.to_string());
            self.fault = Some(error);
            shown
        })
    }

    fn set(&mut self, address: Address, value: Bytes) -> Result<(), ContextError> {
        if !self.may_write(&address) {
            return Err(ContextError::SetUnauthorized(address));
        }
        if value.len() > limits::STATE_VALUE_BYTES {
            let what = "a state value, in bytes,";
            return Err(ContextError::Limit { what, limit: limits::STATE_VALUE_BYTES });
        }
        self.changes.insert(address, Some(value));
        Ok(())
    }

    fn delete(&mut self, address: Address) -> Result<(), ContextError> {
        if !self.may_write(&address) {
            return Err(ContextError::DeleteUnauthorized(address));
        }
        self.changes.insert(address, None);
        Ok(())
    }

    fn add_event(
        &mut self,
        event_type: &str,
        attributes: Vec<(String, String)>,
        data: Bytes,
    ) -> Result<(), ContextError> {
        if self.events.len() >= limits::EVENTS_PER_TRANSACTION {
            let what = "the number of events";
            return Err(ContextError::Limit { what, limit: limits::EVENTS_PER_TRANSACTION });
        }
        let attribute_bytes: usize = attributes.iter().map(|(key, value)| key.len() + value.len() + 8).sum();
        self.grow_receipt(event_type.len() + attribute_bytes + data.len() + 12)?;
        self.events.push(Event { event_type: event_type.to_owned(), attributes, data });
        Ok(())
    }

    fn add_receipt_data(&mut self, data: Bytes) -> Result<(), ContextError> {
        self.grow_receipt(data.len() + 4)?;
        self.data.push(data);
        Ok(())
    }

    fn block_time_ms(&self) -> u64 {
        self.time_ms
    }
}
