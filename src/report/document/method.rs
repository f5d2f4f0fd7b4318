//! What the figures mean, for those who want to disagree.

use serde::Serialize;

/// A piece of the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Method {
    /// What it is about.
    pub about: &'static str,
    /// How it is done, and what it cannot show.
    pub text: &'static str,
}

/// All of it.
pub fn method() -> Vec<Method> {
    METHOD.to_vec()
}

const METHOD: &[Method] = &[
    Method {
        about: "What is observed",
        text: "A passive sensor reads names, paths and addresses that hosts show on the wire (DNS, TLS, QUIC, HTTP) and \
               matches them against a catalogue of indicators. It sends nothing. One record is kept for each host, \
               indicator and UTC day.",
    },
    Method {
        about: "What a host is",
        text: "A hardware address where it is the host's own, otherwise an address for as long as it is known to have \
               been the same host's. A host that changes both counts as several; hosts behind one address count as one.",
    },
    Method {
        about: "Verdicts",
        text: "Counted as use: active (updates again and again, or an update beside many reputation queries of one \
               day), updating (data was transferred from an update name), contacting (a connection to one was \
               answered, by the server or by a filter in its place). Shown apart: attempting, looked-up at the rhythm of an installation, managed, oem. Never counted: present, web-only, \
               probe-only, none. A visit to a web site is not an installation.",
    },
    Method {
        about: "Alarms",
        text: "Contacts with names that imitate the vendor's, or with sinkholes. They are signs of malware and change no \
               verdict.",
    },
    Method {
        about: "For others",
        text: "What resolvers and proxies do for hosts that are in view is counted for those hosts alone. Where these are \
               not in view, one row may stand for many hosts.",
    },
    Method {
        about: "Confirmed",
        text: "A handshake with both sides, ARP, neighbour discovery or DHCP show that a sender's address was its own. \
               Hosts for which nothing shows it are listed and marked.",
    },
    Method {
        about: "What the absence of a contact does not show",
        text: "Hosts that were off, networks that are not mirrored, updates from a server on the LAN, installations \
               without a network, encrypted DNS together with Encrypted Client Hello, and tunnels leave no trace here.",
    },
];
