//! What was read, and what could not be seen: the lines that close a run.

use super::text::{clean, counted, grouped, percent, size};
use super::unseen;
use crate::base::Timestamp;
use crate::coverage::doubts::{self, Doubt, Sight};
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
    /// Hosts with contacts that the table lists, alarms included.
    pub hosts: u64,
    /// For a report from a store, what is known instead of `reach`.
    pub stored: Option<Stored>,
    /// Where a time was asked for, sensors of the store and their quarter hours
    /// with frames.
    pub sensors: Vec<(String, u64)>,
    /// Of a store, what each sensor counted.
    pub by_sensor: Vec<(String, Counts)>,
    /// What each capture counted, as far as [`doubts::of_capture`] asks for it.
    pub by_capture: Vec<(String, Counts)>,
    /// Of a run for which a time was asked, the quarter hours in which frames came, and
    /// all of them.
    pub asked: Option<(u64, u64)>,
    /// Whether that time goes on to now, as no end was given.
    pub to_now: bool,
    /// Of hosts that were asked for, those of whom none was in view, in words behind
    /// "no".
    pub out_of_view: Vec<String>,
    /// What a live run left out without counting it, or never got, in words.
    pub narrowed: Vec<String>,
}

/// What a store knows of what its sources could see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Live runs; captures are in [`Summary::files`].
    pub runs: u64,
    /// Sources of which only records were imported.
    pub imported: u64,
    /// UTC days whose records were removed by `--retain`.
    pub removed_days: u64,
    /// Indicators of the catalogue in effect that were not looked for in every
    /// source.
    pub unlooked: u64,
    /// Quarter hours with frames.
    pub quarters: u64,
    /// Quarter hours of the window, where one was asked for.
    pub of_quarters: Option<u64>,
    /// Most home addresses in one quarter hour.
    pub addresses: u64,
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
        let mut lines = self.account();
        if self.hosts == 0 {
            lines.push(self.nothing_seen());
        } else {
            lines.extend(self.hosts_may_be_missing());
        }
        lines
    }

    /// The lines without what an empty result means.
    pub fn account(&self) -> Vec<String> {
        let mut lines = self.read();
        let unseen = self.unseen();
        if !unseen.is_empty() {
            lines.push("Not seen:".to_owned());
            lines.extend(unseen.into_iter().map(|cause| format!("  - {cause}")));
        }
        lines
    }

    /// What was read, what was outside, what is unknown.
    pub fn read(&self) -> Vec<String> {
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
        lines
    }

    /// What could not be seen, most important first.
    pub fn unseen(&self) -> Vec<String> {
        let mut unseen = unseen::lines(&self.counts, &self.reach);
        if let Some((what, how)) = self.damaged() {
            let what =
                if self.is_live() { format!("what came after {what} {how}") } else { format!("{what} that {how}") };
            unseen.insert(0, what);
        }
        unseen
    }

    /// What an empty result means. Only a run with a fair view says that no
    /// contact was seen, and what it looked at; another says why it cannot know.
    pub fn nothing_seen(&self) -> String {
        let doubts = self.doubts();
        if !doubts.is_empty() {
            return format!("Whether there was a contact cannot be said: {}.", doubts.join("; "));
        }
        format!(
            "No contact seen of {}. That is not proof of absence: a host may have been off, contacted nothing in this \
             time, or gone another way than past this sensor.",
            self.view()
        )
    }

    /// Whether an empty result says nothing.
    pub fn is_in_doubt(&self) -> bool {
        !self.doubts().is_empty()
    }

    /// What makes it doubtful that all hosts with contacts were seen.
    pub fn doubted(&self) -> Option<String> {
        sentence(&self.doubts())
    }

    /// What makes it doubtful that all hosts with lookups were seen.
    pub fn lookups_doubted(&self) -> Option<String> {
        sentence(&self.doubts_but(|d| matches!(d, Doubt::OnlyDns)))
    }

    /// With hosts in the table, what may keep others out of it.
    fn hosts_may_be_missing(&self) -> Option<String> {
        self.doubted().map(|doubts| format!("Hosts may be missing above: {doubts}."))
    }

    /// What makes the view a poor one, in words.
    fn doubts(&self) -> Vec<String> {
        self.doubts_but(|_| false)
    }

    /// The same without those that do not matter.
    fn doubts_but(&self, matters_not: impl Fn(&Doubt) -> bool) -> Vec<String> {
        let stored = self.stored.unwrap_or_default();
        let sensors: Vec<u64> = self.sensors.iter().map(|(_, up)| *up).collect();
        let sight = Sight {
            counts: &self.counts,
            saw_home: self.stored.map_or(!self.reach.addresses.is_empty(), |s| s.addresses > 0),
            quarters: stored.of_quarters.map(|of| (stored.quarters, of)).or(self.asked),
            sensors: &sensors,
            damaged: self.files_damaged,
            imported: stored.imported,
            removed_days: stored.removed_days,
            unlooked: stored.unlooked,
            out_of_view: self.out_of_view.len(),
            narrowed: self.narrowed.len(),
        };
        let mut found = doubts::all(&sight);
        found.retain(|d| !matters_not(d));
        // What was imported is then said as the reason for no frame.
        let none = found.iter().any(|d| matches!(d, Doubt::NoFrame));
        let said = found.iter().filter(|d| !(none && matches!(d, Doubt::Imported(_))));
        let mut said: Vec<String> = said.map(|d| self.words(d)).collect();
        let mut own = doubts::of_sensors(self.by_sensor.iter().map(|(_, counts)| counts), &found);
        own.retain(|(_, doubt)| !matters_not(doubt));
        said.extend(own.iter().map(|(at, doubt)| {
            let name = self.by_sensor.get(*at).map_or("", |(name, _)| name.as_str());
            format!("of the sensor {}: {}", clean(name), self.words(doubt))
        }));
        // What is said of a sensor, or of all, is not said of its captures again.
        let known = |d: &Doubt| found.iter().chain(own.iter().map(|(_, own)| own)).any(|f| f.is_alike(d));
        if self.by_capture.len() > 1 {
            said.extend(self.hiding_captures(known));
        }
        said
    }

    /// The captures that hide all that there was at their place, the first by name.
    fn hiding_captures(&self, known: impl Fn(&Doubt) -> bool) -> Option<String> {
        let found = |(name, counts): &'_ (String, Counts)| Some((name.clone(), doubts::of_capture(counts)?));
        let mut hiding = self.by_capture.iter().filter_map(found).filter(|(_, d)| !known(d));
        let (name, doubt) = hiding.next()?;
        let others = match hiding.count() as u64 {
            0 => String::new(),
            n => format!(" and {}", counted(n, "other like it", "others like it")),
        };
        Some(format!("of the capture {}{others}: {}", clean(&name), self.words(&doubt)))
    }

    fn is_live(&self) -> bool {
        !self.interfaces.is_empty()
    }

    /// What was not read to its end, and how to say so.
    fn damaged(&self) -> Option<(String, &'static str)> {
        match self.files_damaged {
            0 => None,
            _ if self.is_live() => Some(("the capture".into(), "broke off")),
            n => Some((counted(n, "file or folder", "files or folders"), "could not be read in full")),
        }
    }

    /// Why an empty result says nothing.
    fn words(&self, doubt: &Doubt) -> String {
        let text = match doubt {
            Doubt::NoFrame if self.stored.is_some_and(|s| s.imported > 0) => {
                "only records were imported, which do not say what else was seen"
            }
            Doubt::NoFrame if self.stored.is_some() => "nothing is stored of what was captured in this time",
            Doubt::NoFrame => "no frame was read",
            Doubt::AllFiltered => "every frame was left out by --since, --until or --bpf",
            Doubt::NothingDecoded => "no TCP or UDP packet could be decoded",
            Doubt::NoName => "no host name was seen at all, so the vantage point may not show DNS or client traffic",
            Doubt::OnlyDns => {
                "hardly any connection was seen beside DNS, so the vantage point shows lookups, and not whether a \
                 contact followed"
            }
            Doubt::NoHomeAddress if self.stored.is_some() => {
                "no address of the home networks was seen (--home-net of replay and watch names them)"
            }
            Doubt::NoHomeAddress => "no address of the home networks was seen (--home-net names them)",
            Doubt::Outside(n) => {
                // What is stored was recorded with the networks of then.
                let how =
                    if self.stored.is_some() { "replay into another store with" } else { "name their networks with" };
                return format!(
                    "clients outside the home networks made {} (if they are yours, {how} --home-net)",
                    counted(*n, "contact", "contacts")
                );
            }
            Doubt::Late(n) => {
                return format!(
                    "{} came when the records of their day were closed (replay into the store what they are in)",
                    counted(*n, "contact", "contacts")
                );
            }
            Doubt::Down(up, of) => {
                let now = if self.to_now { ", which goes on to now (--until ends it)" } else { "" };
                return format!("the sensor saw frames in only {} of the window{now}", percent(*up, *of));
            }
            Doubt::SensorDown(at, up, of) => {
                let name = self.sensors.get(*at).map_or("", |(name, _)| name.as_str());
                return format!("the sensor {} saw frames in only {} of the window", clean(name), percent(*up, *of));
            }
            Doubt::OutOfView(at) => {
                let who = self.out_of_view.get(*at).map_or("host", String::as_str);
                return format!("no {} was in view", clean(who));
            }
            Doubt::Narrowed(at) => {
                return self.narrowed.get(*at).map_or_else(String::new, |text| clean(text).into_owned());
            }
            Doubt::Damaged(_) => {
                let (what, how) = self.damaged().unwrap_or_default();
                return format!("{what} {how}");
            }
            Doubt::Imported(n) => {
                return format!("what {} could see is not known", counted(*n, "imported source", "imported sources"));
            }
            Doubt::Removed(n) => {
                return format!("what was recorded on {} was removed by --retain", counted(*n, "day", "days"));
            }
            Doubt::Unlooked(n) => {
                return format!(
                    "this catalogue has {} not looked for in all that was recorded (record it again with this \
                     catalogue, or give the one that it was recorded with by --catalogue)",
                    counted(*n, "indicator that was", "indicators that were")
                );
            }
            Doubt::TooMuch(share, what) => return format!("{} {what}", percent(share.part, share.whole)),
            Doubt::TooLittle(share, what) => return format!("only {} {what}", percent(share.part, share.whole)),
        };
        text.to_owned()
    }

    /// What the run looked at.
    fn view(&self) -> String {
        let hosts = &self.reach.addresses;
        let about = match (self.stored, hosts.estimated()) {
            (Some(_), _) => "up to ",
            (None, 1..) => "about ",
            (None, 0) => "",
        };
        let (distinct, at_once, quarters) = match self.stored {
            Some(s) => (s.addresses, " at a time", s.quarters),
            None => (hosts.distinct(), "", self.reach.quarters),
        };
        let of = |counter: Counter, one: &str, many: &str| counted(self.counts.get(counter), one, many);
        format!(
            "{about}{}{at_once} in {} ({} decoded, {}, {}, {})",
            counted(distinct, "home address", "home addresses"),
            counted(quarters, "quarter hour", "quarter hours"),
            of(Counter::FramesDecoded, "frame", "frames"),
            of(Counter::DnsMessages, "DNS message", "DNS messages"),
            of(Counter::TlsHellos, "ClientHello", "ClientHellos"),
            of(Counter::HttpRequests, "HTTP request", "HTTP requests"),
        )
    }

    fn read_line(&self) -> String {
        let frames = counted(self.counts.get(Counter::Frames), "frame", "frames");
        let mut line = if let Some(stored) = self.stored {
            let runs = counted(stored.runs, "live run", "live runs");
            let bytes = size(self.counts.get(Counter::WireBytes));
            let captures = counted(self.files, "capture", "captures");
            match stored.imported {
                0 => format!("The store covers {captures} and {runs}: {frames}, {bytes}"),
                n => format!(
                    "The store covers {captures}, {runs} and imported records of {}: {frames}, {bytes}",
                    counted(n, "source", "sources")
                ),
            }
        } else if self.interfaces.is_empty() {
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
        if self.stored.is_some() {
            let contacts = counted(n, "contact", "contacts");
            return Some(format!("Outside the home networks of the runs: {contacts}, counted but not stored."));
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

/// Doubts as one sentence without its end.
fn sentence(doubts: &[String]) -> Option<String> {
    (!doubts.is_empty()).then(|| doubts.join("; "))
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
            reach: reach(&["10.0.0.1"]),
            ..Summary::default()
        };
        s.counts.add(Counter::Frames, 12_345);
        s.counts.add(Counter::TcpSegments, 12_000);
        s.counts.add(Counter::Names, 5);
        s
    }

    fn reach(hosts: &[&str]) -> Reach {
        let mut ledger = crate::coverage::Ledger::new();
        ledger.count(Counter::Frames);
        for host in hosts {
            ledger.address(host.parse().unwrap());
        }
        ledger.reach()
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
            (Counter::EchConcealed, 4),
            (Counter::QuicOpened, 8),
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
             - 123 frames cut short by the snap length of the capture (1.0 % of 12,345)\n  \
             - 1 frame of a link type that is not decoded (under 0.1 % of 12,345)\n  \
             - 4 TLS ClientHellos with the server name hidden by Encrypted Client Hello (10.0 % of 40)\n  \
             - 2 QUIC Initial packets that could not be opened (20.0 % of 10)\n  \
             - 1 contact with encrypted DNS resolvers, whose questions are hidden\n  \
             - 3 entries forgotten early because a table was full\n\
             Hosts may be missing above: clients outside the home networks made 9 contacts (if they are yours, name \
             their networks with --home-net); 2 files or folders could not be read in full.\n"
        );
    }

    #[test]
    fn only_a_fair_view_says_that_there_was_nothing() {
        let mut s = Summary::default();
        assert_eq!(
            text(&s),
            "Read 0 files: 0 frames, 0 B.\n\
             Whether there was a contact cannot be said: no frame was read.\n"
        );
        s.counts.add(Counter::Frames, 1);
        assert!(s.nothing_seen().ends_with("cannot be said: no TCP or UDP packet could be decoded."));
        s.counts.add(Counter::UdpDatagrams, 1);
        let blind = s.nothing_seen();
        assert!(blind.contains("no address of the home networks was seen (--home-net names them); no host name"));
        s.counts.add(Counter::Names, 1);
        s.reach = reach(&["10.0.0.1", "10.0.0.2"]);
        for (counter, n) in [(Counter::FramesDecoded, 1234), (Counter::DnsMessages, 1), (Counter::TlsHellos, 2)] {
            s.counts.add(counter, n);
        }
        assert_eq!(
            s.nothing_seen(),
            "No contact seen of 2 home addresses in 1 quarter hour (1,234 frames decoded, 1 DNS message, 2 ClientHellos, \
             0 HTTP requests). That is not proof of absence: a host may have been off, contacted nothing in this time, \
             or gone another way than past this sensor."
        );
        // From here on it cannot know.
        let mut outside = s.clone();
        outside.counts.add(Counter::ObservationsOutside, 1);
        let mut damaged = s.clone();
        damaged.files_damaged = 1;
        let live = Summary { interfaces: vec!["span0".into()], files_damaged: 1, ..s.clone() };
        let mut filtered = s.clone();
        filtered.counts.add(Counter::FramesFiltered, 1);
        let mut lossy = s.clone();
        lossy.counts.add(Counter::SampleAckedBytes, 1_000_000);
        lossy.counts.add(Counter::SampleUnseenBytes, 123_000);
        let mut cut = s;
        cut.counts.add(Counter::TlsHellos, 18);
        cut.counts.add(Counter::TlsHellosIncomplete, 10);
        for (s, why) in [
            (
                outside,
                "clients outside the home networks made 1 contact (if they are yours, name their networks with --home-net)",
            ),
            (damaged, "1 file or folder could not be read in full"),
            (live, "the capture broke off"),
            (filtered, "every frame was left out by --since, --until or --bpf"),
            (lossy, "12.3 % of the acknowledged bytes in the sample were never captured"),
            (cut, "only 50.0 % of the TLS ClientHellos could be read to their end"),
        ] {
            let mut s = s;
            assert!(!text(&s).contains("No contact") && s.nothing_seen().contains(why), "{}", text(&s));
            s.hosts = 1;
            assert!(text(&s).ends_with(&format!("Hosts may be missing above: {why}.\n")), "{}", text(&s));
        }
    }

    #[test]
    fn what_was_imported_is_said_once() {
        let stored = Stored { imported: 2, ..Stored::default() };
        let mut s = Summary { stored: Some(stored), ..Summary::default() };
        assert_eq!(s.doubted().unwrap(), "only records were imported, which do not say what else was seen");
        s.files_damaged = 1;
        assert!(s.doubted().unwrap().ends_with("; 1 file or folder could not be read in full"), "{:?}", s.doubted());
        // Beside what was seen it is a reason of its own.
        s.counts.add(Counter::Frames, 1);
        assert!(s.doubted().unwrap().ends_with("what 2 imported sources could see is not known"), "{:?}", s.doubted());
    }

    #[test]
    fn live_capture_names_its_interfaces() {
        let interfaces = vec!["span0".into(), "span1".into()];
        let mut s = Summary { interfaces, hosts: 1, reach: reach(&["10.0.0.1"]), ..Summary::default() };
        for counter in [Counter::Frames, Counter::UdpDatagrams, Counter::Names] {
            s.counts.add(counter, 1);
        }
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
}
