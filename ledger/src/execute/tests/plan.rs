//! The planner against its definition, pair by pair.

use bytes::Bytes;
use ledger_types::{AddressPrefix, Batch};

use super::load::{Load, Random, declaring};
use crate::execute::plan::{Access, Declared, Group, groups, overlaps};

/// What a batch says of itself, in words.
struct Said {
    inputs: Vec<String>,
    outputs: Vec<String>,
    ids: Vec<String>,
    dependencies: Vec<String>,
    headers: Vec<Bytes>,
}

impl Said {
    fn of(batch: &Batch) -> Self {
        let headers = || batch.transactions.iter().map(|transaction| &transaction.header);
        let is_prefix = |text: &&String| text.parse::<AddressPrefix>().is_ok();
        Self {
            inputs: headers().flat_map(|it| &it.inputs).filter(is_prefix).cloned().collect(),
            outputs: headers().flat_map(|it| &it.outputs).filter(is_prefix).cloned().collect(),
            ids: batch.transactions.iter().map(|transaction| transaction.id.to_string()).collect(),
            dependencies: headers().flat_map(|it| &it.dependencies).cloned().collect(),
            headers: batch.transactions.iter().map(|transaction| transaction.header_bytes.clone()).collect(),
        }
    }

    /// Whether one can see what the other does, by the words of the definition.
    fn conflicts_with(&self, other: &Self) -> bool {
        fn any<T>(a: &[T], b: &[T], meet: impl Fn(&T, &T) -> bool) -> bool {
            a.iter().any(|a| b.iter().any(|b| meet(a, b)))
        }
        let overlap = |a: &String, b: &String| a.starts_with(b) || b.starts_with(a);
        any(&self.outputs, &other.inputs, overlap)
            || any(&self.inputs, &other.outputs, overlap)
            || any(&self.dependencies, &other.ids, String::eq)
            || any(&self.ids, &other.dependencies, String::eq)
            || any(&self.ids, &other.ids, String::eq)
            || any(&self.headers, &other.headers, Bytes::eq)
    }
}

/// The groups of the definition alone: outputs may meet outputs.
pub(super) fn by_definition(batches: &[&Batch]) -> Vec<Group> {
    let said: Vec<Said> = batches.iter().map(|batch| Said::of(batch)).collect();
    let mut groups: Vec<Group> = Vec::new();
    for place in 0..said.len() {
        let conflicts = |group: &Group| group.iter().any(|other| said[*other].conflicts_with(&said[place]));
        let (joined, mut apart): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(conflicts);
        let mut group = joined.concat();
        group.sort_unstable();
        group.push(place);
        apart.push(group);
        groups = apart;
    }
    groups
}

#[test]
fn who_can_see_whom_is_in_one_group() {
    let mut apart = 0;
    for seed in 0..1_000 {
        let candidates = Load::new(seed).candidates(0);
        let batches: Vec<&Batch> = candidates.iter().map(|candidate| &**candidate.batch).collect();
        let groups = Declared::of(&batches).groups(batches.len());
        let mut places = groups.concat();
        places.sort_unstable();
        assert_eq!(places, (0..batches.len()).collect::<Vec<_>>(), "each in one group");
        assert!(groups.iter().all(|group| group.is_sorted()));
        for needed in by_definition(&batches) {
            let is_within = |group: &Group| needed.iter().all(|place| group.contains(place));
            assert!(groups.iter().any(is_within), "seed {seed}: {needed:?} parted in {groups:?}");
        }
        apart += usize::from(groups.len() > 1);
    }
    assert!(apart > 500, "{apart} of 1,000 loads were parted");
}

#[test]
fn what_does_not_meet_stays_apart() {
    let whole = "ab".repeat(35);
    let cases: [([&[&str]; 4], bool); 9] = [
        ([&["aa"], &["aa"], &["ab"], &["ab"]], false),
        ([&["aa"], &["ab"], &["aa"], &["ac"]], false),
        ([&[""], &[], &[""], &[]], false),
        ([&[], &["aa"], &["aabb"], &[]], true),
        ([&[], &["aabb"], &["aa"], &[]], true),
        ([&[], &[""], &[&whole], &[]], true),
        ([&[""], &[], &[], &[&whole]], true),
        ([&["aa"], &[], &[], &["aa"]], true),
        ([&["zz", "a"], &["AA"], &[], &["aa"]], false),
    ];
    for (number, ([inputs, outputs, other_inputs, other_outputs], meet)) in (1..).zip(cases) {
        let (a, b) =
            (declaring(2 * number, inputs, outputs), declaring(2 * number + 1, other_inputs, other_outputs));
        for pair in [[&*a, &*b], [&*b, &*a]] {
            assert_eq!(groups(&pair).len(), if meet { 1 } else { 2 }, "case {number}");
        }
    }
}

/// However prefixes lie, joining them costs no more than twice their number.
#[test]
fn joining_is_bounded_by_what_is_declared() {
    let mut random = Random(7);
    let mut loads: Vec<Vec<Access>> = Vec::new();
    let access = |text: &str, is_output, batch| Access { prefix: text.parse().unwrap(), is_output, batch };
    // Every length of one address, read by many; then outputs below them all.
    let mut nested: Vec<Access> =
        (0..2_000).map(|batch| access(&"00".repeat(batch % 35), false, batch)).collect();
    nested.extend((0..256).map(|end| access(&format!("{}{end:02x}", "00".repeat(34)), true, 2_000 + end)));
    loads.push(nested.clone());
    // The same, with an output above.
    nested.push(access("", true, 5_000));
    loads.push(nested);
    loads.push((0..4_000).map(|batch| access("", batch % 2 == 0, batch)).collect());
    for _ in 0..200 {
        let prefix = |random: &mut Random| "00".repeat(random.below(8)) + ["", "01", "02"][random.below(3)];
        let count = random.below(400);
        let some = (0..count).map(|batch| access(&prefix(&mut random), batch % 3 == 0, batch));
        loads.push(some.collect());
    }
    for mut load in loads {
        load.sort_unstable();
        let mut joins = 0;
        overlaps(&load, |_, _| joins += 1);
        assert!(joins <= 2 * load.len(), "{joins} for {} accesses", load.len());
    }
}

#[test]
fn who_declares_too_much_is_not_planned_for() {
    let many: Vec<String> = (0..40).map(|number| format!("{number:02x}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let batches = [declaring(1, &many, &[]), declaring(2, &["ff"], &["ff"])];
    let batches: Vec<&Batch> = batches.iter().map(|batch| &**batch).collect();
    assert_eq!(groups(&batches), [vec![0, 1]]);
    assert_eq!(Declared::of(&batches).groups(2).len(), 2, "they do not meet");
}
