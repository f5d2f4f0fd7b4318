//! Where the name of a host came from.

/// A protocol in which hosts say what they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameSource {
    /// Multicast DNS (RFC 6762).
    Mdns,
    /// Link-local multicast name resolution (RFC 4795).
    Llmnr,
    /// NetBIOS name service (RFC 1002).
    Nbns,
}

impl NameSource {
    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            NameSource::Mdns => "mdns",
            NameSource::Llmnr => "llmnr",
            NameSource::Nbns => "nbns",
        }
    }
}
