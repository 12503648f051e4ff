use std::collections::BTreeMap;
use std::path::Path;

use super::error::ConfigError;
use super::file;
use super::keys::{KEYS, Key};
use super::settings::{Settings, admin_beside};
use super::source::Source;

/// Variables of the environment that belong to commands, not to a node's settings.
const OTHER_VARIABLES: [&str; 3] = ["DGT_API_URL", "DGT_CONFIG", "DGT_HOME"];

/// A value from the command line.
pub(crate) struct Flag {
    /// The flag.
    pub(crate) flag: &'static str,
    /// The setting's name.
    pub(crate) key: String,
    /// The value.
    pub(crate) value: String,
}

/// Settings, and where each value came from.
pub(crate) struct Resolved {
    /// The settings.
    pub(crate) settings: Settings,
    sources: BTreeMap<&'static str, Source>,
}

impl Resolved {
    fn set(&mut self, key: &'static Key, text: &str, place: Source) -> Result<(), ConfigError> {
        let refused = key.field(&mut self.settings).set(text, &key.range);
        refused.map_err(|reason| ConfigError::Value {
            place: place.clone(),
            key: key.name,
            value: text.to_owned(),
            reason,
        })?;
        self.sources.insert(key.name, place);
        Ok(())
    }

    /// Where a setting's value came from.
    pub(crate) fn source(&self, key: &Key) -> Source {
        self.sources.get(key.name).cloned().unwrap_or(Source::Default)
    }

    /// A setting's value as people write it.
    pub(crate) fn value(&self, key: &Key) -> String {
        key.field(&mut self.settings.clone()).text()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let limits = &self.settings.limits;
        for (low, low_value, high, high_value) in [
            ("api.limits.body_bytes", limits.body_bytes, "api.limits.bodies_bytes", limits.bodies_bytes),
            ("api.limits.page_default", limits.page_default, "api.limits.page_max", limits.page_max),
        ] {
            if low_value > high_value {
                let (low_value, high_value) = (low_value.to_string(), high_value.to_string());
                return Err(ConfigError::Order { low, low_value, high, high_value });
            }
        }
        Ok(())
    }
}

/// Puts the layers together, the weakest first: defaults, the file, the environment, the flags.
///
/// # Errors
/// The first value that is refused, or what of them contradicts each other.
pub(crate) fn resolve(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: impl IntoIterator<Item = Flag>,
) -> Result<Resolved, ConfigError> {
    let mut resolved = Resolved { settings: Settings::default(), sources: BTreeMap::new() };
    for value in file.map(file::read).transpose()?.unwrap_or_default() {
        resolved.set(value.key, &value.text, value.place)?;
    }
    let environment: BTreeMap<String, String> = environment.into_iter().collect();
    for key in KEYS {
        let variable = key.variable();
        if let Some(text) = environment.get(&variable) {
            resolved.set(key, text, Source::Environment(variable))?;
        }
    }
    for Flag { flag, key: name, value } in flags {
        let place = Source::Flag(flag);
        let Some(key) = Key::find(&name) else {
            let nearest = Key::nearest(&name);
            return Err(ConfigError::UnknownKey { place, key: name, nearest });
        };
        resolved.set(key, &value, place)?;
    }
    if !resolved.sources.contains_key("admin.address") {
        resolved.settings.admin = admin_beside(resolved.settings.api);
    }
    resolved.check()?;
    Ok(resolved)
}

/// Variables that begin as settings do and are none: spelt wrongly, most likely.
pub(crate) fn unknown_variables(environment: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    let is_known =
        |name: &str| OTHER_VARIABLES.contains(&name) || KEYS.iter().any(|key| key.variable() == name);
    let names = environment.into_iter().map(|(name, _)| name);
    let mut unknown: Vec<String> = names.filter(|name| name.starts_with("DGT_") && !is_known(name)).collect();
    unknown.sort();
    unknown
}
