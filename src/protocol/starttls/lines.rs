//! Commands in lines, and XMPP's elements.

use super::{Ask, Probe, Reply, is_handshake};

/// Longest line; the longest of the protocols is IMAP's (RFC 7162 section 4).
const MAX_LINE: usize = 8192;
/// Longest word that is looked at.
const MAX_WORD: usize = 24;
/// Longest element of an XMPP stream's start.
const MAX_ELEMENT: usize = 4096;

/// Commands that a client's stream begins with.
const FIRST: [&[u8]; 14] = [
    b"EHLO",
    b"HELO",
    b"LHLO",
    b"STARTTLS",
    b"USER",
    b"CAPA",
    b"STLS",
    b"AUTH",
    b"FEAT",
    b"CAPABILITIES",
    b"CAPABILITY",
    b"MODE",
    b"HOST",
    b"APOP",
];
/// The same behind IMAP's tag.
const FIRST_TAGGED: [&[u8]; 7] = [b"CAPABILITY", b"STARTTLS", b"LOGIN", b"AUTHENTICATE", b"ID", b"NOOP", b"ENABLE"];
/// Commands that a message or a file follows, or that end the part in which
/// TLS may be asked for.
const LAST: [&[u8]; 10] =
    [b"DATA", b"BDAT", b"BURL", b"POST", b"IHAVE", b"TAKETHIS", b"PUTSCRIPT", b"STOR", b"RETR", b"QUIT"];
/// The same behind IMAP's tag.
const LAST_TAGGED: [&[u8]; 4] = [b"APPEND", b"SELECT", b"EXAMINE", b"LOGOUT"];

/// The first word of a line and what follows it; `None` if it is too long.
fn word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().take(MAX_WORD).position(|b| matches!(b, b' ' | b'\r' | b'\n'));
    match end {
        Some(at) => line.split_at_checked(at),
        None => (line.len() < MAX_WORD).then_some((line, &[])),
    }
}

fn is_one_of(word: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|w| w.eq_ignore_ascii_case(word))
}

fn begins_one_of(part: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|w| w.get(..part.len()).is_some_and(|head| head.eq_ignore_ascii_case(part)))
}

/// Whether a stream begins with a command.
pub(super) fn begins(stream: &[u8]) -> Probe<()> {
    let Some((first, rest)) = word(stream).filter(|(w, _)| !w.is_empty()) else { return Probe::Not };
    let more = Probe::More(stream.len().saturating_add(1));
    if rest.is_empty() {
        return if begins_one_of(first, &FIRST) { more } else { Probe::Not };
    }
    if is_one_of(first, &FIRST) {
        return Probe::Found(());
    }
    let is_tag = first.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    let Some(rest) = rest.strip_prefix(b" ").filter(|_| is_tag) else { return Probe::Not };
    match word(rest) {
        Some((second, behind)) if !second.is_empty() && behind.is_empty() => {
            if begins_one_of(second, &FIRST_TAGGED) {
                more
            } else {
                Probe::Not
            }
        }
        Some((second, _)) if is_one_of(second, &FIRST_TAGGED) => Probe::Found(()),
        _ => Probe::Not,
    }
}

/// The length of the line at the start, its end included; `Err` if there is
/// none (yet), with whether one may come.
fn line_end(rest: &[u8]) -> Result<usize, bool> {
    match memchr::memchr(b'\n', rest.get(..MAX_LINE).unwrap_or(rest)) {
        Some(at) => Ok(at.saturating_add(1)),
        None => Err(rest.len() < MAX_LINE),
    }
}

fn is_text(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b'\r' | b'\n' | b'\t' | b' '..=b'~' | 0x80..))
}

/// Reads a client's line.
pub(super) fn client(rest: &[u8]) -> Ask {
    let n = match line_end(rest) {
        Ok(n) => n,
        Err(may_come) if may_come && is_text(rest) => return Ask::More,
        Err(_) => return Ask::End,
    };
    let line = rest.get(..n).unwrap_or(rest);
    let Some((first, behind)) = word(line).filter(|_| is_text(line)) else {
        // A long line of text, such as credentials.
        return if is_text(line) { Ask::Other(n) } else { Ask::End };
    };
    let argument = behind.trim_ascii();
    let second = word(argument).map_or(&[][..], |(w, _)| w);
    let alone = argument.is_empty();
    let asks = alone && is_one_of(first, &[b"STARTTLS", b"STLS"])
        || is_one_of(first, &[b"AUTH"]) && is_one_of(argument, &[b"TLS", b"TLS-C", b"SSL", b"TLS-P"])
        || is_one_of(argument, &[b"STARTTLS"]);
    if asks {
        Ask::Tls(n)
    } else if is_one_of(first, &LAST) || is_one_of(second, &LAST_TAGGED) {
        Ask::End
    } else {
        Ask::Other(n)
    }
}

/// Reads a server's line.
pub(super) fn server(rest: &[u8]) -> Reply {
    match line_end(rest) {
        Ok(n) if is_text(rest.get(..n).unwrap_or(rest)) => Reply::Other(n),
        Err(true) if is_text(rest) => Reply::More,
        _ => Reply::End,
    }
}

/// Whether a stream begins as XMPP does.
pub(super) fn begins_xmpp(stream: &[u8]) -> Probe<()> {
    const STARTS: [&[u8]; 2] = [b"<?xml", b"<stream:stream"];
    if STARTS.iter().any(|s| stream.starts_with(s)) {
        Probe::Found(())
    } else if STARTS.iter().any(|s| s.starts_with(stream)) {
        Probe::More(stream.len().saturating_add(1))
    } else {
        Probe::Not
    }
}

/// The length of an element's tag at the start, white space before it
/// included.
fn element(rest: &[u8]) -> Result<(usize, &[u8]), bool> {
    let begin = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let tag = rest.get(begin..).unwrap_or(&[]);
    if !matches!(tag.first(), None | Some(b'<')) {
        return Err(false);
    }
    match memchr::memchr(b'>', rest.get(..MAX_ELEMENT).unwrap_or(rest)) {
        Some(at) => Ok((at.saturating_add(1), tag)),
        None => Err(rest.len() < MAX_ELEMENT),
    }
}

/// Reads a client's tag. Behind a stream's start there is `<starttls/>` or
/// something that ends the part in which it may be.
pub(super) fn client_xmpp(rest: &[u8]) -> Ask {
    match element(rest) {
        Ok((n, tag)) if tag.starts_with(b"<starttls") => Ask::Tls(n),
        Ok((n, tag)) if tag.starts_with(b"<?xml") || tag.starts_with(b"<stream:stream") => Ask::Other(n),
        // The end of `<starttls ...></starttls>`, where it is written so.
        Ok((n, tag)) if tag.starts_with(b"</starttls>") => Ask::Tls(n),
        Err(true) if !is_handshake(rest) => Ask::More,
        _ => Ask::End,
    }
}

/// Reads a tag, or text between two.
pub(super) fn server_xmpp(rest: &[u8]) -> Reply {
    match memchr::memchr(b'>', rest.get(..MAX_ELEMENT).unwrap_or(rest)) {
        Some(at) if is_text(rest.get(..at).unwrap_or(rest)) => Reply::Other(at.saturating_add(1)),
        None if rest.len() < MAX_ELEMENT && is_text(rest) => Reply::More,
        _ => Reply::End,
    }
}
