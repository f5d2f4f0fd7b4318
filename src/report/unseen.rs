//! What could not be seen, line by line.

use super::text::{clean, counted, grouped, percent, size};
use crate::coverage::resolvers::Resolver;
use crate::coverage::shares::{self, ShareDef};
use crate::coverage::{Counter, Counts, Reach};

/// Most resolvers shown.
const MAX_RESOLVERS: usize = 5;

/// What could not be seen, most important first. Causes that did not occur, or
/// too rarely to matter, are left out.
pub(super) fn lines(counts: &Counts, reach: &Reach) -> Vec<String> {
    let mut lines = Vec::new();
    for cause in CAUSES {
        lines.extend(match cause {
            Cause::Count { counters, of, per_mille, noun, what } => {
                count(counts, counters, of, *per_mille, *noun, what)
            }
            Cause::Share { share, per_mille, what } => over(counts, share, *per_mille, what),
            Cause::Resolvers => resolvers(counts, reach),
        });
    }
    lines
}

/// A blind spot.
enum Cause {
    /// Counted things; the sum counts.
    Count {
        counters: &'static [Counter],
        /// The whole that it is a part of, if that says something.
        of: &'static [Counter],
        /// Thousandths of that whole up to which it is not worth a line.
        per_mille: u64,
        noun: (&'static str, &'static str),
        what: &'static str,
    },
    /// Bytes, worth a line when more than so many thousandths.
    Share { share: &'static ShareDef, per_mille: u64, what: &'static str },
    /// Encrypted DNS.
    Resolvers,
}

fn count(
    counts: &Counts,
    counters: &[Counter],
    of: &[Counter],
    per_mille: u64,
    (one, many): (&str, &str),
    what: &str,
) -> Option<String> {
    let sum = |counters: &[Counter]| counters.iter().fold(0u64, |sum, c| sum.saturating_add(counts.get(*c)));
    let n = sum(counters);
    let whole = sum(of);
    if u128::from(n).saturating_mul(1000) <= u128::from(whole).saturating_mul(u128::from(per_mille)) && per_mille > 0
        || n == 0
    {
        return None;
    }
    let mut line = format!("{} {what}", counted(n, one, many));
    if whole >= n {
        line.push_str(&format!(" ({} of {})", percent(n, whole), grouped(whole)));
    }
    Some(line)
}

fn over(counts: &Counts, share: &'static ShareDef, per_mille: u64, what: &str) -> Option<String> {
    let share = share.of(counts).filter(|share| share.exceeds(per_mille))?;
    let mut line =
        format!("{} {what} ({} of {}", size(share.part), percent(share.part, share.whole), size(share.whole));
    if share.def.word == shares::SAMPLE_UNSEEN.word {
        let flows = counted(counts.get(Counter::SampleFlows), "flow", "flows");
        line.push_str(&format!(", in a sample of {flows}"));
    }
    line.push(')');
    Some(line)
}

/// Whose questions are hidden, and by whom they are answered.
fn resolvers(counts: &Counts, reach: &Reach) -> Option<String> {
    if reach.resolvers.is_empty() || reach.resolvers.rows().is_empty() {
        let what = "with encrypted DNS resolvers, whose questions are hidden";
        return count(counts, &[Counter::EncryptedDns], &[], 0, ("contact", "contacts"), what);
    }
    let mut rows = reach.resolvers.rows();
    rows.sort_by(|a, b| b.hosts.cmp(&a.hosts).then_with(|| a.name.cmp(b.name)));
    let one = |r: &Resolver<'_>| format!("{} {}", clean(r.name), grouped(r.hosts));
    let shown: Vec<String> = rows.iter().take(MAX_RESOLVERS).map(one).collect();
    let more = match rows.len().saturating_sub(MAX_RESOLVERS) {
        0 => String::new(),
        n => format!(" and {} more", grouped(n as u64)),
    };
    let hosts = reach.resolvers.hosts();
    let about = if hosts.estimated() > 0 { "about " } else { "" };
    let hosts = counted(hosts.distinct(), "host that uses", "hosts that use");
    Some(format!("what {about}{hosts} encrypted DNS asked ({}{more})", shown.join(", ")))
}

