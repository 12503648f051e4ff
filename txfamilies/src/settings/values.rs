//! Which values a setting may have, whoever sets it. Without this a single wrong value could halt the chain for good:
//! no block would be large enough, or nobody could vote.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use ledger_types::{PublicKey, limits, setting};
use serde::Deserialize;

/// The name of the consensus algorithm; fixed at genesis.
pub const ALGORITHM_NAME: &str = "sawtooth.consensus.algorithm.name";
/// The version of the consensus algorithm; fixed at genesis.
pub const ALGORITHM_VERSION: &str = "sawtooth.consensus.algorithm.version";
/// The most authorized keys.
pub const AUTHORIZED_KEYS_MAX: usize = 100;
/// The most bytes of a setting's key.
pub const KEY_BYTES: usize = 256;

/// Settings that may be set once, which genesis does.
pub(super) const FIXED_AT_GENESIS: [&str; 3] = [setting::TOPOLOGY, ALGORITHM_NAME, ALGORITHM_VERSION];

/// The integers that the node reads, and what it can live with. The smallest block holds any settings transaction of
/// ordinary size; the largest delay must stay above what a slow network takes.
const RANGES: [(&str, RangeInclusive<u64>); 6] = [
    (setting::MAX_BATCHES_PER_BLOCK, 1..=100_000),
    (setting::BLOCK_MAX_BYTES, 64 * 1024..=limits::BLOCK_BYTES as u64),
    (setting::DELTA0_MS, 1..=10_000),
    (setting::DELTA_MAX_MS, 1_000..=60_000),
    (setting::RETAIN_HEIGHTS, 16..=u32::MAX as u64),
    (setting::KEEP_VERSIONS, 16..=u32::MAX as u64),
];

/// Checks a setting's value by itself, whatever the other settings are.
///
/// # Errors
/// What is wrong with the key or the value.
pub fn check_value(key: &str, value: &str) -> Result<(), String> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(format!("a setting's key must have 1 to {KEY_BYTES} bytes"));
    }
    if let Some((_, range)) = RANGES.iter().find(|(known, _)| *known == key) {
        return check_integer(key, value, range);
    }
    match key {
        setting::AUTHORIZED_KEYS => check_authorized_keys(value),
        setting::APPROVAL_THRESHOLD => check_threshold(value),
        setting::PROPOSALS => Err(format!("Setting {key} is read-only")),
        setting::TRANSACTION_FAMILIES => check_families(value),
        _ => Ok(()),
    }
}

/// The keys in a value of `authorized_keys`.
pub(super) fn authorized_keys(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|key| !key.is_empty())
}

/// A decimal integer in its one form, so that every reader of the setting reads the same.
fn integer(value: &str) -> Option<u64> {
    value.parse::<u64>().ok().filter(|number| number.to_string() == value)
}

fn check_integer(key: &str, value: &str, range: &RangeInclusive<u64>) -> Result<(), String> {
    match integer(value) {
        Some(number) if range.contains(&number) => Ok(()),
        _ => Err(format!("{key} must be an integer from {} to {}", range.start(), range.end())),
    }
}

fn check_authorized_keys(value: &str) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for key in authorized_keys(value) {
        key.parse::<PublicKey>().map_err(|error| format!("authorized_keys: {error}"))?;
        if !seen.insert(key) {
            return Err(format!("authorized_keys: {key} stands twice"));
        }
        if seen.len() > AUTHORIZED_KEYS_MAX {
            return Err(format!("authorized_keys must not be more than {AUTHORIZED_KEYS_MAX}"));
        }
    }
    if seen.is_empty() {
        return Err("authorized_keys must not be empty.".to_owned());
    }
    Ok(())
}

fn check_threshold(value: &str) -> Result<(), String> {
    match integer(value) {
        None => Err("approval_threshold must be an integer".to_owned()),
        Some(0) => Err("approval_threshold must be at least 1".to_owned()),
        Some(_) => Ok(()),
    }
}

