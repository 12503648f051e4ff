//! The rules, and the words of the platform that intkey comes from.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger_types::family::{ApplyError, Context, FamilyDescription, TransactionFamily};
use ledger_types::{Address, Transaction};
use minicbor::Encoder;

use super::address::{NAMESPACE, address};
use super::payload::{Payload, Verb};
use crate::cbor::{Item, read_map};
use crate::named_value::{absent, decreased, increased, unreadable_state};

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Intkey;

impl TransactionFamily for Intkey {
    fn describe(&self) -> FamilyDescription {
        FamilyDescription {
            names: &["intkey"],
            version: "1.0",
            namespaces: &[NAMESPACE],
            commands: &["set", "inc", "dec"],
        }
    }

    fn apply(&self, transaction: &Transaction, context: &mut dyn Context) -> Result<(), ApplyError> {
        let Payload { verb, name, value } = Payload::decode(&transaction.payload)?;
        let address = address(&name);
        let mut values = load(context, &address)?;
        let current = values.get(&name).copied();
        let next = match (verb, current) {
            (Verb::Set, None) => value,
            (Verb::Set, Some(current)) => {
                return Err(ApplyError::invalid(format!(
                    "Verb is \"set\", but already exists: Name: {name}, Value {current}"
                )));
            }
            (_, None) => return Err(absent(verb.as_str(), &name)),
            (Verb::Inc, Some(current)) => increased("inc", current, value)?,
            (Verb::Dec, Some(current)) => decreased("dec", current, value)?,
        };
        values.insert(name, next);
        context.set(address, encode(&values))?;
        Ok(())
    }
}

fn load(context: &mut dyn Context, address: &Address) -> Result<BTreeMap<String, u32>, ApplyError> {
    let Some(bytes) = context.get(address)? else { return Ok(BTreeMap::new()) };
    let entries = read_map(&bytes).map_err(|_| unreadable_state())?;
    let value = |item| match item {
        Item::Unsigned(value) => u32::try_from(value).map_err(|_| unreadable_state()),
        _ => Err(unreadable_state()),
    };
    entries.into_iter().map(|(name, item)| Ok((name.to_owned(), value(item)?))).collect()
}

fn encode(values: &BTreeMap<String, u32>) -> Bytes {
    let mut encoder = Encoder::new(Vec::new());
    encoder
        .map(values.len() as u64)
        .and_then(|encoder| {
            values.iter().try_fold(encoder, |encoder, (name, value)| encoder.str(name)?.u32(*value))
        })
        .expect("invariant: writing to a vector does not fail");
    encoder.into_writer().into()
}
