//! What speaks for and against one host: its own contacts in the window, and
//! the predicates of the table of verdicts.

use super::facts::{Channels, Contact, Facts, ServedBy, Vantage, is_private};
use super::own::{Part, is_proxied};
use super::sessions::Sessions;
use super::traits::Traits;
use crate::base::{Channel, Stage};
use crate::catalogue::Category;
use crate::flow::Note;
use crate::sighting::record::Slots;

/// One contact of the host's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    /// Index in [`Facts::contacts`].
    pub(super) at: u32,
    pub(super) contact: &'a Contact,
    pub(super) traits: Traits,
    pub(super) stage: Stage,
    pub(super) slots: Slots,
    pub(super) connected: Slots,
    /// It counts: its indicator stands alone, or another sign of a product
    /// stands beside it on that day.
    pub(super) counts: bool,
}

/// A host's own contacts, alarms aside, in order of day and indicator.
#[derive(Debug, Default)]
pub(super) struct Case<'a> {
    pub(super) own: Vec<Own<'a>>,
    sources: &'a [Vantage],
    servers: &'a [ServedBy],
    /// Two different management signals tie it to a local server.
    pub(super) managed: bool,
    /// Sessions with update servers, tried or not.
    pub(super) update: Sessions,
    /// Sessions in which update servers answered.
    pub(super) update_connected: Sessions,
    /// Quarter hours in which reputation servers answered.
    pub(super) reputation_connected: Sessions,
}

