//! The client's first message (RFC 8446 section 4.1.2).

use super::super::Probe;
use super::cursor::Cursor;
use super::record::{Intro, MESSAGE_HEADER, Message, find_message, fragments};
use super::stack::Stack;
use super::{Extent, RecordHeader, record_header};

/// Handshake type of a ClientHello.
const CLIENT_HELLO: u8 = 1;

/// What a ClientHello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// host_name of the server_name extension as sent (RFC 6066 section 3);
    /// `None` without one, or if it is empty or its lengths do not fit. Of
    /// several server_name extensions the first counts.
    pub server_name: Option<&'a [u8]>,
    /// Whether an encrypted_client_hello extension (0xfe0d, RFC 9849), or
    /// encrypted_server_name (0xffce) of its drafts, is present. Most are
    /// sent for show (GREASE): it hides a name only where `server_name` is a
    /// public name of such a service.
    pub ech: bool,
    /// First protocol of the ALPN extension (RFC 7301), such as `h2` or `dot`.
    pub alpn: Option<&'a [u8]>,
    /// Highest version offered: of supported_versions the highest 0x03xx,
    /// else legacy_version. 0x0304 is TLS 1.3.
    pub version: u16,
    /// Fingerprint of the library that made it: a hash of the cipher suites in
    /// their order and the sorted types of extensions, without GREASE
    /// (RFC 8701) and without what depends on the server or an earlier session.
    /// `None` if the hello was not read whole or its fields do not fit.
    pub stack: Option<u32>,
    /// Bytes of the stream that hold the hello, record headers included; of a
    /// bare handshake message its length. If the last record holds more than
    /// the hello, this ends inside it.
    pub len: usize,
    /// Where the last record of the hello ends, perhaps beyond the bytes at
    /// hand: the next record begins there. Of a bare handshake message, `len`.
    pub record_end: usize,
    /// How much of the hello was read. Unless `Whole`, the fields above may
    /// lack what was not.
    pub extent: Extent,
    /// Fields contradict each other: lengths that do not fit, an extension
    /// that a hello may have only once came twice, or bytes were left over.
    pub malformed: bool,
}

/// Whether bytes look like the start of a ClientHello, for streams whose
/// beginning was not seen: a handshake record of version 3.0 to 3.4 with
/// message type 1, and as far as at hand, a length below 64 KiB and a hello
/// version 3.x. Empty records before it are passed over. False for fewer than
/// 6 bytes.
pub fn looks_like_client_hello(first_bytes: &[u8]) -> bool {
    let mut rest = first_bytes;
    while let [22, 3, 0..=4, 0, 0, behind @ ..] = rest {
        rest = behind;
    }
    let Some((header, body)) = rest.split_first_chunk::<5>() else { return false };
    let Some(RecordHeader { content_type: 22, len }) = record_header(header) else { return false };
    let whole = |at: usize| body.get(at).filter(|_| len > at);
    header.get(2).is_some_and(|minor| *minor <= 4)
        && whole(0) == Some(&CLIENT_HELLO)
        && whole(1).is_none_or(|high| *high == 0)
        && whole(4).is_none_or(|major| *major == 3)
}

/// Reads the ClientHello at the start of a TLS stream, which may be spread
/// over several records; `scratch` then holds it joined, otherwise it is read
/// in place.
///
/// `Not` comes as early as the first byte allows. `Found` also comes, with
/// [`Extent::Oversized`] or [`Extent::Broken`] and what could be read, where
/// more bytes would not help; the caller counts those as it sees fit. At most
/// [`MAX_STREAM`](super::MAX_STREAM) bytes of the stream are looked at, so the
/// answer does not depend on how the stream was cut into segments.
pub fn client_hello<'a>(stream: &'a [u8], scratch: &'a mut Vec<u8>) -> Probe<ClientHello<'a>> {
    match find_message(stream, CLIENT_HELLO, false) {
        Probe::Not => Probe::Not,
        Probe::More(n) => Probe::More(n),
        Probe::Found(message) => Probe::Found(read_joined(stream, scratch, message)),
    }
}

