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

/// A ServerHello message; the version in its extension if it is TLS 1.3.
pub(crate) fn server_hello_message(version: u16) -> Vec<u8> {
    let mut body = [&[3, 3][..], &[9; 32], &[0, 0x13, 0x01, 0]].concat();
    if version >= 0x0304 {
        body.extend(vec16(&extension(43, &version.to_be_bytes())));
    }
    message(2, &body)
}

fn vec24(data: &[u8]) -> Vec<u8> {
    [&u32::try_from(data.len()).unwrap().to_be_bytes()[1..], data].concat()
}

/// A Certificate message of TLS up to 1.2 with these certificates.
pub(crate) fn certificate_message(chain: &[&[u8]]) -> Vec<u8> {
    message(11, &vec24(&chain.iter().flat_map(|c| vec24(c)).collect::<Vec<_>>()))
}

/// An element of DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        0..=0x7f => vec![tag, len[3]],
        0x80..=0xff => vec![tag, 0x81, len[3]],
        _ => vec![tag, 0x82, len[2], len[3]],
    };
    [&head[..], content].concat()
}

/// A certificate with these commonNames in its subject, and these dNSNames
/// in a subjectAltName extension if there are any.
pub(crate) fn certificate(common_names: &[&str], dns_names: &[&str]) -> Vec<u8> {
    let oid = |bytes: &[u8]| der(6, bytes);
    let algorithm = der(0x30, &oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
    let attribute = |n: &&str| der(0x31, &der(0x30, &[oid(&[0x55, 4, 3]), der(0x0c, n.as_bytes())].concat()));
    let organisation = der(0x31, &der(0x30, &[oid(&[0x55, 4, 10]), der(0x13, b"org.example")].concat()));
    let subject = [organisation, common_names.iter().flat_map(attribute).collect()].concat();
    let validity = [der(0x17, b"260101000000Z"), der(0x17, b"270101000000Z")].concat();
    let key = der(0x30, &[algorithm.clone(), der(3, &[0; 66])].concat());
    let mut extensions = der(0x30, &[oid(&[0x55, 0x1d, 0x13]), der(1, &[0xff]), der(4, &der(0x30, &[]))].concat());
    if !dns_names.is_empty() {
        let list: Vec<u8> = dns_names.iter().flat_map(|n| der(0x82, n.as_bytes())).collect();
        let list = [der(0x87, &[192, 0, 2, 7]), list, der(0x81, b"me@mail.example")].concat();
        extensions.extend(der(0x30, &[oid(&[0x55, 0x1d, 0x11]), der(4, &der(0x30, &list))].concat()));
    }
    let tbs = [
        der(0xa0, &der(2, &[2])),
        der(2, &[1, 2, 3]),
        algorithm.clone(),
        der(0x30, &attribute(&"issuer.example")),
        der(0x30, &validity),
        der(0x30, &subject),
        key,
        der(0xa3, &der(0x30, &extensions)),
    ]
    .concat();
    der(0x30, &[der(0x30, &tbs), algorithm, der(3, &[0; 70])].concat())
}