impl<'a> Case<'a> {
    /// Of a host's own parts.
    pub(super) fn new<'p>(
        facts: &'a Facts,
        traits: &[Traits],
        parts: impl IntoIterator<Item = &'p Part>,
        managed: bool,
    ) -> Self {
        let own = |p: &Part| {
            let contact = facts.contacts.get(p.contact as usize)?;
            let traits = *traits.get(contact.indicator as usize)?;
            let (slots, connected) = (Slots::from_bits(p.slots), Slots::from_bits(p.connected));
            let counts = !contact.support && traits.category != Category::Netblock;
            (!traits.category.is_alarm()).then_some(Own {
                at: p.contact,
                contact,
                traits,
                stage: p.stage,
                slots,
                connected,
                counts,
            })
        };
        let mut own: Vec<Own<'_>> = parts.into_iter().filter_map(own).collect();
        own.sort_unstable_by_key(|o| (o.contact.day, o.contact.indicator, o.contact.source, o.contact.id));
        for day in own.chunk_by_mut(|a, b| a.contact.day == b.contact.day) {
            count_supported(day);
        }
        let mut case = Case { own, sources: &facts.sources, servers: &facts.servers, managed, ..Case::default() };
        case.update = Sessions::new(case.updates().map(|o| (o.contact.day, o.slots)));
        case.update_connected = Sessions::new(case.updates().map(|o| (o.contact.day, o.connected)));
        let reputation = case.of(Category::Reputation).map(|o| (o.contact.day, o.connected));
        case.reputation_connected = Sessions::new(reputation);
        case
    }

    /// Contacts of a category that count.
    pub(super) fn of(&self, category: Category) -> impl Iterator<Item = &Own<'a>> {
        self.own.iter().filter(move |o| o.counts && o.traits.category == category)
    }

    /// Contacts with update servers that count.
    pub(super) fn updates(&self) -> impl Iterator<Item = &Own<'a>> {
        self.of(Category::Update)
    }

    /// The farthest that an update contact got.
    pub(super) fn update_stage(&self) -> Option<Stage> {
        self.updates().map(|o| o.stage).max()
    }

    fn vantage(&self, o: &Own<'_>) -> Option<&Vantage> {
        self.sources.get(o.contact.source as usize)
    }

    /// Whether connections could be seen where this contact was.
    pub(super) fn sees_flows(&self, o: &Own<'_>) -> bool {
        self.vantage(o).is_some_and(|v| v.other_flows)
    }

    /// The row `oem`.
    pub(super) fn is_oem(&self) -> bool {
        self.may_be_oem() && self.oem_explains_updates()
    }

    /// Names of an embedding vendor are there that do not explain why update
    /// servers answered.
    pub(super) fn is_doubtful_oem(&self) -> bool {
        self.may_be_oem() && !self.oem_explains_updates()
    }

    fn may_be_oem(&self) -> bool {
        self.of(Category::OemUpdate).next().is_some() && !self.own.iter().any(|o| self.is_vendors_own(o))
    }

    /// Whether on every day on which update servers answered, or on the day
    /// before or after, a name of an embedding vendor was answered too. A lone
    /// lookup is too cheap, for the host and for whoever asks in its name.
    fn oem_explains_updates(&self) -> bool {
        let answered = |o: &&Own<'_>| {
            let told = [Channel::DnsAnswer, Channel::DnsCname].iter().any(|c| o.contact.channels.has(*c));
            o.stage >= Stage::Connected || told && o.stage >= Stage::Answered
        };
        let oem: Vec<i32> = self.of(Category::OemUpdate).filter(answered).map(|o| o.contact.day).collect();
        let is_near = |day: i32| oem.iter().any(|d| d.abs_diff(day) <= 1);
        self.updates().filter(|o| o.stage >= Stage::Connected).all(|o| is_near(o.contact.day))
    }

    /// Whether no name on any connection shows that update servers answered:
    /// only answers of the name service, which anybody on the link can forge,
    /// say what their addresses stand for.
    pub(super) fn is_by_address_only(&self) -> bool {
        let by_address = |o: &Own<'_>| {
            let named = Channel::ALL.iter().any(|c| {
                let dns = matches!(c, Channel::DnsQuery | Channel::DnsAnswer | Channel::DnsCname);
                !dns && !matches!(c, Channel::Address | Channel::Netblock) && o.contact.channels.has(*c)
            });
            o.contact.channels.has(Channel::Address) && !named
        };
        let mut reached = self.updates().filter(|o| o.stage >= Stage::Connected).peekable();
        reached.peek().is_some() && reached.all(by_address)
    }

    /// Whether update servers answered, and no more shows that they are some than
    /// the paths that were asked for.
    pub(super) fn is_by_path_only(&self) -> bool {
        let by_path = |o: &Own<'_>| o.contact.channels == Channels::of(&[Channel::HttpPath]);
        let mut reached = self.updates().filter(|o| o.stage >= Stage::Connected).peekable();
        reached.peek().is_some() && reached.all(by_path)
    }

    /// Whether each contact in which update servers answered has connections
    /// without their beginning in view. A record does not tell whether all of
    /// its connections were such.
    pub(super) fn began_out_of_view(&self) -> bool {
        let mut reached = self.updates().filter(|o| o.stage >= Stage::Connected).peekable();
        reached.peek().is_some() && reached.all(|o| o.contact.notes.has(Note::MidStream))
    }

    /// Whether a contact is one that an embedded engine does not make.
    fn is_vendors_own(&self, o: &Own<'_>) -> bool {
        match o.traits.category {
            Category::Update => o.counts && !o.traits.dnl && !self.is_path_on_dnl(o),
            Category::Activation => o.counts,
            _ => o.traits.touch,
        }
    }

    /// Whether an update path was asked for on one of the update servers that
    /// embedded engines use too: then these show contacts in plain text in the
    /// same quarter hours. A record of a path does not say which host it was
    /// on in a form that is judged by.
    fn is_path_on_dnl(&self, path: &Own<'_>) -> bool {
        let c = path.contact;
        let tree = path.contact.channels.has(Channel::HttpPath) || c.channels.has(Channel::HttpUserAgent);
        if !tree || c.channels.has(Channel::HttpHost) || !is_proxied(c) && self.has_private_server(path) {
            return false;
        }
        let from = self.own.partition_point(|o| o.contact.day < c.day);
        let day = self.own.iter().skip(from).take_while(|o| o.contact.day == c.day);
        let dnl = day.filter(|o| o.traits.dnl && o.contact.channels.has(Channel::HttpHost));
        let there = dnl.fold(0, |slots, o| slots | o.slots.bits());
        path.slots.bits() & !there == 0
    }

    fn has_private_server(&self, o: &Own<'_>) -> bool {
        let from = self.servers.partition_point(|s| s.contact < o.at);
        self.servers.iter().skip(from).take_while(|s| s.contact == o.at).any(|s| is_private(&s.ip))
    }

    /// The row `probe-only`.
    pub(super) fn is_probe_only(&self) -> bool {
        self.is_probe() || self.is_scan()
    }

    /// Only answered lookups of the name that tells a product whether vendor
    /// names resolve, in fewer than two sessions, and no connection after it.
    /// Whether connections could be seen does not matter: once looked up, the
    /// name says no more where they could not.
    pub(super) fn is_probe(&self) -> bool {
        let probe = |o: &Own<'_>| o.traits.probe && o.contact.channels.is_lookup() && o.stage == Stage::Answered;
        !self.own.is_empty() && self.own.iter().all(probe) && self.update.len() < 2
    }

    /// Only bursts of lookups, each of ten or more names within two adjoining
    /// quarter hours, with no connection tried.
    pub(super) fn is_scan(&self) -> bool {
        const NAMES: u32 = 10;
        let harmless = |o: &Own<'_>| {
            let replied = o.stage == Stage::Answered
                || o.contact.notes.has(Note::NxDomain)
                || o.contact.notes.has(Note::NoAddress);
            o.contact.channels.is_lookup() && o.stage <= Stage::Answered && replied && self.sees_flows(o)
        };
        if self.own.is_empty() || !self.own.iter().all(harmless) {
            return false;
        }
        let all = Sessions::new(self.own.iter().map(|o| (o.contact.day, o.slots)));
        all.within(2) && all.starts().iter().all(|start| self.names_in(*start) >= NAMES)
    }

    /// Names that were answered in a session of up to two quarter hours.
    fn names_in(&self, start: i64) -> u32 {
        let in_it = |o: &&Own<'_>| {
            let day = i64::from(o.contact.day) * 96;
            [start, start + 1].iter().any(|q| u8::try_from(q - day).is_ok_and(|slot| o.slots.get(slot)))
        };
        let day = |quarter: i64| i32::try_from(quarter.div_euclid(96)).unwrap_or(i32::MAX);
        let (first, last) = (day(start), day(start + 1));
        let from = self.own.partition_point(|o| o.contact.day < first);
        let near = self.own.iter().skip(from).take_while(|o| o.contact.day <= last);
        let answered = near.filter(in_it).filter(|o| o.stage == Stage::Answered);
        // Of several sources each may have seen the same lookups.
        let mut most: Vec<(i32, u32, u32)> =
            answered.map(|o| (o.contact.day, o.contact.indicator, o.contact.names)).collect();
        most.dedup_by(|b, a| {
            let same = (a.0, a.1) == (b.0, b.1);
            if same {
                a.2 = a.2.max(b.2);
            }
            same
        });
        most.iter().fold(0, |sum, m| sum.saturating_add(m.2))
    }

    /// The row `active`, its first half: two update sessions that were
    /// answered, three or more quarter hours apart.
    pub(super) fn updates_again(&self) -> bool {
        self.update_connected.apart(3)
    }

    /// The row `active`, its second half: an update beside a day of reputation
    /// queries.
    pub(super) fn updates_beside_reputation(&self) -> bool {
        self.update_stage() == Some(Stage::Transferred) && self.reputation_connected.most_a_day() >= 4
    }

    /// The row `attempting`.
    pub(super) fn is_attempting(&self) -> bool {
        self.updates().any(|o| self.failed(o))
    }

    /// Whether a contact was tried and not answered, or its name refused, where
    /// more than DNS can be seen.
    fn failed(&self, o: &Own<'_>) -> bool {
        let refused = [Note::NxDomain, Note::ServFail, Note::NoAddress].iter().any(|n| o.contact.notes.has(*n));
        // What an answer calls the target of another name was not looked up.
        let asked = o.contact.channels != Channels::of(&[Channel::DnsCname]);
        match o.stage {
            // A connection that was tried is itself a flow other than DNS.
            Stage::Attempted => true,
            Stage::Queried => {
                asked && self.sees_flows(o) && (refused || self.vantage(o).is_some_and(|v| v.dns_answers))
            }
            _ => false,
        }
    }

    /// The row `present`.
    pub(super) fn is_present(&self) -> bool {
        let service = |o: &&Own<'_>| !o.contact.support && !o.traits.browser;
        self.of(Category::Reputation).chain(self.of(Category::Activation)).next().is_some()
            || self.of(Category::Service).any(|o| service(&o))
    }

    /// The row `web-only`.
    pub(super) fn is_web_only(&self) -> bool {
        let web = |o: &&Own<'_>| o.counts && o.traits.browser;
        self.own.iter().any(|o| web(&o))
    }

    /// A contact that counts was asked for at a public resolver although a
    /// local one is in use.
    pub(super) fn asked_public_dns(&self) -> bool {
        self.own.iter().any(|o| o.counts && o.contact.notes.has(Note::PublicDns))
    }
}

/// Marks contacts of one day whose indicators only support and that another
/// sign of a product stands beside.
fn count_supported(day: &mut [Own<'_>]) {
    let signs = day.chunk_by(|a, b| a.contact.indicator == b.contact.indicator).filter_map(|same| same.first());
    let (mut count, mut netblock) = (0u32, false);
    for o in signs {
        count += u32::from(o.traits.is_sign());
        netblock |= o.traits.category == Category::Netblock;
    }
    for o in day.iter_mut().filter(|o| o.contact.support && o.traits.is_sign()) {
        // That a name of the vendor's leads to the vendor's addresses is no
        // second sign.
        o.counts = count >= 2 || netblock && o.contact.names == 0;
    }
}
