//! What is found in streams, however they come.

use crate::base::Addr;
use crate::base::Stage;
use crate::coverage::Counter;
use crate::flow::Limits;
use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};

const NAME: &str = "dnl-01.geo.kaspersky.com";

fn tls() -> Vec<String> {
    vec![format!("tls {NAME}")]
}

fn lab() -> (Lab, Conn) {
    (Lab::new(Policy::Nothing), Conn::new(50_000, 443))
}

#[test]
fn a_hello_in_one_two_and_many_segments() {
    for size in [1000, 60, 7, 1] {
        let (mut lab, mut c) = lab();
        lab.open(&c);
        for part in hello(NAME).chunks(size) {
            lab.client(&mut c, part);
        }
        let last = lab.frame;
        lab.close(&c);
        assert_eq!(lab.told(), tls(), "{size}");
        let told = lab.last();
        assert_eq!((told.frame, told.notes.len(), told.client), (last, 0, c.client));
        assert_eq!((lab.count(Counter::TlsHellos), lab.count(Counter::TlsHellosIncomplete)), (1, 0));
    }
}

#[test]
fn segments_backwards_and_repeated_give_one_report() {
    let hello = long_hello(NAME, 900);
    for size in [700, 100, 1] {
        let (mut lab, c) = lab();
        lab.open(&c);
        let parts: Vec<(u32, &[u8])> = hello.chunks(size).enumerate().map(|(i, p)| ((i * size) as u32, p)).collect();
        for (at, part) in parts.iter().rev() {
            lab.client_at(&c, *at, ACK, part);
            lab.client_at(&c, *at, ACK, part);
        }
        for (at, part) in &parts {
            lab.client_at(&c, *at, ACK, part);
        }
        assert_eq!(lab.told(), tls(), "{size}");
        assert!(lab.last().notes.is_empty());
        lab.finish();
    }
}

#[test]
fn the_first_copy_of_a_byte_counts() {
    let hello = hello(NAME);
    let (mut lab, c) = lab();
    lab.open(&c);
    lab.client_at(&c, 0, ACK, &hello[..100]);
    lab.client_at(&c, 50, ACK, &hello[50..110]);
    assert_eq!(lab.count(Counter::StreamConflict), 0);
    let mut other = hello[100..].to_vec();
    other[..10].fill(b'x');
    lab.client_at(&c, 100, ACK, &other);
    assert_eq!(lab.told(), tls());
    assert_eq!(lab.last().notes, ["conflict"]);
    assert_eq!(lab.count(Counter::StreamConflict), 1);
}

#[test]
fn sequence_numbers_wrap() {
    for isn in [u32::MAX - 1, u32::MAX - 60, u32::MAX] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 443).isn(isn, isn);
        lab.open(&c);
        for part in hello(NAME).chunks(50) {
            lab.client(&mut c, part);
        }
        lab.server(&mut c, &server_hello(0x0303, false));
        assert_eq!((lab.told(), lab.stage(0)), (tls(), Stage::Connected));
        assert_eq!((lab.contact(0).up, lab.contact(0).down), (u64::from(c.sent.0), u64::from(c.sent.1)));
    }
}

#[test]
fn fast_open() {
    let (mut lab, mut c) = lab();
    let hello = hello(NAME);
    lab.client_at(&c, 0, SYN, &hello[..60]);
    c.sent.0 = 60;
    lab.syn_ack(&c);
    lab.client(&mut c, &hello[60..]);
    assert_eq!((lab.told(), lab.last().notes.len()), (tls(), 0));
    // The server may take none of it, so that all comes again.
    let mut lab = Lab::new(Policy::Nothing);
    c.sent.0 = 0;
    lab.client_at(&c, 0, SYN, &hello);
    lab.syn_ack(&c);
    lab.client(&mut c, &hello);
    assert_eq!(lab.told(), tls());
}

#[test]
fn mid_stream() {
    let (mut lab, mut c) = lab();
    lab.client(&mut c, &hello(NAME));
    assert_eq!((lab.told(), lab.last().notes), (tls(), vec!["mid_stream"]));
    assert_eq!(lab.count(Counter::FlowsMidStream), 1);
    let (mut lab, mut c) = self::lab();
    lab.client(&mut c, b"\x17\x03\x03 the middle of something");
    lab.server(&mut c, b"\x17\x03\x03 its answer");
    lab.client(&mut c, &hello(NAME)[..70]);
    lab.client(&mut c, &hello(NAME)[70..]);
    assert_eq!(lab.told(), ["?".to_owned(), tls().remove(0)]);
}

