//! Hellos behind the first one of a stream.

use crate::coverage::Counter;
use crate::flow::testing::*;
use crate::protocol::tls::sample;

fn ccs() -> Vec<u8> {
    sample::record(20, &[1])
}

/// What is told where the client says the one, and the other once it has heard
/// the server.
fn told(policy: Policy, first: &[u8], server: &[u8], then: &[u8], size: usize) -> (Vec<String>, u64) {
    let mut lab = Lab::new(policy);
    let mut c = Conn::new(50_000, 443);
    lab.open(&c);
    first.chunks(size).for_each(|part| lab.client(&mut c, part));
    lab.server(&mut c, server);
    then.chunks(size).for_each(|part| lab.client(&mut c, part));
    assert_eq!(lab.engine.held(), 0, "nothing is waited for");
    let told = lab.told();
    let hellos = lab.count(Counter::TlsHellos);
    let mut ledger = std::mem::take(&mut lab.ledger);
    lab.engine.finish(&mut ledger);
    assert_eq!(ledger.total().get(Counter::TlsHellosIncomplete), 0);
    (told, hellos)
}

const POLICIES: [Policy; 3] = [Policy::Nothing, Policy::Names, Policy::Flows];

#[test]
fn another_hello_for_another_host_is_told() {
    let (one, other) = (hello("a.test"), hello("b.test"));
    let retry = server_hello(0x0304, true);
    let parted = sample::records(&other[5..], &[1, 3, 20]);
    let empty = sample::record(22, b"");
    for (first, then) in [
        (one.clone(), other.clone()),
        (one.clone(), [ccs(), other.clone()].concat()),
        (one.clone(), [ccs(), parted].concat()),
        (one.clone(), [empty.clone(), empty, other.clone()].concat()),
        // Early data, refused.
        ([one.clone(), ccs(), sealed(500), sealed(20)].concat(), other.clone()),
        // Nobody was seen to ask for it.
        ([one.clone(), other.clone()].concat(), sealed(60)),
    ] {
        for policy in POLICIES {
            for size in [1, 7, 60, 5000] {
                let got = told(policy, &first, &retry, &then, size);
                assert_eq!(got, (vec!["tls a.test".to_owned(), "tls b.test".to_owned()], 2), "{policy:?} {size}");
            }
        }
    }
    let many: Vec<u8> = [&one, &other, &one].into_iter().flatten().copied().collect();
    assert_eq!(told(Policy::Nothing, &many, b"", b"", 5000).0, ["tls a.test", "tls b.test", "tls a.test"]);
}

#[test]
fn another_hello_for_the_same_host_is_told_once() {
    let nameless = sample::record(22, &sample::hello(None));
    for second in [hello("up.test"), hello("UP.test"), nameless] {
        for policy in POLICIES {
            for size in [1, 5000] {
                let then = [ccs(), second.clone()].concat();
                let (told, hellos) = told(policy, &hello("up.test"), &server_hello(0x0304, true), &then, size);
                assert_eq!((told, hellos), (vec!["tls up.test".to_owned()], 2), "{policy:?} {size}");
            }
        }
    }
}

/// Whatever looks like a hello there is what somebody sends.
#[test]
fn behind_a_handshake_that_goes_on_no_hello_is_looked_for() {
    let key_exchange = sample::record(22, &sample::message(16, &[1; 33]));
    for goes_on in [[ccs(), sealed(53)].concat(), key_exchange, sample::record(22, &[0xee; 40])] {
        for policy in POLICIES {
            for size in [1, 40, 5000] {
                let then = [goes_on.clone(), hello("b.test")].concat();
                let (told, hellos) = told(policy, &hello("a.test"), &server_hello(0x0304, false), &then, size);
                assert_eq!((told, hellos), (vec!["tls a.test".to_owned()], 1), "{policy:?} {size}");
            }
        }
    }
}

#[test]
fn another_hello_that_is_cut_is_counted() {
    let second = long_hello("b.test", 300);
    for (snap, want, incomplete) in [(100, vec!["tls a.test"], 1), (5000, vec!["tls a.test", "tls b.test"], 0)] {
        let mut lab = Lab::new(Policy::Nothing);
        let mut c = Conn::new(50_000, 443);
        lab.say(&mut c, &hello("a.test"));
        lab.server(&mut c, &server_hello(0x0304, true));
        lab.snap = snap;
        lab.client(&mut c, &second);
        lab.close(&c);
        assert_eq!(
            (lab.told(), lab.count(Counter::TlsHellosCut)),
            (want.iter().map(|w| (*w).to_owned()).collect(), incomplete)
        );
        let mut ledger = std::mem::take(&mut lab.ledger);
        lab.engine.finish(&mut ledger);
        assert_eq!(
            (ledger.total().get(Counter::TlsHellosIncomplete), ledger.total().get(Counter::TlsHellos)),
            (incomplete, 2)
        );
    }
    // The name was whole, and the end of the stream came before the rest.
    let mut lab = Lab::new(Policy::Names);
    let mut c = Conn::new(50_000, 443);
    lab.say(&mut c, &hello("a.test"));
    lab.server(&mut c, &server_hello(0x0304, true));
    let padded = sample::hello(Some(&[sample::server_name(b"b.test"), sample::extension(21, &[0; 300])].concat()));
    lab.client(&mut c, &sample::record(22, &padded)[..200]);
    lab.server_reset(&c);
    assert_eq!(
        (lab.told(), lab.last().notes),
        (vec!["tls a.test".to_owned(), "tls b.test".to_owned()], vec!["partial_message"])
    );
    lab.finish();
}
