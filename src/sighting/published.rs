//! What of a record may be given to others beside addresses and names: words
//! that somebody chose, such as those of sensors, and paths. In publications
//! only what this program makes itself, and knows to name no host, stays.

use super::pseudonym::Pseudonyms;
use super::record::{Evidence, Record};
use crate::base::digest::hex;
use crate::base::{Addr, Channel, NameSource, Prefix};
use crate::catalogue::{Catalogue, Category, TransportPort};
use crate::flow::Note;
use crate::packet::is_path;
use std::sync::LazyLock;

static BUILTIN: LazyLock<Catalogue> = LazyLock::new(Catalogue::builtin);

/// Words that stay with pseudonyms of a run, and are replaced in publications.
impl Pseudonyms {
    /// The encapsulation context of a host: it stays if it is one.
    pub fn segment(&self, segment: &str) -> String {
        if !self.publishes() || is_path(segment) { segment.to_owned() } else { self.word("segment", segment) }
    }

    /// What stands for the name of a sensor.
    pub fn sensor(&self, sensor: &str) -> String {
        let stays = !self.publishes() || sensor.is_empty();
        if stays { sensor.to_owned() } else { format!("sensor-{}", self.word("sensor", sensor)) }
    }

    /// What stands for the id of a source: its kind stays.
    pub fn source(&self, source: &str) -> String {
        match source.split_once(':') {
            Some((kind, _)) if self.publishes() => format!("{kind}:{}", hex(&self.keyed("source", source.as_bytes()))),
            _ => source.to_owned(),
        }
    }

    /// The id of an indicator: one that no catalogue has that is shown is
    /// somebody's own.
    pub(super) fn indicator(&self, id: String) -> String {
        let known = || self.catalogue().find(id.as_str()).is_some() || BUILTIN.find(id.as_str()).is_some();
        if !self.publishes() || known() { id } else { format!("indicator-{}", self.word("indicator", &id)) }
    }

    /// Words on circumstances.
    pub(super) fn notes(&self, mut notes: Vec<String>) -> Vec<String> {
        notes.retain(|word| !self.publishes() || Note::ALL.iter().any(|note| note.as_str() == word));
        notes
    }

    pub(super) fn name_source(&self, source: Option<String>) -> Option<String> {
        source.filter(|word| !self.publishes() || NameSource::ALL.iter().any(|s| s.as_str() == word))
    }

    /// The server of a contact. One that may tell of a role, as
    /// [`Record::tells_of_roles`] has it, may be a host elsewhere.
    pub(super) fn server_of(&self, server: Addr, roles: bool) -> Addr {
        if roles { self.address(server) } else { self.server(server) }
    }

    /// A file, and an interface: the name of either may be anybody's.
    pub(super) fn place(&self, path: Option<String>, interface: Option<String>) -> (Option<String>, Option<String>) {
        if self.publishes() {
            return (path.map(|p| format!("capture-{}", self.word("path", &p))), None);
        }
        (path.map(|p| self.text(&p)), interface)
    }

    /// One of the layers of a frame.
    pub(super) fn layer(&self, layer: &str) -> String {
        if !self.publishes() || is_path(layer) { self.text(layer) } else { self.word("layer", layer) }
    }

    /// What was seen in a channel: a name, or something else that may hold
    /// addresses, and of which little is known to name nobody.
    pub(super) fn seen(&self, name: String, channel: Channel, at_home: bool) -> Option<String> {
        match channel {
            Channel::HttpPath | Channel::HttpUserAgent if self.publishes() => None,
            Channel::LanPort if self.publishes() => Some(name).filter(|n| n.parse::<TransportPort>().is_ok()),
            Channel::Netblock if self.publishes() => Some(name).filter(|n| self.lists(n)),
            Channel::HttpPath | Channel::Netblock | Channel::LanPort => Some(self.text(&name)),
            _ => Some(self.server_name(&name, at_home).into()),
        }
    }

    /// Whether the catalogue has this network.
    fn lists(&self, network: &str) -> bool {
        let parsed: Option<Prefix> = network.parse().ok();
        parsed.is_some_and(|p| self.catalogue().match_addr(&Addr(p.network().to_be_bytes())).is_some())
    }

    /// Whether names of servers are replaced that the catalogue does not list.
    pub(super) fn servers_at_home(&self, r: &Record) -> bool {
        self.publishes() || r.servers.is_empty() || r.servers.iter().any(|s| self.covers(&s.ip))
    }

    /// Sender and receiver of a frame, one of which is the host.
    pub(super) fn ends(&self, e: &Evidence, host: Addr, roles: bool) -> (Addr, Addr) {
        let end = |ip: Addr| if ip == host { self.address(ip) } else { self.server_of(ip, roles) };
        (end(e.src), end(e.dst))
    }
}

