//! How far a followed TCP contact got.

use super::assembly::{Assembly, Took};
pub(super) use super::awaited::Awaited;
use super::awaited::Said;
use super::events::{Note, Notes, Progress, Token};
use super::http2::{Asked, Http2Answers};
use crate::base::Stage;
use crate::protocol::Probe;
use crate::protocol::http;
use crate::protocol::tls::{self, ServerFirst};

/// Payload bytes from the server after the request that make a transfer.
pub(super) const TRANSFER: u32 = 2048;
/// Server bytes that must be acknowledged, where the server's first message
/// was not seen, before a TLS server counts as connected: a ServerHello with
/// its record header has at least these, an alert has 7.
const ACKED_HELLO: u32 = 40;
/// Most bytes of a server's first message that are held.
const MAX_HEAD: usize = 32 << 10;
/// TLS 1.3.
const TLS13: u16 = 0x0304;

/// What the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not known (yet).
    Plain,
    /// TLS.
    Tls,
    /// HTTP/1.
    Http,
    /// HTTP CONNECT or SOCKS; what answers is the proxy.
    Proxy,
    /// HTTP/2.
    Http2,
}

/// The progress of one followed TCP contact.
#[derive(Debug)]
pub(super) struct Follow {
    pub(super) token: Token,
    kind: Kind,
    stage: Stage,
    /// What is said before the answer.
    awaited: Awaited,
    /// The server's answer was understood; its bytes need no more reading.
    answered: bool,
    /// The server's answer cannot be read: bytes of it are missing.
    lost: bool,
    /// A proxy would not connect.
    refused: bool,
    /// Where the server's stream stood when this exchange began.
    exchange_at: u32,
    /// Where it stood at the client's first request.
    request_at: Option<u32>,
    /// TLS version that the server chose.
    tls_version: Option<u16>,
    /// Encrypted records that the client sent after the server's answer.
    app_records: u8,
    /// The last status line allows a transfer.
    ok_status: bool,
    /// The status of the answer that was read last.
    answered_with: Option<u16>,
    /// The request offers to switch to HTTP/2.
    offers_http2: bool,
    /// The last request has the form that proxies get.
    to_proxy: bool,
    /// The server's half of an HTTP/2 connection, while it can be read.
    pub(super) http2: Option<Box<Http2Answers>>,
    /// Up to where the streams' bytes were counted.
    pub(super) counted_client: u32,
    pub(super) counted_server: u32,
}

/// Bytes from `counted` to `now`, which is counted from then on.
fn count(counted: &mut u32, now: u32) -> u64 {
    let fresh = now.wrapping_sub(*counted);
    if fresh >= 1 << 30 {
        return 0;
    }
    *counted = now;
    u64::from(fresh)
}

impl Follow {
    pub(super) fn new(token: Token, client_at: u32, server_at: u32) -> Self {
        Follow {
            token,
            kind: Kind::Plain,
            stage: Stage::Attempted,
            awaited: Awaited::Nothing,
            answered: false,
            lost: false,
            refused: false,
            exchange_at: server_at,
            request_at: None,
            tls_version: None,
            app_records: 0,
            ok_status: false,
            answered_with: None,
            offers_http2: false,
            to_proxy: false,
            http2: None,
            counted_client: client_at,
            counted_server: server_at,
        }
    }

    /// The client began an exchange of this kind. Whether the server's bytes
    /// are to be read from there on. `awaited` is what may come before their
    /// answer.
    pub(super) fn begin(&mut self, kind: Kind, awaited: Awaited, server_at: u32) -> bool {
        if self.kind == Kind::Http && kind == Kind::Http {
            return false; // a further request of the same connection
        }
        self.kind = kind;
        self.awaited = awaited;
        (self.answered, self.lost, self.refused) = (false, false, false);
        self.exchange_at = server_at;
        self.request_at = (kind == Kind::Http).then_some(server_at);
        (self.tls_version, self.app_records, self.ok_status, self.answered_with) = (None, 0, false, None);
        true
    }

    /// The client says something that is not known, through a tunnel if a
    /// proxy agreed to one.
    pub(super) fn begin_plain(&mut self, server_at: u32) {
        match self.kind {
            Kind::Proxy if self.answered && !self.refused => {
                self.begin(Kind::Plain, Awaited::Nothing, server_at);
            }
            _ => self.rebase(server_at),
        }
    }

