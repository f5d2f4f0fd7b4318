//! How far contacts got.

use crate::base::Stage::{Attempted, Connected, Transferred};
use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, RST};
use crate::packet::{Packet, Transport};
use crate::protocol::tls::sample;

/// Which packets the capture has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Both,
    Client,
}

const VIEWS: [View; 2] = [View::Both, View::Client];

struct Talk {
    lab: Lab,
    c: Conn,
    view: View,
}

impl Talk {
    fn new(view: View, port: u16) -> Self {
        let (mut lab, c) = (Lab::new(Policy::Names), Conn::new(50_000, port));
        lab.syn(&c);
        if view == View::Both {
            lab.syn_ack(&c);
        }
        lab.ack(&c);
        Talk { lab, c, view }
    }

    fn client(&mut self, payload: &[u8]) -> &mut Self {
        self.lab.client(&mut self.c, payload);
        self
    }

    /// In segments, each acknowledged.
    fn server(&mut self, payload: &[u8]) -> &mut Self {
        for part in payload.chunks(1400) {
            if self.view == View::Both {
                self.lab.server(&mut self.c, part);
            } else {
                self.c.sent.1 += u32::try_from(part.len()).unwrap();
            }
            self.lab.ack(&self.c);
        }
        self
    }

    fn stage(&mut self) -> crate::base::Stage {
        let last = self.lab.engine.sink().contacts.len() - 1;
        self.lab.stage(last)
    }

    fn notes(&mut self) -> Vec<&'static str> {
        self.lab.contact(0).notes
    }
}

fn ccs() -> Vec<u8> {
    sample::record(20, &[1])
}

/// Certificates, as TLS 1.2 sends them.
fn chain(len: usize) -> Vec<u8> {
    sample::records(&sample::message(11, &vec![1; len]), &[4000])
}

const GET: &[u8] = b"GET /u HTTP/1.1\r\nHost: up.test\r\n\r\n";

#[test]
fn tls_1_3_is_transferred_behind_the_second_encrypted_record() {
    for view in VIEWS {
        let mut t = Talk::new(view, 443);
        t.client(&hello("up.test"));
        assert_eq!(t.stage(), Attempted);
        t.server(&server_hello(0x0304, false));
        assert_eq!(t.stage(), Connected, "{view:?}");
        // A long chain, tickets and the Finished are no transfer.
        t.server(&[ccs(), sealed(9000)].concat()).client(&[ccs(), sealed(53)].concat()).server(&sealed(1000));
        assert_eq!(t.stage(), Connected, "{view:?}");
        t.client(&sealed(200));
        assert_eq!(t.stage(), Connected);
        t.server(&sealed(2000));
        assert_eq!(t.stage(), Connected, "{view:?}");
        t.server(&sealed(100));
        assert_eq!(t.stage(), Transferred, "{view:?}");
        assert_eq!(t.notes().contains(&"one_sided"), view == View::Client);
        let (up, down) = (u64::from(t.c.sent.0), u64::from(t.c.sent.1));
        assert_eq!((t.lab.contact(0).up, t.lab.contact(0).down), (up, down));
    }
}

/// Where only the client is seen, the segment that brings the Finished may be
/// the first that acknowledges the chain.
#[test]
fn a_chain_that_is_acknowledged_late_is_no_transfer() {
    let mut t = Talk::new(View::Client, 443);
    t.client(&hello("up.test"));
    t.c.sent.1 += 12_000;
    t.client(&[ccs(), sealed(53), sealed(200)].concat());
    assert_eq!(t.stage(), Connected);
    t.server(&sealed(2100));
    assert_eq!(t.stage(), Transferred);
}

#[test]
fn tls_1_2_is_transferred_behind_the_first_application_record() {
    let mut t = Talk::new(View::Both, 443);
    t.client(&hello("up.test")).server(&server_hello(0x0303, false)).server(&chain(9000));
    t.client(&[sample::record(22, &[16; 70]), ccs(), sample::record(22, &[0; 40])].concat());
    t.server(&[ccs(), sample::record(22, &[0; 40])].concat());
    assert_eq!(t.stage(), Connected);
    t.client(&sealed(200)).server(&sealed(2000));
    assert_eq!(t.stage(), Connected);
    t.server(&sealed(100));
    assert_eq!(t.stage(), Transferred);
}

