//! Inputs made from inputs.

use crate::random::Random;

/// The longest input that mutation makes.
const INPUT_BYTES: usize = 64 * 1024;
/// Values that lie at an edge of some field.
const EDGES: [u64; 10] =
    [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];

/// Changes an input in one to four places; `others` lend their parts, and are not empty.
pub fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    for _ in 0..random.below(1..5) {
        mutate_once(input, others, random);
    }
    input.truncate(INPUT_BYTES);
}

fn mutate_once(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let mut place =
        |len: usize| usize::try_from(random.below(0..len as u64 + 1)).expect("invariant: at most a length");
    let (at, to, other) = (place(input.len()), place(input.len()), place(others.len() - 1));
    let (range, from) = (at.min(to)..at.max(to), place(others[other].len()));
    let (number, kind) = (random.draw(), random.below(0..10));
    match kind {
        0 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (number % 8)),
        1 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte = number as u8),
        2 => input.insert(at, number as u8),
        3 => input.truncate(at),
        4 => drop(input.drain(range)),
        5 => {
            // One part many times: deep nests, long lists.
            let part = input[range.start..range.end.min(range.start + 64)].to_vec();
            let part = part.repeat((number % 300) as usize);
            input.splice(at..at, part);
        }
        6 => {
            input.truncate(at);
            input.extend_from_slice(&others[other][from..]);
        }
        7 | 8 => {
            // A field of 1, 2, 4 or 8 bytes with a value at an edge.
            let edge = EDGES[(number % 10) as usize].wrapping_add(number >> 8 & 1).to_be_bytes();
            let width = 1 << (number >> 16 & 3);
            input.iter_mut().skip(at).zip(&edge[8 - width..]).for_each(|(byte, new)| *byte = *new);
        }
        _ => {
            // A neighbour of what stands there.
            let step = if number.is_multiple_of(2) { 1 } else { u8::MAX };
            input.iter_mut().skip(at).take(1).for_each(|byte| *byte = byte.wrapping_add(step));
        }
    }
}