/// Reads what is at hand of a ClientHello whose rest will not come, or that
/// the caller will not wait for; `None` if it is none or its first 4 bytes
/// are not there. A name is reported only if its extension was whole.
pub fn partial_client_hello<'a>(stream: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<ClientHello<'a>> {
    match find_message(stream, CLIENT_HELLO, true) {
        Probe::Found(message) => Some(read_joined(stream, scratch, message)),
        _ => None,
    }
}

/// Reads a ClientHello handshake message without record headers, as QUIC
/// carries it (RFC 9001 section 4). Of one longer than
/// [`MAX_HELLO`](super::MAX_HELLO), that many bytes are read.
pub fn client_hello_message(bytes: &[u8]) -> Probe<ClientHello<'_>> {
    let mut intro = Intro::default();
    intro.feed(bytes);
    if !intro.fits(CLIENT_HELLO) {
        return Probe::Not;
    }
    let have = intro.wanted();
    match bytes.get(..have) {
        None => Probe::More(have),
        Some(message) => Probe::Found(read(message, bare(have, intro.extent()))),
    }
}

/// Like [`partial_client_hello`], for a bare handshake message.
pub fn partial_client_hello_message(bytes: &[u8]) -> Option<ClientHello<'_>> {
    match client_hello_message(bytes) {
        Probe::Not => None,
        Probe::Found(hello) => Some(hello),
        Probe::More(_) if bytes.len() < MESSAGE_HEADER => None,
        Probe::More(_) => Some(read(bytes, bare(bytes.len(), Extent::Cut))),
    }
}

/// Reads the whole body of a DTLS ClientHello, without its message header: as
/// in TLS, with a cookie behind the session id (RFC 6347 section 4.2.1). Gives
/// its random as well. `None` if it does not begin as one.
pub fn dtls_client_hello(body: &[u8]) -> Option<(ClientHello<'_>, &[u8; 32])> {
    let mut c = Cursor(body);
    let version = c.u16()?;
    let random = c.0.first_chunk::<32>()?;
    if !super::super::dtls::is_version(version) {
        return None;
    }
    let mut hello = blank(bare(body.len(), Extent::Whole));
    if hello.read_body(Cursor(body), true).is_none() {
        hello.malformed = true;
    }
    hello.stack = hello.stack.filter(|_| !hello.malformed);
    Some((hello, random))
}

/// The place of a message that no record surrounds.
fn bare(have: usize, extent: Extent) -> Message {
    Message { have, extent, len: have, record_end: have }
}

/// Reads a message out of its records, in place if one holds all of it.
fn read_joined<'a>(stream: &'a [u8], scratch: &'a mut Vec<u8>, message: Message) -> ClientHello<'a> {
    let first = fragments(stream).next().unwrap_or(&[]);
    let bytes = match first.get(..message.have) {
        Some(bytes) => bytes,
        None => {
            scratch.clear();
            for fragment in fragments(stream) {
                let room = message.have.saturating_sub(scratch.len());
                if room == 0 {
                    break;
                }
                scratch.extend_from_slice(fragment.get(..room).unwrap_or(fragment));
            }
            scratch
        }
    };
    read(bytes, message)
}

fn blank<'a>(message: Message) -> ClientHello<'a> {
    ClientHello {
        server_name: None,
        ech: false,
        alpn: None,
        version: 0,
        stack: None,
        len: message.len,
        record_end: message.record_end,
        extent: message.extent,
        malformed: false,
    }
}

fn read(bytes: &[u8], message: Message) -> ClientHello<'_> {
    let mut hello = blank(message);
    let body = bytes.get(MESSAGE_HEADER..).unwrap_or(&[]);
    if hello.read_body(Cursor(body), false).is_none() && message.extent == Extent::Whole {
        hello.malformed = true;
    }
    hello.stack = hello.stack.filter(|_| message.extent == Extent::Whole && !hello.malformed);
    hello
}

