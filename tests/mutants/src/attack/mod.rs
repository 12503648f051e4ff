//! What is done to a network to make a broken rule show.

mod families;
mod pasts;

use crate::sim::Scenario;

pub use families::*;
pub use pasts::*;

/// A kind of bad time: a scenario for each seed.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Its name.
    pub name: &'static str,
    /// What a seed makes of it.
    pub draw: fn(u64) -> Scenario,
}
