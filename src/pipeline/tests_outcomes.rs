//! Every byte of every frame ends in exactly one count.

use super::dispatch::Period;
use super::replay::{Plan, Room, sightings};
use crate::base::Timestamp;
use crate::capture::Item;
use crate::catalogue::Catalogue;
use crate::coverage::{Counter, Counts};
use crate::flow::Limits;
use crate::packet::testing::{ethernet, ipv4, ipv4_fragment, tcp, udp};
use crate::sighting::{HomeNets, Settings};
use std::io::Write;
use std::sync::Arc;

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [192, 0, 2, 1];
const TEN: u32 = 1_772_359_200;

/// A pcap of frames, as seconds after ten, bytes at hand and bytes on the wire.
fn read(frames: &[(u32, Vec<u8>, usize)], workers: usize, until: Option<u32>) -> Counts {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend(word.to_le_bytes());
    }
    for (after, frame, wire) in frames {
        for word in [TEN + after, 0, frame.len() as u32, *wire as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend(frame);
    }
    counts(&out, workers, until)
}

/// What a replay of a capture counts.
fn counts(capture: &[u8], workers: usize, until: Option<u32>) -> Counts {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(capture).unwrap();
    let until = until.map(|s| Timestamp::from_parts(i64::from(TEN + s), 0));
    let plan = Plan {
        inputs: vec![Item { path: file.path().to_owned(), relative: None }],
        workers,
        hash: false,
        period: Period { since: None, until },
        filter: None,
        ignore_vlan: false,
        home: HomeNets::default(),
        limits: Limits::default(),
        opened: Box::new(|_, _| {}),
    };
    let catalogue = Arc::new(Catalogue::builtin());
    let settings =
        Settings { catalogue, home: HomeNets::default(), canaries: Vec::new(), live: false, pseudonyms: None };
    let room = Room { shard: usize::MAX, spool: usize::MAX };
    sightings(plan, &Arc::new(settings), room).unwrap().outcome.ledger.total()
}

fn bytes(counts: &Counts) -> Vec<(&'static str, u64)> {
    let words = counts.iter().filter(|(c, _)| c.as_str().starts_with("bytes_") || *c == Counter::FramesDecoded);
    words.map(|(c, n)| (c.as_str(), n)).collect()
}

#[test]
fn bytes_are_counted_by_what_became_of_their_frame() {
    let datagram = udp(4000, 4001, &[0; 100]);
    let segment = ethernet(0x0800, &ipv4(6, A, B, &tcp(4000, 80, 2, b"")));
    let fragmented = udp(4000, 4001, &[7; 400]);
    let part = |start, len| ethernet(0x0800, &ipv4_fragment(17, 9, &fragmented, start, len));
    let whole = ethernet(0x0800, &ipv4(17, A, B, &datagram));
    let ended = [
        (ethernet(0x0806, &[0; 28]), "bytes_arp"),
        (ethernet(0x88cc, &[0; 60]), "bytes_other_ethertype"),
        (ethernet(0x88e5, &[8; 200]), "bytes_link_opaque"),
        (ethernet(0x0800, &[0x45; 19]), "bytes_ip_malformed"),
        (ethernet(0x0800, &ipv4(1, A, B, &[8; 20])), "bytes_other_transport"),
        (ethernet(0x0800, &ipv4(50, A, B, &[8; 70])), "bytes_ip_opaque"),
        (ethernet(0x0800, &ipv4(115, A, B, &[8; 30])), "bytes_tunnel_unsupported"),
        (ethernet(0x0800, &ipv4(6, A, B, &[0; 12])), "bytes_transport_malformed"),
        (vec![0; 9], "bytes_link_malformed"),
        (part(0, 200), "bytes_ip_fragments"),
    ];
    let mut frames: Vec<(u32, Vec<u8>, usize)> = vec![
        (0, whole.clone(), whole.len()),
        (1, whole[..60].to_vec(), 1400), // what the snap length cut away counts as well
        (2, segment.clone(), segment.len()),
    ];
    frames.extend(ended.iter().map(|(f, _)| (3, f.clone(), f.len())));
    frames.push((4, part(200, 208), part(200, 208).len()));
    frames.push((901, segment.clone(), segment.len())); // another quarter hour
    frames.push((1000, whole.clone(), whole.len()));
    let counts = read(&frames, 1, Some(1000));
    let mut expected = vec![
        ("frames_decoded", 5),
        ("bytes_decoded", (whole.len() + 1400 + 2 * segment.len() + part(200, 208).len()) as u64),
        ("bytes_filtered", whole.len() as u64),
    ];
    expected.extend(ended.iter().map(|(f, word)| (*word, f.len() as u64)));
    expected.sort_by_key(|(word, _)| Counter::from_word(word));
    assert_eq!(bytes(&counts), expected);
    let sum: u64 = counts.iter().filter(|(c, _)| c.as_str().starts_with("bytes_")).map(|(_, n)| n).sum();
    assert_eq!(sum, counts.get(Counter::WireBytes));
    assert_eq!(counts.get(Counter::WireBytes), frames.iter().map(|(_, _, wire)| *wire as u64).sum::<u64>());
    for workers in [2, 4, 8] {
        assert_eq!(read(&frames, workers, Some(1000)), counts, "{workers}");
    }
}

