//! How a mutant gets into the source: as one more condition that is false until the mutant is switched on, so that all
//! of them live in one build.

use std::collections::BTreeMap;

use super::table::Patch;

/// Applies patches to files by name, one after the other: a text may be one that an earlier patch left in its
/// replacement, so that several mutants can change one place.
///
/// # Errors
/// When a file is not there, or does not hold the text exactly once.
pub fn apply(name: &str, patches: &[Patch], files: &mut BTreeMap<String, String>) -> Result<(), String> {
    let switch = format!("crate::mutant::is_on({name:?})");
    for Patch { file, find, replace } in patches {
        let at_fault = |problem: &str| format!("{name}: {file}: {problem}: {find}");
        let text = files.get_mut(*file).ok_or_else(|| at_fault("no such file for"))?;
        let found = occurrences(text, find);
        let [range] = found.as_slice() else {
            return Err(at_fault(if found.is_empty() { "not found" } else { "found more than once" }));
        };
        text.replace_range(range.clone(), &replace.replace("MUTANT", &switch));
    }
    Ok(())
}

/// Where a text occurs, whatever its white space: a line broken elsewhere is the same text.
fn occurrences(text: &str, find: &str) -> Vec<std::ops::Range<usize>> {
    let solid: Vec<(usize, char)> = text.char_indices().filter(|(_, it)| !it.is_whitespace()).collect();
    let wanted: Vec<char> = find.chars().filter(|it| !it.is_whitespace()).collect();
    let windows = solid.windows(wanted.len().max(1));
    let matching = windows.filter(|window| window.iter().map(|(_, it)| it).eq(&wanted));
    let range = |window: &[(usize, char)]| {
        let (first, (last, end)) = (window[0].0, window[window.len() - 1]);
        first..last + end.len_utf8()
    };
    matching.map(range).collect()
}

/// A crate's root without what only a root may hold, so that it can be included in another: inner attributes and inner
/// documentation.
pub fn without_inner_lines(text: &str) -> String {
    let is_inner = |line: &&str| line.starts_with("#![") || line.starts_with("//!");
    text.lines().filter(|line| !is_inner(line)).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCHES: &[Patch] =
        &[Patch { file: "a.rs", find: "left < right", replace: "(MUTANT || left < right)" }];

    fn patched(text: &str) -> Result<String, String> {
        let mut files = BTreeMap::from([("a.rs".to_owned(), text.to_owned())]);
        apply("m", PATCHES, &mut files).map(|()| files["a.rs"].clone())
    }

    #[test]
    fn a_patch_needs_its_text_exactly_once() {
        let once = patched("if left\n    < right {}").unwrap();
        assert_eq!(once, "if (crate::mutant::is_on(\"m\") || left < right) {}");
        assert!(patched("if left > right {}").unwrap_err().contains("not found"));
        assert!(patched("left < right; left < right").unwrap_err().contains("more than once"));
    }

    #[test]
    fn a_root_loses_its_inner_lines_only() {
        assert_eq!(without_inner_lines("//! x\n#![forbid(y)]\n#[z]\nmod a;\n"), "#[z]\nmod a;\n");
    }
}