#[test]
fn one_direction_only() {
    let (mut lab, mut c) = lab();
    lab.syn(&c);
    lab.client(&mut c, &hello(NAME));
    assert_eq!(lab.told(), tls());
    // Of the other nothing but the ends is seen, and no name.
    let (mut lab, mut c) = self::lab();
    lab.syn_ack(&c);
    c.sent.0 = 300;
    lab.server(&mut c, &server_hello(0x0303, false));
    assert_eq!(lab.told(), [""; 0]);
    let ends = lab.engine.sink().opened[0];
    assert_eq!(((ends.client, ends.cport), (ends.server, ends.sport)), (c.client, c.server));
}

#[test]
fn a_syn_ack_that_nobody_asked_for_is_no_contact() {
    let mut lab = Lab::new(Policy::Flows);
    let c = Conn::new(50_000, 443);
    lab.syn_ack(&c);
    lab.client_at(&c, 0, RST, b"");
    assert!(lab.engine.sink().opened.is_empty());
    lab.syn(&c.isn(5_000_000, 1));
    assert_eq!(lab.engine.sink().opened.len(), 1);
}

#[test]
fn ports_are_used_again() {
    let (mut lab, mut c) = lab();
    lab.say(&mut c, &hello(NAME));
    lab.close(&c);
    let mut next = Conn::new(50_000, 443).isn(9_000_000, 1);
    lab.say(&mut next, &hello("second.test"));
    // Neither was the end of this one captured.
    let mut third = Conn::new(50_000, 443).isn(3_000_000_000, 5);
    lab.say(&mut third, &hello("third.test"));
    assert_eq!(lab.told(), [&tls()[0], "tls second.test", "tls third.test"]);
    assert!(lab.last().notes.is_empty());
    assert_eq!((lab.count(Counter::Flows), lab.engine.sink().opened.len()), (3, 3));
}

#[test]
fn a_repeated_syn_changes_nothing() {
    let mut lab = Lab::new(Policy::Flows);
    let c = Conn::new(50_000, 443);
    for _ in 0..5 {
        lab.syn(&c);
    }
    assert_eq!((lab.engine.sink().opened.len(), lab.stage(0)), (1, Stage::Attempted));
}

/// The server's port is the lower one only by custom.
#[test]
fn the_direction_of_a_stream_without_a_start_is_found() {
    let mut c = Conn::new(3000, 8443);
    let mut lab = Lab::new(Policy::Nothing);
    lab.server(&mut c, b"the rest of an earlier response");
    lab.client(&mut c, b"GET /updates HTTP/1.1\r\nHost: dnl-01.geo.kaspersky.com\r\n\r\n");
    assert_eq!(lab.told(), ["?".to_owned(), format!("http {NAME} /updates")]);
    assert_eq!((lab.last().client, lab.last().notes), (c.client, vec!["mid_stream"]));
}

#[test]
fn a_capture_may_bring_the_hello_before_the_syn() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    lab.client(&mut c, &hello(NAME));
    lab.syn(&Conn { sent: (0, 0), ..c });
    lab.syn_ack(&Conn { sent: (0, 0), ..c });
    lab.server(&mut c, &server_hello(0x0303, false));
    assert_eq!((lab.told(), lab.stage(0), lab.count(Counter::Flows)), (tls(), Stage::Connected, 1));
}

#[test]
fn the_server_speaks_first() {
    let (mut lab, mut c) = lab();
    lab.open(&c);
    lab.server(&mut c, b"220 ready\r\n");
    lab.client(&mut c, b"EHLO x\r\n");
    lab.server(&mut c, b"250 STARTTLS\r\n");
    lab.client(&mut c, b"STARTTLS\r\n");
    lab.server(&mut c, b"220 go\r\n");
    let hello = hello(NAME);
    lab.client(&mut c, &hello[..80]);
    lab.client(&mut c, &hello[80..]);
    assert_eq!((lab.told(), lab.last().notes), (tls(), vec![]));
}

