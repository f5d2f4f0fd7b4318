//! What was read, and what could not be seen: the lines that close a run.

use super::text::{clean, counted, grouped, size};
use crate::base::Timestamp;
use crate::coverage::{Counter, Counts, Reach};
use std::io;

/// Most residual names shown.
const MAX_RESIDUAL: usize = 10;

/// What a run read and found, for the closing lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Capture files read; 0 for live capture.
    pub files: u64,
    /// Files skipped because they are no captures.
    pub files_skipped: u64,
    /// Files that could not be read in full, and folders that could not be.
    pub files_damaged: u64,
    /// Interfaces listened on; empty for files.
    pub interfaces: Vec<String>,
    /// Bytes of capture content read, decompressed.
    pub bytes: u64,
    /// Least packet time.
    pub first: Option<Timestamp>,
    /// Greatest packet time.
    pub last: Option<Timestamp>,
    /// All that was counted.
    pub counts: Counts,
    /// Whom and how long the run could see.
    pub reach: Reach,
    /// Distinct clients outside the home networks with contacts.
    pub outside_clients: u64,
    /// Whether there were more of them than could be told apart.
    pub outside_clients_capped: bool,
    /// Names like the vendor's that no indicator but the residual one knows, with
    /// how often each was seen; any order.
    pub residual: Vec<(String, u64)>,
    /// Such names beyond those in `residual`.
    pub residual_more: u64,
    /// Hosts that the table lists, alarms included.
    pub hosts: u64,
}

impl Summary {
    /// Writes all lines.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        for line in self.lines() {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// The lines: what was read, what was outside, what is unknown, what could
    /// not be seen, and for an empty result what that means.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.read_line()];
        lines.extend(self.filtered_line());
        if self.files_skipped > 0 {
            lines.push(format!(
                "Skipped {} that by content {} no capture.",
                counted(self.files_skipped, "file", "files"),
                if self.files_skipped == 1 { "is" } else { "are" }
            ));
        }
        lines.extend(self.outside_line());
        lines.extend(self.residual_line());
        let unseen = self.unseen();
        if !unseen.is_empty() {
            lines.push("Not seen:".to_owned());
            lines.extend(unseen.into_iter().map(|cause| format!("  - {cause}")));
        }
        if self.hosts == 0 {
            lines.push(self.nothing_seen());
        }
        lines
    }

    /// What an empty result means, in a sentence or two.
    pub fn nothing_seen(&self) -> String {
        if self.counts.get(Counter::ObservationsOutside) > 0 {
            return "No contact of a host in the home networks seen, only of clients outside them. If those are yours, \
                    name their networks with --home-net."
                .to_owned();
        }
        let mut line = String::from("No contact seen. That is not proof of absence: ");
        let read = self.counts.get(Counter::Frames);
        let used = self.counts.get(Counter::TcpSegments).saturating_add(self.counts.get(Counter::UdpDatagrams));
        if read == 0 {
            line.push_str("no frame was read.");
        } else if self.counts.get(Counter::FramesFiltered) >= read {
            line.push_str("every frame was left out by --since, --until or --bpf.");
        } else if used == 0 {
            line.push_str("no TCP or UDP packet could be decoded.");
        } else if self.counts.get(Counter::Names) == 0 {
            line.push_str("no host name was seen at all, so the vantage point may not show DNS or client traffic.");
        } else {
            line.push_str(
                "a host may have been off, contacted nothing in this time, or gone another way than past this sensor.",
            );
        }
        line
    }

    fn read_line(&self) -> String {
        let frames = counted(self.counts.get(Counter::Frames), "frame", "frames");
        let mut line = if self.interfaces.is_empty() {
            format!("Read {}: {frames}, {}", counted(self.files, "file", "files"), size(self.bytes))
        } else {
            let names: Vec<String> = self.interfaces.iter().map(|n| clean(n).into_owned()).collect();
            format!("Listened on {}: {frames}, {}", names.join(", "), size(self.counts.get(Counter::WireBytes)))
        };
        if let (Some(first), Some(last)) = (self.first, self.last) {
            line.push_str(", ");
            line.push_str(&span(first, last));
            line.push_str(" UTC");
        }
        line.push('.');
        line
    }

    fn filtered_line(&self) -> Option<String> {
        let n = self.counts.get(Counter::FramesFiltered);
        (n > 0).then(|| format!("{} left out by --since, --until or --bpf.", counted(n, "frame was", "frames were")))
    }

    fn outside_line(&self) -> Option<String> {
        let n = self.counts.get(Counter::ObservationsOutside);
        if n == 0 {
            return None;
        }
        let clients = counted(self.outside_clients, "client", "clients");
        let least = if self.outside_clients_capped { "at least " } else { "" };
        Some(format!(
            "Outside the home networks: {} by {least}{clients}, counted but not listed; --home-net any lists them.",
            counted(n, "contact", "contacts")
        ))
    }

    fn residual_line(&self) -> Option<String> {
        if self.residual.is_empty() {
            return None;
        }
        let mut names = self.residual.clone();
        names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let shown: Vec<String> =
            names.iter().take(MAX_RESIDUAL).map(|(name, n)| format!("{} ({})", clean(name), grouped(*n))).collect();
        let hidden = u64::try_from(names.len().saturating_sub(MAX_RESIDUAL)).unwrap_or(u64::MAX);
        let more = match hidden.saturating_add(self.residual_more) {
            0 => String::new(),
            n => format!(" and {} more", grouped(n)),
        };
        Some(format!("Names like the vendor's, of unknown purpose: {}{more}.", shown.join(", ")))
    }

    /// What could not be seen, most important first. Causes that did not occur
    /// are left out.
    pub fn unseen(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if self.files_damaged > 0 {
            causes.push(format!(
                "{} that could not be read in full",
                counted(self.files_damaged, "file or folder", "files or folders")
            ));
        }
        for cause in CAUSES {
            let sum =
                |counters: &[Counter]| counters.iter().fold(0u64, |sum, c| sum.saturating_add(self.counts.get(*c)));
            let n = sum(cause.counters);
            if n == 0 {
                continue;
            }
            let mut line = format!("{} {}", counted(n, cause.one, cause.many), cause.what);
            let whole = sum(cause.of);
            if whole >= n {
                line.push_str(&format!(" ({} of {})", percent(n, whole), grouped(whole)));
            }
            causes.push(line);
        }
        causes
    }
}

