//! TLS handshake heads (RFC 8446, RFC 5246, RFC 6066, RFC 9849).

use super::Probe;

/// What a ClientHello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// host_name of the server_name extension as sent; `None` without one.
    pub server_name: Option<&'a [u8]>,
    /// Whether an encrypted_client_hello extension (0xfe0d) is present.
    pub ech: bool,
    /// Bytes of the stream that hold the hello, record headers included; of a
    /// bare handshake message its length.
    pub len: usize,
    /// Fields contradicted each other's lengths after the server name.
    pub malformed: bool,
}

/// The server's first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFirst {
    /// A ServerHello with the version it selects: 0x0304 is TLS 1.3.
    Hello {
        /// supported_versions if present, else legacy_version.
        version: u16,
        /// A HelloRetryRequest: the client will send a second ClientHello.
        retry: bool,
    },
    /// An alert instead.
    Alert {
        /// Alert description, such as 40 for handshake_failure.
        description: u8,
    },
}

/// A record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// 20 change_cipher_spec, 21 alert, 22 handshake, 23 application_data.
    pub content_type: u8,
    /// Length of the fragment that follows the 5 header bytes.
    pub len: usize,
}

/// Reads a record header. `None` if the five bytes are none: an unknown type,
/// a version other than 3.x, or a length above 2^14 + 2048.
pub fn record_header(_bytes: &[u8; 5]) -> Option<RecordHeader> {
    None
}

/// Reads the ClientHello at the start of a TLS stream, which may be spread
/// over several records; `scratch` then holds it joined.
pub fn client_hello<'a>(_stream: &'a [u8], _scratch: &'a mut Vec<u8>) -> Probe<ClientHello<'a>> {
    Probe::Not
}

/// Reads a ClientHello handshake message without record headers, as QUIC
/// carries it.
pub fn client_hello_message(_bytes: &[u8]) -> Probe<ClientHello<'_>> {
    Probe::Not
}

/// Reads the server's first message at the start of its stream.
pub fn server_first(_stream: &[u8]) -> Probe<ServerFirst> {
    Probe::Not
}

/// Whether a stream starts with an SSL 2 ClientHello, which has no extensions.
pub fn is_sslv2_hello(_stream: &[u8]) -> bool {
    false
}

/// What is complete in the beginning of a ClientHello whose rest is lost.
/// `None` if the bytes are no ClientHello.
pub fn client_hello_partial(_stream: &[u8]) -> Option<ClientHello<'_>> {
    None
}

/// Whether a segment begins like a ClientHello.
pub fn looks_like_client_hello(_bytes: &[u8]) -> bool {
    false
}
