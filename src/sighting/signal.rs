//! Signs of roles: what passing traffic shows of a host beside its contacts.

use crate::base::{Addr, Mac, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Detail of a sign that several clients showed.
pub const SEVERAL: &str = "several";

macro_rules! signals {
    ($($(#[doc = $doc:literal])+ $name:ident => $word:literal,)+) => {
        /// What passing traffic showed of a host's role.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum SignalKind { $($(#[doc = $doc])+ $name,)+ }

        impl SignalKind {
            /// Every kind.
            pub const ALL: &'static [SignalKind] = &[$(SignalKind::$name,)+];

            /// The word in the store.
            pub fn as_str(self) -> &'static str {
                match self { $(SignalKind::$name => $word,)+ }
            }
        }
    };
}

signals! {
    /// It answered another home host's question on port 53, with addresses or
    /// with the word that there is no such name. Count: answers. Again with the
    /// detail `several` where it resolved for two clients or more.
    DnsServer => "dns_server",
    /// It asked three name servers or more without wanting recursion, as
    /// resolvers do, and they answered. Count: answers.
    DnsIterates => "dns_iterates",
    /// After it had asked a name server without wanting recursion it asked for
    /// a listed name with the wish, as no resolver does that finds names by
    /// itself. Count: questions.
    DnsRecurses => "dns_recurses",
    /// It consented to CONNECT, or answered a request for another host's URI;
    /// the detail is `connect` or `absolute`. Count: answers.
    HttpProxy => "http_proxy",
    /// It consented to a SOCKS request. Count: consents.
    SocksProxy => "socks_proxy",
    /// It answered a request for an update path, or on a management port, of
    /// another home host; the detail is `http` or the port. Of UDP 15000 and
    /// 15001 it is the sender.
    Serves => "serves",
    /// The packets of connections that it began came with this time to live;
    /// detail: initial value (the next of 32, 64, 128, 255) and hops, as
    /// `64-1`. Count: how often it changed to this value, the first included;
    /// so 1 where it never has another.
    Ttl => "ttl",
    /// Its SYNs had TCP options in this order; detail: their kinds, as
    /// `2,4,8,1,3`. Count: as of `ttl`.
    SynOptions => "syn_options",
    /// A fingerprint of its ClientHellos, which one TLS library has whatever
    /// it connects to; detail: eight hex digits. One machine has several.
    TlsStack => "tls_stack",
    /// Its TCP timestamps ran on several clocks. Never noted: systems now add
    /// an offset of its own to each pair of addresses (RFC 7323 section 5.4
    /// allows it; Linux since 4.10), some tick in milliseconds on one
    /// connection and not on another, and virtual machines' clocks step; two
    /// offsets or rates prove no second machine.
    TcpClocks => "tcp_clocks",
    /// Its hardware address sent packets of two addresses outside the home
    /// networks or more, or said that it is a router (RFC 4861 sections 4.2
    /// and 4.4). The address is unspecified.
    Forwards => "forwards",
}

impl std::str::FromStr for SignalKind {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        SignalKind::ALL.iter().copied().find(|k| k.as_str() == word).ok_or_else(|| word.to_owned())
    }
}

impl SignalKind {
    /// Of how many different marks it is made up, where one proves nothing: of
    /// name servers asked, of addresses that packets came from, of clients.
    /// Their marks are the details of parts; the whole has none.
    fn marks(self) -> Option<usize> {
        match self {
            SignalKind::DnsIterates => Some(3),
            SignalKind::Forwards | SignalKind::DnsServer => Some(2),
            _ => None,
        }
    }

    /// Whether it is a sign with fewer marks too, and with all of them one more
    /// with this detail.
    fn grade(self) -> Option<&'static str> {
        (self == SignalKind::DnsServer).then_some(SEVERAL)
    }
}

/// A sign of a role of a host on one UTC day; of some kinds, what one shard
/// knows of it ([`Signals`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal {
    /// Number of the source in this run.
    pub source: u32,
    /// What was seen.
    pub kind: SignalKind,
    /// Segment number.
    pub segment: u32,
    /// Address of the host.
    pub ip: Addr,
    /// Its hardware address, where the link showed one.
    pub mac: Option<Mac>,
    /// More, by kind, up to 64 bytes; may be empty.
    pub detail: Box<str>,
    /// How often, since this was last handed on.
    pub count: u64,
    /// First time, in whole milliseconds.
    pub from: Timestamp,
    /// Last time, in whole milliseconds.
    pub to: Timestamp,
}

type Key = (u32, u32, SignalKind, Addr, Option<Mac>, i64, Box<str>);

/// What is known of one signal.
#[derive(Clone, Debug)]
struct Known {
    count: u64,
    from: Timestamp,
    to: Timestamp,
    /// Different marks, of kinds that are made up of several.
    marks: BTreeSet<Box<str>>,
    /// It was handed on as a whole.
    told: bool,
}

/// The signals of a run, joined from what its shards handed on.
#[derive(Clone, Debug, Default)]
pub struct Signals(BTreeMap<Key, Known>);

