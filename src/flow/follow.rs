//! How far a followed contact got.

use super::assembly::Took;
use super::events::{Note, Notes, Progress, Token};
use crate::base::Stage;
use crate::protocol::Probe;
use crate::protocol::http;
use crate::protocol::tls::{self, ServerFirst};

/// Payload bytes from the server after the request that make a transfer.
const TRANSFER: u32 = 2048;
/// Server bytes that must be acknowledged, where only the client's direction
/// was seen, before a TLS server counts as connected: a ServerHello with its
/// record header has at least these, an alert has 7.
const ACKED_HELLO: u32 = 40;
/// Most bytes of a server's first message that are held.
const MAX_HEAD: usize = 32 << 10;

/// What the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not known (yet).
    Plain,
    /// TLS.
    Tls,
    /// HTTP/1.
    Http,
    /// HTTP CONNECT; what answers is the proxy.
    Connect,
}

/// The progress of one followed TCP contact.
#[derive(Debug)]
pub(super) struct Follow {
    pub(super) token: Token,
    kind: Kind,
    stage: Stage,
    /// The server's answer was understood; its bytes need no more reading.
    answered: bool,
    /// Where the server's stream stood when this exchange began.
    exchange_at: u32,
    /// Where it stood at the client's first request.
    request_at: Option<u32>,
    /// TLS version that the server chose.
    tls_version: Option<u16>,
    /// Encrypted records that the client sent.
    app_records: u8,
    /// The last status line allows a transfer.
    ok_status: bool,
    pub(super) counted_client: u32,
    pub(super) counted_server: u32,
}

impl Follow {
    pub(super) fn new(token: Token, client_at: u32, server_at: u32) -> Self {
        Follow {
            token,
            kind: Kind::Plain,
            stage: Stage::Attempted,
            answered: false,
            exchange_at: server_at,
            request_at: None,
            tls_version: None,
            app_records: 0,
            ok_status: false,
            counted_client: client_at,
            counted_server: server_at,
        }
    }

    /// The client began an exchange of this kind.
    pub(super) fn begin(&mut self, kind: Kind, server_at: u32) {
        if self.kind == Kind::Http && kind == Kind::Http {
            return; // a further request of the same connection
        }
        self.kind = kind;
        self.answered = false;
        self.exchange_at = server_at;
        self.request_at = (kind == Kind::Http).then_some(server_at);
    }

    /// Where the server's stream stands was learned, or the client spoke
    /// first only now.
    pub(super) fn rebase(&mut self, server_at: u32) {
        if self.kind == Kind::Plain && self.stage < Stage::Connected {
            self.exchange_at = server_at;
        }
    }

    /// Whether the server's bytes still have to be read.
    pub(super) fn wants_server(&self) -> bool {
        !self.answered && self.kind != Kind::Plain
    }

    /// Reads the server's stream in order.
    pub(super) fn server_bytes(&mut self, bytes: &[u8], out: &mut Progress) -> Took {
        match self.kind {
            Kind::Plain => Took::Enough,
            Kind::Tls => match tls::server_first(bytes) {
                Probe::More(_) if bytes.len() < MAX_HEAD => Took::Bytes(0),
                Probe::Found(ServerFirst::Hello { version, retry }) => {
                    self.answered = true;
                    if !retry || self.tls_version.is_none() {
                        self.tls_version = Some(version);
                    }
                    self.raise(Stage::Connected, out);
                    Took::Enough
                }
                Probe::Found(ServerFirst::Alert { .. }) => {
                    self.answered = true;
                    out.notes = out.notes.with(Note::TlsAlert);
                    Took::Enough
                }
                _ => {
                    self.answered = true;
                    Took::Enough
                }
            },
            Kind::Http => match http::status(bytes) {
                Probe::More(_) if bytes.len() < MAX_HEAD => Took::Bytes(0),
                Probe::Found(status) => {
                    self.answered = true;
                    self.status(status.code, out);
                    Took::Enough
                }
                _ => {
                    self.answered = true;
                    Took::Enough
                }
            },
            Kind::Connect => match http::status(bytes) {
                Probe::More(_) if bytes.len() < MAX_HEAD => Took::Bytes(0),
                Probe::Found(status) => {
                    self.answered = true;
                    if !(200..300).contains(&status.code) {
                        out.notes = out.notes.with(Note::ProxyRefused);
                    }
                    Took::Enough
                }
                _ => {
                    self.answered = true;
                    Took::Enough
                }
            },
        }
    }

