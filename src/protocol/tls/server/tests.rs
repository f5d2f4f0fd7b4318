#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::super::sample::{extension, hello as client_hello, message, record, records, vec16};
use super::*;
use proptest::prelude::*;

/// A ServerHello message.
fn hello(random: [u8; 32], extensions: Option<&[u8]>) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(random);
    body.push(32);
    body.extend([5; 32]);
    body.extend([0x13, 0x01, 0]);
    if let Some(extensions) = extensions {
        body.extend(vec16(extensions));
    }
    message(2, &body)
}

fn tls13() -> Vec<u8> {
    [extension(51, &[0; 36]), extension(43, &[3, 4])].concat()
}

const fn found(version: u16, retry: bool) -> Probe<ServerFirst> {
    Probe::Found(ServerFirst::Hello { version, retry })
}

#[test]
fn versions() {
    assert_eq!(server_first(&record(22, &hello([1; 32], Some(&tls13())))), found(0x0304, false));
    assert_eq!(server_first(&record(22, &hello([1; 32], Some(&extension(23, &[]))))), found(0x0303, false));
    assert_eq!(server_first(&record(22, &hello([1; 32], None))), found(0x0303, false));
    // Certificate and the rest may share its record.
    let more = [hello([1; 32], None), message(11, &[0; 900])].concat();
    assert_eq!(server_first(&record(22, &more)), found(0x0303, false));
    assert_eq!(server_first(&record(22, &more)[..300]), found(0x0303, false));
}

#[test]
fn hello_retry_request() {
    let stream = record(22, &hello(RETRY_RANDOM, Some(&tls13())));
    assert_eq!(server_first(&stream), found(0x0304, true));
    let mut random = RETRY_RANDOM;
    random[31] ^= 1;
    assert_eq!(server_first(&record(22, &hello(random, Some(&tls13())))), found(0x0304, false));
}

#[test]
fn alerts() {
    let refused = record(21, &[2, 40]);
    assert_eq!(server_first(&refused), Probe::Found(ServerFirst::Alert { description: 40 }));
    for have in 1..refused.len() {
        assert_eq!(server_first(&refused[..have]), Probe::More(7));
    }
    assert_eq!(server_first(&record(21, &[0; 24])), Probe::Not, "encrypted");
    assert_eq!(server_first(&record(21, &[3, 40])), Probe::Not, "no such level");
}

#[test]
fn other_starts_are_not() {
    assert_eq!(server_first(b"HTTP/1.1 400 Bad Request\r\n"), Probe::Not);
    assert_eq!(server_first(&record(23, &[0; 60])), Probe::Not);
    assert_eq!(server_first(&record(22, &client_hello(None))), Probe::Not);
    let broken = [record(22, &hello([1; 32], None)[..20]), record(21, &[2, 40])].concat();
    assert_eq!(server_first(&broken), Probe::Not);
}

#[test]
fn lengths_that_lie_keep_the_fixed_fields() {
    let mut one = hello([1; 32], Some(&tls13()));
    one[4 + 34] = 255;
    assert_eq!(server_first(&record(22, &one)), Probe::Not, "session id behind the end");
    let mut one = hello([1; 32], Some(&tls13()));
    let list_at = one.len() - tls13().len() - 2;
    one[list_at] = 0xff;
    assert_eq!(server_first(&record(22, &one)), found(0x0304, false));
    one[list_at + 4] = 0xff;
    assert_eq!(server_first(&record(22, &one)), found(0x0303, false));
}

proptest! {
    #[test]
    fn any_records_give_the_same_answer(
        sizes in prop::collection::vec(1usize..90, 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = records(&hello([1; 32], Some(&tls13())), &sizes);
        prop_assert_eq!(server_first(&stream), found(0x0304, false));
        let have = cut.index(stream.len());
        match server_first(&stream[..have]) {
            Probe::More(n) => prop_assert!(n > have && n <= stream.len()),
            other => prop_assert!(false, "{:?} of {} bytes", other, have),
        }
    }

    #[test]
    fn mutations_never_panic(
        sizes in prop::collection::vec(1usize..90, 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut stream = records(&hello([1; 32], Some(&tls13())), &sizes);
        for (at, value) in changes {
            let at = at.index(stream.len());
            stream[at] = value;
        }
        if let Probe::More(n) = server_first(&stream) {
            prop_assert!(n > stream.len());
        }
    }
}
