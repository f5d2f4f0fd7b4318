//! Capture loss: what acknowledgements show to be missing.

use crate::coverage::Counter as C;
use crate::flow::engine::Limits;
use crate::flow::table::FlowKey;
use crate::flow::testing::{Conn, Lab, Policy, hello, packet};
use crate::packet::tcp_flags::{ACK, FIN, SYN};
use crate::packet::{Packet, Transport};
use proptest::prelude::*;

/// A segment of a transfer, numbers counted from the first payload byte.
#[derive(Clone, Copy, Debug)]
struct Seg {
    client: bool,
    flags: u8,
    seq: u32,
    ack: u32,
    len: u32,
}

fn is_sampled(p: &Packet) -> bool {
    FlowKey::of(p, 0).0.is_sampled()
}

/// The ports of a connection that the sample holds, or leaves out.
fn conn(sampled: bool) -> Conn {
    let ports = (20_000..60_000).map(|port| Conn::new(port, 8000));
    ports.into_iter().find(|c| is_sampled(&packet(Transport::Tcp, c.client, c.server)) == sampled).unwrap()
}

/// A handshake, a request of 100 bytes, `n` segments of `size` from the
/// server, each second one acknowledged, and the end.
fn transfer(n: u32, size: u32) -> Vec<Seg> {
    let client = |flags, seq, ack, len| Seg { client: true, flags, seq, ack, len };
    let server = |flags, seq, ack, len| Seg { client: false, flags, seq, ack, len };
    let mut all = vec![
        client(SYN, u32::MAX, 0, 0),
        server(SYN | ACK, u32::MAX, 0, 0),
        client(ACK, 0, 0, 0),
        client(ACK, 0, 0, 100),
    ];
    for i in 0..n {
        all.push(server(ACK, i * size, 100, size));
        if i % 2 == 1 {
            all.push(client(ACK, 100, (i + 1) * size, 0));
        }
    }
    let end = n * size;
    all.push(client(ACK, 100, end, 0));
    all.push(server(FIN | ACK, end, 100, 0));
    all.push(client(FIN | ACK, 100, end + 1, 0));
    all.push(server(ACK, end + 1, 101, 0));
    all
}

/// What is reckoned of these segments: flows, acknowledged, gaps, unseen.
fn reckon(c: &Conn, segments: &[Seg], policy: Policy) -> (u64, u64, u64, u64) {
    let mut lab = Lab::new(policy);
    for s in segments {
        send(&mut lab, c, s);
    }
    let Lab { engine, mut ledger, .. } = lab;
    engine.finish(&mut ledger);
    let total = ledger.total();
    let [flows, acked, gaps, unseen] =
        [C::SampleFlows, C::SampleAckedBytes, C::SampleGaps, C::SampleUnseenBytes].map(|c| total.get(c));
    (flows, acked, gaps, unseen)
}

fn send(lab: &mut Lab, c: &Conn, s: &Seg) {
    let (from, to, isn, other) =
        if s.client { (c.client, c.server, c.isn.0, c.isn.1) } else { (c.server, c.client, c.isn.1, c.isn.0) };
    let (seq, ack) = (isn.wrapping_add(1).wrapping_add(s.seq), other.wrapping_add(1).wrapping_add(s.ack));
    let p = packet(Transport::Tcp, from, to);
    lab.packet(&Packet { seq, ack, flags: s.flags, ..p }, &vec![b'x'; s.len as usize]);
}

/// Numbers that a whole transfer acknowledges: payload and a FIN of either.
fn acked(n: u32, size: u32) -> u64 {
    u64::from(100 + 1 + n * size + 1)
}

#[test]
fn about_one_flow_in_64_is_in_the_sample_and_both_directions_are() {
    let flows = (0..64_000u32).map(|n| {
        let c = Conn::new(1024 + (n % 60_000) as u16, 443 + (n / 60_000) as u16);
        packet(Transport::Tcp, c.client, c.server)
    });
    let mut sampled = 0;
    for p in flows {
        let back = Packet { src: p.dst, dst: p.src, sport: p.dport, dport: p.sport, ..p };
        assert_eq!(is_sampled(&p), is_sampled(&back));
        sampled += u32::from(is_sampled(&p));
    }
    assert!((900..1100).contains(&sampled), "{sampled}");
    // The sample is the same in every version: flows of a store compare.
    assert_eq!(conn(true).client.1, 20_008);
}

#[test]
fn a_whole_capture_lost_nothing() {
    let all = transfer(200, 1448);
    assert_eq!(reckon(&conn(true), &all, Policy::Nothing), (1, acked(200, 1448), 0, 0));
    assert_eq!(reckon(&conn(false), &all, Policy::Nothing), (0, 0, 0, 0));
    // Numbers that pass zero.
    let wraps = conn(true).isn(u32::MAX - 50, u32::MAX - 100_000);
    assert_eq!(reckon(&wraps, &all, Policy::Nothing), (1, acked(200, 1448), 0, 0));
}

