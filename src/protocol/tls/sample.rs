//! Hellos for tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// A name as the hellos carry it.
pub(crate) const NAME: &[u8] = b"dnl-01.geo.kaspersky.com";

/// Bytes from hex digits.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// `data` behind a two-byte length.
pub(crate) fn vec16(data: &[u8]) -> Vec<u8> {
    [&u16::try_from(data.len()).unwrap().to_be_bytes()[..], data].concat()
}

/// An extension.
pub(crate) fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(data)].concat()
}

/// A server_name extension with one host_name.
pub(crate) fn server_name(name: &[u8]) -> Vec<u8> {
    extension(0, &vec16(&[&[0][..], &vec16(name)].concat()))
}

/// A ClientHello message of version 3.3 with these extensions; without a
/// list of extensions if `None`.
pub(crate) fn hello(extensions: Option<&[u8]>) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(32);
    body.extend([8; 32]);
    body.extend(vec16(&[0x13, 0x01, 0xc0, 0x2f]));
    body.extend([1, 0]);
    if let Some(extensions) = extensions {
        body.extend(vec16(extensions));
    }
    message(1, &body)
}

/// A handshake message.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &len[1..], body].concat()
}

/// A record of version 3.1.
pub(crate) fn record(content_type: u8, fragment: &[u8]) -> Vec<u8> {
    [&[content_type, 3, 1][..], &vec16(fragment)].concat()
}

/// A message in handshake records of the given sizes, taken in turn.
pub(crate) fn records(message: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut rest = message;
    for &size in sizes.iter().cycle() {
        let (part, tail) = rest.split_at(size.min(rest.len()));
        stream.extend(record(22, part));
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    stream
}
