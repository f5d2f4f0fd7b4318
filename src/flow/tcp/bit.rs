//! One-bit facts of a flow.

/// The client is the lesser end of the key.
pub(super) const CLIENT_LOW: u32 = 1;
/// A SYN of either end was seen.
pub(super) const SYN: u32 = 1 << 1;
/// Where the client's stream begins is known.
pub(super) const CLIENT_BASE: u32 = 1 << 2;
/// Where the server's stream begins is known.
pub(super) const SERVER_BASE: u32 = 1 << 3;
/// The client's payload was seen.
pub(super) const CLIENT_DATA: u32 = 1 << 4;
/// The server's payload was seen.
pub(super) const SERVER_DATA: u32 = 1 << 5;
/// Reset, or ended by both.
pub(super) const CLOSED: u32 = 1 << 6;
/// The stream is read from elsewhere than its start.
pub(super) const MID_STREAM: u32 = 1 << 7;
pub(super) const CLIENT_FIN: u32 = 1 << 8;
pub(super) const SERVER_FIN: u32 = 1 << 9;
/// The client's first message was told, or found to be nothing known.
pub(super) const SPOKE: u32 = 1 << 10;
/// Client bytes are missing.
pub(super) const GAP: u32 = 1 << 11;
/// Client bytes came twice and differed.
pub(super) const CONFLICT: u32 = 1 << 12;
/// A ClientHello began and did not end.
pub(super) const HELLO_OPEN: u32 = 1 << 13;
/// The sink was told of a message.
pub(super) const TOLD: u32 = 1 << 14;
/// DNS: the server's half is not read until a message begins a segment.
pub(super) const SERVER_LOST: u32 = 1 << 15;
/// The sink was told of the flow.
pub(super) const OPENED: u32 = 1 << 16;
/// The server agreed to the connection: its SYN-ACK fits.
pub(super) const AGREED: u32 = 1 << 17;
/// A message of a known protocol was read.
pub(super) const KNOWN: u32 = 1 << 18;
/// The flow stands in the engine's list of those that hold bytes.
pub(super) const LISTED: u32 = 1 << 19;
/// The last request offers to switch to HTTP/2.
pub(super) const TO_HTTP2: u32 = 1 << 24;
/// The last request offers to switch to a protocol that is not read, and the
/// server has not answered.
pub(super) const TO_OTHER: u32 = 1 << 25;
/// A proxy was asked to connect, and has not answered.
pub(super) const TO_PROXY: u32 = 1 << 26;
/// The last request is one for a proxy, and was not answered.
pub(super) const TO_ABSOLUTE: u32 = 1 << 27;
/// A proxy was asked to connect.
pub(super) const VIA_PROXY: u32 = 1 << 20;
/// The server's certificate is being read.
pub(super) const CERTIFICATE: u32 = 1 << 21;
/// The flow is followed, and there was no room to reckon its capture loss.
pub(super) const UNRECKONED: u32 = 1 << 23;
/// Both ends have proved that they hear one another.
pub(super) const PROVED: u32 = 1 << 26;
/// The server's answer to a SYN that was seen gives the client's own number.
pub(super) const CONSENTED: u32 = 1 << 27;
/// The flow is in the sample for capture loss and copies of frames.
pub(super) const SAMPLED: u32 = 1 << 22;