#[test]
fn tls_1_2_resumption() {
    let mut t = Talk::new(View::Both, 443);
    t.client(&hello("up.test"));
    t.server(&[server_hello(0x0303, false), ccs(), sample::record(22, &[0; 40])].concat());
    t.client(&[ccs(), sample::record(22, &[0; 40]), sealed(100)].concat());
    t.server(&sealed(2100));
    assert_eq!(t.stage(), Transferred);
}

#[test]
fn a_hello_retry_is_one_contact() {
    let mut t = Talk::new(View::Both, 443);
    t.client(&hello("up.test")).server(&server_hello(0x0304, true));
    t.client(&[ccs(), hello("up.test")].concat()).server(&server_hello(0x0304, false)).server(&sealed(5000));
    assert_eq!((t.lab.told(), t.stage()), (vec!["tls up.test".to_owned()], Connected));
    t.client(&[sealed(53), sealed(100)].concat()).server(&sealed(2100));
    assert_eq!(t.stage(), Transferred);
}

#[test]
fn early_data_is_no_request_before_the_answer() {
    let mut t = Talk::new(View::Both, 443);
    t.client(&[hello("up.test"), sealed(500), sealed(500)].concat());
    t.server(&server_hello(0x0304, false)).server(&sealed(9000));
    assert_eq!(t.stage(), Connected);
}

#[test]
fn alerts_resets_and_refusals_stay_attempted() {
    let mut t = Talk::new(View::Both, 443);
    t.client(&hello("up.test")).server(&sample::record(21, &[2, 40]));
    assert_eq!((t.stage(), t.notes()), (Attempted, vec!["tls_alert"]));
    let mut t = Talk::new(View::Client, 443);
    t.client(&hello("up.test")).server(&sample::record(21, &[2, 40]));
    assert_eq!(t.stage(), Attempted);
    let mut t = Talk::new(View::Both, 443);
    t.client(&hello("up.test"));
    t.lab.server_reset(&t.c.clone());
    assert_eq!((t.stage(), t.notes()), (Attempted, vec!["reset"]));
    // A refused SYN; the reset may bring a text.
    let mut lab = Lab::new(Policy::Flows);
    let c = Conn::new(50_000, 443);
    lab.syn(&c);
    let p = packet(Transport::Tcp, c.server, c.client);
    lab.packet(&Packet { flags: RST | ACK, seq: 0, ack: 1001, ..p }, b"go away");
    assert_eq!((lab.stage(0), lab.contact(0).notes), (Attempted, vec!["refused"]));
}

#[test]
fn a_forged_reset_leaves_no_note() {
    let mut t = Talk::new(View::Both, 443);
    t.client(&hello("up.test"));
    t.lab.server_at(&t.c.clone(), 3_000_000_000, RST, b"");
    assert!(t.notes().is_empty());
}

/// Transparent proxies accept connections to anywhere.
#[test]
fn a_syn_ack_is_no_connection() {
    let mut lab = Lab::new(Policy::Flows);
    let c = Conn::new(50_000, 443);
    lab.open(&c);
    assert_eq!(lab.stage(0), Attempted);
    lab.close(&c);
    assert_eq!(lab.stage(0), Attempted);
}

#[test]
fn any_payload_behind_the_clients_connects_an_unknown_protocol() {
    let mut lab = Lab::new(Policy::Flows);
    let mut c = Conn::new(50_000, 9000);
    lab.open(&c);
    lab.server(&mut c, b"a banner that anybody may send");
    assert_eq!(lab.stage(0), Attempted);
    lab.client(&mut c, b"\x01\x02");
    assert_eq!(lab.stage(0), Attempted);
    lab.server(&mut c, b"!");
    assert_eq!(lab.stage(0), Connected);
    for _ in 0..10 {
        lab.server(&mut c, &[0; 1400]);
    }
    assert_eq!(lab.stage(0), Connected, "of an unknown protocol nobody knows what was asked for");
}

