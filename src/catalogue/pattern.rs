//! The patterns of an indicator, as written in a catalogue.

use crate::base::Prefix;
use std::fmt;
use std::net::IpAddr;
use std::sync::OnceLock;

/// Longest host name in its text form (RFC 1035 section 2.3.4: 255 octets on
/// the wire).
pub const NAME_MAX: usize = 253;
/// Longest label (RFC 1035 section 2.3.4).
const LABEL_MAX: usize = 63;
/// Longest `starts` or `equals` of a payload pattern.
pub(super) const PAYLOAD_MAX: usize = 64;
/// Bounds the program that a regular expression compiles to, and its cache.
const REGEX_BYTES: usize = 1 << 20;

/// A transport protocol and a port: IP protocol 6 (TCP) or 17 (UDP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportPort {
    /// IP protocol number.
    pub transport: u8,
    /// Port.
    pub port: u16,
}

impl fmt::Display for TransportPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", if self.transport == 17 { "udp" } else { "tcp" }, self.port)
    }
}

impl std::str::FromStr for TransportPort {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || format!("a port is written tcp/N or udp/N, not \"{s}\"");
        let (transport, port) = s.split_once('/').ok_or_else(wrong)?;
        let transport = match transport {
            "tcp" => 6,
            "udp" => 17,
            _ => return Err(wrong()),
        };
        let port = port.parse::<u16>().ok().filter(|p| *p > 0 && !port.starts_with(['+', '0'])).ok_or_else(wrong)?;
        Ok(TransportPort { transport, port })
    }
}

/// Labels that a regular expression describes, in front of a fixed name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// Regular expression that the text in front of `under` (without the dot
    /// between) matches as a whole.
    pub labels: Box<str>,
    /// The fixed name.
    pub under: Box<str>,
}

/// A regular expression on the path of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// Regular expression, anchored only where it says so.
    pub regex: Box<str>,
    /// Text that the path must contain too; looked for first, because it is
    /// cheap.
    pub contains: Option<Box<str>>,
}

/// First payload bytes of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadPattern {
    /// Ports of the server.
    pub on: Vec<TransportPort>,
    /// The payload starts with one of these.
    pub starts: Vec<Box<[u8]>>,
    /// Or is one of these.
    pub equals: Vec<Box<[u8]>>,
}

/// One pattern. Names are canonical: lower case, without the final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This host name.
    Exact(Box<str>),
    /// This host name and everything below it.
    Suffix(Box<str>),
    /// Host names by a regular expression.
    Host(Box<HostPattern>),
    /// Path of an HTTP request.
    Path(Box<PathPattern>),
    /// User-Agent of an HTTP request, beside an update host or path.
    UserAgent(Box<str>),
    /// Address of a server.
    Address(Box<Prefix>),
    /// Port of a server in the home networks.
    LanPort(TransportPort),
    /// First payload bytes of a flow.
    Payload(Box<PayloadPattern>),
}

