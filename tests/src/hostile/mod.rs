//! A hostile process: it speaks to real nodes over real TCP, Noise and Yamux, as a stranger or as a validator that lies.
//!
//! [`dial`] goes as far into the handshake as it is told, [`link`] holds a link as a node would, [`raw`] writes Yamux
//! frames that no library writes, and [`liar`] has a validator's keys and plays the simulator's characters. The attacks are
//! in [`strangers`] and [`members`]; [`siege`] measures what they do to a network.

pub mod dial;
pub mod liar;
pub mod link;
pub mod members;
pub mod raw;
pub mod siege;
pub mod strangers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often an attack did what it does.
#[derive(Clone, Debug, Default)]
pub struct Acts(Arc<AtomicU64>);

impl Acts {
    /// Once more.
    pub fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// How often so far.
    pub fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