#[test]
fn an_unknown_protocol_seen_from_one_side() {
    // Only the client: what it acknowledges, its FIN apart, proves an answer.
    let mut lab = Lab::new(Policy::Flows);
    let mut c = Conn::new(50_000, 9000);
    lab.syn(&c);
    lab.ack(&c);
    lab.client(&mut c, b"\x01\x02");
    c.sent.1 = 1;
    lab.ack(&c);
    assert_eq!(lab.stage(0), Attempted);
    c.sent.1 = 2;
    lab.ack(&c);
    assert_eq!((lab.stage(0), lab.contact(0).notes), (Connected, vec!["one_sided"]));
    // Only the server: what it acknowledges proves that the client spoke.
    let mut lab = Lab::new(Policy::Flows);
    let mut c = Conn::new(50_000, 9000);
    lab.syn_ack(&c);
    lab.server(&mut c, b"banner");
    assert_eq!(lab.stage(0), Attempted);
    c.sent.0 = 10;
    lab.server(&mut c, b"answer");
    assert_eq!((lab.stage(0), lab.contact(0).up, lab.contact(0).down), (Connected, 10, 12));
}

#[test]
fn http_is_connected_by_a_status_line_and_transferred_by_a_body() {
    let mut t = Talk::new(View::Both, 80);
    t.client(GET).server(b"HTTP/1.1 2");
    assert_eq!(t.stage(), Attempted);
    t.server(b"00 OK\r\nContent-Length: 5000\r\n\r\n");
    assert_eq!(t.stage(), Connected);
    t.server(&[0; 1900]);
    assert_eq!(t.stage(), Connected);
    t.server(&[0; 200]);
    assert_eq!(t.stage(), Transferred);
    let mut t = Talk::new(View::Client, 80);
    t.client(GET).server(b"HTTP/1.1 200 OK\r\n\r\n").server(&[0; 9000]);
    assert_eq!((t.stage(), t.notes()), (Connected, vec!["one_sided"]), "the status was not seen");
}

#[test]
fn only_some_status_codes_allow_a_transfer() {
    let body = |code: u16| format!("HTTP/1.1 {code} X\r\n\r\n{}", "x".repeat(10_000)).into_bytes();
    for (code, want) in [
        (200, Transferred),
        (206, Transferred),
        (304, Transferred),
        (404, Connected),
        (301, Connected),
        (503, Connected),
    ] {
        let mut t = Talk::new(View::Both, 80);
        t.client(GET).server(&body(code));
        assert_eq!(t.stage(), want, "{code}");
    }
    // What an error brought does not count for what comes after it.
    let mut t = Talk::new(View::Both, 80);
    t.client(GET).server(&body(404)).client(GET).server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(t.stage(), Connected);
    t.client(GET).server(&body(200));
    assert_eq!(t.stage(), Transferred);
}