impl fmt::Display for Pattern {
    /// `kind:pattern`, for people and for output.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Exact(n) => write!(f, "exact:{n}"),
            Pattern::Suffix(n) => write!(f, "suffix:{n}"),
            Pattern::Host(h) => write!(f, "host:{} under {}", h.labels, h.under),
            Pattern::Path(p) => write!(f, "path:{}", p.regex),
            Pattern::UserAgent(r) => write!(f, "user_agent:{r}"),
            Pattern::Address(p) => write!(f, "address:{p}"),
            Pattern::LanPort(p) => write!(f, "lan_port:{p}"),
            Pattern::Payload(p) => {
                f.write_str("payload:")?;
                let mut comma = "";
                for on in &p.on {
                    write!(f, "{comma}{on}")?;
                    comma = ",";
                }
                for b in &p.starts {
                    write!(f, " {}..", hex(b))?;
                }
                for b in &p.equals {
                    write!(f, " ={}", hex(b))?;
                }
                Ok(())
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads bytes written as hexadecimal digits.
pub(super) fn parse_hex(text: &str) -> Result<Box<[u8]>, String> {
    let digits = text.as_bytes();
    let wrong = || format!("bytes are written as pairs of hexadecimal digits, not \"{text}\"");
    if digits.is_empty() || !digits.len().is_multiple_of(2) || digits.len() > 2 * PAYLOAD_MAX {
        return Err(wrong());
    }
    let nibble = |d: u8| (d as char).to_digit(16).and_then(|v| u8::try_from(v).ok());
    let byte = |pair: &[u8]| match *pair {
        [a, b] => Some(nibble(a)? << 4 | nibble(b)?),
        _ => None,
    };
    digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>().map(Vec::into_boxed_slice).ok_or_else(wrong)
}

/// The canonical form of a host name in a catalogue, or what is wrong with it.
pub(super) fn host_name(text: &str) -> Result<Box<str>, String> {
    if let Some(rest) = text.strip_prefix("*.") {
        return Err(format!("a wildcard is written suffix = \"{rest}\", which holds the name and everything below it"));
    }
    if text.contains('*') {
        return Err(format!(
            "\"{text}\" has a wildcard inside a label, which is written host = {{ labels = REGEX, under = NAME }}"
        ));
    }
    if let Some(rest) = text.strip_prefix('.') {
        return Err(format!(
            "\"{text}\" starts with a dot; suffix = \"{rest}\" holds the name and everything below it"
        ));
    }
    if !text.is_ascii() {
        return Err(format!(
            "\"{text}\" is not ASCII; write an internationalised name as its A-label (xn--...), as it stands on the wire"
        ));
    }
    if text.contains('/') {
        return Err(format!("a host name is wanted, without scheme and path, not \"{text}\""));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(format!("{text} is an address, which is written address = \"{text}\""));
    }
    if text.contains(':') {
        return Err(format!("a host name is wanted, without port, not \"{text}\""));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() {
        return Err("the host name is empty".to_owned());
    }
    if name.len() > NAME_MAX {
        return Err(format!("the host name has {} characters, and {NAME_MAX} are allowed", name.len()));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(format!("\"{text}\" has an empty label"));
        }
        if label.len() > LABEL_MAX {
            return Err(format!(
                "a label of the host name has {} characters, and {LABEL_MAX} are allowed",
                label.len()
            ));
        }
        if let Some(c) = label.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_')) {
            return Err(format!("a host name has no {c:?}"));
        }
    }
    Ok(name.to_ascii_lowercase().into_boxed_str())
}

/// The prefix of an `address`, or what is wrong with it.
pub(super) fn address(text: &str) -> Result<Prefix, String> {
    let prefix: Prefix = text.parse().map_err(|why| format!("\"{text}\" is no address and no prefix: {why}"))?;
    // IPv4 addresses are kept as ::ffff:a.b.c.d, so a short IPv6 prefix of
    // zeros would hold them all.
    let v4: Prefix = Prefix::new(crate::base::Addr::v4([0; 4]), 96).unwrap_or(prefix);
    if prefix.len128() <= 96 && prefix.contains(&crate::base::Addr(v4.network().to_be_bytes())) {
        return Err(format!("{text} holds every IPv4 address"));
    }
    if prefix.len128() == 0 {
        return Err(format!("{text} holds every address"));
    }
    Ok(prefix)
}

/// Compiles a regular expression on bytes, or says what is wrong with it.
pub(super) fn compile(regex: &str) -> Result<regex::bytes::Regex, String> {
    regex::bytes::RegexBuilder::new(regex)
        .unicode(false)
        .size_limit(REGEX_BYTES)
        .dfa_size_limit(REGEX_BYTES)
        .build()
        .map_err(|e| {
            // Syntax errors are drawn over several lines; the last says it.
            let text = e.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("the regular expression is not valid: {}", last.strip_prefix("error: ").unwrap_or(last))
        })
}

/// Compiles the labels of a host pattern, anchored at both ends.
pub(super) fn compile_labels(labels: &str) -> Result<regex::bytes::Regex, String> {
    // Alone first: `a)|(b` must not become valid by the parentheses around it.
    // Compiling takes far longer than parsing, and says what is wrong.
    if regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(labels).is_err() {
        compile(labels)?;
    }
    compile(&format!("^(?:{labels})$"))
}

/// A regular expression that is compiled when a text is first held against it: few
/// runs see one, and to compile those of the program takes longer than a small capture.
#[derive(Debug)]
pub(super) struct Expression {
    text: Box<str>,
    compile: fn(&str) -> Result<regex::bytes::Regex, String>,
    compiled: OnceLock<Option<regex::bytes::Regex>>,
}

impl Expression {
    /// Of a sound expression that [`compile`] or [`compile_labels`] takes. One that is
    /// not fits nothing.
    pub fn new(text: &str, compile: fn(&str) -> Result<regex::bytes::Regex, String>) -> Self {
        Expression { text: text.into(), compile, compiled: OnceLock::new() }
    }