#[test]
fn every_cause_of_a_frame_has_its_bytes() {
    // A cause that has no counter of its own for bytes still counts them.
    assert_eq!(Counter::Names.bytes(), Counter::BytesOther);
    let own: Vec<&str> = Counter::ALL.iter().filter(|c| c.bytes() != Counter::BytesOther).map(|c| c.as_str()).collect();
    assert_eq!(own.len(), 14, "{own:?}");
    for word in own {
        let bytes = Counter::from_word(word).unwrap().bytes().as_str();
        assert_eq!(bytes.strip_prefix("bytes_"), Some(word.strip_prefix("frames_").unwrap_or(word)));
    }
}

/// A pcapng block around its body.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let body = [body, &vec![0; body.len().wrapping_neg() % 4][..]].concat();
    let len = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &len, &body, &len].concat()
}

#[test]
fn what_a_capture_file_says_was_dropped_counts_once() {
    let frame = ethernet(0x0806, &[0; 28]);
    let option = |code: u16, n: u64| [&code.to_le_bytes()[..], &8u16.to_le_bytes(), &n.to_le_bytes()].concat();
    // Statistics are running sums: the last ones count (isb_ifdrop 5, isb_osdrop 7).
    let statistics = |interface: u32, card: u64, kernel: u64| {
        let head = [interface.to_le_bytes(), [0; 4], [0; 4]].concat();
        block(5, &[head, option(5, card), option(7, kernel), vec![0; 4]].concat())
    };
    let packet = |interface: u32| {
        let len = (frame.len() as u32).to_le_bytes();
        let head = [interface.to_le_bytes(), [0; 4], TEN.to_le_bytes(), len, len].concat();
        block(6, &[&head[..], &frame].concat())
    };
    let section = block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
    let interface = block(1, &[1, 0, 0, 0, 0, 0, 4, 0]);
    let file = [
        section,
        interface.clone(),
        interface,
        packet(0),
        statistics(0, 1, 10),
        packet(1),
        statistics(1, 0, 5),
        statistics(0, 3, 20),
    ]
    .concat();
    for workers in [1, 4] {
        let counts = counts(&file, workers, None);
        let [frames, kernel, card] =
            [Counter::Frames, Counter::DroppedKernel, Counter::DroppedInterface].map(|c| counts.get(c));
        assert_eq!((frames, kernel, card), (2, 25, 3));
    }
}

/// A damaged record may announce four gigabytes.
#[test]
fn one_absurd_length_does_not_outweigh_all_others() {
    let counts = read(&[(0, vec![0; 60], 4_093_509_168), (1, vec![0; 60], 60)], 1, None);
    assert_eq!(counts.get(Counter::WireBytes), (256 << 10) + 60);
}
