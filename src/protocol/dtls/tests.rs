use super::super::tls::sample;
use super::*;
use proptest::prelude::*;

/// The body of a ClientHello for a name, with a cookie.
pub(crate) fn hello_body(random: u8, cookie: &[u8], name: &str) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([random; 32]);
    body.push(0);
    body.push(u8::try_from(cookie.len()).unwrap());
    body.extend(cookie);
    body.extend(sample::vec16(&[0xc0, 0x2f]));
    body.extend([1, 0]);
    body.extend(sample::vec16(&sample::server_name(name.as_bytes())));
    body
}

/// A part of a handshake message in a record.
pub(crate) fn part(kind: u8, seq: u16, body: &[u8], from: usize, count: usize) -> Vec<u8> {
    let u24 = |n: usize| u32::try_from(n).unwrap().to_be_bytes()[1..].to_vec();
    let bytes = &body[from..(from + count).min(body.len())];
    let head = [&[kind][..], &u24(body.len()), &seq.to_be_bytes(), &u24(from), &u24(bytes.len())].concat();
    plain(22, &[&head[..], bytes].concat())
}

/// A record of epoch 0.
pub(crate) fn plain(content_type: u8, fragment: &[u8]) -> Vec<u8> {
    [&[content_type, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 7][..], &sample::vec16(fragment)].concat()
}

/// A record of epoch 1.
pub(crate) fn sealed(content_type: u8, len: usize) -> Vec<u8> {
    [&[content_type, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1][..], &sample::vec16(&vec![9; len])].concat()
}

#[test]
fn fragments_of_a_datagram() {
    let body = hello_body(1, b"cookie", "a.example");
    let whole = part(1, 0, &body, 0, body.len());
    assert!(begins_client_hello(&whole));
    let got: Vec<_> = fragments(&whole).collect();
    assert_eq!(got, [Fragment { kind: 1, len: body.len(), seq: 0, offset: 0, bytes: &body }]);
    let two = [part(1, 1, &body, 0, 30), part(1, 1, &body, 30, 900), sealed(22, 40), plain(21, &[2, 40])].concat();
    let got: Vec<_> = fragments(&two).map(|f| (f.seq, f.offset, f.bytes.len())).collect();
    assert_eq!(got, [(1, 0, 30), (1, 30, body.len() - 30)]);
    for n in 0..whole.len() {
        assert!(!begins_client_hello(&whole[..n]) && fragments(&whole[..n]).count() == 0, "{n}");
    }
}

#[test]
fn what_begins_no_client_hello() {
    let body = hello_body(1, b"", "a.example");
    let right = part(1, 0, &body, 0, body.len());
    // Type, version, epoch, message type, message length, fragment offset.
    for (at, bit) in [(0, 1), (1, 1), (2, 4), (4, 1), (13, 2), (14, 1), (19, 1)] {
        let mut wrong = right.clone();
        wrong[at] ^= bit;
        assert!(!begins_client_hello(&wrong), "{at}");
    }
    for old in [[0xfe, 0xff], [1, 0]] {
        let mut v = right.clone();
        v[1..3].copy_from_slice(&old);
        assert!(begins_client_hello(&v));
    }
    assert!(!begins_client_hello(&sealed(22, 100)));
    assert!(!begins_client_hello(b"\x16\x03\x01\x02\0\x01"));
}

#[test]
fn how_far_an_association_got() {
    for (datagram, says_) in [
        (part(2, 0, &[0; 50], 0, 50), Says::Handshake),
        (plain(20, &[1]), Says::Handshake),
        (plain(21, &[2, 40]), Says::Alert),
        (sealed(23, 9), Says::Data),
        ([plain(20, &[1]), sealed(22, 40)].concat(), Says::Handshake),
        (vec![0x2f, 1, 2, 3], Says::Data),
        (vec![0x2e, 1, 2, 3], Says::Handshake),
        (b"\0\x01\0\0\x21\x12\xa4\x42".to_vec(), Says::Nothing),
    ] {
        assert_eq!(says(&datagram), says_, "{datagram:02x?}");
    }
}

#[test]
fn data_of_rdp() {
    let v1 = sample::hex("10976033 0400 000c 0001 0001 e65f846d e65f846d 160303");
    assert_eq!(rdp_payload(&v1)[1], Some(&[22, 3, 3][..]));
    let v2 = sample::hex("00 14c1 01f401 64e0 6400 0100 160302");
    assert_eq!(rdp_payload(&v2)[0], Some(&[22, 3, 2][..]));
    // Acknowledgement with one addition, the prefix byte inside it.
    let acked = sample::hex("00 05c0 6400 0102e0 05 01 99 6500 0200 160302");
    assert_eq!(rdp_payload(&acked)[0].map(<[u8]>::len), Some(3));
    // A SYN, and a packet without data.
    assert_eq!(rdp_payload(&sample::hex("ffffffff 0040 1801 bbff5687 04d004d0")), [None, None]);
    assert_eq!(rdp_payload(&sample::hex("10976033 0400 0004 0001 0001")), [None, None]);
}

proptest! {
    /// Any bytes are read without harm, and fragments lie within their message.
    #[test]
    fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..300), keep in 0usize..40, version in 0usize..3) {
        let body = hello_body(1, b"", "a.example");
        let right = part(1, 0, &body, 0, body.len());
        let keep = keep.min(bytes.len());
        bytes[..keep].copy_from_slice(&right[..keep]);
        if let Some(v) = bytes.get_mut(1..3) {
            v.copy_from_slice(&[[0xfe, 0xff], [0xfe, 0xfd], [1, 0]][version]);
        }
        for f in fragments(&bytes) {
            prop_assert!(f.offset + f.bytes.len() <= f.len && f.len <= MAX_MESSAGE);
        }
        let _ = (says(&bytes), begins_client_hello(&bytes), rdp_payload(&bytes));
    }
}
