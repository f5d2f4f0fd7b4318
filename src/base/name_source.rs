//! Where the name of a host came from.

/// A protocol in which it is told what a host is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameSource {
    /// Multicast DNS (RFC 6762): the host's own word.
    Mdns,
    /// Link-local multicast name resolution (RFC 4795): the same.
    Llmnr,
    /// NetBIOS name service (RFC 1002): the same.
    Nbns,
    /// DHCP (RFC 2132, RFC 4702): the host's own word, with the address that
    /// the server gave it for it.
    Dhcp,
    /// DHCP for IPv6 (RFC 4704): the same.
    Dhcpv6,
    /// The answer to a reverse lookup: a name server's word, perhaps an old
    /// one.
    Ptr,
    /// No name, but what the host calls itself towards DHCP servers (option 61
    /// of RFC 2132, or a DUID), in hexadecimal: it stays the same when the
    /// hardware address is made anew.
    DhcpClientId,
}

impl NameSource {
    /// Every one.
    pub const ALL: [NameSource; 7] = [
        NameSource::Mdns,
        NameSource::Llmnr,
        NameSource::Nbns,
        NameSource::Dhcp,
        NameSource::Dhcpv6,
        NameSource::Ptr,
        NameSource::DhcpClientId,
    ];

    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            NameSource::Mdns => "mdns",
            NameSource::Llmnr => "llmnr",
            NameSource::Nbns => "nbns",
            NameSource::Dhcp => "dhcp",
            NameSource::Dhcpv6 => "dhcpv6",
            NameSource::Ptr => "ptr",
            NameSource::DhcpClientId => "dhcp_client_id",
        }
    }

    /// Which of two names of a host counts: the one of the greater rank, and
    /// of equal ones the one heard last. A lease ties a name to its address;
    /// what is announced can be announced by anybody; a reverse lookup is not
    /// the host's word at all.
    pub fn rank(self) -> u8 {
        match self {
            NameSource::Dhcp | NameSource::Dhcpv6 => 2,
            NameSource::Mdns | NameSource::Llmnr | NameSource::Nbns => 1,
            NameSource::Ptr | NameSource::DhcpClientId => 0,
        }
    }

    /// Whether it comes out of DHCP.
    pub fn is_dhcp(self) -> bool {
        matches!(self, NameSource::Dhcp | NameSource::Dhcpv6 | NameSource::DhcpClientId)
    }
}
