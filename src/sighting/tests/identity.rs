//! Who had which address, and what confirms it.

use super::super::naming;
use super::super::presence::{self, CAPS, Presence, PresenceKind};
use super::super::testing_flow::*;
use super::super::{Observed, Observer};
use crate::base::{Addr, Mac, NameSource, Timestamp};
use crate::coverage::Counter;
use crate::flow::{Claim, ClaimKind, Engine, Proof, Sink, Words};
use crate::packet::tcp_flags::{ACK, SYN};

fn claim(kind: ClaimKind, ip: &str, mac: u8, proof: Proof, at: i64) -> Claim {
    let ts = Timestamp::from_parts(at, 0);
    let mac = Some(Mac([2, 0, 0, 0, 0, mac]));
    Claim { ts, kind, ip: addr(ip), mac, proof, until: ts, router: false, words: None }
}

/// Kinds and addresses of what was kept.
fn kept(observed: &Observed) -> Vec<(PresenceKind, String)> {
    let list = presence::join(observed.presences.clone());
    list.iter().map(|p: &Presence| (p.kind, p.ip.to_string())).collect()
}

fn handshakes(s: Scene) -> Vec<String> {
    let kept = kept(&s.observed());
    kept.into_iter().filter(|(kind, _)| *kind == PresenceKind::Handshake).map(|(_, ip)| ip).collect()
}

#[test]
fn a_handshake_in_both_directions_confirms_both_ends_at_home() {
    let mut s = Scene::new();
    s.connect(SERVER, 443);
    s.connect("10.0.0.9", 443);
    assert_eq!(s.ledger.total().get(Counter::Handshakes), 2);
    assert_eq!(handshakes(s), [HOST, "10.0.0.9"]);
}

#[test]
fn half_a_handshake_or_a_wrong_number_confirms_nobody() {
    let mut s = Scene::new();
    // A hello behind a SYN alone.
    Tcp::only_syn(&mut s, SERVER, 443).up(&mut s, &hello(Some(UPDATE), 0));
    // The server agrees, but whoever uses the address does not know to what.
    let mut t = Tcp::only_syn(&mut s, SERVER, 443);
    t.send(&mut s, false, SYN | ACK, b"");
    t.guess(77);
    t.send(&mut s, true, ACK, b"");
    t.up(&mut s, &hello(Some(UPDATE), 0)).up(&mut s, b"more");
    // A connection whose start was missed.
    Tcp::mid_stream(&mut s, SERVER, 443).up(&mut s, b"x").down(&mut s, b"y").up(&mut s, b"z");
    assert_eq!(handshakes(s), Vec::<String>::new());
}

#[test]
fn a_long_connection_keeps_confirming() {
    let mut s = Scene::new();
    let mut t = s.connect(SERVER, 443);
    s.wait(3600);
    t.up(&mut s, b"still here");
    let list = s.observed().presences;
    let of = |kind| list.iter().find(|p| p.kind == kind).unwrap();
    let lasted = of(PresenceKind::Handshake).to.since(of(PresenceKind::Handshake).from);
    assert!(lasted >= 3600 * 1_000_000_000, "{lasted}");
}

/// The example of a flood: 5,000 made-up clients, none of them confirmed, and
/// a host that was confirmed before, one after, and their traffic with it.
#[test]
fn spoofed_hellos_confirm_nobody_and_push_nobody_out() {
    let mut s = Scene::new();
    s.connect(SERVER, 443);
    for n in 0..5000_u32 {
        let [_, b, c, d] = (0x000a_0000 | n).to_be_bytes();
        s.client = Addr::v4([10, b, c, d]);
        s.mac = Some(Mac([2, 7, 0, b, c, d]));
        let mut t = Tcp::only_syn(&mut s, SERVER, 443);
        t.send(&mut s, false, SYN | ACK, b"");
        t.guess(n);
        t.up(&mut s, &hello(Some(UPDATE), 0));
    }
    s.client = addr("10.0.0.6");
    s.mac = Some(Mac([2, 0, 0, 0, 0, 6]));
    s.connect(SERVER, 443);
    let counts = s.ledger.total();
    assert_eq!((counts.get(Counter::Handshakes), counts.get(Counter::ConfirmedRefused)), (2, 0));
    assert!(counts.get(Counter::TableEvicted) > 5000 - CAPS[0] as u64 - 10);
    assert_eq!(handshakes(s), [HOST, "10.0.0.6"]);
}

/// Runs claims through an observer.
fn claimed(claims: &[Claim]) -> (Observed, u64) {
    let s = Scene::new();
    let (mut engine, mut ledger): (Engine<Observer>, _) = s.into_parts();
    for c in claims {
        engine.sink().claimed(c, 0, 0, &mut ledger);
    }
    let refused = ledger.total().get(Counter::ConfirmedRefused);
    (engine.finish(&mut ledger).finish(), refused)
}

