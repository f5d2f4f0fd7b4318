use super::*;
use crate::base::{Addr, Channel};
use crate::capture::LinkType;
use crate::report::dissect::dissect;
use crate::report::text::is_hidden;
use crate::sighting::testing::record;

fn evidence(name: &str) -> Evidence {
    Evidence {
        path: Some("a.pcap".into()),
        interface: Some("span\u{1b}[2J".into()),
        frame: 12,
        offset: Some(345),
        ts: Timestamp(1_772_352_000_000_000_000),
        channel: Channel::TlsSni,
        name: Some(name.into()),
        src: Addr::v4([10, 0, 0, 5]),
        sport: 40_000,
        dst: Addr::v4([192, 0, 2, 7]),
        dport: 443,
        layers: vec!["vlan:10".into()],
        packet_sha256: "ab".into(),
    }
}

fn shown(state: State) -> Shown {
    Shown {
        evidence: evidence("s05.upd.kaspersky.com"),
        state,
        file: Some("dir/a.pcap".into()),
        number: Some(7),
        why: Some("because".into()),
        dissection: None,
        filter: "x == 1".into(),
    }
}

fn text(frames: Vec<Shown>) -> String {
    let mut out = Vec::new();
    let explained = Explained { record: record(), support: false, frames };
    text_sighting(&mut out, &explained).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn each_state_is_said_in_words() {
    let wanted = [
        (State::Verified, "frame verified: dir/a.pcap frame 7"),
        (State::InEvidence, "frame verified: evidence dir/a.pcap frame 7"),
        (State::Differs, "FRAME DIFFERS: dir/a.pcap: because"),
        (State::Unreachable, "not reachable: stored fields only (because)"),
    ];
    for (state, words) in wanted {
        let text = text(vec![shown(state)]);
        assert!(text.contains(words), "{text}");
        assert!(text.contains("client to server  tls_sni  s05.upd.kaspersky.com"), "{text}");
        assert!(text.contains("10.0.0.5:40000 to 192.0.2.7:443") && text.contains("frame.number == 7"), "{text}");
        assert!(text.contains("a.pcap, interface span\\x1b[2J, frame 12, byte 345"), "{text}");
    }
}

#[test]
fn the_direction_is_that_of_the_host() {
    let mut frame = shown(State::Unreachable);
    assert_eq!(frame.direction(&record()), Direction::ToServer);
    std::mem::swap(&mut frame.evidence.src, &mut frame.evidence.dst);
    assert_eq!(frame.direction(&record()), Direction::ToClient);
    frame.evidence.dst = Addr::v4([10, 9, 9, 9]);
    assert_eq!(frame.direction(&record()), Direction::Unknown);
}

#[test]
fn nothing_that_others_wrote_acts_on_a_terminal() {
    let evil = "a\u{1b}[31m\u{202e}\u{9b}b";
    let mut r = record();
    r.host.name = Some(evil.into());
    r.names = vec![evil.into()];
    r.notes = vec![evil.into()];
    r.id = evil.into();
    r.source = evil.into();
    let mut frame = shown(State::Differs);
    frame.evidence = Evidence { layers: vec![evil.into()], path: Some(evil.into()), ..evidence(evil) };
    frame.evidence.packet_sha256 = evil.into();
    (frame.why, frame.file, frame.filter) = (Some(evil.into()), Some(evil.into()), evil.into());
    let explained = Explained { record: r, support: true, frames: vec![frame] };
    let (mut lines, mut text) = (Vec::new(), Vec::new());
    write_sighting(&mut lines, &explained).unwrap();
    text_sighting(&mut text, &explained).unwrap();
    for out in [lines, text] {
        let out = String::from_utf8(out).unwrap();
        assert!(out.lines().all(|l| !l.contains(is_hidden)), "{out:?}");
    }
}

#[test]
fn a_name_that_needs_other_frames_is_said_to() {
    let mut frame = shown(State::Verified);
    assert_eq!(frame.holds_name(), None);
    frame.dissection = Some(dissect(LinkType(1), &[0; 60], 60));
    assert_eq!(frame.holds_name(), Some(false));
    assert!(text(vec![frame.clone()]).contains("the name needed several frames"));
    frame.dissection.as_mut().unwrap().lines.push("server name S05.upd.kaspersky.com".into());
    assert_eq!(frame.holds_name(), Some(true));
    assert!(!text(vec![frame]).contains("the name needed several frames"));
}

#[test]
fn each_line_of_ndjson_says_what_it_is() {
    let explained = Explained { record: record(), support: false, frames: vec![shown(State::InEvidence)] };
    let mut out = Vec::new();
    write_sighting(&mut out, &explained).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((line["schema"].as_str(), line["kind"].as_str()), (Some(SCHEMA), Some("sighting")));
    let frame = &line["frames"][0];
    assert_eq!((frame["state"].as_str(), frame["frame_in_file"].as_u64()), (Some("evidence"), Some(7)));
    assert_eq!(frame["wireshark"]["frame"], "frame.number == 7");
    assert_eq!(frame["direction"], "client_to_server");
    assert_eq!(line["record"]["id"], record().id);
}
