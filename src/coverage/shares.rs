//! What counts mean as parts of a whole. Whoever shows or stores a share takes
//! it from here, so that there is one truth.

use super::{Counter, Counts};

/// A part of a whole, by the counters that make them up.
#[derive(Debug)]
pub struct ShareDef {
    /// The word used in output.
    pub word: &'static str,
    /// What part of what, in a sentence.
    pub meaning: &'static str,
    /// Counters that add to the part.
    pub part: &'static [Counter],
    /// Counters that take from the part.
    pub less: &'static [Counter],
    /// Counters that add to the whole.
    pub whole: &'static [Counter],
    /// Counters that take from the whole.
    pub whole_less: &'static [Counter],
}

/// A share of one period.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// What it is of what.
    pub def: &'static ShareDef,
    /// The part.
    pub part: u64,
    /// The whole; never 0.
    pub whole: u64,
}

macro_rules! shares {
    ($($(#[doc = $doc:literal])+ $name:ident => $word:literal:
        ($($part:ident)+ $(- $less:ident)*) / ($($whole:ident)+ $(- $whole_less:ident)*),)+) => {
        $($(#[doc = $doc])+
        pub const $name: &ShareDef = &ShareDef {
            word: $word,
            meaning: concat!($($doc),+).trim_ascii(),
            part: &[$(Counter::$part),+],
            less: &[$(Counter::$less),*],
            whole: &[$(Counter::$whole),+],
            whole_less: &[$(Counter::$whole_less),*],
        };)+

        /// Every share, in output order.
        pub const ALL: &[&ShareDef] = &[$($name,)+];
    };
}

// A share is of counters alone. Where a stage gains a counter of what it could
// not see, its share is a line here, and its closing line a row of the summary.
shares! {
    /// Frames dropped before they could be captured, of all that came.
    FRAMES_DROPPED => "frames_dropped":
        (DroppedKernel DroppedInterface) / (Frames DroppedKernel DroppedInterface),
    /// Frames that a snap length cut short, of all.
    FRAMES_CUT => "frames_cut": (FramesCut) / (Frames),
    /// Frames of a link type that is not decoded, of all.
    LINK_UNSUPPORTED => "link_unsupported": (LinkUnsupported) / (Frames),
    /// Bytes of frames that became TCP segments and UDP datagrams, of all that were not left out by options.
    BYTES_DECODED => "bytes_decoded": (BytesDecoded) / (WireBytes - BytesFiltered),
    /// Bytes in layers that hide everything (ESP, WireGuard, MACsec, protected 802.11), of all.
    BYTES_OPAQUE => "bytes_opaque":
        (OpaqueEspBytes OpaqueWireguardBytes OpaqueMacsecBytes OpaqueWifiBytes OpaqueDocsisBytes) / (WireBytes),
    /// Fragmented datagrams that were not put together, of all that ended.
    FRAGMENTS_LOST => "fragments_lost": (IpFragmentsLost) / (IpFragmentsLost IpReassembled),
    /// TCP flows first seen after their handshake, their names gone by, of all TCP and UDP flows.
    FLOWS_MID_STREAM => "flows_mid_stream": (FlowsMidStream) / (Flows),
    /// TCP flows with payload in one direction only, of those that ended with payload.
    FLOWS_ONE_SIDED => "flows_one_sided": (FlowsOneSided) / (FlowsWithPayload),
    /// Acknowledged bytes that were never captured, in the sample of TCP flows.
    SAMPLE_UNSEEN => "sample_unseen": (SampleUnseenBytes) / (SampleAckedBytes),
    /// Gaps in the sample of TCP flows, to acknowledgements there, as Zeek's capture-loss reckons.
    SAMPLE_GAPS => "sample_gaps": (SampleGaps) / (SampleAcks),
    /// Acknowledged bytes that were never captured, in the TCP flows that were followed.
    MATCHED_UNSEEN => "matched_unseen": (MatchedUnseenBytes) / (MatchedAckedBytes),
    /// TLS ClientHellos read to their end, of those begun, in QUIC too.
    HELLOS_COMPLETED => "tls_hellos_completed":
        (TlsHellos - TlsHellosIncomplete) / (TlsHellos QuicHellosIncomplete),
    /// TLS ClientHellos of which the snap length left only a part, of all, in QUIC too.
    HELLOS_CUT => "tls_hellos_cut": (TlsHellosCut) / (TlsHellos QuicHellosIncomplete),
    /// TLS ClientHellos without a server name, of all.
    HELLOS_NAMELESS => "tls_no_name": (TlsNoName) / (TlsHellos),
    /// TLS ClientHellos whose real server name Encrypted Client Hello hides, of all.
    ECH_CONCEALED => "ech_concealed": (EchConcealed) / (TlsHellos),
    /// QUIC client Initial packets that were opened, of those that had to be: what follows a ClientHello is left closed.
    QUIC_OPENED => "quic_initials_opened": (QuicOpened) / (QuicOpened QuicRefused QuicBudget),
    /// Frames that were copies of others, of those in the sample.
    SAMPLE_COPIES => "sample_copies": (DuplicatesSampled) / (SampleFrames),
    /// DNS responses among all DNS messages: about half where both directions are in view.
    DNS_ANSWERS => "dns_answers": (DnsAnswers) / (DnsMessages),
    /// DNS responses whose question was not seen, of all responses.
    DNS_UNSOLICITED => "dns_unsolicited": (DnsUnsolicited) / (DnsAnswers),
    /// DNS messages that are malformed or cut, of all.
    DNS_MALFORMED => "dns_malformed": (DnsMalformed) / (DnsMessages),
}

impl ShareDef {
    /// The share in these counts; `None` where there is no whole.
    pub fn of(&'static self, counts: &Counts) -> Option<Share> {
        let sum = |counters: &[Counter]| counters.iter().fold(0u64, |sum, c| sum.saturating_add(counts.get(*c)));
        let whole = sum(self.whole).saturating_sub(sum(self.whole_less));
        let part = sum(self.part).saturating_sub(sum(self.less));
        (whole > 0).then_some(Share { def: self, part, whole })
    }
}

impl Share {
    /// Part by whole, to six decimals.
    pub fn ratio(&self) -> f64 {
        let millionths = u128::from(self.part).saturating_mul(1_000_000).checked_div(u128::from(self.whole));
        millionths.unwrap_or(0) as f64 / 1e6
    }

    /// Whether it is more than so many thousandths.
    pub fn exceeds(&self, per_mille: u64) -> bool {
        u128::from(self.part).saturating_mul(1000) > u128::from(self.whole).saturating_mul(u128::from(per_mille))
    }
}

/// The shares of these counts that have a whole, in output order.
pub fn all(counts: &Counts) -> impl Iterator<Item = Share> {
    ALL.iter().filter_map(|def| def.of(counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Counter as C;

    fn counts(list: &[(Counter, u64)]) -> Counts {
        let mut counts = Counts::default();
        list.iter().for_each(|(c, n)| counts.add(*c, *n));
        counts
    }

    #[test]
    fn shares_are_of_what_they_say() {
        type Case = (&'static ShareDef, &'static [(Counter, u64)], (u64, u64));
        let cases: [Case; 20] = [
            (FRAMES_DROPPED, &[(C::Frames, 90), (C::DroppedKernel, 7), (C::DroppedInterface, 3)], (10, 100)),
            (FRAMES_CUT, &[(C::Frames, 90), (C::FramesCut, 9)], (9, 90)),
            (LINK_UNSUPPORTED, &[(C::Frames, 90), (C::LinkUnsupported, 9)], (9, 90)),
            (FLOWS_MID_STREAM, &[(C::Flows, 90), (C::FlowsOther, 80), (C::FlowsMidStream, 9)], (9, 90)),
            (HELLOS_NAMELESS, &[(C::TlsHellos, 9), (C::TlsNoName, 2)], (2, 9)),
            (BYTES_DECODED, &[(C::WireBytes, 900), (C::BytesFiltered, 100), (C::BytesDecoded, 700)], (700, 800)),
            (
                BYTES_OPAQUE,
                &[
                    (C::WireBytes, 900),
                    (C::OpaqueEspBytes, 1),
                    (C::OpaqueWireguardBytes, 2),
                    (C::OpaqueMacsecBytes, 4),
                    (C::OpaqueWifiBytes, 8),
                ],
                (15, 900),
            ),
            (FRAGMENTS_LOST, &[(C::IpFragmentsLost, 3), (C::IpReassembled, 7)], (3, 10)),
            (FLOWS_ONE_SIDED, &[(C::FlowsOneSided, 3), (C::FlowsWithPayload, 7), (C::Flows, 100)], (3, 7)),
            (SAMPLE_UNSEEN, &[(C::SampleUnseenBytes, 3), (C::SampleAckedBytes, 7)], (3, 7)),
            (SAMPLE_GAPS, &[(C::SampleGaps, 3), (C::SampleAcks, 7)], (3, 7)),
            (MATCHED_UNSEEN, &[(C::MatchedUnseenBytes, 3), (C::MatchedAckedBytes, 7)], (3, 7)),
            (
                HELLOS_COMPLETED,
                &[(C::TlsHellos, 9), (C::TlsHellosIncomplete, 2), (C::QuicHellosIncomplete, 1)],
                (7, 10),
            ),
            (HELLOS_CUT, &[(C::TlsHellos, 9), (C::QuicHellosIncomplete, 1), (C::TlsHellosCut, 3)], (3, 10)),
            (SAMPLE_COPIES, &[(C::SampleFrames, 90), (C::DuplicatesSampled, 45), (C::Duplicates, 7)], (45, 90)),
            (ECH_CONCEALED, &[(C::TlsHellos, 9), (C::EchConcealed, 2)], (2, 9)),
            (
                QUIC_OPENED,
                &[(C::QuicInitials, 90), (C::QuicOpened, 8), (C::QuicRefused, 2), (C::QuicBudget, 1)],
                (8, 11),
            ),
            (DNS_ANSWERS, &[(C::DnsMessages, 9), (C::DnsAnswers, 4)], (4, 9)),
            (DNS_UNSOLICITED, &[(C::DnsAnswers, 4), (C::DnsUnsolicited, 1)], (1, 4)),
            (DNS_MALFORMED, &[(C::DnsMessages, 9), (C::DnsMalformed, 1)], (1, 9)),
        ];
        assert_eq!(cases.len(), ALL.len());
        for (def, list, expected) in cases {
            let share = def.of(&counts(list)).unwrap();
            assert_eq!((share.part, share.whole), expected, "{}", def.word);
        }
        assert_eq!(all(&Counts::default()).count(), 0, "without a whole there is no share");
    }

    #[test]
    fn words_are_distinct() {
        let mut words: Vec<&str> = ALL.iter().map(|def| def.word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ALL.len());
    }

    #[test]
    fn ratios_and_thresholds() {
        let share = |part, whole| Share { def: FRAMES_CUT, part, whole };
        assert_eq!((share(1, 3).ratio(), share(3, 3).ratio(), share(u64::MAX, 1).part), (0.333_333, 1.0, u64::MAX));
        assert!(share(51, 1000).exceeds(50) && !share(50, 1000).exceeds(50) && share(u64::MAX, u64::MAX).exceeds(999));
    }
}