impl<'a> ClientHello<'a> {
    /// Reads the body, that of DTLS with its cookie; `None` if it ends inside
    /// a field.
    fn read_body(&mut self, mut c: Cursor<'a>, has_cookie: bool) -> Option<()> {
        self.version = c.u16()?;
        let _random = c.array::<32>()?;
        let session_id = c.vec8()?;
        if has_cookie {
            let _cookie = c.vec8()?;
        }
        let cipher_suites = c.vec16()?;
        let compression = c.vec8()?;
        if session_id.len() > 32
            || cipher_suites.is_empty()
            || !cipher_suites.len().is_multiple_of(2)
            || compression.is_empty()
        {
            self.malformed = true;
        }
        let mut stack = Stack::of(cipher_suites);
        if c.is_empty() {
            self.stack = stack.fingerprint();
            // SSL 3 and TLS 1.0 hellos may end here.
            return Some(());
        }
        let len = usize::from(c.u16()?);
        if let Some(all) = c.take(len) {
            if !c.is_empty() {
                self.malformed = true;
            }
            if self.read_extensions(Cursor(all), &mut stack).is_none() {
                self.malformed = true;
            }
            self.stack = stack.fingerprint();
            return Some(());
        }
        // The list claims to go on behind the end: those that are whole count.
        let _ = self.read_extensions(c, &mut stack);
        None
    }

    /// Reads extensions; `None` if the bytes end inside one.
    fn read_extensions(&mut self, mut c: Cursor<'a>, stack: &mut Stack) -> Option<()> {
        let mut seen = Seen::default();
        while !c.is_empty() {
            let kind = c.u16()?;
            let data = c.vec16()?;
            stack.extension(kind);
            let fine = match kind {
                0 if !seen.again(1) => self.read_server_name(data).is_some(),
                16 if !seen.again(2) => self.read_alpn(data).is_some(),
                43 if !seen.again(4) => self.read_versions(data).is_some(),
                0 | 16 | 43 => false,
                0xfe0d | 0xffce => {
                    self.ech = true;
                    true
                }
                _ => true,
            };
            self.malformed |= !fine;
        }
        Some(())
    }

    /// ServerNameList: entries of a type (1 byte) and a name; RFC 6066 wants
    /// the two-byte length for every type, and one entry of each. A list that
    /// its entries do not fill gives no name.
    fn read_server_name(&mut self, data: &'a [u8]) -> Option<()> {
        let mut c = Cursor(data);
        let mut list = Cursor(c.vec16()?);
        let mut fine = c.is_empty() && !list.is_empty();
        let mut host_name = None;
        while !list.is_empty() {
            let kind = list.u8()?;
            let name = list.vec16()?;
            if kind == 0 {
                fine &= host_name.is_none() && !name.is_empty();
                host_name = host_name.or(Some(name));
            }
        }
        self.server_name = host_name.filter(|name| !name.is_empty());
        fine.then_some(())
    }

    fn read_alpn(&mut self, data: &'a [u8]) -> Option<()> {
        let mut c = Cursor(data);
        let mut list = Cursor(c.vec16()?);
        self.alpn = Some(list.vec8().filter(|p| !p.is_empty())?);
        c.is_empty().then_some(())
    }

    fn read_versions(&mut self, data: &'a [u8]) -> Option<()> {
        let mut c = Cursor(data);
        let mut list = Cursor(c.vec8()?);
        let mut highest = None;
        while !list.is_empty() {
            let version = list.u16()?;
            // Others are GREASE (RFC 8701) and drafts.
            if version >> 8 == 3 {
                highest = highest.max(Some(version));
            }
        }
        self.version = highest.unwrap_or(self.version);
        c.is_empty().then_some(())
    }
}

/// Which of the extensions that are read have come.
#[derive(Default)]
struct Seen(u8);

impl Seen {
    /// Notes one; whether it had come before.
    fn again(&mut self, bit: u8) -> bool {
        let before = self.0 & bit != 0;
        self.0 |= bit;
        before
    }
}

#[cfg(test)]
mod tests;
