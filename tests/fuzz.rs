//! A short, always equal run of every fuzz target: its saved corpus, and fixed
//! mutations of it. `scripts/fuzz` looks for new inputs.

#[path = "../fuzz/src/lib.rs"]
#[allow(missing_docs)]
mod fuzz;

use std::path::Path;

/// Inputs that each target is given, mutations included; fewer where one takes
/// long.
const RUNS: usize = 8000;
const SLOW: [(&str, usize); 8] = [
    ("chopped", 2500),
    ("segments", 5000),
    ("compressed", 2500),
    ("growing", 2500),
    ("pipeline", 800),
    ("groups", 4000),
    ("archive", 1500),
    ("publication", 600),
];

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

/// The saved corpus of a target.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name).with_extension("zst");
    let inputs = fuzz::corpus::read(&path).expect("a saved corpus");
    assert!(inputs.len() > 10, "{name} has a corpus");
    inputs
}

/// Gives a target every input of its corpus, and mutations of them.
fn run(name: &str) {
    let inputs = corpus(name);
    let (_, target) = fuzz::TARGETS.iter().find(|(n, _)| *n == name).expect("a target of that name");
    let runs = SLOW.iter().find(|(n, _)| *n == name).map_or(RUNS, |(_, runs)| *runs);
    target(&[]);
    let mut numbers = Numbers(1);
    for n in 0..runs.max(inputs.len()) {
        match inputs.get(n) {
            Some(input) => target(input),
            None => target(&mutate(&inputs[numbers.next(inputs.len())], &mut numbers)),
        }
    }
}

/// What a target checks only of inputs that come so far must have some.
#[test]
fn archives_reach_every_check() {
    use fuzz::archives::{Reached, reach};
    let reached: Vec<Reached> = corpus("archive").iter().map(|input| reach(input)).collect();
    let some = |wanted: fn(Reached) -> bool| reached.iter().any(|r| wanted(*r));
    assert!(some(|r| r == Reached::Refused) && some(|r| r == Reached::Opened), "{reached:?}");
    assert!(some(|r| matches!(r, Reached::Read(2..))), "several parts: {reached:?}");
    assert!(some(|r| matches!(r, Reached::WrittenAnew(2..))), "several parts: {reached:?}");
}

macro_rules! targets {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })+

        #[test]
        fn none_is_left_out() {
            let here = [$(stringify!($name)),+];
            assert!(fuzz::TARGETS.iter().map(|(name, _)| *name).eq(here));
        }
    };
}

targets! {
    packet dns dns_stream announced reverse neighbours dhcp tls_client tls_server dtls quic quic_frames http http2 hpack proxies starttls
    segments chopped pcap pcapng compressed growing pipeline
    lines groups archive publication
}