impl Record {
    /// Whether its servers may tell of a role: of LAN management, of requests
    /// by path, of proxied requests.
    pub fn tells_of_roles(&self) -> bool {
        let has = |channel| self.channels.contains(&channel);
        self.indicator.category == Category::LanManagement
            || has(Channel::HttpPath)
            || has(Channel::HttpConnect)
            || self.notes.iter().any(|word| word == Note::ViaProxy.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::pseudonym::{Conceal, key_of_file};
    use super::super::testing::record;
    use super::*;
    use crate::sighting::HomeNets;
    use crate::sighting::draft::record_id;
    use crate::sighting::line::{parse, written};
    use std::sync::Arc;

    /// A record with something of its own wherever there is room for it.
    fn telling() -> Record {
        let mut r = record();
        r.sensor = "anna-sensor".into();
        r.source = "file:anna.2026".into();
        r.host.ip = "203.0.113.7".parse().unwrap();
        r.host.mac = Some("03:aa:bb:cc:dd:ee".parse().unwrap());
        r.host.segment = "anna-room".into();
        r.host.name = Some("anna-laptop".into());
        r.host.name_source = Some("anna".into());
        r.indicator.id = "anna-indicator".into();
        r.names = vec!["198.51.100.99".into(), "anna.corp.example".into(), "p00.upd.kaspersky.com".into()];
        r.client_subnets = vec!["198.51.100.0/24".parse().unwrap()];
        r.community_ids = vec!["1:anna".into()];
        r.notes = vec!["anna".into(), "gap".into()];
        r.servers.iter_mut().for_each(|s| s.ip = "198.51.100.80".parse().unwrap());
        let named = [
            (Channel::HttpHost, "anna.corp.example"),
            (Channel::HttpPath, "/anna/index/u0607g.xml"),
            (Channel::HttpUserAgent, "anna/1.0"),
            (Channel::LanPort, "anna/1"),
            (Channel::Netblock, "198.51.100.0/24"),
            (Channel::Payload, "anna"),
        ];
        r.evidence = named
            .iter()
            .map(|(channel, name)| Evidence {
                path: Some("anna/203.0.113.7.pcap".into()),
                interface: Some("anna0".into()),
                channel: *channel,
                name: Some((*name).into()),
                src: r.host.ip,
                dst: "198.51.100.53".parse().unwrap(),
                layers: vec!["vlan:10".into(), "anna:1".into()],
                frame: 7,
                offset: Some(24),
                ts: r.first_seen,
                sport: 50_000,
                dport: 443,
                packet_sha256: "a5".repeat(32),
            })
            .collect();
        let h = &r.host;
        r.id = record_id(&r.sensor, &h.segment, &h.ip, h.mac, &r.indicator.id, &r.period);
        r
    }

    #[test]
    fn nothing_that_somebody_chose_is_published() {
        let key = key_of_file(b"a passphrase of at least 32 bytes, as it is").unwrap();
        let p = Pseudonyms::for_publication(&key, &HomeNets::default(), Arc::new(Catalogue::builtin()));
        let plain = telling();
        let shown = plain.clone().conceal(&p);
        let text = written(&shown, false);
        for secret in ["anna", "203.0.113.", "198.51.100.", "aa:bb:cc", plain.id.as_str()] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(parse(text.as_bytes()), Ok(shown.clone()));
        assert!(text.contains("p00.upd.kaspersky.com") && text.contains("vlan:10"), "{text}");
        assert_eq!(shown.notes, ["gap"]);
        assert_eq!(shown.evidence[0].src, shown.host.ip);
        // What ties records of one host, sensor or file together stays.
        let mut other = telling();
        other.indicator.id = "update-cdn".into();
        let other = other.conceal(&p);
        assert_eq!((&other.host, &other.sensor, &other.source), (&shown.host, &shown.sensor, &shown.source));
        assert_eq!(other.evidence[0].path, shown.evidence[0].path);
    }

    #[test]
    fn words_of_this_program_stay() {
        let key = key_of_file(b"a passphrase of at least 32 bytes, as it is").unwrap();
        let p = Pseudonyms::for_publication(&key, &HomeNets::default(), Arc::new(Catalogue::builtin()));
        for segment in ["", "vlan:10", "vlan:10/vni:77", "gre", "other"] {
            assert_eq!(p.segment(segment), segment);
        }
        for segment in ["room:12", "vlan:anna", "vlan:10/anna", "gre:10.0.0.1"] {
            assert_ne!(p.segment(segment), segment);
        }
        assert_eq!(p.sensor(""), "");
        assert!(p.source("run:anna").starts_with("run:"));
        let id = BUILTIN.iter().next().unwrap().1.id.to_owned();
        assert_eq!(p.indicator(id.clone()), id);
    }
}
