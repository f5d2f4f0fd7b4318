//! What a server, or a proxy before it, still says before it answers what the
//! client said last.

use super::follow::final_status;
use crate::protocol::Probe;
use crate::protocol::socks;
use crate::protocol::starttls::{Protocol, Reply};

/// Messages that are expected first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Awaited {
    /// None.
    #[default]
    Nothing,
    /// Those of a protocol that changes to TLS.
    Plain(Protocol),
    /// A proxy's answer to CONNECT.
    Connect,
    /// A SOCKS 4 proxy's answer.
    Socks4,
    /// A SOCKS 5 proxy's answer, perhaps behind the one to the greeting.
    Socks5 {
        /// The greeting was not answered yet.
        greeting: bool,
    },
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// So many bytes of a message after which more may come.
    Other(usize),
    /// The last message, of so many bytes.
    Consent(usize),
    /// The proxy will not connect.
    Refusal,
    /// Not all of a message.
    More,
    /// What the server itself says, or nothing that is understood.
    Else,
}

impl Awaited {
    /// Whether a proxy says it.
    pub(super) fn is_proxys(self) -> bool {
        matches!(self, Awaited::Connect | Awaited::Socks4 | Awaited::Socks5 { .. })
    }

    /// Reads the next message.
    pub(super) fn read(&mut self, rest: &[u8]) -> Said {
        match *self {
            Awaited::Nothing => Said::Else,
            Awaited::Plain(protocol) => match protocol.server(rest) {
                Reply::Other(n) => Said::Other(n),
                Reply::More => Said::More,
                Reply::End => Said::Else,
            },
            Awaited::Connect => match final_status(rest) {
                Probe::Found((code, at)) if (200..300).contains(&code) => {
                    let head = rest.get(at..).unwrap_or(&[]);
                    match memchr::memmem::find(head, b"\r\n\r\n") {
                        Some(end) => Said::Consent(at.saturating_add(end).saturating_add(4)),
                        None => Said::More,
                    }
                }
                Probe::Found(_) => Said::Refusal,
                Probe::More(_) => Said::More,
                Probe::Not => Said::Else,
            },
            Awaited::Socks4 => said(socks::reply4(rest)),
            Awaited::Socks5 { greeting: false } if rest.first() == Some(&5) => said(socks::reply5(rest)),
            // The answer to a greeting, or to a password.
            Awaited::Socks5 { .. } => match said(socks::reply_to_greeting(rest)) {
                Said::Consent(n) => {
                    *self = Awaited::Socks5 { greeting: false };
                    Said::Other(n)
                }
                other => other,
            },
        }
    }
}

fn said(reply: Probe<socks::Reply>) -> Said {
    match reply {
        Probe::Found(socks::Reply::Granted(n)) => Said::Consent(n),
        Probe::Found(socks::Reply::Refused) => Said::Refusal,
        Probe::More(_) => Said::More,
        Probe::Not => Said::Else,
    }
}