    /// Where the server's stream stands was learned, or the client spoke
    /// first only now.
    pub(super) fn rebase(&mut self, server_at: u32) {
        if self.stage < Stage::Connected && (self.kind == Kind::Plain || !self.answered && self.request_at.is_none()) {
            self.exchange_at = server_at;
        }
    }

    /// The server's part of a TLS handshake was read, up to its certificate;
    /// the client's was missed.
    pub(super) fn served(&mut self, out: &mut Progress) {
        (self.kind, self.answered, self.awaited) = (Kind::Tls, true, Awaited::Nothing);
        // Only up to here is a certificate sent in clear.
        self.tls_version = Some(TLS13.saturating_sub(1));
        self.raise(Stage::Connected, out);
    }

    /// Payload of the client up to `now` that was not counted.
    pub(super) fn count_client(&mut self, now: u32) -> u64 {
        count(&mut self.counted_client, now)
    }

    /// Payload of the server up to `now` that was not counted.
    pub(super) fn count_server(&mut self, now: u32) -> u64 {
        count(&mut self.counted_server, now)
    }

    /// Whether the server's bytes still have to be read.
    pub(super) fn wants_server(&self) -> bool {
        !self.answered && !self.lost && self.kind != Kind::Plain
    }

    /// Whether the headers of the client's records still matter.
    pub(super) fn wants_records(&self) -> bool {
        self.kind == Kind::Tls && self.request_at.is_none()
    }

    /// Bytes of the server's answer are missing: what it acknowledges and is
    /// acknowledged must do.
    pub(super) fn lose_server(&mut self) {
        self.lost = true;
        self.http2 = None;
    }

    /// Whether missing bytes of the server hold nothing that matters.
    pub(super) fn pass_over(&mut self, missing: u64) -> bool {
        self.http2.as_mut().is_some_and(|h| h.pass_over(missing))
    }

    /// Whether the request offers to switch to HTTP/2.
    pub(super) fn offer_http2(&mut self, offers: bool) {
        self.offers_http2 = offers;
    }

    /// Whether a request of HTTP/1 has the form that proxies get.
    pub(super) fn ask_proxy(&mut self, to_proxy: bool) {
        self.to_proxy = to_proxy;
    }

    /// The client asked over HTTP/2. `reading` is what reads the server's
    /// stream, if something does; returns what is to read it from now on.
    pub(super) fn begin_http2(
        &mut self,
        asked: Asked,
        server_at: u32,
        reading: Option<(Box<Http2Answers>, Box<Assembly>)>,
    ) -> Option<Box<Assembly>> {
        if self.kind == Kind::Http2 && asked.again {
            let (mut answers, back) = reading?;
            answers.asked_again(asked);
            self.http2 = Some(answers);
            return Some(back);
        }
        self.kind = Kind::Http2;
        (self.answered, self.lost, self.refused) = (false, false, false);
        (self.exchange_at, self.request_at, self.ok_status) = (server_at, None, false);
        let (mut answers, back) =
            reading.unwrap_or_else(|| (Box::new(Http2Answers::new(!asked.first)), Box::new(Assembly::new(server_at))));
        answers.asked(asked);
        self.http2 = Some(answers);
        Some(back)
    }

    /// Reads the server's stream in order.
    pub(super) fn server_bytes(&mut self, bytes: &[u8], out: &mut Progress) -> Took {
        let mut rest = bytes;
        let took = self.pass_awaited(&mut rest, out).unwrap_or_else(|| self.answer(rest, out));
        let passed = bytes.len().saturating_sub(rest.len());
        self.exchange_at = self.exchange_at.wrapping_add(u32::try_from(passed).unwrap_or(0));
        match took {
            Took::Bytes(n) => Took::Bytes(passed.saturating_add(n)),
            Took::Enough => {
                self.answered = true;
                Took::Enough
            }
        }
    }

    /// Passes over what is said before the answer; `None` if the answer is
    /// next.
    fn pass_awaited(&mut self, rest: &mut &[u8], out: &mut Progress) -> Option<Took> {
        while self.awaited != Awaited::Nothing {
            if rest.is_empty() {
                return Some(Took::Bytes(0));
            }
            let n = match self.awaited.read(rest) {
                Said::Other(n) => n,
                Said::Consent(n) => {
                    self.awaited = Awaited::Nothing;
                    n
                }
                Said::Refusal => {
                    self.refused = true;
                    out.notes = out.notes.with(Note::ProxyRefused);
                    return Some(Took::Enough);
                }
                Said::More if rest.len() < MAX_HEAD => return Some(Took::Bytes(0)),
                Said::More | Said::Else => {
                    self.awaited = Awaited::Nothing;
                    0
                }
            };
            *rest = rest.get(n..).unwrap_or(&[]);
        }
        if self.kind == Kind::Proxy {
            return Some(Took::Enough);
        }
        rest.is_empty().then_some(Took::Bytes(0))
    }

