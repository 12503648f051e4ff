//! bgt 1.0: demo tokens. A name is a wallet with a balance; who sets it owns it, and only the owner moves its balance.

mod address;
mod apply;
mod payload;
mod wallets;

pub use address::{NAMESPACE, address};
pub use apply::Bgt;
pub use payload::{Payload, Verb};
pub use wallets::{Wallets, decode_wallets};
