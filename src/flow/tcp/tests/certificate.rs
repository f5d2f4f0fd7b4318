//! Certificates of servers whose client's hello was missed.

use crate::base::Stage::Connected;
use crate::coverage::Counter;
use crate::flow::testing::*;
use crate::protocol::tls::sample;

fn flight(version: u16) -> Vec<u8> {
    let der = sample::certificate(&[], &["a.example", "*.b.example"]);
    let messages = [sample::server_hello_message(version), sample::certificate_message(&[&der, &[0; 3000]])];
    sample::records(&messages.concat(), &[900])
}

fn told() -> Vec<String> {
    vec!["certificate a.example+*.b.example".to_owned()]
}

#[test]
fn the_servers_side_alone() {
    for (size, start) in [(1000, true), (1000, false), (40, true), (7, false), (1, true), (1, false)] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 443);
        if start {
            lab.syn_ack(&c);
        } else {
            c.sent = (300, 0);
        }
        flight(0x0303).chunks(size).for_each(|part| lab.server(&mut c, part));
        assert_eq!(lab.told(), told());
        let notes: &[_] = if start { &["one_sided"] } else { &["mid_stream", "one_sided"] };
        assert_eq!((lab.last().notes, lab.last().client), (notes.to_vec(), (CLIENT, 50_000)));
        assert_eq!((lab.stage(0), lab.count(Counter::TlsCertificates)), (Connected, 1));
        assert_eq!(lab.engine.held(), 0);
        lab.finish();
    }
}

#[test]
fn out_of_order_and_repeated() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    lab.syn_ack(&c);
    let flight = flight(0x0303);
    lab.server(&mut c, &flight[..500]);
    for at in [1500, 1000, 500, 0, 1500] {
        lab.server_at(&c, u32::try_from(at).unwrap(), 0x10, &flight[at..at + 500]);
    }
    assert_eq!(lab.told(), told());
}

/// The first segments of a stream whose beginning is known may change places;
/// what never comes is not waited for.
#[test]
fn what_comes_before_the_beginning_waits_for_it() {
    let flight = flight(0x0303);
    for (lost, size) in [(false, 500), (false, 5), (true, 500)] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 443);
        lab.syn_ack(&c);
        let mut parts: Vec<usize> = (0..flight.len()).step_by(size).collect();
        parts.swap(0, 1);
        parts.retain(|at| !lost || *at > 0);
        for at in parts {
            lab.server_at(&c, u32::try_from(at).unwrap(), 0x10, &flight[at..flight.len().min(at + size)]);
        }
        assert_eq!(lab.told(), if lost { vec![] } else { told() }, "{lost} {size}");
        assert_eq!(lab.engine.held() > 0, lost);
        lab.wait(2001);
        c.sent.1 = u32::try_from(flight.len()).unwrap();
        lab.server(&mut c, b"more");
        assert_eq!((lab.engine.held(), lab.count(Counter::StreamGaps)), (0, lost.into()));
    }
}

#[test]
fn a_hello_that_is_seen_names_the_server() {
    for named in [true, false] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 443);
        let hello = if named { hello("up.test") } else { sample::record(22, &sample::hello(None)) };
        lab.say(&mut c, &hello);
        flight(0x0303).chunks(1000).for_each(|part| lab.server(&mut c, part));
        assert_eq!(lab.told(), [if named { "tls up.test" } else { "tls -" }]);
    }
}

#[test]
fn only_at_the_start_of_what_the_server_says() {
    // A file that is fetched, and TLS 1.3.
    for (first, second) in [(&b"220 hello\r\n"[..], flight(0x0303)), (b"", flight(0x0304))] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 443);
        lab.open(&c);
        if !first.is_empty() {
            lab.server(&mut c, first);
        }
        second.chunks(1000).for_each(|part| lab.server(&mut c, part));
        assert!(lab.told().is_empty());
        assert_eq!(lab.engine.held(), 0);
    }
}

/// Found by the fuzz target `chopped`: it was read where it came in small
/// segments in the wrong order, and not in large ones.
#[test]
fn a_handshake_that_begins_with_another_message_is_none_however_it_is_cut() {
    let der = sample::certificate(&[], &["a.example"]);
    let messages = [sample::message(10, &[3; 80]), sample::certificate_message(&[&der])];
    let flight = sample::records(&messages.concat(), &[900]);
    for (size, swap) in [(1400, false), (500, true), (3, true), (1, false)] {
        let mut lab = Lab::new(Policy::Names);
        let c = Conn::new(50_000, 443);
        lab.syn_ack(&c);
        let mut parts: Vec<usize> = (0..flight.len()).step_by(size).collect();
        if swap && parts.len() > 1 {
            parts.swap(0, 1);
        }
        for at in parts {
            lab.server_at(&c, u32::try_from(at).unwrap(), 0x10, &flight[at..flight.len().min(at + size)]);
        }
        assert!(lab.told().is_empty(), "{size}");
    }
}

#[test]
fn a_hello_that_comes_late_is_read() {
    let mut lab = Lab::new(Policy::Flows);
    let mut c = Conn::new(50_000, 443);
    lab.syn_ack(&c);
    let flight = flight(0x0303);
    lab.server(&mut c, &flight[..200]);
    lab.client(&mut c, &hello("up.test"));
    lab.server(&mut c, &flight[200..]);
    assert_eq!(lab.told(), ["tls up.test"]);
    lab.finish();
    // Behind the certificate.
    let mut lab = Lab::new(Policy::Flows);
    let mut c = Conn::new(50_000, 443);
    lab.open(&c);
    c.sent.0 += u32::try_from(hello("up.test").len()).unwrap();
    lab.server(&mut c, &flight);
    lab.client_at(&c, 0, 0x10, &hello("up.test"));
    assert_eq!(lab.told()[1..], ["tls up.test"]);
    assert_eq!(lab.stage(0), Connected);
}

#[test]
fn what_never_ends_is_given_up() {
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    lab.syn_ack(&c);
    lab.server(&mut c, &sample::record(22, &sample::server_hello_message(0x0303)));
    for _ in 0..100 {
        lab.server(&mut c, &sample::record(22, &[22, 0xff, 0xff, 0xff, 1, 2, 3]));
        lab.server(&mut c, &sample::record(22, &[1; 1000]));
        assert!(lab.engine.held() < 50_000);
    }
    assert_eq!(lab.engine.held(), 0);
    assert!(lab.told().is_empty());
}
