//! The host within an authority.

use super::line::trim;
use memchr::{memchr, memrchr};

/// The host of an authority or Host value, without user information and port
/// (RFC 3986 section 3.2); an IPv6 literal keeps its brackets. What is no
/// host and port is returned whole, blanks around it removed.
pub fn host_of(value: &[u8]) -> &[u8] {
    let value = trim(value);
    let value = memrchr(b'@', value).and_then(|at| value.get(at.saturating_add(1)..)).unwrap_or(value);
    let end = if value.starts_with(b"[") {
        memchr(b']', value).map(|bracket| bracket.saturating_add(1))
    } else {
        memchr(b':', value)
    };
    match end.and_then(|end| value.split_at_checked(end)) {
        Some((host, b"")) => host,
        Some((host, [b':', port @ ..])) if port.iter().all(u8::is_ascii_digit) => host,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (value, host) in [
            ("a.test", "a.test"),
            ("a.test:8080", "a.test"),
            ("a.test:", "a.test"),
            (" a.test:80\t", "a.test"),
            ("user:pw@a.test:80", "a.test"),
            ("user@b@a.test", "a.test"),
            ("[2001:db8::1]:443", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1", "[2001:db8::1"),
            ("[::1]x", "[::1]x"),
            ("a:b:c", "a:b:c"),
            ("2001:db8::1", "2001:db8::1"),
            ("a.test:http", "a.test:http"),
            ("", ""),
            (":80", ""),
            ("  ", ""),
        ] {
            assert_eq!(host_of(value.as_bytes()), host.as_bytes(), "{value}");
        }
    }
}