/// A blind spot.
struct Cause {
    /// What shows it; the sum counts.
    counters: &'static [Counter],
    /// The whole that it is a part of, if that says something.
    of: &'static [Counter],
    one: &'static str,
    many: &'static str,
    what: &'static str,
}

const fn cause(
    counters: &'static [Counter],
    of: &'static [Counter],
    (one, many): (&'static str, &'static str),
    what: &'static str,
) -> Cause {
    Cause { counters, of, one, many, what }
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
        cause(&[C::FramesCut], &[C::Frames], FRAMES, "cut short by the snap length of the capture"),
        cause(&[C::LinkUnsupported], &[C::Frames], FRAMES, "of a link type that is not decoded"),
        cause(
            &[C::LinkOpaque, C::IpOpaque],
            &[C::Frames],
            PACKETS,
            "encrypted below TCP and UDP (MACsec, 802.11, ESP)",
        ),
        cause(&[C::TunnelUnsupported], &[], PACKETS, "in tunnels that are not decoded"),
        cause(
            &[C::TlsHellosIncomplete],
            &[C::TlsHellos],
            ("TLS ClientHello", "TLS ClientHellos"),
            "not readable to the end",
        ),
        cause(
            &[C::EchConcealed],
            &[C::TlsHellos],
            ("TLS ClientHello", "TLS ClientHellos"),
            "with the server name hidden by Encrypted Client Hello",
        ),
        cause(
            &[C::QuicRefused, C::QuicBudget],
            &[C::QuicInitials],
            ("QUIC Initial packet", "QUIC Initial packets"),
            "that could not be opened",
        ),
        cause(&[C::QuicVersionUnknown], &[], ("QUIC packet", "QUIC packets"), "of an unknown version"),
        cause(&[C::QuicHellosIncomplete], &[], ("QUIC ClientHello", "QUIC ClientHellos"), "not readable to the end"),
        cause(
            &[C::EncryptedDns],
            &[],
            ("contact", "contacts"),
            "with encrypted DNS resolvers, whose questions are hidden",
        ),
        cause(&[C::StreamGaps], &[], ("stream", "streams"), "with bytes missing where names would be"),
        cause(&[C::FlowsOneSided], &[C::Flows], FLOWS, "with only one direction in view"),
        cause(&[C::FlowsMidStream], &[C::Flows], FLOWS, "under way before the capture began, their names gone by"),
        cause(&[C::IpFragmentsLost], &[], ("fragmented datagram", "fragmented datagrams"), "not put together"),
        cause(
            &[C::LinkMalformed, C::IpMalformed, C::TransportMalformed, C::LayersExceeded],
            &[C::Frames],
            PACKETS,
            "with headers that make no sense",
        ),
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

/// A share with one decimal, never rounded to nothing or to all.
fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part).saturating_mul(1000).checked_div(u128::from(whole)).unwrap_or(0);
    if tenths == 0 && part > 0 {
        return "under 0.1 %".to_owned();
    }
    if tenths == 1000 {
        return "100 %".to_owned();
    }
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// A span of time in minutes, with one date if both ends share it.
pub(super) fn span(first: Timestamp, last: Timestamp) -> String {
    let (first, last) = (minutes(first), minutes(last));
    if first == last {
        return first;
    }
    match (first.split_once(' '), last.split_once(' ')) {
        (Some((day, _)), Some((same, time))) if day == same => format!("{first} to {time}"),
        _ => format!("{first} to {last}"),
    }
}

