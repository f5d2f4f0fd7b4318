use super::super::testing::{Bytes, Outcome, open_bytes, read_bytes, read_pipe};
use super::*;

fn read(b: &Bytes) -> Outcome {
    let outcome = read_bytes(&b.bytes);
    assert_eq!(outcome.content, b.bytes);
    outcome
}

fn file(big: bool) -> Bytes {
    let mut b = Bytes::new(big);
    b.section();
    b
}

#[test]
fn both_byte_orders_with_all_kinds_of_blocks() {
    for big in [false, true] {
        let mut b = file(big);
        b.interface(1, 0, &[(2, b"span0"), (9, &[9])]);
        b.packet(0, 1_700_000_000_000_000_001, b"abcde");
        // Name resolution, custom, secrets, unknown.
        b.block(4, &[0; 20]).block(0xbad, b"xyz1").block(0x0a, &[1; 100]).block(0x7777, &[]);
        let mut old = Bytes::new(big);
        old.u16(0).u16(3).u32(0).u32(7).u32(2).u32(9).raw(b"fg");
        b.block(2, &old.bytes);
        let mut simple = Bytes::new(big);
        simple.u32(3).raw(b"hij");
        b.block(3, &simple.bytes);
        let got = read(&b);
        assert_eq!(got.error(), "");
        assert_eq!(got.data(), [&b"abcde"[..], b"fg", b"hij"]);
        assert_eq!(got.times(), [1_700_000_000_000_000_001, 7, 0]);
        assert_eq!(got.frames.iter().map(|f| f.1.head).collect::<Vec<_>>(), [28, 28, 12]);
        assert_eq!(got.frames[1].1.orig_len, 9);
        assert_eq!(got.interfaces, [Interface { name: "span0".into(), link: LinkType(1), ..Interface::default() }]);
        assert_eq!(got.statistics, [InterfaceStatistics { dropped_kernel: 3, ..Default::default() }]);
    }
}

#[test]
fn interfaces_have_their_own_link_type_clock_and_name() {
    let mut b = file(false);
    b.interface(1, 65_535, &[]);
    b.interface(101, 96, &[(9, &[0x80 | 10]), (2, "\u{fc}ber\0x".as_bytes())]);
    b.interface(113, 0, &[(14, &100_i64.to_le_bytes())]);
    b.packet(2, 5_000_000, b"c").packet(0, 5_000_000, b"a").packet(1, 5 << 10, b"b");
    let got = read(&b);
    assert_eq!(got.times(), [105_000_000_000, 5_000_000_000, 5_000_000_000]);
    assert_eq!(got.frames.iter().map(|f| f.1.interface).collect::<Vec<_>>(), [2, 0, 1]);
    let names: Vec<_> = got.interfaces.iter().map(|i| (i.name.as_str(), i.link.0, i.snaplen)).collect();
    assert_eq!(names, [("", 1, 65_535), ("\u{fc}ber", 101, 96), ("", 113, 0)]);
}

#[test]
fn sections_change_byte_order_and_start_their_interfaces_anew() {
    let mut b = file(false);
    b.interface(1, 0, &[]).packet(0, 1, b"a");
    b.big = true;
    b.section().interface(113, 0, &[]).interface(12, 0, &[]).packet(1, 2, b"b").packet(0, 3, b"c");
    b.big = false;
    b.section().interface(9, 0, &[]).packet(0, 4, b"d").packet(1, 5, b"e");
    let got = read(&b);
    assert_eq!(got.data(), [b"a", b"b", b"c", b"d"]);
    assert_eq!(got.frames.iter().map(|f| f.1.interface).collect::<Vec<_>>(), [0, 2, 1, 3]);
    assert_eq!(got.interfaces.iter().map(|i| i.link.0).collect::<Vec<_>>(), [1, 113, 12, 9]);
    // The last section has one interface only.
    assert!(matches!(got.errors[..], [CaptureError::BlocksSkipped { count: 1, .. }]));
}

