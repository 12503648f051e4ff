//! xo 1.0: noughts and crosses, the field's example game.

mod address;
mod apply;
mod game;
mod payload;

pub use address::{NAMESPACE, address};
pub use apply::Xo;
pub use payload::{Action, Payload};