#[test]
fn a_client_does_not_wait_for_the_consent_to_tls() {
    let (mut lab, mut c) = lab();
    let hello = hello(NAME);
    lab.say(&mut c, &[b"STARTTLS\r\n", &hello[..70]].concat());
    lab.client(&mut c, &hello[70..]);
    assert_eq!((lab.told(), lab.last().notes), (tls(), vec![]));
    let (mut lab, mut c) = self::lab();
    lab.say(&mut c, b"EHLO x\r\n");
    lab.client(&mut c, &[b"STARTTLS\r\n", &hello[..]].concat());
    assert_eq!((lab.told(), lab.last().notes), (tls(), vec![]));
}

#[test]
fn a_proxy_header_of_either_version() {
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x02\0".to_vec();
    v2.extend([0; 512]); // longer than what follows
    for header in [b"PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n".to_vec(), v2] {
        for size in [1, 20, 1000] {
            let (mut lab, mut c) = lab();
            lab.open(&c);
            for part in [&header[..], &hello(NAME)].concat().chunks(size) {
                lab.client(&mut c, part);
            }
            assert_eq!(lab.told(), tls(), "{size}");
        }
    }
}

#[test]
fn a_hole_is_filled_late_or_given_up() {
    let hello = long_hello(NAME, 900);
    // Filled after 4 s.
    let (mut lab, c) = lab();
    lab.open(&c);
    lab.client_at(&c, 500, ACK, &hello[500..]);
    lab.wait(4000);
    lab.client_at(&c, 0, ACK, &hello[..500]);
    assert_eq!((lab.told(), lab.count(Counter::StreamGaps)), (tls(), 0));
    // Never filled: a request behind it is found when its time is over.
    let (mut lab, mut c) = self::lab();
    lab.open(&c);
    lab.client_at(&c, 0, ACK, &b"GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: b"[..]);
    c.sent.0 = 500;
    lab.server(&mut c, b"HTTP/1.1 200 OK\r\n");
    lab.client_at(&c, 500, ACK, b"GET /3 HTTP/1.1\r\nHost: c.test\r\n\r\n");
    assert_eq!(lab.told(), ["http a.test /1"]);
    lab.wait(5100);
    lab.client_at(&c, 533, ACK, b"GET /4 HTTP/1.1\r\nHost: d.test\r\n\r\n");
    assert_eq!(lab.told(), ["http a.test /1", "http c.test /3", "http d.test /4"]);
    assert_eq!((lab.last().notes, lab.count(Counter::StreamGaps)), (vec!["gap"], 1));
}

/// Nobody will send again what the server has.
#[test]
fn what_the_server_acknowledged_is_not_waited_for() {
    let whole = [sample_name_first(), vec![0; 600]].concat();
    let (mut lab, mut c) = lab();
    lab.open(&c);
    lab.client_at(&c, 0, ACK, &whole[..300]);
    c.sent = (whole.len() as u32, 0);
    lab.server(&mut c, &server_hello(0x0303, false));
    lab.ack(&c);
    assert_eq!(lab.told(), [""; 0], "the capture may have changed the order");
    lab.wait(600);
    lab.ack(&c);
    assert_eq!((lab.told(), lab.last().notes), (tls(), vec!["gap", "partial_message"]));
}

/// The start of a hello that is 1,000 bytes long and has its name in front.
fn sample_name_first() -> Vec<u8> {
    use crate::protocol::tls::sample;
    let extensions = [sample::server_name(NAME.as_bytes()), sample::extension(21, &[0; 800])].concat();
    sample::record(22, &sample::hello(Some(&extensions)))[..400].to_vec()
}

#[test]
fn a_gap_that_is_never_filled_ends_with_the_flow() {
    let (mut lab, mut c) = lab();
    lab.open(&c);
    lab.client(&mut c, &hello(NAME)[..60]);
    lab.client_at(&c, 80, ACK, &hello(NAME)[80..]);
    let mut ledger = std::mem::take(&mut lab.ledger);
    lab.engine.finish(&mut ledger);
    let total = ledger.total();
    assert_eq!((total.get(Counter::StreamGaps), total.get(Counter::TlsHellosIncomplete)), (1, 1));
}

