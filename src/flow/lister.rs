//! Every name, as the `names` command prints it.

use super::events::{At, HttpSeen, Notes, Progress, Seen, Sink, Token};
use crate::base::{Channel, Name};
use crate::coverage::{Counter, Ledger};
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
}

impl NameLister {
    /// A lister for sources with these paths.
    pub fn new(files: Arc<[String]>) -> Self {
        NameLister { files, rows: Vec::new() }
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
        let mut line = String::with_capacity(192);
        // Canonical names are printable ASCII in which only the quotation mark
        // and the backslash need escaping.
        let quoted = name.as_str().replace('\\', "\\\\").replace('"', "\\\"");
        let _ = write!(
            line,
            "{{\"file\":{file},\"frame\":{},\"ts\":\"{}\",\"channel\":\"{channel}\",\"src\":\"{}\",\"sport\":{},\
             \"dst\":\"{}\",\"dport\":{},\"name\":\"{quoted}\"",
            at.frame.number, p.ts, p.src, p.sport, p.dst, p.dport,
        );
        if !notes.is_empty() {
            line.push_str(",\"notes\":[");
            for (i, word) in notes.words().enumerate() {
                let _ = write!(line, "{}\"{word}\"", if i > 0 { "," } else { "" });
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
            Seen::Dns(message, _) => {
                let channel = if message.response { Channel::DnsAnswer } else { Channel::DnsQuery };
                for q in &message.questions {
                    self.row(at, channel, message.name(q.name), notes, ledger);
                }
                for r in message.answers.iter().filter(|_| message.response) {
                    if let crate::protocol::dns::Data::Cname(target) = r.data {
                        self.row(at, Channel::DnsCname, message.name(target), notes, ledger);
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
            Seen::Tls { .. } | Seen::Quic { .. } | Seen::Unrecognised => {}
        }
    }

    fn progress(&mut self, _: &At<'_>, _: Token, _: &Progress, _: &mut Ledger) {}

    fn closed(&mut self, _: Token, _: &mut Ledger) {}
}
