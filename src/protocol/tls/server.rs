//! The server's first message (RFC 8446 sections 4.1.3 and 6).

use super::super::Probe;
use super::Extent;
use super::record::{ALERT, MESSAGE_HEADER, find_message, fragments};

/// Handshake type of a ServerHello.
const SERVER_HELLO: u8 = 2;
/// Extension supported_versions.
const SUPPORTED_VERSIONS: u16 = 43;

/// Random of a ServerHello that is a HelloRetryRequest: SHA-256 of
/// "HelloRetryRequest" (RFC 8446 section 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The server's first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFirst {
    /// A ServerHello with the version it selects: 0x0304 is TLS 1.3.
    Hello {
        /// supported_versions if present, else legacy_version.
        version: u16,
        /// A HelloRetryRequest: the client will send a second ClientHello.
        retry: bool,
    },
    /// An alert instead.
    Alert {
        /// Alert description, such as 40 for handshake_failure.
        description: u8,
    },
}

/// Reads the server's first message at the start of its stream: a
/// ServerHello, over as many records as it takes, or a plain alert. It is
/// `Not` a server's stream also where a ServerHello breaks off in favour of
/// another record, or is longer than [`MAX_HELLO`](super::MAX_HELLO).
pub fn server_first(stream: &[u8]) -> Probe<ServerFirst> {
    if stream.first() == Some(&ALERT) {
        return alert(stream);
    }
    match find_message(stream, SERVER_HELLO, false) {
        Probe::Not => Probe::Not,
        Probe::More(n) => Probe::More(n),
        Probe::Found(message) if message.extent != Extent::Whole => Probe::Not,
        Probe::Found(message) => {
            let mut body = fragments(stream).flatten().copied().take(message.have).skip(MESSAGE_HEADER);
            read(&mut body).map_or(Probe::Not, Probe::Found)
        }
    }
}

/// Reads an alert record: the header, level (1 byte), description (1). An
/// encrypted one is longer, and no first message.
fn alert(stream: &[u8]) -> Probe<ServerFirst> {
    const RECORD: [Option<u8>; 6] = [Some(ALERT), Some(3), None, Some(0), Some(2), None];
    let right = stream.iter().zip(RECORD).all(|(have, want)| want.is_none_or(|want| *have == want));
    match stream {
        _ if !right => Probe::Not,
        [_, _, _, _, _, level, ..] if !matches!(level, 1 | 2) => Probe::Not,
        [_, _, _, _, _, _, description, ..] => Probe::Found(ServerFirst::Alert { description: *description }),
        _ => Probe::More(7),
    }
}

/// Reads the body of a ServerHello; `None` if its fixed fields are not whole.
fn read(body: &mut impl Iterator<Item = u8>) -> Option<ServerFirst> {
    let legacy = be16(body)?;
    let mut retry = true;
    for want in RETRY_RANDOM {
        retry &= body.next()? == want;
    }
    let session_id = body.next()?;
    // Session id, cipher suite, compression method.
    let _ = body.nth(usize::from(session_id).saturating_add(2))?;
    let version = selected_version(body).unwrap_or(legacy);
    Some(ServerFirst::Hello { version, retry })
}

/// The version in the supported_versions extension.
fn selected_version(body: &mut impl Iterator<Item = u8>) -> Option<u16> {
    let len = be16(body)?;
    let mut extensions = body.take(usize::from(len));
    loop {
        let (kind, len) = (be16(&mut extensions)?, be16(&mut extensions)?);
        if (kind, len) == (SUPPORTED_VERSIONS, 2) {
            return be16(&mut extensions);
        }
        if let Some(last) = len.checked_sub(1) {
            let _ = extensions.nth(usize::from(last))?;
        }
    }
}

/// The version that the body of a ServerHello selects.
pub(super) fn version_of_hello(body: &[u8]) -> Option<u16> {
    match read(&mut body.iter().copied())? {
        ServerFirst::Hello { version, .. } => Some(version),
        ServerFirst::Alert { .. } => None,
    }
}

fn be16(bytes: &mut impl Iterator<Item = u8>) -> Option<u16> {
    Some(u16::from_be_bytes([bytes.next()?, bytes.next()?]))
}

#[cfg(test)]
mod tests;