#[test]
fn a_cut_hello_gives_its_name_if_that_was_whole() {
    for (snap, want) in [(300, 1), (60, 0)] {
        let (mut lab, mut c) = lab();
        lab.open(&c);
        lab.snap = snap;
        lab.client(&mut c, &[sample_name_first(), vec![0; 600]].concat());
        lab.snap = usize::MAX;
        lab.client(&mut c, b"more");
        let named = lab.told().iter().filter(|t| **t == tls()[0]).count();
        assert_eq!(named, want, "{snap}");
        if want == 1 {
            assert_eq!(lab.last().notes, ["gap", "partial_message"]);
        } else {
            assert_eq!(lab.told(), ["?"]);
        }
    }
}

#[test]
fn the_end_of_the_stream_ends_the_wait_if_the_name_is_there() {
    for flags in [FIN | ACK, RST] {
        let (mut lab, mut c) = lab();
        lab.open(&c);
        lab.client(&mut c, &sample_name_first());
        lab.client_at(&c, c.sent.0, flags, b"");
        assert_eq!((lab.told(), lab.last().notes), (tls(), vec!["partial_message"]), "{flags}");
        lab.client(&mut c, &[0; 800]);
        assert_eq!(lab.told(), tls());
    }
    // The server's reset, which its client's name is told with.
    let (mut lab, mut c) = lab();
    lab.say(&mut c, &sample_name_first());
    lab.server_reset(&c);
    assert_eq!((lab.told(), lab.last().client), (tls(), (CLIENT, 50_000)));
}

#[test]
fn keep_alive_and_window_probes_change_nothing() {
    let hello = hello(NAME);
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    lab.open(&c);
    lab.client_at(&c, u32::MAX, ACK, b"\0");
    lab.client(&mut c, &hello[..60]);
    lab.client_at(&c, 59, ACK, &hello[59..60]);
    lab.client_at(&c, 60, ACK, &hello[60..61]);
    lab.client(&mut c, &hello[60..]);
    lab.client_at(&c, c.sent.0 - 1, ACK, b"\0");
    lab.server_at(&c, u32::MAX, ACK, b"\0");
    assert_eq!(lab.told(), tls());
    assert_eq!((lab.contact(0).up, lab.contact(0).down), (hello.len() as u64, 0));
    assert_eq!(lab.stage(0), Stage::Attempted);
}

#[test]
fn a_hello_longer_than_is_read() {
    let (mut lab, mut c) = lab();
    lab.open(&c);
    let body = {
        use crate::protocol::tls::sample;
        let extensions = [sample::server_name(NAME.as_bytes()), sample::extension(21, &vec![0; 30_000])].concat();
        sample::records(&sample::hello(Some(&extensions)), &[16_000])
    };
    for part in body.chunks(1400) {
        lab.client(&mut c, part);
    }
    assert_eq!((lab.told(), lab.last().notes), (tls(), vec!["partial_message"]));
    assert_eq!(lab.count(Counter::StreamOverflow), 1);
}

#[test]
fn tls_on_the_port_of_dns() {
    for size in [1, 50, 1000] {
        let mut lab = Lab::new(Policy::Nothing);
        let mut c = Conn::new(50_000, 53);
        lab.open(&c);
        for part in hello(NAME).chunks(size) {
            lab.client(&mut c, part);
        }
        assert_eq!(lab.told(), tls(), "{size}");
    }
}

#[test]
fn half_hellos_do_not_keep_out_a_real_one() {
    let mut lab = Lab::with_limits(Policy::Nothing, Limits { held_bytes: 16 << 10, ..Limits::default() });
    let half = &long_hello("half.test", 900)[..900];
    let mut real = Conn::new(50_000, 443);
    let hello = long_hello(NAME, 900);
    lab.open(&real);
    for i in 0..3000u32 {
        let source = Addr::v4([10, 9, (i >> 8) as u8, i as u8]);
        let mut c = Conn { client: (source, 40_000), ..Conn::new(0, 443) };
        lab.say(&mut c, half);
        if i == 1000 {
            lab.client(&mut real, &hello[..600]);
        }
        if i == 1010 {
            lab.client(&mut real, &hello[600..]);
        }
    }
    assert_eq!(lab.told(), tls());
    assert!(lab.count(Counter::StreamsEvicted) > 2900);
    lab.finish();
}
