//! QUIC and other datagrams.

use crate::base::Addr;
use crate::base::Stage::{Attempted, Connected, Transferred};
use crate::coverage::Counter;
use crate::flow::Limits;
use crate::flow::testing::*;
use crate::protocol::quic::Version;
use crate::protocol::quic::sample::{
    DCID, Header, V1_CLIENT, V1_RETRY, V1_SERVER, V2_CLIENT, VERSIONS, crypto, hex, seal, start,
};
use crate::protocol::tls::sample;

const C: (Addr, u16) = (CLIENT, 40_000);
const S: (Addr, u16) = (SERVER, 443);
const QUIC: &str = "quic up.test";

/// A client's datagram of 1,200 bytes with a part of its ClientHello.
fn initial(dcid: &[u8], number: u8, offset: usize, len: usize) -> Vec<u8> {
    let hello = sample::hello(Some(&sample::server_name(b"up.test")));
    let end = hello.len().min(offset + len);
    let mut frames = crypto(u16::try_from(offset).unwrap(), &hello[offset..end]);
    frames.resize(1170, 0);
    seal(Header { number, ..Header::new(Version::V1, dcid) }, dcid, &frames)
}

fn whole(dcid: &[u8]) -> Vec<u8> {
    initial(dcid, 0, 0, 2000)
}

/// An Initial that does not open.
fn garbage(n: u8) -> Vec<u8> {
    let mut packet = whole(&[n, 2, 3, 4, 5, 6, 7, 8]);
    let last = packet.len() - 1;
    packet[last] ^= 1;
    packet
}

/// A server's Handshake packet.
fn handshake() -> Vec<u8> {
    [&start(Version::V1, 2)[..], &[3, 1, 2, 3, 4, 9, 9, 9, 9, 0x40, 100], &[0; 100]].concat()
}

#[test]
fn samples_of_the_rfcs() {
    for client in [V1_CLIENT, V2_CLIENT] {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(C, S, &hex(client));
        lab.udp(C, S, &hex(client));
        assert_eq!(lab.told(), ["quic example.com"]);
    }
}

#[test]
fn a_hello_in_two_datagrams_in_any_order_and_repeated() {
    let parts = [initial(&DCID, 0, 0, 70), initial(&DCID, 1, 70, 2000)];
    for order in [&[0, 1][..], &[1, 0], &[0, 0, 1, 1, 0], &[1, 1, 0, 0]] {
        let mut lab = Lab::new(Policy::Nothing);
        for i in order {
            lab.udp(C, S, &parts[*i]);
        }
        assert_eq!((lab.told(), lab.last().notes.len()), (vec![QUIC.to_owned()], 0), "{order:?}");
        lab.finish();
    }
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &parts[0]);
    let mut ledger = std::mem::take(&mut lab.ledger);
    lab.engine.finish(&mut ledger);
    assert_eq!(ledger.total().get(Counter::QuicHellosIncomplete), 1);
}

#[test]
fn a_retry_changes_the_keys() {
    let server_id = [0xf0, 0x67, 0xa5, 0x50, 0x2a, 0x42, 0x62, 0xb5];
    for first in [70, 2000] {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(C, S, &initial(&DCID, 0, 0, first));
        lab.udp(S, C, &hex(V1_RETRY));
        lab.udp(C, S, &initial(&server_id, 0, 0, 2000));
        assert_eq!(lab.told(), [QUIC], "{first}");
    }
}

#[test]
fn a_client_takes_the_servers_connection_id_and_keeps_its_keys() {
    let hello = sample::hello(Some(&sample::server_name(b"up.test")));
    let mut frames = crypto(70, &hello[70..]);
    frames.resize(1170, 0);
    let second = seal(Header { number: 1, ..Header::new(Version::V1, &[5; 8]) }, &DCID, &frames);
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &initial(&DCID, 0, 0, 70));
    lab.udp(S, C, &hex(V1_SERVER));
    lab.udp(C, S, &second);
    assert_eq!(lab.told(), [QUIC]);
}

#[test]
fn the_server_may_be_seen_first() {
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(S, C, &hex(V1_SERVER));
    assert!(lab.engine.sink().opened.is_empty(), "nobody may have asked");
    lab.udp(C, S, &whole(&DCID));
    assert_eq!((lab.told(), lab.last().client), (vec![QUIC.to_owned()], C));
    // With ports that say nothing.
    let (c, s) = ((CLIENT, 40_000), (SERVER, 8443));
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(s, c, &hex(V1_SERVER));
    lab.udp(c, s, &whole(&DCID));
    assert_eq!((lab.told(), lab.last().client), (vec![QUIC.to_owned()], c));
}