    /// A status line, first or later.
    pub(super) fn status(&mut self, code: u16, out: &mut Progress) {
        if self.kind != Kind::Http || (100..200).contains(&code) {
            return;
        }
        self.ok_status = matches!(code, 200 | 206 | 304);
        self.raise(Stage::Connected, out);
    }

    /// Whether a later segment of the server may hold a status line.
    pub(super) fn is_http(&self) -> bool {
        self.kind == Kind::Http
    }

    /// The header of a record that the client sent after its ClientHello.
    pub(super) fn client_record(&mut self, content_type: u8, server_at: u32) {
        if content_type != 23 || self.request_at.is_some() {
            return;
        }
        self.app_records = self.app_records.saturating_add(1);
        // In TLS 1.3 the first encrypted record holds the Finished. Where the
        // version was not seen the stricter rule holds.
        let first_request = if self.tls_version.is_some_and(|v| v < 0x0304) { 1 } else { 2 };
        if self.app_records >= first_request {
            self.request_at = Some(server_at);
        }
    }

    /// Judges the stage by where the streams stand.
    pub(super) fn judge(&mut self, server_at: u32, client_spoke: bool, server_seen: bool, out: &mut Progress) {
        if self.stage >= Stage::Transferred {
            return;
        }
        let since = server_at.wrapping_sub(self.exchange_at);
        let since = if since < 1 << 31 { since } else { 0 };
        match self.kind {
            Kind::Plain if client_spoke && since > u32::from(!server_seen) && self.stage < Stage::Connected => {
                out.notes = out.notes.with_if(!server_seen, Note::OneSided);
                self.raise(Stage::Connected, out);
            }
            Kind::Tls if !server_seen && since >= ACKED_HELLO && self.stage < Stage::Connected => {
                out.notes = out.notes.with(Note::OneSided);
                self.raise(Stage::Connected, out);
            }
            Kind::Http if !server_seen && since > 1 && self.stage < Stage::Connected => {
                out.notes = out.notes.with(Note::OneSided);
                self.raise(Stage::Connected, out);
            }
            _ => {}
        }
        if let Some(at) = self.request_at {
            let body = server_at.wrapping_sub(at);
            let allowed = match self.kind {
                Kind::Tls => true,
                Kind::Http => self.ok_status,
                Kind::Plain | Kind::Connect => false,
            };
            if allowed && self.stage >= Stage::Connected && (TRANSFER..1 << 31).contains(&body) {
                self.raise(Stage::Transferred, out);
            }
        }
    }

    /// The server reset the connection.
    pub(super) fn reset(&mut self, client_spoke: bool) -> Notes {
        if self.stage >= Stage::Connected {
            Notes::NONE
        } else if client_spoke {
            Notes::NONE.with(Note::Reset)
        } else {
            Notes::NONE.with(Note::Refused)
        }
    }

    fn raise(&mut self, stage: Stage, out: &mut Progress) {
        if stage > self.stage {
            self.stage = stage;
            out.stage = Some(stage);
        }
    }
}

/// Follows TLS record boundaries through a stream after its ClientHello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordWalker {
    left: usize,
}

impl RecordWalker {
    /// A walker that starts with so many bytes left of a record.
    pub(super) fn inside(left: usize) -> Self {
        RecordWalker { left }
    }

    /// Takes bytes in order; hands each record's content type to `record`.
    /// `None` if what follows is no record.
    pub(super) fn take(&mut self, bytes: &[u8], mut record: impl FnMut(u8)) -> Option<usize> {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..)?;
            let skip = self.left.min(rest.len());
            self.left = self.left.saturating_sub(skip);
            used = used.saturating_add(skip);
            let Some(header) = bytes.get(used..).and_then(<[u8]>::first_chunk::<5>) else {
                return Some(used);
            };
            if self.left > 0 {
                return Some(used);
            }
            let h = tls::record_header(header)?;
            record(h.content_type);
            self.left = h.len;
            used = used.saturating_add(5);
        }
    }
}
