//! Protocols that begin in plain text and change to TLS when the client asks
//! for it.
//!
//! Reads the client's messages one by one up to the one that asks, and the
//! server's up to the end of its consent. What a client sends behind the start
//! of a mail or a file is never looked at: text in there asks for nothing.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod binary;
mod lines;

use super::Probe;

/// A protocol with a message that asks for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Commands in lines: SMTP and LMTP (RFC 3207), IMAP and POP3 (RFC 2595),
    /// FTP (RFC 4217), NNTP (RFC 4642), ManageSieve (RFC 5804).
    Lines,
    /// XMPP (RFC 6120 section 5).
    Xmpp,
    /// PostgreSQL (Frontend/Backend Protocol, SSLRequest and GSSENCRequest).
    Postgres,
    /// MySQL and MariaDB (client/server protocol, SSLRequest).
    MySql,
    /// LDAP (RFC 4511 section 4.14).
    Ldap,
    /// RDP (MS-RDPBCGR section 2.2.1.1), and what else begins with an X.224
    /// connection request (RFC 1006).
    Rdp,
    /// Microsoft SQL Server (MS-TDS section 2.2.6.5): the TLS handshake is
    /// wrapped in packets of its own.
    Tds,
}

/// So many bytes of a binary form are believed. Frames carry up to six bytes
/// of padding that is taken for payload, most of them zero, before a stream's
/// real bytes in the same place.
const MIN_BINARY: usize = 4;

/// What comes next in the client's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A message of so many bytes that asks for nothing.
    Other(usize),
    /// A message of so many bytes that asks for TLS: a ClientHello may follow.
    Tls(usize),
    /// Ask again when more bytes are at hand than were given.
    More,
    /// Nothing of this protocol, or the start of what is not to be read.
    End,
}

/// What comes next in the server's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// So many bytes that belong to the plain protocol.
    Other(usize),
    /// Ask again when more bytes are at hand than were given.
    More,
    /// TLS, or nothing that is understood.
    End,
}

/// Whether bytes begin, as far as at hand, with a TLS handshake record.
fn is_handshake(rest: &[u8]) -> bool {
    rest.first() == Some(&22) && rest.get(1).is_none_or(|major| *major == 3)
}

impl Protocol {
    fn is_binary(self) -> bool {
        !matches!(self, Protocol::Lines | Protocol::Xmpp)
    }

    /// The protocol whose client begins a stream with these bytes.
    /// [`Probe::More`] comes only where they begin a word, or four bytes of a
    /// form, that is known.
    pub fn of_client(stream: &[u8]) -> Probe<Protocol> {
        for (protocol, begins) in [
            (Protocol::Xmpp, lines::begins_xmpp(stream)),
            (Protocol::Postgres, binary::begins_postgres(stream)),
            (Protocol::MySql, binary::begins_mysql(stream)),
            (Protocol::Ldap, binary::begins_ldap(stream)),
            (Protocol::Rdp, binary::begins_rdp(stream)),
            (Protocol::Tds, binary::begins_tds(stream)),
            (Protocol::Lines, lines::begins(stream)),
        ] {
            match begins {
                Probe::Not => {}
                Probe::More(_) if protocol.is_binary() && stream.len() < MIN_BINARY => {}
                Probe::More(n) => return Probe::More(n),
                Probe::Found(()) => return Probe::Found(protocol),
            }
        }
        Probe::Not
    }

    /// Whether a segment of a client, taken by itself, begins with a message
    /// of this module that asks for TLS.
    pub fn asks(segment: &[u8]) -> bool {
        match Protocol::of_client(segment) {
            Probe::Found(protocol) => matches!(protocol.client(segment), Ask::Tls(_)),
            _ => false,
        }
    }

    /// Reads the client's next message.
    pub fn client(self, rest: &[u8]) -> Ask {
        match self {
            Protocol::Lines => lines::client(rest),
            Protocol::Xmpp => lines::client_xmpp(rest),
            Protocol::Postgres => binary::client_postgres(rest),
            Protocol::MySql => binary::client_mysql(rest),
            Protocol::Ldap => binary::client_ldap(rest),
            Protocol::Rdp => binary::client_rdp(rest),
            Protocol::Tds => binary::client_tds(rest),
        }
    }

    /// Reads what the server says before it speaks TLS.
    pub fn server(self, rest: &[u8]) -> Reply {
        if matches!(rest.first(), Some(21 | 22)) {
            return Reply::End;
        }
        match self {
            Protocol::Lines => lines::server(rest),
            Protocol::Xmpp => lines::server_xmpp(rest),
            Protocol::Postgres => binary::server_postgres(rest),
            Protocol::MySql => binary::server_mysql(rest),
            Protocol::Ldap => binary::server_ldap(rest),
            Protocol::Rdp => binary::server_rdp(rest),
            Protocol::Tds => binary::server_tds(rest),
        }
    }
}

/// Whether text ends with a line that asks for TLS.
pub fn ends_asking(text: &[u8]) -> bool {
    let end = text.strip_suffix(b"\n").unwrap_or(text);
    let line = memchr::memrchr(b'\n', end).map_or(text, |at| text.get(at.saturating_add(1)..).unwrap_or(&[]));
    text.ends_with(b"\n") && matches!(lines::client(line), Ask::Tls(_))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
