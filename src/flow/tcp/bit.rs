//! One-bit facts of a flow.

/// Numbers the bits in their order, so that no two are one.
macro_rules! bits {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Place { $($name,)+ }

        $($(#[doc = $doc])+ pub(super) const $name: u32 = 1 << Place::$name as u32;)+
    };
}

bits! {
    /// The client is the lesser end of the key.
    CLIENT_LOW,
    /// A SYN of either end was seen.
    SYN,
    /// Where the client's stream begins is known.
    CLIENT_BASE,
    /// Where the server's stream begins is known.
    SERVER_BASE,
    /// The client's payload was seen.
    CLIENT_DATA,
    /// The server's payload was seen.
    SERVER_DATA,
    /// Reset, or ended by both.
    CLOSED,
    /// The stream is read from elsewhere than its start.
    MID_STREAM,
    /// The client sent its FIN.
    CLIENT_FIN,
    /// The server sent its FIN.
    SERVER_FIN,
    /// The client's first message was told, or found to be nothing known.
    SPOKE,
    /// Client bytes are missing.
    GAP,
    /// Client bytes or the server's SYN-ACK came twice and differed.
    CONFLICT,
    /// A ClientHello began and did not end.
    HELLO_OPEN,
    /// The sink was told of a message.
    TOLD,
    /// DNS: the server's half is not read until a message begins a segment.
    SERVER_LOST,
    /// The sink was told of the flow.
    OPENED,
    /// The server agreed to the connection: its SYN-ACK fits.
    AGREED,
    /// A message of a known protocol was read.
    KNOWN,
    /// The flow stands in the engine's list of those that hold bytes.
    LISTED,
    /// A proxy was asked to connect.
    VIA_PROXY,
    /// The server's certificate is being read.
    CERTIFICATE,
    /// The flow is in the sample for capture loss and copies of frames.
    SAMPLED,
    /// The flow is followed, and there was no room to reckon its capture loss.
    UNRECKONED,
    /// The last request offers to switch to HTTP/2.
    TO_HTTP2,
    /// The last request offers to switch to a protocol that is not read, and the
    /// server has not answered.
    TO_OTHER,
    /// A proxy was asked to connect, and has not answered.
    TO_PROXY,
    /// The last request is one for a proxy, and was not answered.
    TO_ABSOLUTE,
    /// Both ends have proved that they hear one another.
    PROVED,
    /// The server's answer to a SYN that was seen gives the client's own number.
    CONSENTED,
    /// Acknowledgements and the server's payload change nothing but how far the
    /// streams are; set and cleared by `Tcp::settle_down` alone.
    QUIET,
    /// The same, and the client's payload too.
    SETTLED,
}