#[test]
fn only_sound_claims_of_addresses_at_home_confirm() {
    use ClaimKind::{Arp, Nd};
    let all = [
        claim(Arp, "10.0.0.5", 5, Proof::Lone, 1),
        claim(Arp, "10.0.0.6", 6, Proof::Sound, 1),
        claim(Arp, "10.0.0.6", 6, Proof::Lone, 9),
        claim(Nd, "fe80::7", 7, Proof::Sound, 1),
        claim(Nd, "2001:db8::7", 7, Proof::Sound, 1),
        claim(Nd, "ff02::1", 7, Proof::Sound, 1),
    ];
    let (observed, _) = claimed(&all);
    let six = observed.presences.iter().find(|p| p.kind == PresenceKind::Arp).unwrap();
    assert_eq!((six.from.secs(), six.to.secs()), (1, 9), "a lone claim prolongs what is known");
    assert_eq!(kept(&observed), [(PresenceKind::Arp, "10.0.0.6".into()), (PresenceKind::Nd, "fe80::7".into())]);
}

#[test]
fn made_up_answers_fill_their_own_room_only() {
    let mut all = vec![claim(ClaimKind::Arp, "10.0.0.5", 5, Proof::Sound, 1)];
    all.extend((0..5000).map(|n| claim(ClaimKind::Arp, &format!("10.1.{}.{}", n / 250, n % 250), 9, Proof::Sound, 2)));
    all.push(claim(ClaimKind::Dhcp, "10.0.0.6", 6, Proof::Sound, 3));
    all.push(claim(ClaimKind::Arp, "10.0.0.5", 5, Proof::Lone, 4));
    let (observed, refused) = claimed(&all);
    assert_eq!(refused, 5001 - CAPS[2] as u64);
    let list = observed.presences;
    assert!(list.iter().any(|p| p.ip == addr("10.0.0.6")));
    assert!(list.iter().any(|p| p.ip == addr("10.0.0.5") && p.to.secs() == 4));
}

fn with_words(c: Claim, name: Option<&str>, id: Option<&str>) -> Claim {
    let words = Words { name: name.map(Into::into), client_id: id.map(Into::into) };
    Claim { words: Some(Box::new(words)), until: c.ts.plus(100 * 1_000_000_000), ..c }
}

#[test]
fn a_lease_names_its_host_until_it_is_given_back() {
    let all = [
        with_words(claim(ClaimKind::Dhcp, "10.0.0.5", 5, Proof::Sound, 1), Some("pc"), Some("00ff")),
        claim(ClaimKind::Dhcp, "10.0.0.5", 9, Proof::Ends, 20), // of another
        claim(ClaimKind::Dhcp, "10.0.0.5", 5, Proof::Ends, 31),
    ];
    let (observed, _) = claimed(&all);
    let names: Vec<_> = naming::join(observed.namings);
    let names: Vec<_> = names.iter().map(|n| (n.told, &*n.name, n.from.secs(), n.to.secs())).collect();
    assert_eq!(names, [(NameSource::Dhcp, "pc", 1, 31), (NameSource::DhcpClientId, "00ff", 1, 31)]);
    assert_eq!(observed.presences[0].to.secs(), 31);
}

#[test]
fn client_ids_are_bounded() {
    let claims: Vec<Claim> = (0..200)
        .map(|n| {
            let c = claim(ClaimKind::Dhcp, &format!("10.0.0.{n}"), 5, Proof::Sound, 1);
            with_words(c, None, Some(&format!("00{n:02x}")))
        })
        .collect();
    let (observed, _) = claimed(&claims);
    assert_eq!((observed.namings.len(), observed.presences.len()), (64, 200));
}

#[test]
fn reverse_lookups_name_addresses_at_home() {
    let mut s = Scene::new();
    s.ask(UPDATE);
    let reverse = |name: &str, to: &str| {
        let mut answer = dns(7, 0x8180, &[name], &[Rr::Cname(name, to)]);
        // The same with type PTR for the question and the record.
        answer = of_type(12, answer);
        let at = answer.windows(4).rposition(|w| w == [0, 5, 0, 1]).unwrap();
        answer[at + 1] = 12;
        answer
    };
    for (name, to) in [("5.0.0.10.in-addr.arpa", "old.corp.test"), ("9.113.0.203.in-addr.arpa", "far.test")] {
        s.udp((HOST, 6000), (RESOLVER, 53), &of_type(12, dns(7, 0x0100, &[name], &[])));
        s.udp((RESOLVER, 53), (HOST, 6000), &reverse(name, to));
    }
    // Nobody asked for this.
    s.udp((RESOLVER, 53), (HOST, 6001), &reverse("6.0.0.10.in-addr.arpa", "forged.test"));
    assert_eq!(s.ledger.total().get(Counter::HostNames), 1);
    let seen = s.end();
    let host = &seen.one().host;
    assert_eq!((host.name.as_deref(), host.name_source.as_deref()), (Some("old.corp.test"), Some("ptr")));
}