#[test]
fn garbage_costs_little_and_does_not_blind() {
    let mut lab = Lab::new(Policy::Nothing);
    for n in 0..200 {
        lab.udp(C, S, &garbage(n));
    }
    let counts = [Counter::QuicRefused, Counter::QuicBudget, Counter::QuicInitials];
    assert_eq!(counts.map(|c| lab.count(c)), [16, 184, 200], "each one is counted");
    assert_eq!(lab.told(), ["?"]);
    lab.wait(1000);
    lab.udp(C, S, &whole(&DCID));
    assert_eq!(lab.told(), ["?", QUIC]);
    // Nor does it within the second, as long as it is little.
    for n in 1..16 {
        let mut lab = Lab::new(Policy::Nothing);
        (0..n).for_each(|n| lab.udp(C, S, &garbage(n)));
        lab.udp(C, S, &whole(&DCID));
        assert_eq!(lab.last().what, QUIC, "{n}");
        lab.finish();
    }
    // Of what is left closed, and of all that failed, comes a doubt.
    let mut lab = Lab::new(Policy::Nothing);
    (0..16).for_each(|n| lab.udp(C, S, &garbage(n)));
    lab.udp(C, S, &whole(&DCID));
    let opened = crate::coverage::shares::QUIC_OPENED.of(&lab.ledger.total()).unwrap();
    assert_eq!((opened.part, opened.whole, lab.told()), (0, 17, vec!["?".to_owned()]));
    // A hello that has begun is not given up.
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &initial(&DCID, 0, 0, 70));
    for n in 0..3 {
        lab.udp(C, S, &garbage(n));
    }
    lab.udp(C, S, &initial(&DCID, 1, 70, 2000));
    assert_eq!(lab.told(), [QUIC]);
}

#[test]
fn derivations_have_a_budget() {
    let mut lab = Lab::with_limits(Policy::Nothing, Limits { quic_keys: 10, ..Limits::default() });
    for port in 0..50 {
        lab.now = crate::base::Timestamp(1_700_000_000 * crate::base::time::SECOND);
        lab.udp((CLIENT, 1000 + port), S, &garbage(1));
    }
    assert_eq!((lab.count(Counter::QuicRefused), lab.count(Counter::QuicBudget)), (10, 40));
    lab.udp((CLIENT, 1049), S, &whole(&DCID));
    assert!(!lab.told().contains(&QUIC.to_owned()));
    lab.wait(1000);
    lab.udp((CLIENT, 1049), S, &whole(&DCID));
    assert!(lab.told().contains(&QUIC.to_owned()));
}

/// A probe, STUN, DNS or media before it must not hide the handshake.
#[test]
fn what_comes_before_quic_does_not_hide_it() {
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[1; 12]].concat();
    let rtp = [&[0x80, 0x60][..], &[3; 100]].concat();
    for before in [stun, rtp, dns(1, "a.test", false), vec![0xff; 30], vec![0xc0], handshake()] {
        let mut lab = Lab::new(Policy::Nothing);
        for _ in 0..20 {
            lab.udp(C, S, &before);
        }
        lab.udp(C, S, &whole(&DCID));
        assert_eq!(lab.last().what, QUIC, "{before:02x?}");
        lab.finish();
    }
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, (SERVER, 53), &whole(&DCID));
    assert_eq!(lab.told(), [QUIC]);
}

fn named(name: &str, dcid: &[u8]) -> Vec<u8> {
    let mut frames = crypto(0, &sample::hello(Some(&sample::server_name(name.as_bytes()))));
    frames.resize(1170, 0);
    seal(Header::new(Version::V1, dcid), dcid, &frames)
}

/// Anybody can seal an Initial.
#[test]
fn a_forged_hello_does_not_hide_the_real_one() {
    let parts = [initial(&DCID, 0, 0, 70), initial(&DCID, 1, 70, 2000)];
    let half = initial(&[6; 8], 0, 20, 50);
    let whole = named("forged.test", &[9; 8]);
    for forged in [[&half, &half], [&whole, &whole], [&half, &whole]] {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(C, S, forged[0]);
        lab.udp(C, S, &parts[0]);
        lab.udp(C, S, forged[1]);
        lab.udp(C, S, &parts[1]);
        if forged[1] == &whole {
            // What is told is over: the first part must come once more.
            lab.udp(C, S, &parts[0]);
        }
        let told = lab.told();
        assert_eq!(told.iter().filter(|t| *t == QUIC).count(), 1, "{told:?}");
        assert!(lab.last().notes.is_empty());
        lab.finish();
    }
}

