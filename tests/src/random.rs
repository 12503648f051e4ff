//! Random choices that a printed seed repeats.
#![allow(clippy::print_stderr, reason = "the seed of a failing run must be seen")]

use std::ops::Range;

/// A stream of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of the seed in `DGT_SEED`, or of a random one. The seed is printed.
    pub fn from_env() -> Self {
        let seed = match std::env::var("DGT_SEED") {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("DGT_SEED={text}: not a number")),
            Err(_) => fresh(),
        };
        eprintln!("DGT_SEED={seed}");
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in a range that is not empty.
    pub fn below(&mut self, range: Range<u64>) -> u64 {
        range.start + self.draw() % (range.end - range.start)
    }

    /// A place in a list that is not empty.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(0..len as u64)).expect("invariant: below a length")
    }

    /// Whether an event that happens once in `times` happens now.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.draw().is_multiple_of(times)
    }

    /// An independent stream.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.draw())
    }
}

/// A seed that no earlier run had.
fn fresh() -> u64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("randomness of the operating system");
    u32::from_le_bytes(bytes).into()
}