#[test]
fn interim_responses_are_passed_over() {
    let mut t = Talk::new(View::Both, 80);
    t.client(GET).server(b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(t.stage(), Attempted);
    t.server(b"HTTP/1.1 200 OK\r\n\r\n").server(&[0; 3000]);
    assert_eq!(t.stage(), Transferred);
    let mut t = Talk::new(View::Both, 80);
    t.client(GET).server(&[&b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\n\r\n"[..], &[0; 5000]].concat());
    assert_eq!(t.stage(), Connected);
}

/// Each host of a proxy connection is a contact of its own.
#[test]
fn another_host_does_not_inherit_a_stage() {
    let via = |host: &str| format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
    let ok = [&b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"[..], &[0; 9000]].concat();
    let mut t = Talk::new(View::Both, 3128);
    t.client(&via("a.test")).server(&ok);
    assert_eq!(t.lab.stage(0), Transferred);
    t.client(&via("b.test"));
    assert_eq!(t.lab.stage(1), Attempted);
    t.server(b"HTTP/1.1 404 No\r\n\r\n").server(&[0; 9000]);
    assert_eq!(t.lab.stage(1), Connected);
    t.client(&via("c.test")).server(&ok);
    assert_eq!((t.lab.stage(2), t.lab.contact(2).down), (Transferred, ok.len() as u64));
    // The requests without the first, whose bytes are another's.
    assert_eq!(t.lab.contact(1).up, via("b.test").len() as u64);
}

#[test]
fn a_proxy_that_refuses_and_one_that_consents() {
    let connect = b"CONNECT up.test:443 HTTP/1.1\r\n\r\n";
    let mut t = Talk::new(View::Both, 3128);
    t.client(connect).server(b"HTTP/1.1 403 No\r\n\r\n").server(&[0; 9000]);
    assert_eq!((t.stage(), t.notes()), (Attempted, vec!["proxy_refused"]));
    t.client(b"anything").server(b"anything");
    assert_eq!(t.stage(), Attempted);
    let mut t = Talk::new(View::Both, 3128);
    t.client(connect).server(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(t.stage(), Attempted, "the proxy's consent is not the server's answer");
    t.client(&hello("up.test"));
    assert_eq!(t.stage(), Attempted);
    t.server(&server_hello(0x0304, false));
    assert_eq!(t.stage(), Connected);
    t.server(&sealed(5000)).client(&[ccs(), sealed(50), sealed(100)].concat()).server(&sealed(2100));
    assert_eq!(t.stage(), Transferred);
    // Something else inside the tunnel.
    let mut t = Talk::new(View::Both, 3128);
    t.client(connect).server(b"HTTP/1.1 200 OK\r\n\r\n").client(b"\x01\x02\x03");
    assert_eq!(t.stage(), Attempted);
    t.server(b"\x04");
    assert_eq!(t.stage(), Connected);
}

#[test]
fn bytes_count_once() {
    for isn in [5, u32::MAX - 2000] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 80).isn(isn, isn);
        lab.say(&mut c, GET);
        lab.client_at(&c, 0, ACK, GET);
        let before = c;
        for _ in 0..5 {
            lab.server(&mut c, &[1; 1000]);
        }
        for i in 0..5 {
            lab.server_at(&c, before.sent.1 + i * 700, ACK, &[1; 1000]);
        }
        lab.close(&c);
        assert_eq!((lab.contact(0).up, lab.contact(0).down), (GET.len() as u64, 5000));
    }
}

#[test]
fn bytes_of_a_stream_without_a_start() {
    let mut lab = Lab::new(Policy::Flows);
    let mut c = Conn::new(50_000, 9000).isn(4_000_000_000, 3_000_000_000);
    lab.server(&mut c, &[1; 100]);
    lab.client(&mut c, &[2; 50]);
    lab.server(&mut c, &[1; 100]);
    assert_eq!((lab.contact(0).up, lab.contact(0).down), (50, 200));
}

/// The capture lost the server's first segment.
#[test]
fn an_answer_that_cannot_be_read_is_judged_by_its_length() {
    let mut t = Talk::new(View::Both, 443);
    t.client(&hello("up.test"));
    t.c.sent.1 += 1400;
    t.server(&sealed(3000));
    t.lab.wait(2500);
    t.server(&sealed(100));
    assert_eq!((t.stage(), t.notes()), (Connected, vec!["gap"]));
}

/// A gap in the client's stream puts the records out of step.
#[test]
fn records_are_found_again_behind_a_gap() {
    let mut t = Talk::new(View::Both, 443);
    t.client(&hello("up.test")).server(&server_hello(0x0304, false)).server(&sealed(4000));
    t.c.sent.0 += 64; // the Finished
    t.client(&sealed(100)).server(&sealed(300));
    t.lab.wait(1000);
    t.client(&sealed(100)).client(&sealed(100)).server(&sealed(2500));
    assert_eq!(t.stage(), Transferred);
}

/// What a tunnel carries may begin like a method.
#[test]
fn an_unknown_protocol_in_a_tunnel_however_it_is_cut() {
    for size in [1, 2, 3, 4, 18] {
        let mut lab = Lab::new(Policy::Names);
        let mut c = Conn::new(50_000, 3128);
        lab.say(&mut c, b"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test\r\n\r\n");
        lab.server(&mut c, b"HTTP/1.1 200 Connected\r\n\r\n");
        b"DFN\xbeS\x22\xfb\xac\x99\xfe\xaeY".chunks(size).for_each(|part| lab.client(&mut c, part));
        assert_eq!(lab.engine.sink().contacts[0].stages, []);
        lab.server(&mut c, b"(");
        assert_eq!(lab.stage(0), Connected, "{size}");
        lab.finish();
    }
}