    /// Reads the answer itself.
    fn answer(&mut self, bytes: &[u8], out: &mut Progress) -> Took {
        match self.kind {
            Kind::Plain | Kind::Proxy => {}
            Kind::Tls => match tls::server_first(bytes) {
                Probe::More(_) if bytes.len() < MAX_HEAD => return Took::Bytes(0),
                Probe::Found(ServerFirst::Hello { version, .. }) => {
                    self.tls_version = Some(version);
                    self.raise(Stage::Connected, out);
                }
                Probe::Found(ServerFirst::Alert { .. }) => out.notes = out.notes.with(Note::TlsAlert),
                _ => {}
            },
            Kind::Http2 => return self.http2_bytes(bytes, 0, out),
            Kind::Http => match final_status(bytes) {
                Probe::More(_) if bytes.len() < MAX_HEAD => return Took::Bytes(0),
                Probe::Found((101, used)) if self.offers_http2 => {
                    let head = bytes.get(used..).and_then(|b| memchr::memmem::find(b, b"\r\n\r\n"));
                    return match head {
                        Some(end) => self.switch_to_http2(bytes, used.saturating_add(end).saturating_add(4), out),
                        None if bytes.len() < MAX_HEAD => Took::Bytes(0),
                        None => Took::Enough,
                    };
                }
                Probe::Found((code, used)) => {
                    self.answered_with = Some(code);
                    let at = self.exchange_at.wrapping_add(u32::try_from(used).unwrap_or(0));
                    self.status(code, at, out);
                }
                _ => {}
            },
        }
        Took::Enough
    }

    /// The server agreed to HTTP/2, in which it answers the request as stream
    /// 1 (RFC 7540 section 3.2).
    fn switch_to_http2(&mut self, bytes: &[u8], from: usize, out: &mut Progress) -> Took {
        self.kind = Kind::Http2;
        self.raise(Stage::Connected, out);
        let mut answers = Http2Answers::new(false);
        answers.asked(Asked { stream: 1, tunnel: false, first: true, again: false });
        self.http2 = Some(Box::new(answers));
        self.http2_bytes(bytes, from, out)
    }

    /// Reads the server's frames from `from` on.
    fn http2_bytes(&mut self, bytes: &[u8], from: usize, out: &mut Progress) -> Took {
        let Some(answers) = self.http2.as_mut() else { return Took::Enough };
        let before = self.stage;
        let took = answers.read(bytes, from, &mut self.stage, &mut out.notes);
        if self.stage > before {
            out.stage = Some(self.stage);
        }
        if took == Took::Enough {
            self.lose_server();
        }
        took
    }

    /// A status line, first or later, that begins at `at` of the server's
    /// stream. From the first that allows a transfer on its bytes count.
    pub(super) fn status(&mut self, code: u16, at: u32, out: &mut Progress) {
        if self.kind != Kind::Http || is_interim(code) {
            return;
        }
        out.status = Some(code);
        if is_between(code, self.to_proxy) {
            self.ok_status = false;
            if self.stage < Stage::Connected {
                out.notes = out.notes.with(Note::ProxyRefused);
            }
            return;
        }
        let ok = matches!(code, 200 | 206 | 304);
        if ok && !self.ok_status {
            self.request_at = Some(at);
        }
        self.ok_status = ok;
        self.raise(Stage::Connected, out);
    }

    /// The status of the answer that was read since this was last asked.
    pub(super) fn take_status(&mut self) -> Option<u16> {
        self.answered_with.take()
    }

    /// Whether a later segment of the server may hold a status line that
    /// matters.
    pub(super) fn is_http(&self) -> bool {
        self.kind == Kind::Http && self.stage < Stage::Transferred
    }

    /// The header of a record that the client sent after its ClientHello.
    pub(super) fn client_record(&mut self, content_type: u8, server_at: u32) {
        // Encrypted records before the server's answer are early data.
        if content_type != 23 || self.request_at.is_some() || self.stage < Stage::Connected {
            return;
        }
        self.app_records = self.app_records.saturating_add(1);
        // In TLS 1.3 the first encrypted record holds the Finished. Where the
        // version was not seen the stricter rule holds.
        let first_request = if self.tls_version.is_some_and(|v| v < TLS13) { 1 } else { 2 };
        if self.app_records >= first_request {
            self.request_at = Some(server_at);
        }
    }

