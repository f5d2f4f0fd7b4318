//! Messages of the protocols.

use super::wire::Input;
use spansight::protocol::dns::{self, Message, NameRef};
use spansight::protocol::http::{self, BodyCursor};
use spansight::protocol::quic::{self, CryptoStream};
use spansight::protocol::{Probe, proxy_header, tls};

/// A DNS message, and the same bytes as a stream.
pub fn dns(data: &[u8]) {
    let mut message = Message::default();
    message.parse(data);
    assert!(message.questions.len() <= dns::MAX_QUESTIONS);
    assert!(message.answers.len() <= dns::MAX_ANSWERS);
    for (i, question) in message.questions.iter().enumerate() {
        assert!(message.name(question.name).as_bytes().len() <= 4 * 255);
        let found = message.resolve(i);
        assert!(found.aliases().len() <= dns::MAX_ANSWERS);
        let _ = (found.addresses().count(), found.ttl(), found.is_complete());
    }
    let _ = message.name(NameRef(u16::MAX));
    let _ = (dns::may_be_message(data), message.is_certain_anywhere());
    if let Probe::Found(inner) = dns::stream_message(data) {
        message.parse(inner);
    }
}

/// The start of a TLS client's stream.
pub fn tls_client(data: &[u8]) {
    let (mut whole, mut partial) = (Vec::new(), Vec::new());
    let found = tls::client_hello(data, &mut whole);
    if let Probe::More(n) = found {
        assert!(n > data.len(), "asks for {n} of {}", data.len());
    }
    if let Probe::Found(hello) = found {
        let again = tls::partial_client_hello(data, &mut partial);
        assert_eq!(again.map(|h| h.server_name), Some(hello.server_name), "what is whole is also read as a part");
    } else {
        let _ = tls::partial_client_hello(data, &mut partial);
    }
    let _ = tls::client_hello_message(data);
    let _ = tls::partial_client_hello_message(data);
    let _ = tls::is_sslv2_hello(data);
    if let Probe::Found(n) = proxy_header(data) {
        assert!(n <= data.len());
    }
}

/// The start of a TLS server's stream.
pub fn tls_server(data: &[u8]) {
    if let Probe::More(n) = tls::server_first(data) {
        assert!(n > data.len());
    }
}

/// A datagram that may hold QUIC packets.
pub fn quic(data: &[u8]) {
    let mut rest = data;
    let mut scratch = Vec::new();
    while let Ok((packet, behind)) = quic::long_packet(rest) {
        assert!(behind.len() < rest.len(), "each packet takes bytes");
        if let Some(frames) = quic::ClientKeys::new(packet.version, packet.dcid).open(&packet, &mut scratch) {
            quic_frames(frames);
        }
        rest = behind;
    }
}

/// What a QUIC Initial packet holds.
pub fn quic_frames(data: &[u8]) {
    let mut stream = CryptoStream::new();
    for (offset, bytes) in quic::crypto_frames(quic::Version::V1, data) {
        if stream.insert(offset, bytes).is_err() {
            break;
        }
        assert!(stream.held() <= 1 << 20);
    }
    let _ = tls::client_hello_message(stream.contiguous());
    let _ = tls::partial_client_hello_message(stream.contiguous());
}

/// The start of an HTTP client's or server's stream, with a body behind it.
pub fn http(data: &[u8]) {
    match http::request(data) {
        Probe::Found(request) => {
            assert!(request.len <= data.len());
            if let Some(mut body) = BodyCursor::new(request.body) {
                let mut rest = &data[request.len..];
                let mut input = Input(data);
                while !rest.is_empty() {
                    let (piece, behind) = rest.split_at(rest.len().min(usize::from(input.u8()).max(1)));
                    match body.advance(piece) {
                        Some((used, _)) => assert!(used <= piece.len()),
                        None => break,
                    }
                    rest = behind;
                }
            }
        }
        Probe::More(n) => assert!(n > data.len()),
        Probe::Not => {}
    }
    let _ = http::partial_request(data);
    let _ = http::host_of(data);
    if let Probe::More(n) = http::status(data) {
        assert!(n > data.len());
    }
}
