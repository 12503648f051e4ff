//! Why an input had no effect: expected in every run, so a value and a trace event, never an error.

/// The reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// About a view or height that is decided, or an answer that came too late.
    Stale,
    /// Known already.
    Duplicate,
    /// Too far ahead of this node to keep.
    TooFarAhead,
    /// Contradicts what the same signer said before; the first counts.
    Conflicting,
    /// An answer to nothing that was asked.
    Unasked,
    /// A claim without the certificate that it needs.
    Unproven,
    /// More questions than one peer may ask in a while.
    TooMany,
    /// The replica has halted.
    Halted,
}
