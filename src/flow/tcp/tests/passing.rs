//! What passes by unread would have told nothing.

use crate::flow::testing::*;
use crate::packet::tcp_flags::{ACK, FIN, RST, SYN};
use crate::packet::testing::blank;
use crate::packet::{Packet, Transport};
use proptest::prelude::*;

/// What an end may say.
fn said() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0usize..1500).prop_map(|n| vec![0xee; n]),
        4 => Just(Vec::new()),
        1 => Just(b"GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec()),
        1 => Just(b"GET http://b.test/y HTTP/1.1\r\nHost: b.test\r\n\r\n".to_vec()),
        1 => Just(b"CONNECT up.test:443 HTTP/1.1\r\n\r\n".to_vec()),
        1 => Just(b"POST / HTTP/1.1\r\nHost: c.test\r\nContent-Length: 2000\r\n\r\n".to_vec()),
        1 => Just(b"GET / HTTP/1.1\r\nHost: d.test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".to_vec()),
        1 => Just(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n".to_vec()),
        1 => Just(b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec()),
        1 => Just(b"220 mail\r\n".to_vec()),
        1 => Just(b"EHLO a.test\r\n".to_vec()),
        1 => Just(b"STARTTLS\r\n".to_vec()),
        1 => Just(hello("e.test")),
        1 => Just(hello("f.test")[..40].to_vec()),
        1 => Just([server_hello(0x0303, false), sealed(900)].concat()),
        1 => Just([&[0, 29][..], &dns(7, "g.test", false)].concat()),
        1 => Just([&[0, 45][..], &dns(7, "g.test", true)].concat()),
    ]
}

/// Where a segment begins.
#[derive(Clone, Copy, Debug)]
enum Begins {
    /// Where its stream stands.
    Here,
    /// Where its stream began.
    First,
    /// So far from where it stands.
    Off(i32),
}

/// One segment: who sends it, what, where it begins, how far its
/// acknowledgement is from where the other stream stands, flags, and
/// milliseconds until the next.
type Step = (bool, Vec<u8>, Begins, i32, u8, i64);

fn step() -> impl Strategy<Value = Step> {
    let off = prop_oneof![-3000i32..3000, any::<i32>()];
    let begins = prop_oneof![40 => Just(Begins::Here), 2 => Just(Begins::First), 1 => off.prop_map(Begins::Off)];
    let ack = prop_oneof![40 => Just(0i32), 1 => -3000i32..3000, 1 => any::<i32>()];
    let ends = prop_oneof![Just(SYN), Just(SYN | ACK), Just(FIN | ACK), Just(RST)];
    let flags = prop_oneof![60 => Just(ACK), 1 => ends];
    let wait = prop_oneof![60 => Just(1i64), 1 => Just(3_000), 1 => Just(901_000)];
    (any::<bool>(), said(), begins, ack, flags, wait)
}

/// All that an engine tells of a conversation, and all that it counts.
fn outcome(steps: &[Step], port: u16, opened: bool, policy: Policy) -> String {
    let mut lab = Lab::new(policy);
    let c = Conn::new(50_000, port);
    if opened {
        lab.open(&c);
    }
    let (mut client, mut server) = (c.isn.0.wrapping_add(1), c.isn.1.wrapping_add(1));
    let bases = (client, server);
    for (from_client, payload, begins, ack, flags, wait) in steps {
        let base = if *from_client { bases.0 } else { bases.1 };
        let (from, to, mine, other) = if *from_client {
            (c.client, c.server, &mut client, server)
        } else {
            (c.server, c.client, &mut server, client)
        };
        let p = Packet {
            src: from.0,
            dst: to.0,
            sport: from.1,
            dport: to.1,
            transport: Transport::Tcp,
            flags: *flags,
            seq: match begins {
                Begins::Here => *mine,
                Begins::First => base,
                Begins::Off(n) => mine.wrapping_add_signed(*n),
            },
            ack: other.wrapping_add_signed(*ack),
            ..blank()
        };
        lab.packet(&p, payload);
        if matches!(begins, Begins::Here) {
            *mine = mine.wrapping_add(u32::try_from(payload.len()).unwrap());
        }
        lab.wait(*wait);
    }
    let held = lab.engine.held();
    let counts = lab.ledger.total();
    let sink = lab.finish();
    format!("{held} {counts:?} {:?} {:?} {:?}", sink.told, sink.opened, sink.contacts)
}

proptest! {
    #[test]
    fn what_passes_by_unread_tells_nothing(
        steps in prop::collection::vec(step(), 1..40),
        port in prop_oneof![Just(80u16), Just(443), Just(25), Just(53), Just(5300)],
        opened in any::<bool>(),
        policy in prop_oneof![Just(Policy::Nothing), Just(Policy::Names), Just(Policy::Flows)],
    ) {
        let passing = outcome(&steps, port, opened, policy);
        let reading = reading_all(|| outcome(&steps, port, opened, policy));
        prop_assert_eq!(passing, reading);
    }
}