#[test]
fn statistics_blocks_report_losses() {
    for big in [false, true] {
        let mut b = file(big);
        b.interface(1, 0, &[]).interface(1, 0, &[]);
        let n = |n: u64| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        for (id, received, card, kernel) in [(1, 10, 1, 2), (1, 50, 17, 4), (7, 1, 1, 1)] {
            let mut body = Bytes::new(big);
            body.u32(id).u32(0).u32(0);
            body.options(&[(4, &n(received)), (5, &n(card)), (7, &n(kernel)), (1, b"why")]);
            b.block(5, &body.bytes);
        }
        let got = read(&b);
        let want = InterfaceStatistics { received: 50, dropped_kernel: 4, dropped_interface: 17 };
        assert_eq!(got.statistics, [InterfaceStatistics::default(), want]);
        assert_eq!(got.error(), "");
    }
}

/// Packets and statistics blocks tell of the same losses.
#[test]
fn losses_that_packets_report_count_once() {
    for big in [false, true] {
        let n = |n: u64| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let packet = |b: &mut Bytes, id: u32, lost: u64| {
            let mut body = Bytes::new(big);
            body.u32(id).u32(0).u32(0).u32(5).u32(5).raw(b"12345\0\0\0");
            body.options(&[(2, &[0; 4]), (4, &n(lost))]);
            b.block(6, &body.bytes);
        };
        let said = |b: &mut Bytes, card: u64, kernel: u64| {
            let mut body = Bytes::new(big);
            body.u32(0).u32(0).u32(0).options(&[(5, &n(card)), (7, &n(kernel))]);
            b.block(5, &body.bytes);
        };
        let lost = |kernel, card| InterfaceStatistics { received: 0, dropped_kernel: kernel, dropped_interface: card };
        let mut b = file(big);
        b.interface(1, 0, &[]).interface(1, 0, &[]);
        packet(&mut b, 0, 3);
        packet(&mut b, 0, 4);
        packet(&mut b, 1, 0);
        packet(&mut b, 9, 5);
        assert_eq!(read(&b).statistics, [lost(7, 0), lost(0, 0)]);
        said(&mut b, 2, 4);
        assert_eq!(read(&b).statistics, [lost(5, 2), lost(0, 0)], "7 in all");
        said(&mut b, 6, 9);
        assert_eq!(read(&b).statistics, [lost(9, 6), lost(0, 0)]);
        // The old packet block.
        let mut b = file(big);
        b.interface(1, 0, &[]);
        for drops in [2, u16::MAX, 1] {
            let mut body = Bytes::new(big);
            body.u16(0).u16(drops).u32(0).u32(0).u32(1).u32(1).raw(b"x");
            b.block(2, &body.bytes);
        }
        assert_eq!((read(&b).statistics, read(&b).frames.len()), (vec![lost(3, 0)], 3));
    }
}

#[test]
fn a_simple_packet_is_cut_by_the_snap_length() {
    let mut b = file(false);
    b.interface(1, 4, &[]);
    b.block(3, &[&100_u32.to_le_bytes()[..], b"abcd"].concat());
    let got = read(&b);
    assert_eq!(got.data(), [b"abcd"]);
    assert_eq!(got.frames[0].1.orig_len, 100);
}

#[test]
fn a_packet_that_makes_no_sense_costs_only_itself() {
    let mut b = file(false);
    b.packet(0, 0, b"early").interface(1, 0, &[]).packet(0, 1, b"good").packet(1, 2, b"no such");
    let mut long = Bytes::new(false);
    long.u32(0).u32(0).u32(3).u32(1000).u32(1000).raw(&[1; 8]);
    b.block(6, &long.bytes).block(6, &[0; 8]).block(2, &[]).block(3, &[]).packet(0, 4, b"last");
    let got = read(&b);
    assert_eq!(got.data(), [&b"good"[..], b"last"]);
    assert!(matches!(got.errors[..], [CaptureError::BlocksSkipped { offset: 28, count: 6, .. }]), "{:?}", got.errors);
    assert_eq!(got.before, [2]);
}

#[test]
fn no_interface_at_all_is_damage() {
    let got = read(file(false).packet(0, 0, b"a"));
    assert_eq!(got.frames.len(), 0);
    assert!(got.errors[0].is_partial());
    assert!(got.error().contains("not described before it"), "{}", got.error());
}

