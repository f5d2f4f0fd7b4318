//! What may stand before TLS or HTTP in a stream: proxies and plain protocols.

use super::probe::{cut, grows};
use spansight::protocol::socks::{self, Reply, Target};
use spansight::protocol::starttls::{self, Ask, Protocol};
use spansight::protocol::{Probe, proxy_header};

/// The messages of SOCKS, and the header that load balancers send.
pub fn proxies(data: &[u8]) {
    for read in [socks::request4, socks::request5] {
        if let Probe::Found(request) = grows(data, read) {
            assert!(request.len <= data.len());
            if let Target::Name(name) = request.target {
                assert!(!name.is_empty() && name.len() <= 256);
            }
        }
    }
    let _ = grows(data, proxy_header);
    for read in [socks::greeting5, socks::password] {
        if let Probe::Found(n) = grows(data, read) {
            assert!(n > 0 && n <= data.len());
        }
    }
    for read in [socks::reply_to_greeting, socks::reply5, socks::reply4] {
        if let Probe::Found(Reply::Granted(n)) = grows(data, read) {
            assert!(n > 0 && n <= data.len());
        }
    }
}

/// The messages before TLS, of both ends, in every protocol.
pub fn starttls(data: &[u8]) {
    if data.is_empty() {
        return;
    }
    let known = Protocol::of_client(data);
    if let Probe::More(n) = known {
        assert!(n > data.len());
    }
    if let found @ Probe::Found(_) = Protocol::of_client(&data[..cut(data)]) {
        assert_eq!(known, found, "a protocol that is known stays so");
    }
    for protocol in [
        Protocol::Lines,
        Protocol::Xmpp,
        Protocol::Postgres,
        Protocol::MySql,
        Protocol::Ldap,
        Protocol::Rdp,
        Protocol::Tds,
    ] {
        let part = &data[..cut(data)];
        match protocol.client(part) {
            Ask::More => {}
            settled => assert_eq!(protocol.client(data), settled, "{protocol:?}"),
        }
        match protocol.server(part) {
            starttls::Reply::More => {}
            settled => assert_eq!(protocol.server(data), settled, "{protocol:?}"),
        }
        let mut rest = data;
        while let Ask::Other(n) | Ask::Tls(n) = protocol.client(rest) {
            assert!(n > 0 && n <= rest.len());
            rest = &rest[n..];
        }
        let mut rest = data;
        while let starttls::Reply::Other(n) = protocol.server(rest) {
            assert!(n > 0 && n <= rest.len());
            rest = &rest[n..];
        }
    }
    let _ = (Protocol::asks(data), starttls::ends_asking(data));
}
