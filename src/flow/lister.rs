//! Every name, as the `names` command prints it.

use super::events::{At, DnsKind, HttpSeen, Notes, Progress, Seen, Sink, Token};
use super::rows::NameRows;
use crate::base::{Addr, Channel, Name, Timestamp};
use crate::coverage::{Counter, Ledger};
use crate::protocol::dns::Data;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

/// A sink that lists names and follows nothing.
#[derive(Debug)]
pub struct NameLister {
    /// Paths of the sources as JSON strings.
    files: Arc<[String]>,
    rows: NameRows,
    clock: Clock,
}

/// Writes times; most share their second with the one before.
#[derive(Debug, Default)]
struct Clock {
    second: i64,
    text: String,
}

impl Clock {
    fn write(&mut self, line: &mut Vec<u8>, ts: Timestamp) {
        if ts.secs() != self.second || self.text.is_empty() {
            self.second = ts.secs();
            self.text = Timestamp::from_parts(self.second, 0).to_string();
        }
        let nanos = ts.subsec_nanos();
        let micros = nanos / 1000;
        if nanos == 0 || !nanos.is_multiple_of(1000) || micros.is_multiple_of(1000) {
            let _ = write!(line, "{ts}");
            return;
        }
        line.extend_from_slice(self.text.trim_end_matches('Z').as_bytes());
        line.push(b'.');
        // A million more, for the zeros in front.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(micros.wrapping_add(1_000_000));
        line.extend_from_slice(digits.get(1..).unwrap_or_default().as_bytes());
        line.push(b'Z');
    }
}

fn decimal(line: &mut Vec<u8>, n: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

fn address(line: &mut Vec<u8>, addr: &Addr) {
    match addr.as_v4() {
        Some(bytes) => {
            for (i, b) in bytes.into_iter().enumerate() {
                if i > 0 {
                    line.push(b'.');
                }
                decimal(line, b.into());
            }
        }
        None => {
            let _ = write!(line, "{addr}");
        }
    }
}

/// Appends a canonical name as JSON has it, and returns where. Such names are
/// printable ASCII, in which only the quotation mark and the backslash need
/// escaping.
fn quoted(line: &mut Vec<u8>, name: &[u8]) -> Range<usize> {
    let start = line.len();
    if memchr::memchr2(b'"', b'\\', name).is_none() {
        line.extend_from_slice(name);
    } else {
        for &b in name {
            if matches!(b, b'"' | b'\\') {
                line.push(b'\\');
            }
            line.push(b);
        }
    }
    start..line.len()
}

impl NameLister {
    /// A lister for sources with these paths.
    pub fn new(files: Arc<[String]>) -> Self {
        NameLister { files, rows: NameRows::default(), clock: Clock::default() }
    }

    /// Bytes of the rows since the last call of [`drain`](Self::drain).
    pub fn waiting(&self) -> usize {
        self.rows.bytes()
    }

    /// Takes the rows of all these since the last call.
    pub fn drain<'l>(listers: impl Iterator<Item = &'l mut Self>) -> NameRows {
        // With the room that is needed: to grow shows in profiles.
        let listers: Vec<&mut Self> = listers.collect();
        let mut all = NameRows::with_room_for(listers.iter().map(|l| &l.rows));
        for lister in listers {
            all.take_from(&mut lister.rows);
        }
        all
    }

    fn row(&mut self, at: &At<'_>, channel: Channel, name: &Name, notes: Notes, ledger: &mut Ledger) {
        if name.is_empty() {
            return;
        }
        ledger.count(Counter::Names);
        if name.is_odd() {
            ledger.count(Counter::NamesOdd);
        }
        let p = at.packet;
        let file = self.files.get(at.frame.source as usize).map_or("\"\"", |f| f);
        let NameLister { rows, clock, .. } = self;
        rows.push(at.frame.number, channel, |line| {
            line.extend_from_slice(b"{\"file\":");
            line.extend_from_slice(file.as_bytes());
            line.extend_from_slice(b",\"frame\":");
            decimal(line, at.frame.number);
            line.extend_from_slice(b",\"ts\":\"");
            clock.write(line, p.ts);
            line.extend_from_slice(b"\",\"channel\":\"");
            line.extend_from_slice(channel.as_str().as_bytes());
            line.extend_from_slice(b"\",\"src\":\"");
            address(line, &p.src);
            line.extend_from_slice(b"\",\"sport\":");
            decimal(line, p.sport.into());
            line.extend_from_slice(b",\"dst\":\"");
            address(line, &p.dst);
            line.extend_from_slice(b"\",\"dport\":");
            decimal(line, p.dport.into());
            line.extend_from_slice(b",\"name\":\"");
            let name = quoted(line, name.as_bytes());
            line.push(b'"');
            if !notes.is_empty() {
                line.extend_from_slice(b",\"notes\":[");
                for (i, word) in notes.words().enumerate() {
                    line.extend_from_slice(if i > 0 { b",\"" } else { b"\"" });
                    line.extend_from_slice(word.as_bytes());
                    line.push(b'"');
                }
                line.push(b']');
            }
            line.extend_from_slice(b"}\n");
            name
        });
    }
}

