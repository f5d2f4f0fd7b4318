//! Records with pseudonyms, made from records without: for publications of what
//! is already stored.

use super::draft::record_id;
use super::pseudonym::{Conceal, Pseudonyms};
use super::record::{Evidence, Host, Record, Server};
use crate::base::Addr;
use crate::base::digest::hex;

impl Conceal for Record {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        let at_home = pseudonyms.servers_at_home(&self);
        let roles = self.tells_of_roles();
        let Record {
            schema,
            id: _, // computed anew
            revision,
            sensor,
            source,
            period,
            host,
            mut indicator,
            stage,
            channels,
            names,
            names_more,
            servers,
            servers_more,
            client_subnets,
            client_subnets_more,
            first_seen,
            last_seen,
            count,
            sessions,
            slots,
            slots_connected,
            bytes_to_server,
            bytes_from_server,
            notes,
            community_ids: _, // a hash of addresses that can be guessed
            evidence,
            evidence_more,
        } = self;
        let ip = host.ip;
        let host = host.conceal(pseudonyms);
        let sensor = pseudonyms.sensor(&sensor);
        indicator.id = pseudonyms.indicator(indicator.id);
        let id = record_id(&sensor, &host.segment, &host.ip, host.mac, &indicator.id, &period);
        let server = |s: Server| Server { ip: pseudonyms.server_of(s.ip, roles), port: s.port, transport: s.transport };
        Record {
            schema,
            id,
            revision,
            sensor,
            source: pseudonyms.source(&source),
            period,
            host,
            indicator,
            stage,
            channels,
            names: sorted(names.into_iter().map(|n| pseudonyms.server_name(&n, at_home).into()).collect()),
            names_more,
            servers: sorted(servers.into_iter().map(server).collect()),
            servers_more,
            client_subnets: sorted(client_subnets.into_iter().map(|n| pseudonyms.prefix(n)).collect()),
            client_subnets_more,
            first_seen,
            last_seen,
            count,
            sessions,
            slots,
            slots_connected,
            bytes_to_server,
            bytes_from_server,
            notes: pseudonyms.notes(notes),
            community_ids: Vec::new(),
            evidence: evidence.into_iter().map(|e| shown(e, pseudonyms, (at_home, roles), ip)).collect(),
            evidence_more,
        }
    }
}

impl Conceal for Host {
    fn conceal(self, pseudonyms: &Pseudonyms) -> Self {
        let Host { ip, mac, segment, name, name_source } = self;
        Host {
            ip: pseudonyms.address(ip),
            mac: mac.map(|m| pseudonyms.mac(m)),
            segment: pseudonyms.segment(&segment),
            name: name.map(|n| pseudonyms.name(&n)),
            name_source: pseudonyms.name_source(name_source),
        }
    }
}

fn shown(evidence: Evidence, pseudonyms: &Pseudonyms, (at_home, roles): (bool, bool), host: Addr) -> Evidence {
    let ends = pseudonyms.ends(&evidence, host, roles);
    let hash = evidence.packet_hash();
    let Evidence {
        path,
        interface,
        frame,
        offset,
        ts,
        channel,
        name,
        src: _,
        sport,
        dst: _,
        dport,
        layers,
        packet_sha256: _, // made anew
    } = evidence;
    let (path, interface) = pseudonyms.place(path, interface);
    Evidence {
        path,
        interface,
        frame,
        offset,
        ts,
        channel,
        name: name.and_then(|n| pseudonyms.seen(n, channel, at_home)),
        src: ends.0,
        sport,
        dst: ends.1,
        dport,
        layers: layers.iter().map(|l| pseudonyms.layer(l)).collect(),
        packet_sha256: hex(&pseudonyms.digest(&hash)),
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::sighting::line::{parse, written};
    use crate::sighting::testing::record;
    use crate::sighting::{HomeNets, pseudonym};
    use std::sync::Arc;

    #[test]
    fn a_record_with_pseudonyms_is_a_record_that_names_nobody() {
        let key = pseudonym::key_of_file(b"a passphrase of at least 32 bytes, as it is").unwrap();
        let p = Pseudonyms::new(&key, &HomeNets::default(), Arc::new(Catalogue::builtin()));
        let mut plain = record();
        plain.host.name = Some("anna-laptop".into());
        plain.source = format!("sha256:{}", "5a".repeat(32));
        plain.id = record_id(
            &plain.sensor,
            &plain.host.segment,
            &plain.host.ip,
            plain.host.mac,
            &plain.indicator.id,
            &plain.period,
        );
        let concealed = plain.clone().conceal(&p);
        let text = written(&concealed, false);
        let secrets = [plain.host.ip.to_string(), "anna".into(), plain.id.clone()];
        for secret in secrets.iter().chain(plain.evidence.iter().map(|e| &e.packet_sha256)) {
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
        assert_eq!(parse(text.as_bytes()), Ok(concealed.clone()));
        assert_eq!((concealed.count, concealed.slots, concealed.stage), (plain.count, plain.slots, plain.stage));
        assert_eq!(plain.clone().conceal(&p), concealed);
    }
}
