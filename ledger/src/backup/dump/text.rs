//! Lines of a dump.

use data_encoding::HEXLOWER;

/// The last line of a dump's head.
pub(super) const HEADER_END: &str = "HEADER=END";
/// The last line of a dump.
pub(in crate::backup) const DATA_END: &str = "DATA=END";

/// How a dump is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `format=bytevalue`: lower-case hexadecimal.
    Hex,
    /// The same, compressed as gzip does.
    Gzip,
    /// `format=print`: printable ASCII as it is, the rest as `\hh`. For reading by people: tools fail to load it.
    Print,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hex | Self::Gzip => "bytevalue",
            Self::Print => "print",
        }
    }

    /// Appends the line of a key or a value.
    pub(super) fn push_line(self, text: &mut Vec<u8>, bytes: &[u8]) {
        match self {
            Self::Hex | Self::Gzip => push_hex_line(text, bytes),
            Self::Print => push_print_line(text, bytes),
        }
    }
}

/// Appends the line of a key or a value, as record digests count it.
pub(in crate::backup) fn push_hex_line(text: &mut Vec<u8>, bytes: &[u8]) {
    text.push(b' ');
    push_hex(text, bytes);
    text.push(b'\n');
}

fn push_print_line(text: &mut Vec<u8>, bytes: &[u8]) {
    text.push(b' ');
    for byte in bytes {
        match byte {
            b'\\' => text.extend_from_slice(b"\\\\"),
            b' '..=b'~' => text.push(*byte),
            other => {
                text.push(b'\\');
                push_hex(text, &[*other]);
            }
        }
    }
    text.push(b'\n');
}

fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    let start = text.len();
    text.resize(start + 2 * bytes.len(), 0);
    HEXLOWER.encode_mut(bytes, &mut text[start..]);
}
