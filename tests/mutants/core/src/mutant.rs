//! Which mutant runs on this thread.

use std::cell::Cell;

thread_local! {
    static ON: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Switches a mutant on, and every other off, on this thread; `None`: the crate is as written.
pub fn set(name: Option<&'static str>) {
    ON.set(name);
}

/// Whether a mutant is on.
pub fn is_on(name: &'static str) -> bool {
    ON.get() == Some(name)
}
