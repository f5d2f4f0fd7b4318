use super::super::document::{
    About, CatalogueAccount, CoverageAccount, CustodyAccount, Document, FileHash, Headline, HostsOf, IndicatorAccount,
    RunAccount, SCHEMA, SourceAccount, method,
};
use super::super::hosts::Roll;
use super::super::text::is_hidden;
use super::*;
use crate::base::Timestamp;
use crate::catalogue::Category;
use crate::host::sample::view;
use crate::host::{Alarm, HostView, Role, Standing, Verdict};
use crate::measure::UtcOffset;
use proptest::prelude::*;

/// A page of `n` hosts where every text that others can choose is `text`.
fn page_of(text: &str, n: u32) -> String {
    let t = || text.to_owned();
    let make = |number: u32| -> Option<HostView> {
        let verdict = Verdict::ALL[number as usize % Verdict::ALL.len()];
        let [_, b, c, d] = number.to_be_bytes();
        let mut v = view(&format!("10.{b}.{c}.{d}"), verdict);
        v.name = Some((t(), t()));
        v.segment = t();
        (v.owner, v.place) = (Some(t()), Some(t()));
        (v.reason, v.stronger, v.weaker) = (t(), t(), t());
        (v.alarms, v.roles) = (vec![Alarm::Lookalike], vec![Role::Nat]);
        Some(v)
    };
    let numbers: Vec<u32> = (0..n).collect();
    let roll = Roll::new(&numbers, &make, Timestamp(0), |_| Some(Standing::Open));
    let time = Timestamp::parse("2026-03-01T10:00:00Z").unwrap();
    let run = RunAccount {
        run: 1,
        sensor: t(),
        version: t(),
        started: time,
        ended: None,
        exit: t(),
        command: vec![t()],
        catalogue_sha256: t(),
        home_networks: vec![t()],
        environment: [(t(), t())].into(),
    };
    let source = SourceAccount {
        source: t(),
        path: Some(t()),
        first: None,
        last: None,
        frames: 3,
        records_only: false,
        warnings: vec![t()],
    };
    let indicator = IndicatorAccount {
        id: t(),
        category: Category::Update,
        records: 1,
        confidence: None,
        meaning: t(),
        sources: vec![t()],
    };
    let document = Document {
        schema: SCHEMA,
        about: About {
            version: t(),
            command: vec![t()],
            store: t(),
            window: None,
            span: None,
            utc_offset: UtcOffset::default(),
            as_of: time,
            sensors: vec![t()],
            home_networks: vec![t()],
        },
        doubts: vec![t()],
        headline: Headline { sentences: vec![t()], ..Headline::default() },
        total: None,
        trend: None,
        comparison: None,
        movers: None,
        read: vec![t()],
        blind_spots: vec![t()],
        coverage: CoverageAccount::default(),
        method: method(),
        catalogue: CatalogueAccount { sha256: t(), files: vec![t()], seen: vec![indicator], ..Default::default() },
        runs: vec![run],
        sources: vec![source],
        custody: CustodyAccount {
            files: vec![FileHash { what: t(), path: t(), sha256: Some(t()) }],
            newest_digest: Some(t()),
            ..Default::default()
        },
        hosts: HostsOf(&roll),
    };
    let mut out = Vec::new();
    write(&mut out, &document).unwrap();
    String::from_utf8(out).unwrap()
}

/// What makes HTML of text: how often each character stands in a page.
fn marks(page: &str) -> [usize; 3] {
    ['<', '>', '"'].map(|c| page.matches(c).count())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_adds_an_element_or_leaves_its_attribute(text in "[<>\"'&/!=a-z \\-\u{202e}\u{0}\u{1b}]{1,24}|\\PC{1,12}") {
        let page = page_of(&text, 12);
        // With a harmless text of the same kind there is the same markup.
        prop_assert_eq!(marks(&page), marks(&page_of("x", 12)));
        let content = page.replace('\n', "");
        prop_assert!(!content.contains(is_hidden));
    }
}

#[test]
fn a_table_lists_so_many_hosts_and_says_how_many_there_are() {
    // Alarms and roles are of all of them.
    let n = u32::try_from(MAX_ROWS).unwrap() + 100;
    let page = page_of("x", n);
    let said = format!("The table lists 2,000 of {} hosts", super::words::number(n.into()));
    assert_eq!(page.matches(&said).count(), 2, "alarms and roles");
    let section = page.split("<section id=\"alarms\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert_eq!(section.matches("<tr>").count(), MAX_ROWS + 1);
}
