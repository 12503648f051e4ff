//! intkey 1.0: named integers, the field's standard load. Anybody may change any name, as upstream.

mod address;
mod apply;
mod payload;

pub use address::{NAMESPACE, address};
pub use apply::Intkey;
pub use payload::{Payload, Verb};
