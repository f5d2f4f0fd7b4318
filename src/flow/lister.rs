//! Every name, as the `names` command prints it.

use super::events::{At, DnsKind, HttpSeen, Notes, Progress, Seen, Sink, Token};
use crate::base::{Addr, Channel, Name, Timestamp};
use crate::coverage::{Counter, Ledger};
use crate::protocol::dns::Data;
use std::fmt::Write;
use std::sync::Arc;

/// One line of output and what it is ordered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameRow {
    /// Frame number in its source.
    pub frame: u64,
    /// Channel.
    pub channel: Channel,
    /// Canonical name.
    pub name: Box<str>,
    /// The JSON object, without line end.
    pub line: String,
}

/// A sink that lists names and follows nothing.
#[derive(Debug)]
pub struct NameLister {
    /// Paths of the sources as JSON strings.
    files: Arc<[String]>,
    rows: Vec<NameRow>,
    clock: Clock,
}

/// Writes times; most share their second with the one before.
#[derive(Debug, Default)]
struct Clock {
    second: i64,
    text: String,
}

impl Clock {
    fn write(&mut self, line: &mut String, ts: Timestamp) {
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
        line.push_str(self.text.trim_end_matches('Z'));
        line.push('.');
        for place in [100_000, 10_000, 1000, 100, 10, 1] {
            line.push(digit(micros.checked_div(place).unwrap_or(0)));
        }
        line.push('Z');
    }
}

/// The last digit of a number.
fn digit(n: u32) -> char {
    char::from_digit(n % 10, 10).unwrap_or('0')
}

/// Appends a number. A line has eight; the general formatter shows in profiles.
fn decimal(line: &mut String, n: u64) {
    let mut digits = [0u8; 20];
    let mut left = n;
    let mut start = digits.len();
    for (at, d) in digits.iter_mut().enumerate().rev() {
        *d = b'0'.wrapping_add((left % 10) as u8);
        left /= 10;
        start = at;
        if left == 0 {
            break;
        }
    }
    let text = digits.get(start..).unwrap_or(&[]);
    line.push_str(std::str::from_utf8(text).unwrap_or("0"));
}

fn address(line: &mut String, addr: &Addr) {
    match addr.as_v4() {
        Some(bytes) => {
            for (i, b) in bytes.into_iter().enumerate() {
                if i > 0 {
                    line.push('.');
                }
                decimal(line, b.into());
            }
        }
        None => {
            let _ = write!(line, "{addr}");
        }
    }
}

impl NameLister {
    /// A lister for sources with these paths.
    pub fn new(files: Arc<[String]>) -> Self {
        NameLister { files, rows: Vec::new(), clock: Clock::default() }
    }

    /// Moves the rows since the last call to `out`.
    pub fn drain_into(&mut self, out: &mut Vec<NameRow>) {
        out.append(&mut self.rows);
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
        let mut line = String::with_capacity(256);
        line.push_str("{\"file\":");
        line.push_str(file);
        line.push_str(",\"frame\":");
        decimal(&mut line, at.frame.number);
        line.push_str(",\"ts\":\"");
        self.clock.write(&mut line, p.ts);
        line.push_str("\",\"channel\":\"");
        line.push_str(channel.as_str());
        for (key, addr, port_key, port) in
            [("\",\"src\":\"", p.src, "\",\"sport\":", p.sport), (",\"dst\":\"", p.dst, "\",\"dport\":", p.dport)]
        {
            line.push_str(key);
            address(&mut line, &addr);
            line.push_str(port_key);
            decimal(&mut line, port.into());
        }
        line.push_str(",\"name\":\"");
        // Canonical names are printable ASCII in which only the quotation mark
        // and the backslash need escaping.
        for c in name.as_str().chars() {
            if matches!(c, '"' | '\\') {
                line.push('\\');
            }
            line.push(c);
        }
        line.push('"');
        if !notes.is_empty() {
            line.push_str(",\"notes\":[");
            for (i, word) in notes.words().enumerate() {
                line.push_str(if i > 0 { ",\"" } else { "\"" });
                line.push_str(word);
                line.push('"');
            }
            line.push(']');
        }
        line.push('}');
        self.rows.push(NameRow { frame: at.frame.number, channel, name: name.as_str().into(), line });
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
            let mut line = String::new();
            decimal(&mut line, n);
            assert_eq!(line, n.to_string());
        }
        for a in ["0.0.0.0", "10.20.0.255", "2001:db8::1", "::"] {
            let mut line = String::new();
            address(&mut line, &a.parse().unwrap());
            assert_eq!(line, a);
        }
        let mut clock = Clock::default();
        for ns in
            [0, 1, 1_000, 999_000, 1_000_000, 10_020_000, 999_999_999, -1, -1_000, 3_000_000_120_000, 5_000_001_000]
        {
            let mut line = String::new();
            clock.write(&mut line, Timestamp(ns));
            assert_eq!(line, Timestamp(ns).to_string());
        }
    }
}
