//! Hellos and certificates, over streams and datagrams.

use super::probe::{cut, grows, settles};
use spansight::protocol::tls::{self, ClientHello, Extent};
use spansight::protocol::{Probe, dtls};

/// A hello that borrows nothing.
type Owned = (Option<Vec<u8>>, Option<Vec<u8>>, bool, u16, usize, usize, Extent, bool);

fn owned(h: &ClientHello<'_>) -> Owned {
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    (own(h.server_name), own(h.alpn), h.ech, h.version, h.len, h.record_end, h.extent, h.malformed)
}

fn map<T, U>(found: Probe<T>, f: impl FnOnce(T) -> U) -> Probe<U> {
    match found {
        Probe::Not => Probe::Not,
        Probe::More(n) => Probe::More(n),
        Probe::Found(t) => Probe::Found(f(t)),
    }
}

/// A client's stream: whole, cut, and without records as QUIC has it.
pub fn client(data: &[u8]) {
    let (mut scratch, mut partial) = (Vec::new(), Vec::new());
    // A record of another kind may end a hello before its length is reached.
    let whole = settles(data, |bytes| map(tls::client_hello(bytes, &mut scratch), |h| owned(&h)));
    let as_part = tls::partial_client_hello(data, &mut partial).map(|h| owned(&h));
    assert!(partial.len() <= tls::MAX_HELLO && scratch.len() <= tls::MAX_HELLO);
    if let Probe::More(n) = whole {
        assert!(n <= tls::MAX_STREAM, "asks for {n}");
    }
    if let Probe::Found(hello) = whole {
        assert!(hello.4 <= data.len(), "the hello lies in the stream");
        assert_eq!(as_part, Some(hello), "what is whole is also read as a part");
    }
    let part = tls::partial_client_hello(&data[..cut(data)], &mut partial).and_then(|h| owned(&h).0);
    if let (Some(name), Some(hello)) = (part, as_part) {
        assert_eq!(hello.0, Some(name), "a name in a part is the whole's");
    }

    let message = grows(data, |bytes| map(tls::client_hello_message(bytes), |h| owned(&h)));
    let as_part = tls::partial_client_hello_message(data).map(|h| owned(&h));
    if let Probe::Found(hello) = message {
        assert_eq!(as_part, Some(hello));
    }
    let _ = (tls::is_sslv2_hello(data), tls::looks_like_client_hello(data));
}

/// A server's stream, with a certificate in it, and a certificate by itself.
pub fn server(data: &[u8]) {
    let _ = grows(data, tls::server_first);
    let mut scratch = Vec::new();
    let found = grows(data, |bytes| map(tls::server_certificate(bytes, &mut scratch), <[u8]>::to_vec));
    assert!(scratch.len() <= tls::MAX_SERVER_HEAD + 4);
    if let Probe::Found(der) = &found {
        certificate(der);
    }
    let _ = tls::begins_server_handshake(data);
    certificate(data);
}

fn certificate(der: &[u8]) {
    let mut names = 0;
    tls::certificate_names(der, |name| {
        names += 1;
        assert!(!name.is_empty() && der.as_ptr_range().contains(&name.as_ptr()), "a name lies in the certificate");
    });
    assert!(names <= 256);
}

/// A datagram with DTLS records, perhaps behind a header of RDP.
pub fn datagram(data: &[u8]) {
    let mut left = data.len();
    let mut rest = data;
    while let Some((record, behind)) = dtls::record(rest) {
        assert!(!record.fragment.is_empty() && behind.len() + 13 + record.fragment.len() == left);
        (rest, left) = (behind, behind.len());
    }
    let fragments: Vec<_> = dtls::fragments(data).collect();
    for f in &fragments {
        assert!(f.offset + f.bytes.len() <= f.len && f.len <= 16 << 10);
        if let Some((hello, _)) = tls::dtls_client_hello(f.bytes) {
            for field in [hello.server_name, hello.alpn].into_iter().flatten() {
                assert!(f.bytes.as_ptr_range().contains(&field.as_ptr()));
            }
        }
    }
    let part: Vec<_> = dtls::fragments(&data[..cut(data)]).collect();
    assert!(fragments.starts_with(&part), "what stands in front is read without what follows");
    if dtls::begins_client_hello(data) {
        assert_eq!(fragments[0].kind, dtls::CLIENT_HELLO);
    }
    let _ = dtls::says(data);
    for payload in dtls::rdp_payload(data).into_iter().flatten() {
        assert!(data.ends_with(payload) && payload.len() + 7 <= data.len());
        let _ = dtls::begins_client_hello(payload);
    }
    let _ = tls::dtls_client_hello(data);
}
