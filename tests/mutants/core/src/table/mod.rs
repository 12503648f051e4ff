//! The mutants: each breaks one rule of SPEC.md, or repeats a defect that was found in other implementations.
//!
//! A patch names a text that occurs exactly once in a file of `consensus/src`, whatever its white space; the build
//! fails if that is not so any more. In the replacement the word `MUTANT` is the mutant's switch.

mod durability;
mod guard;
mod progress;
mod quorums;
mod signatures;
mod voting;

/// A broken rule.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// What is broken.
    pub breaks: &'static str,
    /// How.
    pub patches: &'static [Patch],
}

/// A change of the source.
#[derive(Clone, Copy, Debug)]
pub struct Patch {
    /// The file, below `consensus/src`.
    pub file: &'static str,
    /// The text, without regard to white space.
    pub find: &'static str,
    /// What stands there instead.
    pub replace: &'static str,
}

/// All mutants.
pub fn mutants() -> impl Iterator<Item = &'static Mutant> {
    let themes = [
        voting::MUTANTS,
        durability::MUTANTS,
        quorums::MUTANTS,
        signatures::MUTANTS,
        guard::MUTANTS,
        progress::MUTANTS,
    ];
    themes.into_iter().flatten()
}

/// What several mutants' replacements use; changes nothing by itself.
pub fn support() -> &'static [Patch] {
    durability::SUPPORT
}