    /// Judges the stage by where the streams stand.
    pub(super) fn judge(&mut self, server_at: u32, client_spoke: bool, server_seen: bool, out: &mut Progress) {
        if self.stage >= Stage::Transferred {
            return;
        }
        if self.stage < Stage::Connected {
            let since = server_at.wrapping_sub(self.exchange_at);
            let since = if since < 1 << 30 { since } else { 0 };
            let unread = !server_seen || self.lost;
            let proved = match self.kind {
                Kind::Plain => client_spoke && since > u32::from(!server_seen),
                Kind::Tls => unread && since >= ACKED_HELLO,
                // Its FIN takes a number too.
                Kind::Http | Kind::Http2 => unread && since > 1,
                Kind::Proxy => false,
            };
            if proved && !self.awaited.is_proxys() {
                out.notes = out.notes.with_if(!server_seen, Note::OneSided).with_if(self.lost, Note::Gap);
                self.raise(Stage::Connected, out);
            }
        }
        if let Some(at) = self.request_at {
            let allowed = match self.kind {
                Kind::Tls => true,
                Kind::Http => self.ok_status,
                Kind::Plain | Kind::Proxy | Kind::Http2 => false,
            };
            let body = server_at.wrapping_sub(at);
            if allowed && self.stage >= Stage::Connected && (TRANSFER..1 << 30).contains(&body) {
                self.raise(Stage::Transferred, out);
            }
        }
    }

    /// What a reset by the server says.
    pub(super) fn reset(&self, client_spoke: bool) -> Notes {
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

/// Interim responses come before the final one (RFC 9110 section 15.2); 101 is
/// final.
pub(super) fn is_interim(code: u16) -> bool {
    (100..200).contains(&code) && code != 101
}

/// Whether somebody between client and server says by this status that the
/// server was not reached: of a proxy, that it may not be asked (403), that the
/// proxy wants a password (407), that it failed to reach the server (502 to
/// 504, RFC 9110 section 15.6); in any case, that the network wants one (511,
/// RFC 6585 section 6).
fn is_between(code: u16, to_proxy: bool) -> bool {
    code == 511 || to_proxy && matches!(code, 403 | 407 | 502..=504)
}

/// The first status that is not interim, and where its line begins.
pub(super) fn final_status(stream: &[u8]) -> Probe<(u16, usize)> {
    let mut at = 0_usize;
    loop {
        let rest = stream.get(at..).unwrap_or(&[]);
        match http::status(rest) {
            Probe::Found(s) if is_interim(s.code) => match memchr::memmem::find(rest, b"\r\n\r\n") {
                Some(end) => at = at.saturating_add(end).saturating_add(4),
                None => return Probe::More(stream.len().saturating_add(1)),
            },
            Probe::Found(s) => return Probe::Found((s.code, at)),
            Probe::More(n) => return Probe::More(at.saturating_add(n)),
            Probe::Not => return Probe::Not,
        }
    }
}

/// Follows TLS record boundaries through a stream after its ClientHello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordWalker {
    left: u64,
}

impl RecordWalker {
    /// A walker that starts with so many bytes left of a record.
    pub(super) fn inside(left: usize) -> Self {
        RecordWalker { left: left as u64 }
    }

    /// Passes over bytes that were not captured. Where they held more than
    /// the rest of a record, the next byte is taken to begin one.
    pub(super) fn skip(&mut self, missing: u64) {
        self.left = self.left.saturating_sub(missing);
    }

    /// Passes over the rest of a record: how many of `bytes` belong to it.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        let passed = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.left = self.left.saturating_sub(passed as u64);
        passed
    }

    /// Takes bytes in order; hands each record's content type to `record`.
    /// `None` if what follows is no record.
    pub(super) fn take(&mut self, bytes: &[u8], mut record: impl FnMut(u8)) -> Option<usize> {
        let mut rest = bytes;
        loop {
            rest = rest.get(self.pass(rest)..)?;
            let Some((header, after)) = rest.split_first_chunk::<5>() else {
                return Some(bytes.len().saturating_sub(rest.len()));
            };
            let h = tls::record_header(header)?;
            record(h.content_type);
            self.left = h.len as u64;
            rest = after;
        }
    }
}