#[test]
fn impossible_lengths_are_damage_without_allocation() {
    for (kind, total) in [(6, 0), (6, 11), (0x0a0d_0d0a, 24), (6, !3), (1, 17 << 20), (0x77, 4)] {
        let mut b = file(false);
        b.interface(1, 0, &[]).packet(0, 1, b"good");
        let at = b.bytes.len() as u64;
        b.u32(kind).u32(total).u32(0x1a2b_3c4d).raw(&[1; 300]);
        let got = read(&b);
        assert_eq!(got.data(), [b"good"]);
        assert!(matches!(got.errors[..], [CaptureError::Damaged { offset, .. }] if offset == at), "{:?}", got.errors);
        assert!(got.largest < 1000);
    }
}

#[test]
fn a_huge_unknown_block_is_stepped_over_not_held() {
    let mut b = file(false);
    b.interface(1, 0, &[]).block(0x4242, &vec![7; 100_000]).packet(0, 1, b"after");
    let got = read(&b);
    assert_eq!((got.data(), got.error()), (vec![&b"after"[..]], String::new()));
    assert!(got.largest < 1000);
    let at = b.bytes.len() as u64;
    b.u32(0x4242).u32(!3).raw(&[0; 500]);
    let got = read(&b);
    assert!(matches!(got.errors[..], [CaptureError::Cut { offset }] if offset == at), "{:?}", got.errors);
}

#[test]
fn the_two_lengths_must_agree() {
    for kind in [6, 0x4242] {
        let mut b = file(false);
        b.interface(1, 0, &[]);
        let at = b.bytes.len() as u64;
        let mut body = Bytes::new(false);
        body.u32(0).u32(0).u32(0).u32(200).u32(200).raw(&[1; 200]);
        b.block(kind, &body.bytes);
        let last = b.bytes.len() - 4;
        b.bytes[last] ^= 4;
        b.packet(0, 0, b"more");
        let got = read(&b);
        assert_eq!(got.frames.len(), 0);
        assert!(got.error().contains("two lengths"), "{}", got.error());
        assert!(matches!(got.errors[..], [CaptureError::Damaged { offset, .. }] if offset == at), "{:?}", got.errors);
    }
}

#[test]
fn lengths_that_are_no_multiple_of_four() {
    for padded in [false, true] {
        let mut b = file(false);
        b.interface(1, 0, &[]);
        for n in 0..3 {
            b.u32(6).u32(37).u32(0).u32(0).u32(n).u32(5).u32(5).raw(b"abcde");
            b.raw(if padded { &[0; 3] } else { &[] }).u32(37);
        }
        let got = read(&b);
        assert_eq!((got.data(), got.error()), (vec![&b"abcde"[..]; 3], String::new()));
    }
}

#[test]
fn versions_and_byte_order_marks() {
    let mut b = file(false);
    b.bytes[12] = 2;
    let got = read(&b);
    assert!(matches!(got.errors[..], [CaptureError::UnsupportedVersion { format: "pcapng", major: 2, minor: 0 }]));
    let mut b = file(false);
    b.interface(1, 0, &[]).packet(0, 1, b"a").section();
    let mark = b.bytes.len() - 20;
    b.bytes[mark] = 0;
    let got = read(&b);
    assert_eq!(got.frames.len(), 1);
    assert!(got.error().contains("byte order"), "{}", got.error());
    let mut b = file(false);
    b.bytes[8] = 0;
    assert!(matches!(open_bytes(&b.bytes, 64, false).err(), Some(CaptureError::NotACapture { .. })));
}

#[test]
fn more_interfaces_than_indexes_is_damage() {
    let mut b = file(false);
    for _ in 0..=65_536 {
        b.interface(1, 0, &[]);
    }
    let got = read_pipe(&b.bytes, 1 << 20);
    assert_eq!(got.interfaces.len(), 65_536);
    assert!(got.error().contains("65536 interfaces"), "{}", got.error());
}

#[test]
fn a_long_name_is_cut() {
    let got = read(file(false).interface(1, 0, &[(2, &[b'x'; 60_000])]));
    assert_eq!(got.interfaces[0].name.len(), 255);
}