/// Some clients have one socket for all their connections.
#[test]
fn another_connection_on_the_same_ports() {
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &whole(&DCID));
    lab.wait(5000);
    lab.udp(C, S, &whole(&DCID));
    assert_eq!(lab.told(), [QUIC], "repeated");
    lab.udp(C, S, &initial(&[7; 8], 0, 0, 70));
    lab.udp(C, S, &initial(&[7; 8], 1, 70, 2000));
    assert_eq!(lab.told(), [QUIC, QUIC]);
    lab.udp(C, S, &named("other.test", &[8; 8]));
    assert_eq!(lab.last().what, "quic other.test");
}

/// A Handshake packet between two connection ids.
fn between(dcid: &[u8], scid: &[u8]) -> Vec<u8> {
    let id = |id: &[u8]| [&[u8::try_from(id.len()).unwrap()], id].concat();
    [&start(Version::V1, 2)[..], &id(dcid), &id(scid), &[0x40, 100], &[0; 100]].concat()
}

/// Who uses the connection id that the server chose has heard the server.
#[test]
fn a_client_that_uses_the_servers_connection_id_is_proved() {
    let proved = |server_id: &[u8], client_uses: &[u8]| {
        let mut lab = Lab::new(Policy::Nothing);
        lab.udp(C, S, &whole(&DCID));
        lab.udp(S, C, &between(&[1, 2, 3], server_id));
        lab.udp(C, S, &between(client_uses, &[1, 2, 3]));
        lab.udp(C, S, &between(client_uses, &[1, 2, 3]));
        lab.count(Counter::Handshakes)
    };
    assert_eq!(proved(&[9; 8], &[9; 8]), 1, "told once");
    assert_eq!(proved(&[9; 8], &[8; 8]), 0, "a guess");
    assert_eq!(proved(&[9; 8], &DCID), 0, "it has heard nothing");
    assert_eq!(proved(&DCID, &DCID), 0, "the server took what the client made up");
    assert_eq!(proved(&[], &[]), 0);
    // Without the server, and without a hello, nothing is proved.
    let mut lab = Lab::new(Policy::Nothing);
    lab.udp(C, S, &whole(&DCID));
    lab.udp(C, S, &between(&[9; 8], &[1, 2, 3]));
    lab.udp((CLIENT, 40_001), S, &garbage(1));
    lab.udp(S, (CLIENT, 40_001), &between(&[1, 2, 3], &[9; 8]));
    lab.udp((CLIENT, 40_001), S, &between(&[9; 8], &[1, 2, 3]));
    assert_eq!(lab.count(Counter::Handshakes), 0);
}

#[test]
fn stages_of_quic() {
    let mut lab = Lab::new(Policy::Names);
    lab.udp(C, S, &whole(&DCID));
    lab.udp(C, S, &[0x40; 1200]);
    assert_eq!(lab.stage(0), Attempted);
    lab.udp(S, C, &hex(V1_RETRY));
    assert_eq!(lab.stage(0), Attempted, "a Retry comes before the server looks");
    lab.udp(S, C, &hex(V1_SERVER));
    assert_eq!(lab.stage(0), Connected);
    for _ in 0..5 {
        lab.udp(S, C, &handshake());
    }
    for _ in 0..8 {
        lab.udp(S, C, &[0x40; 1024]);
    }
    assert_eq!(lab.stage(0), Connected);
    lab.udp(S, C, &[0x40; 1]);
    assert_eq!(lab.stage(0), Transferred);
}

#[test]
fn other_datagrams() {
    let mut lab = Lab::new(Policy::Flows);
    lab.udp(C, (SERVER, 9999), b"a question");
    lab.udp(C, (SERVER, 9999), b"once more");
    assert_eq!((lab.told(), lab.stage(0)), (vec!["?".to_owned()], Attempted));
    lab.udp((SERVER, 9999), C, b"");
    assert_eq!(lab.stage(0), Attempted);
    lab.udp((SERVER, 9999), C, b"an answer");
    assert_eq!((lab.stage(0), lab.contact(0).up, lab.contact(0).down), (Connected, 19, 9));
    lab.finish();
}

/// Opened heads are held like stream heads.
#[test]
fn half_hellos_do_not_fill_the_memory() {
    let mut lab = Lab::with_limits(Policy::Nothing, Limits { held_bytes: 64 << 10, ..Limits::default() });
    let half = initial(&DCID, 0, 0, 70);
    for port in 1024..2024 {
        lab.udp((CLIENT, port), S, &half);
        assert!(lab.engine.held() <= 64 << 10);
    }
    assert!(lab.count(Counter::StreamsEvicted) > 900);
    lab.udp(C, S, &half);
    lab.udp(C, S, &initial(&DCID, 1, 70, 2000));
    assert_eq!(lab.told().last().unwrap(), QUIC);
    lab.finish();
}