impl Sink for NameLister {
    fn opened(&mut self, _: &At<'_>, _: &mut Ledger) -> Option<Token> {
        None
    }

    fn present(&mut self, _: &At<'_>, _: &mut Ledger) {}

    fn seen(&mut self, at: &At<'_>, seen: &Seen<'_>, notes: Notes, _: &mut Option<Token>, ledger: &mut Ledger) {
        match seen {
            // It was listed when it came.
            Seen::Dns(_, DnsKind::Early) => {}
            Seen::Dns(message, _) => {
                let channel = if message.response { Channel::DnsAnswer } else { Channel::DnsQuery };
                for q in &message.questions {
                    self.row(at, channel, message.name(q.name), notes, ledger);
                }
                let mut before = None;
                for r in message.answers.iter().filter(|_| message.response) {
                    let target = match r.data {
                        Data::Cname(target) => Some(message.name(target)),
                        // Several services at one name follow each other.
                        Data::Service(s) => s.target.map(|t| message.name(t)).filter(|t| before != Some(*t)),
                        _ => None,
                    };
                    if let Some(target) = target {
                        before = Some(target);
                        self.row(at, Channel::DnsCname, target, notes, ledger);
                    }
                }
            }
            Seen::Tls { name: Some(name), .. } => self.row(at, Channel::TlsSni, name, notes, ledger),
            Seen::Quic { name: Some(name), .. } => self.row(at, Channel::QuicSni, name, notes, ledger),
            Seen::Http(HttpSeen { hosts, connect, .. }) => {
                for host in *hosts {
                    self.row(at, Channel::HttpHost, host, notes, ledger);
                }
                if let Some(target) = connect {
                    self.row(at, Channel::HttpConnect, target, notes, ledger);
                }
            }
            Seen::Tls { .. }
            | Seen::Quic { .. }
            | Seen::Socks { .. }
            | Seen::Certificate { .. }
            | Seen::Host { .. }
            | Seen::Unrecognised => {}
        }
    }

    fn progress(&mut self, _: &At<'_>, _: Token, _: &Progress, _: &mut Ledger) {}

    fn closed(&mut self, _: Token, _: &mut Ledger) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_addresses_and_times_are_written_as_the_formatter_would() {
        for n in [0, 7, 10, 65_535, u64::MAX] {
            let mut line = Vec::new();
            decimal(&mut line, n);
            assert_eq!(line, n.to_string().as_bytes());
        }
        for a in ["0.0.0.0", "10.20.0.255", "2001:db8::1", "::"] {
            let mut line = Vec::new();
            address(&mut line, &a.parse().unwrap());
            assert_eq!(line, a.as_bytes());
        }
        let mut clock = Clock::default();
        for ns in
            [0, 1, 1_000, 999_000, 1_000_000, 10_020_000, 999_999_999, -1, -1_000, 3_000_000_120_000, 5_000_001_000]
        {
            let mut line = Vec::new();
            clock.write(&mut line, Timestamp(ns));
            assert_eq!(String::from_utf8(line).unwrap(), Timestamp(ns).to_string());
        }
    }
}