#[test]
fn dropped_segments_are_found_at_their_rate() {
    for one_in in [3, 10, 50] {
        let all = transfer(3000, 1000);
        let mut state = 7u32;
        let mut lost = 0;
        let kept: Vec<Seg> = all
            .into_iter()
            .filter(|s| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let drop = s.len == 1000 && (state >> 8).is_multiple_of(one_in);
                lost += u64::from(drop) * 1000;
                !drop
            })
            .collect();
        let (_, all, gaps, unseen) = reckon(&conn(true), &kept, Policy::Nothing);
        assert!(lost > 30_000);
        assert_eq!((all, unseen), (acked(3000, 1000), lost), "one in {one_in}");
        assert!(gaps > 0 && gaps <= lost / 1000);
    }
}

#[test]
fn what_comes_out_of_order_twice_or_cut_is_not_lost() {
    let all = transfer(300, 700);
    let whole = (1, acked(300, 700), 0, 0);
    let mut late = all.clone();
    late[4..].chunks_mut(7).for_each(<[Seg]>::reverse); // acknowledgements before what they acknowledge, too
    assert_eq!(reckon(&conn(true), &late, Policy::Nothing), whole);
    let doubled: Vec<Seg> = all.iter().flat_map(|s| [*s, *s]).collect();
    assert_eq!(reckon(&conn(true), &doubled, Policy::Nothing), whole);
    let mut again = all.clone();
    again.splice(150..150, all[60..90].iter().copied());
    assert_eq!(reckon(&conn(true), &again, Policy::Nothing), whole);
    let mut lab = Lab::new(Policy::Nothing);
    lab.snap = 20;
    all.iter().for_each(|s| send(&mut lab, &conn(true), s));
    assert_eq!((lab.count(C::SampleAckedBytes), lab.count(C::SampleUnseenBytes)), (whole.1, 0));
    // One frame that stands for many segments.
    let mut large = all[..4].to_vec();
    large.push(Seg { client: false, flags: ACK, seq: 0, ack: 100, len: 65_000 });
    large.push(Seg { client: true, flags: ACK, seq: 100, ack: 65_000, len: 0 });
    assert_eq!(reckon(&conn(true), &large, Policy::Nothing), (1, 65_100, 0, 0));
}

#[test]
fn a_flow_that_began_before_the_capture_lost_nothing_by_that() {
    let all = transfer(100, 500);
    for from in [30, 31, 32] {
        let (flows, acked, gaps, unseen) = reckon(&conn(true), &all[from..], Policy::Nothing);
        assert_eq!((flows, gaps, unseen), (1, 0, 0), "from {from}");
        assert!(acked > 20_000, "{acked}");
    }
}

#[test]
fn one_direction_alone_is_one_sided_and_not_loss() {
    let all = transfer(100, 500);
    for client in [true, false] {
        let one: Vec<Seg> = all.iter().filter(|s| s.client == client).copied().collect();
        assert_eq!(reckon(&conn(true), &one, Policy::Nothing), (1, 0, 0, 0));
    }
    type Case = (fn(&Seg) -> bool, (u64, u64));
    let cases: [Case; 4] =
        [(|_| true, (1, 0)), (|s| s.client, (1, 1)), (|s| !s.client, (1, 1)), (|s| s.len == 0, (0, 0))];
    for (keep, counted) in cases {
        let mut lab = Lab::new(Policy::Nothing);
        all.iter().filter(|s| keep(s)).for_each(|s| send(&mut lab, &conn(false), s));
        let Lab { engine, mut ledger, .. } = lab;
        engine.finish(&mut ledger);
        let total = ledger.total();
        assert_eq!((total.get(C::FlowsWithPayload), total.get(C::FlowsOneSided)), counted);
    }
}

#[test]
fn probes_of_an_idle_connection_and_ends_are_no_loss() {
    let mut all = transfer(10, 500);
    let at = all.iter().rposition(|s| s.client && s.flags == ACK).unwrap() + 1;
    let probe = |seq, len| Seg { client: false, flags: ACK, seq, ack: 100, len };
    let answer = Seg { client: true, flags: ACK, seq: 100, ack: 5000, len: 0 };
    all.splice(at..at, [probe(4999, 0), answer, probe(4999, 1), answer]);
    assert_eq!(reckon(&conn(true), &all, Policy::Nothing), (1, acked(10, 500), 0, 0));
    // The capture begins with the probe.
    let late =
        reckon(&conn(true), &[&[probe(4999, 1), answer, probe(5000, 300)], &[answer][..]].concat(), Policy::Nothing);
    assert_eq!((late.2, late.3), (0, 0));
    // A FIN that was not seen is no payload.
    let no_fin: Vec<Seg> = all.iter().filter(|s| s.client || s.flags & FIN == 0).copied().collect();
    assert_eq!(reckon(&conn(true), &no_fin, Policy::Nothing), (1, acked(10, 500), 0, 0));
}

#[test]
fn acknowledgements_of_what_cannot_be_are_ignored() {
    let mut all = transfer(100, 500);
    let forged = |ack| Seg { client: true, flags: ACK, seq: 100, ack, len: 0 };
    all.insert(40, forged(500_000_000));
    all.insert(60, forged(3_000_000_000));
    all.insert(80, Seg { client: false, flags: ACK, seq: 400_000_000, ack: 100, len: 10 });
    assert_eq!(reckon(&conn(true), &all, Policy::Nothing), (1, acked(100, 500), 0, 0));
}

