//! Reading and writing one setting in state. Several keys may share an address, so a value there is a list of entries.

use bytes::Bytes;
use ledger_types::family::{ApplyError, Context};
use ledger_types::proto::families::Setting;
use ledger_types::proto::families::setting::Entry;
use ledger_types::setting;
use prost::Message as _;

/// The value of a setting.
pub(super) fn read(context: &mut dyn Context, key: &str) -> Result<Option<String>, ApplyError> {
    let bytes = context.get(&setting::address(key))?;
    Ok(bytes.and_then(|bytes| setting::value_of(key, &bytes)))
}

/// Sets the value of a setting, and tells subscribers.
pub(super) fn write(context: &mut dyn Context, key: &str, value: &str) -> Result<(), ApplyError> {
    let address = setting::address(key);
    let mut stored = match context.get(&address)? {
        None => Setting::default(),
        Some(bytes) => {
            Setting::decode(bytes).map_err(|_| ApplyError::invalid("Failed to unmarshal Setting"))?
        }
    };
    match stored.entries.iter_mut().find(|entry| entry.key == key) {
        Some(entry) => value.clone_into(&mut entry.value),
        None => stored.entries.push(Entry { key: key.to_owned(), value: value.to_owned() }),
    }
    context.set(address, stored.encode_to_vec().into())?;
    context.add_event("settings/update", vec![("updated".to_owned(), key.to_owned())], Bytes::new())?;
    Ok(())
}
