//! Host names in their canonical text.
//!
//! A name is kept lower case, without the final dot, with every byte that is
//! not printable ASCII, every backslash and every dot inside a DNS label
//! written `\xNN`. So a name from a packet can be printed anywhere, and can
//! never gain a label boundary or lose its tail on the way to a match.

/// A canonical name in a buffer that is reused from name to name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    text: Vec<u8>,
    odd: bool,
}

const HEX: [u8; 16] = *b"0123456789abcdef";

/// The lower case of each byte that a host name's label may hold, 0 for the
/// others.
const PLAIN: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0u8;
    while b < 128 {
        if matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_') {
            table[b as usize] = b.to_ascii_lowercase();
        }
        b += 1;
    }
    table
};

impl Name {
    /// An empty name.
    pub const fn new() -> Self {
        Name { text: Vec::new(), odd: false }
    }

    /// Canonical form of a name that a protocol carries as text (TLS, HTTP):
    /// dots are label boundaries.
    pub fn from_text(raw: &[u8]) -> Self {
        let mut name = Name::new();
        name.set_text(raw);
        name
    }

    /// Replaces the content with the canonical form of `raw`.
    pub fn set_text(&mut self, raw: &[u8]) {
        self.clear();
        let raw = raw.strip_suffix(b".").unwrap_or(raw);
        for &b in raw {
            if b == b'.' { self.text.push(b'.') } else { self.push_byte(b) }
        }
        if raw.first() == Some(&b'.') || raw.last() == Some(&b'.') || raw.windows(2).any(|w| w == b"..") {
            self.odd = true;
        }
    }

    /// Text that is no host name, such as a path, with every byte that is not
    /// printable ASCII and every backslash written `\\xNN`; case is kept.
    pub fn escape(raw: &[u8]) -> String {
        use std::fmt::Write;
        raw.iter().fold(String::with_capacity(raw.len()), |mut s, &b| {
            if matches!(b, 0x20..=0x7e) && b != b'\\' {
                s.push(char::from(b));
            } else {
                let _ = write!(s, "\\x{b:02x}");
            }
            s
        })
    }

    /// Empties the name and keeps its buffer.
    pub fn clear(&mut self) {
        self.text.clear();
        self.odd = false;
    }

    /// Appends one DNS label (RFC 1035 section 3.1), preceded by a dot unless
    /// it is the first.
    pub fn push_label(&mut self, label: &[u8]) {
        if !self.text.is_empty() {
            self.text.push(b'.');
        }
        // Nearly every label is plain: copy it in one go, and take it back
        // where a byte turns out to need escaping.
        let start = self.text.len();
        let mut plain = !label.is_empty();
        self.text.extend(label.iter().map(|&b| {
            let lower = PLAIN[usize::from(b)];
            plain &= lower != 0;
            lower
        }));
        if !plain {
            self.odd = true;
            self.text.truncate(start);
            for &b in label {
                self.push_byte(b);
            }
        }
    }

    #[inline]
    fn push_byte(&mut self, b: u8) {
        match b {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => self.text.push(b),
            b'A'..=b'Z' => self.text.push(b | 0x20),
            b'.' | b'\\' | 0..=0x1f | 0x7f.. => {
                self.odd = true;
                let hi = HEX.get(usize::from(b >> 4)).copied().unwrap_or(b'?');
                let lo = HEX.get(usize::from(b & 15)).copied().unwrap_or(b'?');
                self.text.extend_from_slice(&[b'\\', b'x', hi, lo]);
            }
            _ => {
                self.odd = true;
                self.text.push(b);
            }
        }
    }

    /// The canonical text: printable ASCII.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        // Only printable ASCII is ever pushed.
        std::str::from_utf8(&self.text).unwrap_or("")
    }

    /// Whether nothing was written: the DNS root, or an empty field.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether it holds a byte that no host name has (anything but letters,
    /// digits, hyphen, underscore and single dots between labels). Such a name
    /// is counted and shown, and matches nothing.
    #[inline]
    pub fn is_odd(&self) -> bool {
        self.odd
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &[u8]) -> (String, bool) {
        let n = Name::from_text(raw);
        (n.as_str().to_owned(), n.is_odd())
    }

    #[test]
    fn lower_case_without_the_final_dot() {
        assert_eq!(text(b"DNL-01.Geo.kaspersky.COM."), ("dnl-01.geo.kaspersky.com".into(), false));
        assert_eq!(text(b"_dns.resolver_1.arpa"), ("_dns.resolver_1.arpa".into(), false));
        assert_eq!(text(b""), (String::new(), false));
    }

    #[test]
    fn hostile_bytes_are_escaped_and_mark_the_name() {
        assert_eq!(text(b"a.kaspersky.com\0.evil.test"), ("a.kaspersky.com\\x00.evil.test".into(), true));
        assert_eq!(text(b"a\\b\n\xff"), ("a\\x5cb\\x0a\\xff".into(), true));
        assert_eq!(text(b"a b"), ("a b".into(), true));
        assert_eq!(text(b"a..b"), ("a..b".into(), true));
        assert_eq!(text(b".a"), (".a".into(), true));
    }

    #[test]
    fn a_dot_inside_a_label_makes_no_boundary() {
        let mut n = Name::new();
        n.push_label(b"x.kaspersky");
        n.push_label(b"Com");
        assert_eq!((n.as_str(), n.is_odd()), ("x\\x2ekaspersky.com", true));
        n.clear();
        for label in [&b"DNL-01"[..], b"Geo_9"] {
            n.push_label(label);
        }
        assert_eq!((n.as_str(), n.is_odd()), ("dnl-01.geo_9", false));
        n.clear();
        n.push_label(b"");
        assert_eq!((n.as_str(), n.is_odd()), ("", true));
    }
}
