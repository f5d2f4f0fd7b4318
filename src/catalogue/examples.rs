//! The examples of a catalogue: what each indicator must match.

use super::pattern::{TransportPort, parse_hex};
use super::{Catalogue, Category, IndicatorRef, Use};
use crate::base::{Addr, Name};

/// Something that can be looked up in a catalogue, as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A host name.
    Name(Name),
    /// An address.
    Addr(Addr),
    /// An HTTP path, which starts with a slash.
    Path(Vec<u8>),
    /// A port, `tcp/N` or `udp/N`.
    Port(TransportPort),
    /// A User-Agent, `user-agent:TEXT`.
    UserAgent(Vec<u8>),
    /// Payload bytes to a port, `payload:tcp/N:HEX`.
    Payload(TransportPort, Box<[u8]>),
}

impl Subject {
    /// Reads any of the forms; what is none of the others is a name.
    ///
    /// # Errors
    ///
    /// What is wrong with a form that was begun, such as `payload:tcp/x`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".into());
        }
        if text.starts_with('/') {
            return Ok(Subject::Path(text.as_bytes().to_vec()));
        }
        if let Some(agent) = text.strip_prefix("user-agent:") {
            return Ok(Subject::UserAgent(agent.as_bytes().to_vec()));
        }
        if let Some(rest) = text.strip_prefix("payload:") {
            let (port, bytes) = rest.split_once(':').ok_or("a payload is written payload:tcp/N:HEX")?;
            return Ok(Subject::Payload(port.parse()?, parse_hex(bytes)?));
        }
        if text.starts_with("tcp/") || text.starts_with("udp/") {
            return Ok(Subject::Port(text.parse()?));
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        Ok(match bare.parse() {
            Ok(addr) => Subject::Addr(addr),
            Err(_) => Subject::Name(Name::from_text(text.as_bytes())),
        })
    }
}

impl Catalogue {
    /// The winner for anything that can be written down; a User-Agent as if it
    /// stood beside an update path.
    pub fn match_subject(&self, subject: &Subject) -> Option<IndicatorRef> {
        match subject {
            Subject::Name(name) => self.match_name(name),
            Subject::Addr(addr) => self.match_addr(addr),
            Subject::Path(path) => self.match_path(path),
            Subject::Port(p) => self.match_port(p.transport, p.port),
            Subject::Payload(p, bytes) => self.match_payload(p.transport, p.port, bytes),
            Subject::UserAgent(agent) => {
                let update = self.iter().find(|(_, i)| matches!(i.category, Category::Update | Category::OemUpdate));
                self.match_user_agent(agent, &[update?.0])
            }
        }
    }

    /// Examples that their indicator does not match, each with the reason in
    /// one sentence. Entries that are off are passed over.
    pub fn check_examples(&self) -> Vec<(IndicatorRef, String)> {
        let mut wrong = Vec::new();
        for (r, i) in self.iter().filter(|(_, i)| i.usage != Use::Off) {
            for text in i.examples() {
                let found = match Subject::parse(text) {
                    Ok(subject) => self.match_subject(&subject),
                    Err(why) => {
                        wrong.push((r, format!("the example {text:?} cannot be read: {why}")));
                        continue;
                    }
                };
                match found.and_then(|f| self.get(f)) {
                    _ if found == Some(r) => {}
                    Some(other) => wrong.push((r, format!("the example {text:?} belongs to {:?}", other.id))),
                    None => wrong.push((r, format!("the example {text:?} matches nothing"))),
                }
            }
        }
        wrong
    }
}