impl Signals {
    /// Adds what shards noted. Hands back what is now known of each signal
    /// concerned that is whole, in order. Its first time stays as it was first
    /// handed on, so that it can be part of a key: another shard may know of an
    /// earlier one by the seconds between two collections.
    pub fn add(&mut self, parts: impl IntoIterator<Item = Signal>) -> Vec<Signal> {
        let mut touched = BTreeSet::new();
        for part in parts {
            let made_up = part.kind.marks().is_some();
            let detail = if made_up { "".into() } else { part.detail.clone() };
            let key = (part.source, part.segment, part.kind, part.ip, part.mac, part.from.day(), detail);
            let new = || Known { count: 0, from: part.from, to: part.to, marks: BTreeSet::new(), told: false };
            let known = self.0.entry(key.clone()).or_insert_with(new);
            known.count = known.count.saturating_add(part.count);
            if !known.told {
                known.from = known.from.min(part.from);
            }
            known.to = known.to.max(part.to);
            // More marks than are needed say nothing more.
            let is_mark = part.kind.grade().is_none() || !part.detail.is_empty();
            if is_mark && part.kind.marks().is_some_and(|n| known.marks.len() < n) {
                known.marks.insert(part.detail);
            }
            touched.insert(key);
        }
        let mut news = Vec::with_capacity(touched.len());
        for key in touched {
            if let Some(known) = self.0.get_mut(&key) {
                let before = news.len();
                news.extend(whole(&key, known));
                known.told |= news.len() > before;
            }
        }
        news
    }

    /// Forgets those of days before `day`.
    pub fn forget(&mut self, day: i64) {
        self.0.retain(|key, _| key.5 >= day);
    }

    /// Those that are whole, in order.
    pub fn into_list(self) -> Vec<Signal> {
        self.0.iter().flat_map(|(key, known)| whole(key, known)).collect()
    }
}

/// The signal, if all that it takes was seen, or less is one already; then a
/// second one says that all was. A mark without text is the host's own word,
/// which is enough.
fn whole(key: &Key, known: &Known) -> impl Iterator<Item = Signal> + use<> {
    let (source, segment, kind, ip, mac, _, detail) = key.clone();
    let (count, from, to) = (known.count, known.from, known.to);
    let proved = kind.marks().is_none_or(|n| known.marks.len() >= n);
    let said = known.marks.contains("");
    let signal = move |detail: &str| Signal { source, kind, segment, ip, mac, detail: detail.into(), count, from, to };
    let graded = kind.grade().filter(|_| proved).map(&signal);
    (proved || said || kind.grade().is_some()).then(|| signal(&detail)).into_iter().chain(graded)
}

/// Joins the signals of several shards, in order.
pub fn join(all: Vec<Signal>) -> Vec<Signal> {
    Signals::default().add(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: SignalKind, detail: &str, secs: i64) -> Signal {
        let at = Timestamp::from_parts(secs, 0);
        let (ip, mac) = (Addr::v4([10, 0, 0, 1]), None);
        Signal { source: 0, kind, segment: 0, ip, mac, detail: detail.into(), count: 1, from: at, to: at }
    }

    #[test]
    fn shards_join_in_any_order() {
        let all: Vec<Signal> = [9, 3, 5]
            .iter()
            .map(|s| part(SignalKind::DnsServer, "", *s))
            .chain([part(SignalKind::Ttl, "64-0", 1)])
            .collect();
        let joined = join(all.clone());
        assert_eq!(joined, join(all.into_iter().rev().collect()));
        assert_eq!(joined.len(), 2);
        let s = &joined[0];
        assert_eq!((s.count, s.from.secs(), s.to.secs()), (3, 3, 9));
    }

    #[test]
    fn some_are_whole_only_with_several_marks_whichever_shards_saw_them() {
        use SignalKind::{DnsIterates, Forwards};
        for (kind, marks, want) in [
            (Forwards, &["a"][..], 0),
            (Forwards, &["a", "a"], 0),
            (Forwards, &["a", "b"], 1),
            (Forwards, &[""], 1),
            (DnsIterates, &["a", "b", "b"], 0),
            (DnsIterates, &["a", "b", "c", "d"], 1),
        ] {
            let mut run = Signals::default();
            let last = marks.iter().map(|m| run.add([part(kind, m, 1)])).last();
            assert_eq!(last.map(|l| l.len()), Some(want), "{kind:?} {marks:?}");
            let list = run.into_list();
            assert_eq!(list.len(), want);
            assert!(list.iter().all(|s| s.detail.is_empty() && s.count == marks.len() as u64));
        }
    }

    #[test]
    fn what_was_handed_on_keeps_its_beginning() {
        let mut run = Signals::default();
        let told = |run: &mut Signals, secs| {
            let news = run.add([part(SignalKind::DnsServer, "", secs)]);
            news.iter().map(|s| (s.count, s.from.secs(), s.to.secs())).collect::<Vec<_>>()
        };
        assert_eq!(told(&mut run, 20), [(1, 20, 20)]);
        assert_eq!(told(&mut run, 15), [(2, 20, 20)]);
        assert_eq!(told(&mut run, 30), [(3, 20, 30)]);
    }

    #[test]
    fn days_are_apart_and_forgotten() {
        let day = 86_400;
        let mut run = Signals::default();
        run.add([part(SignalKind::Ttl, "64-0", 1), part(SignalKind::Ttl, "64-0", day)]);
        run.forget(1);
        assert_eq!(run.add([part(SignalKind::Ttl, "64-0", day + 5)])[0].count, 2);
        assert_eq!(run.into_list().len(), 1);
    }

    #[test]
    fn words_are_read_back() {
        for kind in SignalKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
    }
}
