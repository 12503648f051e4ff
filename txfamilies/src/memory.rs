//! State in memory, one transaction after the other: for checking a genesis before there is a ledger, and for tests.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::family::{ApplyError, Context, ContextError, FamilyRegistry};
use ledger_types::limits;
use ledger_types::receipt::Event;
use ledger_types::{Address, Transaction};

/// State, and what the transaction being applied may do and did.
#[derive(Clone, Debug, Default)]
pub struct MemoryContext {
    state: BTreeMap<Address, Bytes>,
    block_time_ms: u64,
    inputs: Vec<String>,
    outputs: Vec<String>,
    events: Vec<Event>,
    receipt_data: Vec<Bytes>,
}

impl MemoryContext {
    /// Empty state in a block of this time, milliseconds since 1970.
    pub fn new(block_time_ms: u64) -> Self {
        Self { block_time_ms, ..Self::default() }
    }

    /// Applies one transaction through its family: all of its changes, or none.
    ///
    /// # Errors
    /// When no family answers to the header's name and version, or the family or this context refuses.
    pub fn apply(
        &mut self,
        families: &dyn FamilyRegistry,
        transaction: &Transaction,
    ) -> Result<(), ApplyError> {
        let header = &transaction.header;
        let (name, version) = (&header.family_name, &header.family_version);
        let family = families
            .find(name, version)
            .ok_or_else(|| ApplyError::invalid(format!("unknown family {name} {version}")))?;
        let mut attempt = Self::new(self.block_time_ms);
        attempt.state.clone_from(&self.state);
        attempt.inputs.clone_from(&header.inputs);
        attempt.outputs.clone_from(&header.outputs);
        family.apply(transaction, &mut attempt)?;
        *self = attempt;
        Ok(())
    }

    /// The whole state.
    pub fn state(&self) -> &BTreeMap<Address, Bytes> {
        &self.state
    }

    /// The events of the last transaction applied.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The receipt data of the last transaction applied.
    pub fn receipt_data(&self) -> &[Bytes] {
        &self.receipt_data
    }
}

fn covers(prefixes: &[String], address: &Address) -> bool {
    let address = address.to_string();
    prefixes.iter().any(|prefix| address.starts_with(prefix.as_str()))
}

impl Context for MemoryContext {
    fn get(&mut self, address: &Address) -> Result<Option<Bytes>, ContextError> {
        if !covers(&self.inputs, address) {
            return Err(ContextError::GetUnauthorized(*address));
        }
        Ok(self.state.get(address).cloned())
    }

    fn set(&mut self, address: Address, value: Bytes) -> Result<(), ContextError> {
        if !covers(&self.outputs, &address) {
            return Err(ContextError::SetUnauthorized(address));
        }
        if value.len() > limits::STATE_VALUE_BYTES {
            return Err(ContextError::Limit { what: "a state value", limit: limits::STATE_VALUE_BYTES });
        }
        self.state.insert(address, value);
        Ok(())
    }

    fn delete(&mut self, address: Address) -> Result<(), ContextError> {
        if !covers(&self.outputs, &address) {
            return Err(ContextError::DeleteUnauthorized(address));
        }
        self.state.remove(&address);
        Ok(())
    }

    fn add_event(
        &mut self,
        event_type: &str,
        attributes: Vec<(String, String)>,
        data: Bytes,
    ) -> Result<(), ContextError> {
        if self.events.len() >= limits::EVENTS_PER_TRANSACTION {
            return Err(ContextError::Limit {
                what: "the number of events",
                limit: limits::EVENTS_PER_TRANSACTION,
            });
        }
        self.events.push(Event { event_type: event_type.to_owned(), attributes, data });
        Ok(())
    }

    fn add_receipt_data(&mut self, data: Bytes) -> Result<(), ContextError> {
        self.receipt_data.push(data);
        Ok(())
    }

    fn block_time_ms(&self) -> u64 {
        self.block_time_ms
    }
}
