//! A short, always equal run of every fuzz target: its saved corpus, and fixed
//! mutations of it. `scripts/fuzz` looks for new inputs.

#[path = "../fuzz/src/lib.rs"]
#[allow(missing_docs)]
mod fuzz;

use std::path::Path;

/// Mutations of each saved input.
const MUTATIONS: u64 = 8;

/// A fixed sequence of numbers (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ z >> 31) >> 1).unwrap() % below.max(1)
    }
}

/// One to four changes: a byte set, a bit turned, a stretch cut or repeated,
/// the end cut off.
fn mutate(input: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..=numbers.next(4) {
        let at = numbers.next(out.len());
        let end = (at + 1 + numbers.next(16)).min(out.len());
        match numbers.next(5) {
            _ if out.is_empty() => out.push(0),
            0 => out[at] = [0, 1, 0x7f, 0x80, 0xff, 0x16, 0xc0][numbers.next(7)],
            1 => out[at] ^= 1 << numbers.next(8),
            2 => drop(out.drain(at..end)),
            3 => {
                let copy = out[at..end].to_vec();
                out.splice(at..at, copy);
            }
            _ => out.truncate(at),
        }
    }
    out
}

#[test]
fn every_target_withstands_its_corpus_and_mutations_of_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in fuzz::TARGETS {
        let inputs = fuzz::corpus::read(&folder.join(format!("{name}.zst"))).expect(name);
        assert!(inputs.len() > 10, "{name} has a corpus");
        let mut numbers = Numbers(1);
        target(&[]);
        for input in &inputs {
            target(input);
            for _ in 0..MUTATIONS {
                target(&mutate(input, &mut numbers));
            }
        }
    }
}