    /// Whether it fits a text.
    pub fn is_match(&self, text: &[u8]) -> bool {
        let compiled = self.compiled.get_or_init(|| (self.compile)(&self.text).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

/// Whether a payload starts like a TLS record (RFC 8446 section 5.1): content
/// type 20 to 24, version 3.0 to 3.4.
pub(super) fn is_tls_record(payload: &[u8]) -> bool {
    matches!(payload, [20..=24, 3, 0..=4, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_canonical() {
        assert_eq!(host_name("UPD.Kaspersky.COM.").as_deref(), Ok("upd.kaspersky.com"));
        assert_eq!(host_name("_dns.xn--e1afmkfd.example").as_deref(), Ok("_dns.xn--e1afmkfd.example"));
        assert_eq!(host_name("kaspersky").as_deref(), Ok("kaspersky"));
    }

    #[test]
    fn names_that_are_none_are_explained() {
        let long = "a.".repeat(127) + "a";
        for (text, word) in [
            ("", "empty"),
            (".", "dot"),
            ("a..b", "empty label"),
            ("*.kaspersky.com", "suffix = \"kaspersky.com\""),
            ("s*.kaspersky.com", "labels = REGEX"),
            (".kaspersky.com", "suffix = \"kaspersky.com\""),
            ("касперский.рф", "A-label"),
            ("https://kaspersky.com/", "scheme"),
            ("kaspersky.com:443", "port"),
            ("192.0.2.1", "address = \"192.0.2.1\""),
            ("2001:db8::1", "address = "),
            ("a b", "' '"),
            ("a\u{1b}b", "'\\u{1b}'"),
            (&"a".repeat(64), "64 characters"),
            (&long, "255 characters"),
        ] {
            let why = host_name(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
            assert!(!why.contains('\u{1b}'));
        }
    }

    #[test]
    fn addresses_that_hold_everything_are_refused() {
        for bad in ["0.0.0.0/0", "::/0", "::/80", "::ffff:0:0/96", "10.0.0.1/8", "10.0.0.0/33", "x", ""] {
            assert!(address(bad).is_err(), "{bad}");
        }
        assert_eq!(address("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(address("2a03:2480::/32").unwrap().to_string(), "2a03:2480::/32");
        assert_eq!(address("::/97").unwrap().to_string(), "::/97");
    }

    #[test]
    fn ports_and_bytes() {
        assert_eq!("tcp/13000".parse::<TransportPort>().unwrap(), TransportPort { transport: 6, port: 13000 });
        for bad in ["tcp", "tcp/0", "tcp/65536", "sctp/1", "tcp/+1", "tcp/01", "13000", "TCP/1"] {
            assert!(bad.parse::<TransportPort>().is_err(), "{bad}");
        }
        assert_eq!(parse_hex("4B45").as_deref(), Ok(&[0x4b, 0x45][..]));
        for bad in ["", "4", "4b4", "zz", "+1", &"00".repeat(65)] {
            assert!(parse_hex(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn regular_expressions_are_bounded_and_closed() {
        assert!(compile("a{1000}{1000}{1000}").unwrap_err().contains("regular expression"));
        assert!(compile("(a").unwrap_err().ends_with("unclosed group"));
        assert!(compile_labels("a)|(b").is_err());
        assert!(compile_labels("a|b").unwrap().is_match(b"b"));
        assert!(!compile_labels("a|b").unwrap().is_match(b"ab"));
    }

    #[test]
    fn patterns_are_small() {
        // A list of a million names keeps a million of these.
        assert!(size_of::<Pattern>() <= 24);
    }
}
