//! The TOML file, flattened to dotted names with their lines.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::keys::Key;
use super::settings::Settings;
use super::source::Source;

/// No settings file comes near this size, bytes.
const LARGEST: u64 = 1 << 20;

/// A value of the file.
pub(super) struct FileValue {
    pub(super) key: &'static Key,
    pub(super) text: String,
    pub(super) place: Source,
}

/// Reads the values of a file in the order of their names.
///
/// # Errors
/// When the file is not read, is no TOML, or has a key or a type of value that does not exist.
pub(super) fn read(path: &Path) -> Result<Vec<FileValue>, ConfigError> {
    let text = read_text(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let syntax = |message: String| ConfigError::Syntax { path: path.to_owned(), message };
    let table = DeTable::parse(&text).map_err(|error| syntax(error.to_string().trim_end().to_owned()))?;
    let mut reading = Reading { path, text: &text, values: Vec::new() };
    reading.table("", table.get_ref())?;
    Ok(reading.values)
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LARGEST {
        true => Err(std::io::Error::other("it is larger than 1 MiB")),
        false => Ok(text),
    }
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    values: Vec<FileValue>,
}

impl Reading<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let place = self.place(key.span().start);
            match (Key::find(&name), value.get_ref()) {
                (Some(key), value) => {
                    let text = text_of(key, value, &place)?;
                    self.values.push(FileValue { key, text, place });
                }
                (None, DeValue::Table(inner)) => self.table(&format!("{name}."), inner)?,
                (None, _) => {
                    let nearest = Key::nearest(&name);
                    return Err(ConfigError::UnknownKey { place, key: name, nearest });
                }
            }
        }
        Ok(())
    }

    fn place(&self, offset: usize) -> Source {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Source::File { path: self.path.to_owned(), line }
    }
}

fn text_of(key: &'static Key, value: &DeValue<'_>, place: &Source) -> Result<String, ConfigError> {
    let is_number = key.field(&mut Settings::default()).is_number();
    match value {
        DeValue::String(text) if !is_number => Ok(text.clone().into_owned()),
        // What does not fit is refused by the setting's range, with the words of the file.
        DeValue::Integer(number) if is_number => Ok(i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string())),
        other => Err(ConfigError::Type {
            place: place.clone(),
            key: key.name,
            expected: if is_number { "an integer" } else { "a string" },
            found: other.type_str(),
        }),
    }
}