/// One entry of `sawtooth.validator.transaction_families`.
#[derive(Deserialize)]
struct PermittedFamily {
    family: String,
    version: String,
    #[serde(default)]
    namespaces: Vec<String>,
}

/// The list must keep the settings family in, or it could never be changed again.
fn check_families(value: &str) -> Result<(), String> {
    let key = setting::TRANSACTION_FAMILIES;
    let families: Vec<PermittedFamily> = serde_json::from_str(value)
        .map_err(|_| format!("{key} must be a JSON list of {{\"family\", \"version\", \"namespaces\"}}"))?;
    let is_settings = |permitted: &PermittedFamily| {
        ["sawtooth_settings", "dgt_settings"].contains(&permitted.family.as_str())
            && permitted.version == "1.0"
            && permitted.namespaces.iter().any(|namespace| setting::NAMESPACE.starts_with(namespace.as_str()))
    };
    if families.iter().any(is_settings) {
        return Ok(());
    }
    Err(format!("{key} must permit sawtooth_settings 1.0 with namespace {}", setting::NAMESPACE))
}

#[cfg(test)]
mod tests {
    use ledger_types::setting;

    use super::{RANGES, check_value};

    #[test]
    fn integers_have_one_form_and_a_range() {
        for (key, range) in RANGES {
            for number in [*range.start(), *range.end()] {
                assert_eq!(check_value(key, &number.to_string()), Ok(()));
                assert!(check_value(key, &format!("0{number}")).is_err());
                assert!(check_value(key, &format!("+{number}")).is_err());
                assert!(check_value(key, &format!(" {number}")).is_err());
            }
            let outside = [range.start() - 1, range.end() + 1].map(|number| number.to_string());
            for bad in
                outside.iter().map(String::as_str).chain(["", "-1", "1e3", "1.0", "18446744073709551616"])
            {
                let message = format!("{key} must be an integer from {} to {}", range.start(), range.end());
                assert_eq!(check_value(key, bad), Err(message), "{bad}");
            }
        }
    }

    #[test]
    fn permitted_families_must_keep_settings_in() {
        let check = |value: &str| check_value(setting::TRANSACTION_FAMILIES, value);
        let settings = r#"{"family":"sawtooth_settings","version":"1.0","namespaces":["000000"]}"#;
        assert_eq!(check(&format!("[{settings}]")), Ok(()));
        assert_eq!(check(&format!(r#"[{{"family":"intkey","version":"1.0"}},{settings}]"#)), Ok(()));
        for bad in [
            "",
            "[]",
            "{}",
            r#"[{"family":"intkey","version":"1.0","namespaces":["1cf126"]}]"#,
            r#"[{"family":"sawtooth_settings","version":"2.0","namespaces":["000000"]}]"#,
            r#"[{"family":"sawtooth_settings","version":"1.0","namespaces":["000001"]}]"#,
            r#"[{"family":"sawtooth_settings","version":"1.0"}]"#,
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn authorized_keys_are_public_keys_each_once() {
        let check = |value: &str| check_value(setting::AUTHORIZED_KEYS, value);
        let (a, b) = ("02".repeat(33), "ab".repeat(32));
        for good in [a.clone(), format!("{a},{b}"), format!(" {a} ,, {b},")] {
            assert_eq!(check(&good), Ok(()), "{good}");
        }
        assert_eq!(check(""), Err("authorized_keys must not be empty.".into()));
        assert_eq!(check(" , "), Err("authorized_keys must not be empty.".into()));
        assert_eq!(check(&format!("{a},{a}")), Err(format!("authorized_keys: {a} stands twice")));
        for bad in ["some_key".to_owned(), a.to_uppercase().replace('0', "A"), format!("{a};{b}")] {
            assert!(check(&bad).unwrap_err().starts_with("authorized_keys: a public key is"), "{bad}");
        }
        let keys = |count: u64| (0..count).map(|n| format!("{n:064x}")).collect::<Vec<_>>().join(",");
        assert_eq!(check(&keys(100)), Ok(()));
        assert_eq!(check(&keys(101)), Err("authorized_keys must not be more than 100".into()));
    }
}