#[test]
fn bytes_of_tunnels_that_cannot_be_read_are_counted() {
    let mut lab = Lab::new(Policy::Nothing);
    let data = [&[4, 0, 0, 0, 1, 2, 3, 4, 9, 0, 0, 0, 0, 0, 0, 0][..], &[0xcc; 48]].concat();
    let (peer, other) = ((CLIENT, 51_820), (SERVER, 51_820));
    for _ in 0..20 {
        lab.udp(peer, other, &data);
        lab.udp(other, peer, &data);
    }
    assert_eq!(lab.count(Counter::OpaqueWireguardBytes), 40 * 64);
    assert_eq!(lab.count(Counter::OpaqueWireguardFrames), 40);
    // An index can look like the long header of a QUIC of the future.
    let (nat, gate) = ((CLIENT, 4500), (SERVER, 4500));
    for index in [0x12, 0xf2] {
        let esp = [&[index, 0x34, 0x56, 0x78, 0, 0, 0, 1][..], &[0xcc; 60]].concat();
        lab.udp(nat, gate, &esp);
        lab.udp(gate, nat, &esp);
    }
    lab.udp(nat, gate, &[0xff]);
    lab.udp(nat, gate, &[0; 60]);
    assert_eq!(lab.count(Counter::OpaqueEspBytes), 4 * 68);
    assert_eq!(lab.count(Counter::OpaqueEspFrames), 4);
    assert_eq!(lab.count(Counter::QuicVersionUnknown), 0);
}

#[test]
fn names_out_of_contradictory_fragments_carry_the_note() {
    let question = sample_query();
    for conflict in [false, true] {
        let mut lab = Lab::new(Policy::Nothing);
        for (to, payload) in [((SERVER, 53), &question), ((SERVER, 5300), &question), (S, &whole(&DCID))] {
            let mut p = packet(crate::packet::Transport::Udp, C, to);
            p.conflict = conflict;
            lab.packet(&p, payload);
            let want: &[&str] = if conflict { &["conflict"] } else { &[] };
            assert_eq!(lab.last().notes, want);
        }
        let mut p = packet(crate::packet::Transport::Tcp, C, S);
        (p.conflict, p.flags) = (conflict, crate::packet::tcp_flags::ACK);
        lab.packet(&p, &hello("up.test")[..50]);
        (p.conflict, p.seq) = (false, 50);
        lab.packet(&p, &hello("up.test")[50..]);
        assert_eq!(lab.last().notes.contains(&"conflict"), conflict, "of any part of a message");
    }
}

fn sample_query() -> Vec<u8> {
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02up\x04test\x00\x00\x01\x00\x01".to_vec()
}

#[test]
fn every_version_with_a_token_and_early_data_around_it() {
    let hello = sample::hello(Some(&sample::server_name(b"up.test")));
    for version in VERSIONS {
        let mut frames = crypto(0, &hello);
        if version.has_google_frames() {
            frames[0] = 8;
        }
        frames.resize(1000, 0);
        let first = seal(Header { token: &[4; 50], ..Header::new(version, &DCID) }, &DCID, &frames);
        let early = [&start(version, 1)[..], &[8], &DCID, &[0, 0x40, 100], &[9; 100]].concat();
        for datagram in [[&first[..], &early].concat(), [&early[..], &first].concat()] {
            let mut lab = Lab::new(Policy::Nothing);
            lab.udp(C, S, &early);
            lab.udp(C, S, &datagram);
            assert_eq!(lab.told(), [QUIC], "{version:?}");
            lab.finish();
        }
    }
}

#[test]
fn a_version_that_the_server_refuses_comes_before_one_that_it_knows() {
    let mut lab = Lab::new(Policy::Nothing);
    let mut greased = whole(&DCID);
    greased[1..5].copy_from_slice(&[0xba; 4]);
    lab.udp(C, S, &greased);
    lab.udp(S, C, &[&[0x80, 0, 0, 0, 0, 0, 8][..], &DCID, &[0, 0, 0, 1]].concat());
    lab.udp(C, S, &whole(&DCID));
    assert_eq!((lab.told(), lab.count(Counter::QuicVersionUnknown)), (vec![QUIC.to_owned()], 1));
    lab.finish();
}