/// `2026-03-01 10:00`.
fn minutes(t: Timestamp) -> String {
    let text = t.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let mut s = Summary {
            files: 3,
            bytes: 1_234_567,
            first: Timestamp::parse("2026-03-01T10:00:59Z"),
            last: Timestamp::parse("2026-03-01T12:30:00Z"),
            hosts: 2,
            ..Summary::default()
        };
        s.counts.add(Counter::Frames, 12_345);
        s.counts.add(Counter::TcpSegments, 12_000);
        s.counts.add(Counter::Names, 5);
        s
    }

    fn text(s: &Summary) -> String {
        let mut out = Vec::new();
        s.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_quiet_run_says_what_it_read() {
        assert_eq!(text(&summary()), "Read 3 files: 12,345 frames, 1.2 MB, 2026-03-01 10:00 to 12:30 UTC.\n");
    }

    #[test]
    fn every_blind_spot_is_said_in_order() {
        let mut s = summary();
        s.files_skipped = 1;
        s.files_damaged = 2;
        s.outside_clients = 4;
        s.residual = vec![("b.kaspersky.com".into(), 1), ("a.kaspersky.com".into(), 1), ("c\u{1b}[1m".into(), 2000)];
        s.residual_more = 3;
        for (counter, n) in [
            (Counter::FramesFiltered, 1),
            (Counter::ObservationsOutside, 9),
            (Counter::TableEvicted, 3),
            (Counter::EncryptedDns, 1),
            (Counter::FramesCut, 123),
            (Counter::DroppedKernel, 7),
            (Counter::TlsHellos, 40),
            (Counter::EchConcealed, 40),
            (Counter::QuicRefused, 2),
            (Counter::LinkUnsupported, 1),
        ] {
            s.counts.add(counter, n);
        }
        assert_eq!(
            text(&s),
            "Read 3 files: 12,345 frames, 1.2 MB, 2026-03-01 10:00 to 12:30 UTC.\n\
             1 frame was left out by --since, --until or --bpf.\n\
             Skipped 1 file that by content is no capture.\n\
             Outside the home networks: 9 contacts by 4 clients, counted but not listed; --home-net any lists them.\n\
             Names like the vendor's, of unknown purpose: c\\x1b[1m (2,000), a.kaspersky.com (1), b.kaspersky.com (1) and 3 more.\n\
             Not seen:\n  \
             - 2 files or folders that could not be read in full\n  \
             - 7 frames dropped before they could be captured\n  \
             - 123 frames cut short by the snap length of the capture (0.9 % of 12,345)\n  \
             - 1 frame of a link type that is not decoded (under 0.1 % of 12,345)\n  \
             - 40 TLS ClientHellos with the server name hidden by Encrypted Client Hello (100 % of 40)\n  \
             - 2 QUIC Initial packets that could not be opened\n  \
             - 1 contact with encrypted DNS resolvers, whose questions are hidden\n  \
             - 3 entries forgotten early because a table was full\n"
        );
    }

    #[test]
    fn an_empty_result_is_no_proof() {
        let mut s = Summary::default();
        assert_eq!(
            text(&s),
            "Read 0 files: 0 frames, 0 B.\n\
             No contact seen. That is not proof of absence: no frame was read.\n"
        );
        s.counts.add(Counter::Frames, 1);
        assert!(s.nothing_seen().ends_with("no TCP or UDP packet could be decoded."));
        s.counts.add(Counter::UdpDatagrams, 1);
        assert!(s.nothing_seen().contains("no host name was seen at all"));
        s.counts.add(Counter::Names, 1);
        assert!(s.nothing_seen().contains("a host may have been off"));
        s.counts.add(Counter::FramesFiltered, 1);
        assert!(s.nothing_seen().ends_with("every frame was left out by --since, --until or --bpf."));
        s.counts.add(Counter::ObservationsOutside, 1);
        assert!(s.nothing_seen().starts_with("No contact of a host in the home networks seen"), "{}", s.nothing_seen());
    }

    #[test]
    fn live_capture_names_its_interfaces() {
        let mut s = Summary { interfaces: vec!["span0".into(), "span1".into()], hosts: 1, ..Summary::default() };
        s.counts.add(Counter::Frames, 1);
        s.counts.add(Counter::WireBytes, 1500);
        assert_eq!(text(&s), "Listened on span0, span1: 1 frame, 1.5 kB.\n");
    }

    #[test]
    fn spans_of_time() {
        let t = |text| Timestamp::parse(text).unwrap();
        let (a, b) = (t("2026-03-01T10:00:01Z"), t("2026-03-01T10:00:59Z"));
        assert_eq!(span(a, b), "2026-03-01 10:00");
        assert_eq!(span(a, t("2026-03-02T09:00:00Z")), "2026-03-01 10:00 to 2026-03-02 09:00");
    }

    #[test]
    fn shares_are_not_rounded_away() {
        assert_eq!(percent(1, 100_000), "under 0.1 %");
        assert_eq!(percent(99_999, 100_000), "99.9 %");
        assert_eq!(percent(5, 5), "100 %");
    }
}
