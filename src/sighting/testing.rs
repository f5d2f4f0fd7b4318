//! A record for tests to start from.

use super::record::{Host, IndicatorSummary, Record, SCHEMA, Server, Slots, Stage};
use crate::base::{Channel, Timestamp};
use crate::catalogue::{Category, Confidence};

/// A plain update contact of 10.0.0.5 on 2026-03-01.
pub(crate) fn record() -> Record {
    let mut slots = Slots::default();
    slots.set(40);
    Record {
        schema: SCHEMA.to_owned(),
        id: "00112233445566778899aabbccddeeff".to_owned(),
        revision: 1,
        sensor: "replay".to_owned(),
        source: "sha256:aa".to_owned(),
        period: "2026-03-01".to_owned(),
        host: Host {
            ip: "10.0.0.5".parse().unwrap(),
            mac: "02:00:0a:00:00:05".parse().ok(),
            segment: String::new(),
            name: None,
            name_source: None,
        },
        indicator: IndicatorSummary {
            id: "update-s-hosts".to_owned(),
            category: Category::Update,
            confidence: Confidence::High,
        },
        stage: Stage::Connected,
        channels: vec![Channel::DnsQuery, Channel::TlsSni],
        names: vec!["s05.upd.kaspersky.com".to_owned()],
        names_more: 0,
        servers: vec![Server { ip: "192.0.2.7".parse().unwrap(), port: 443, transport: "tcp".to_owned() }],
        servers_more: 0,
        client_subnets: Vec::new(),
        client_subnets_more: 0,
        first_seen: Timestamp::parse("2026-03-01T10:00:00Z").unwrap(),
        last_seen: Timestamp::parse("2026-03-01T10:05:30.5Z").unwrap(),
        count: 2,
        sessions: 1,
        slots,
        slots_connected: slots,
        bytes_to_server: 700,
        bytes_from_server: 4000,
        notes: Vec::new(),
        community_ids: Vec::new(),
        evidence: Vec::new(),
        evidence_more: 0,
    }
}