#[test]
fn a_jump_that_both_ends_confirm_is_a_gap_of_unknown_size() {
    let all = transfer(100, 500);
    let mut later = all[50..].to_vec();
    for s in &mut later {
        if s.client {
            s.ack += 100_000_000;
        } else {
            s.seq += 100_000_000;
        }
    }
    let (_, _, gaps, unseen) = reckon(&conn(true), &[&all[..50], &later].concat(), Policy::Nothing);
    assert_eq!((gaps, unseen), (1, 0));
}

#[test]
fn what_nobody_acknowledged_is_not_lost() {
    let mut all = transfer(100, 500);
    all.retain(|s| !(s.client && s.ack > 20_000));
    let dropped = all.iter().position(|s| s.seq == 45 * 500).unwrap();
    all.remove(dropped);
    assert_eq!(reckon(&conn(true), &all, Policy::Nothing).2, 0);
}

#[test]
fn a_loss_is_said_while_the_flow_goes_on() {
    let mut lab = Lab::new(Policy::Nothing);
    let all = transfer(4000, 500);
    for (i, s) in all.iter().enumerate() {
        if s.seq != 500 || s.client {
            send(&mut lab, &conn(true), s);
        }
        let unseen = lab.count(C::SampleUnseenBytes);
        // A millisecond each.
        assert!(i < 900 && unseen == 0 || i > 1100 && unseen == 500 || (900..=1100).contains(&i), "{i} {unseen}");
    }
}

#[test]
fn followed_flows_are_reckoned_apart_from_the_sample() {
    for sampled in [false, true] {
        let mut c = conn(sampled);
        let mut lab = Lab::new(Policy::Names);
        lab.say(&mut c, &hello("a.example"));
        for i in 0..20 {
            if i % 5 == 4 {
                c.sent.1 += 1000; // passed by the sensor
            } else {
                lab.server(&mut c, &[7; 1000]);
            }
            lab.ack(&c);
        }
        lab.close(&c);
        let Lab { engine, mut ledger, .. } = lab;
        engine.finish(&mut ledger);
        let total = ledger.total();
        let [all, lost] = [C::MatchedAckedBytes, C::MatchedUnseenBytes].map(|c| total.get(c));
        assert!(lost == 4000 && (20_000..21_000).contains(&all), "{lost} of {all}");
        let sample = if sampled { (1, 4000) } else { (0, 0) };
        assert_eq!((total.get(C::SampleFlows), total.get(C::SampleUnseenBytes)), sample);
    }
}

#[test]
fn a_flood_of_flows_in_the_sample_is_bounded() {
    let mut lab = Lab::with_limits(Policy::Nothing, Limits { tcp_flows: 1000, ..Limits::default() });
    let ports = (0..=u16::MAX).flat_map(|port| [443, 444, 445].map(|sport| Conn::new(port, sport)));
    let mut flows = 0;
    for c in ports.filter(|c| is_sampled(&packet(Transport::Tcp, c.client, c.server))) {
        lab.syn(&c);
        flows += 1;
    }
    let counts = [C::SampleFlows, C::SampleRefused].map(|c| lab.count(c));
    assert!(flows > 2000 && counts.iter().sum::<u64>() == flows, "{flows} {counts:?}");
    assert!(counts[1] > 500 && counts[0] >= 256, "{counts:?}");
    lab.finish();
}

/// Each is counted once, however many segments it has.
#[test]
fn followed_flows_beyond_the_room_are_counted() {
    let mut lab = Lab::new(Policy::Flows);
    let conns: Vec<Conn> = (20_000..20_500).map(|port| Conn::new(port, 8000)).collect();
    for _ in 0..3 {
        for c in &conns {
            lab.client_at(c, 0, ACK, b"x");
        }
    }
    let [taken, refused, unreckoned] = [C::SampleFlows, C::SampleRefused, C::MatchedRefused].map(|c| lab.count(c));
    let in_sample = conns.iter().filter(|c| is_sampled(&packet(Transport::Tcp, c.client, c.server))).count() as u64;
    assert_eq!((taken + refused, unreckoned), (in_sample, 500 - 320));
    lab.finish();
}

proptest! {
    #[test]
    fn nothing_is_lost_twice_whatever_comes(
        segments in proptest::collection::vec(
            (any::<bool>(), 0u8..64, prop_oneof![0u32..4000, any::<u32>()], prop_oneof![0u32..4000, any::<u32>()], 0u32..1500),
            0..200,
        ),
    ) {
        let c = conn(true);
        let all: Vec<Seg> =
            segments.into_iter().map(|(client, flags, seq, ack, len)| Seg { client, flags, seq, ack, len }).collect();
        let (_, acked, _, unseen) = reckon(&c, &all, Policy::Nothing);
        prop_assert!(unseen <= acked, "{} of {}", unseen, acked);
    }
}