const fn cause(
    counters: &'static [Counter],
    of: &'static [Counter],
    noun: (&'static str, &'static str),
    what: &'static str,
) -> Cause {
    Cause::Count { counters, of, per_mille: 0, noun, what }
}

const fn over_share(per_mille: u64, share: &'static ShareDef, what: &'static str) -> Cause {
    Cause::Share { share, per_mille, what }
}

const FRAMES: (&str, &str) = ("frame", "frames");
const PACKETS: (&str, &str) = ("packet", "packets");
const FLOWS: (&str, &str) = ("flow", "flows");

/// Blind spots, the ones first that hide most: frames that never came, whole
/// frames, names, parts of flows, state.
const CAUSES: &[Cause] = {
    use Counter as C;
    &[
        cause(&[C::DroppedKernel, C::DroppedInterface], &[], FRAMES, "dropped before they could be captured"),
        // Retransmission and reordering leave none; a few in a thousand are a busy mirror port.
        over_share(5, shares::SAMPLE_UNSEEN, "acknowledged by their receivers and never captured"),
        over_share(10, shares::MATCHED_UNSEEN, "acknowledged in contacts that were followed and never captured"),
        cause(&[C::FramesCut], &[C::Frames], FRAMES, "cut short by the snap length of the capture"),
        cause(&[C::LinkUnsupported], &[C::Frames], FRAMES, "of a link type that is not decoded"),
        cause(
            &[C::LinkOpaque, C::IpOpaque],
            &[C::Frames],
            PACKETS,
            "encrypted below TCP and UDP (MACsec, 802.11, ESP)",
        ),
        over_share(10, shares::BYTES_OPAQUE, "in layers that hide everything (ESP, WireGuard, MACsec, 802.11)"),
        cause(&[C::TunnelUnsupported], &[], PACKETS, "in tunnels that are not decoded"),
        cause(
            &[C::TlsHellosIncomplete],
            &[C::TlsHellos],
            ("TLS ClientHello", "TLS ClientHellos"),
            "not readable to the end",
        ),
        cause(
            &[C::TlsHellosCut, C::QuicCut, C::HttpCut, C::DnsCut, C::StreamHeadsCut],
            &[],
            ("message", "messages"),
            "that the snap length cut where names would be",
        ),
        cause(
            &[C::EchConcealed],
            &[C::TlsHellos],
            ("TLS ClientHello", "TLS ClientHellos"),
            "with the server name hidden by Encrypted Client Hello",
        ),
        cause(
            &[C::QuicRefused, C::QuicBudget],
            &[C::QuicOpened, C::QuicRefused, C::QuicBudget],
            ("QUIC Initial packet", "QUIC Initial packets"),
            "that could not be opened",
        ),
        cause(&[C::QuicVersionUnknown], &[], ("QUIC packet", "QUIC packets"), "of an unknown version"),
        cause(&[C::QuicHellosIncomplete], &[], ("QUIC ClientHello", "QUIC ClientHellos"), "not readable to the end"),
        Cause::Resolvers,
        cause(&[C::StreamGaps], &[], ("stream", "streams"), "with bytes missing where names would be"),
        cause(&[C::FlowsOneSided], &[C::FlowsWithPayload], FLOWS, "with only one direction in view"),
        cause(&[C::FlowsMidStream], &[C::Flows], FLOWS, "under way before the capture began, their names gone by"),
        cause(
            &[C::Http2HostsLost],
            &[C::HttpRequests],
            ("HTTP/2 request", "HTTP/2 requests"),
            "whose host was said before the capture began",
        ),
        cause(&[C::IpFragmentsLost], &[], ("fragmented datagram", "fragmented datagrams"), "not put together"),
        cause(
            &[C::LinkMalformed, C::IpMalformed, C::TransportMalformed, C::LayersExceeded],
            &[C::Frames],
            PACKETS,
            "with headers that make no sense",
        ),
        cause(
            &[C::LengthsOverstated],
            &[C::TcpSegments, C::UdpDatagrams],
            ("segment", "segments"),
            "announced as longer than their frames, the rest of which counts for nothing",
        ),
        Cause::Count {
            counters: &[C::DnsUnsolicited],
            of: &[C::DnsAnswers],
            per_mille: 100,
            noun: ("DNS answer", "DNS answers"),
            what: "without their question in view",
        },
        cause(&[C::DnsMalformed], &[C::DnsMessages], ("DNS message", "DNS messages"), "malformed or cut"),
        cause(
            &[C::ContactsUnfollowed],
            &[C::Observations],
            ("contact", "contacts"),
            "not followed further because too many were under way",
        ),
        cause(&[C::ObservationsLate], &[], ("contact", "contacts"), "too late for the record of their day"),
        cause(&[C::EncapsRefused], &[], PACKETS, "of VLANs and tunnels too many to be told apart"),
        cause(
            &[C::StreamsEvicted, C::StreamOverflow, C::FlowsEvicted, C::DnsQuestionsEvicted, C::TableEvicted],
            &[],
            ("entry", "entries"),
            "forgotten early because a table was full",
        ),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::Ledger;

    fn of(list: &[(Counter, u64)]) -> Vec<String> {
        let mut counts = Counts::default();
        list.iter().for_each(|(c, n)| counts.add(*c, *n));
        lines(&counts, &Reach::default())
    }

    #[test]
    fn shares_have_a_line_where_they_matter() {
        use Counter as C;
        let lost = |n| [(C::SampleFlows, 12), (C::SampleAckedBytes, 2_000_000), (C::SampleUnseenBytes, n)];
        assert!(of(&lost(10_000)).is_empty());
        assert_eq!(
            of(&lost(50_000)),
            ["50.0 kB acknowledged by their receivers and never captured (2.5 % of 2.0 MB, in a sample of 12 flows)"]
        );
        assert!(of(&[(C::MatchedAckedBytes, 100_000), (C::MatchedUnseenBytes, 1_000)]).is_empty());
        assert_eq!(
            of(&[(C::MatchedAckedBytes, 100_000), (C::MatchedUnseenBytes, 2_000)]),
            ["2.0 kB acknowledged in contacts that were followed and never captured (2.0 % of 100.0 kB)"]
        );
        let opaque = |n| [(C::WireBytes, 1_000_000), (C::OpaqueMacsecBytes, n)];
        assert!(of(&opaque(10_000)).is_empty());
        let found = of(&opaque(20_000));
        assert_eq!(
            found,
            ["20.0 kB in layers that hide everything (ESP, WireGuard, MACsec, 802.11) (2.0 % of 1.0 MB)"]
        );
        assert!(of(&[(C::DnsAnswers, 50), (C::DnsUnsolicited, 5)]).is_empty());
        let found = of(&[(C::DnsAnswers, 50), (C::DnsUnsolicited, 6)]);
        assert_eq!(found, ["6 DNS answers without their question in view (12.0 % of 50)"]);
    }

    #[test]
    fn encrypted_dns_is_said_by_host_and_resolver() {
        let mut ledger = Ledger::new();
        for (n, name) in [(1, "a"), (2, "a"), (1, "b"), (3, "c"), (3, "d"), (3, "e"), (3, "f"), (3, "g")] {
            ledger.resolver(&format!("{name}.example"), crate::base::Addr::v4([10, 0, 0, n]), false);
        }
        ledger.resolver_port(crate::base::Addr::v4([10, 0, 0, 9]));
        let lines = lines(&Counts::default(), &ledger.reach());
        assert_eq!(
            lines,
            ["what 4 hosts that use encrypted DNS asked (a.example 2, (port 853) 1, b.example 1, c.example 1, \
              d.example 1 and 3 more)"]
        );
        // Clients outside the home networks are no hosts.
        assert_eq!(
            of(&[(Counter::EncryptedDns, 2)]),
            ["2 contacts with encrypted DNS resolvers, whose questions are hidden"]
        );
    }
}
