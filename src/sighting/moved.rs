//! A client that was first seen behind a router, or through a tunnel, and then
//! nearer to itself: what was filed under the far place goes to the near one.

use super::draft::HostKey;
use super::observer::Observer;
use crate::base::Addr;
use crate::flow::Place;

/// From where to where a client moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) client: Addr,
    pub(super) far: Place,
    pub(super) near: Place,
    /// The client sends from another hardware address in the far segment too:
    /// it is at home there, and only what came from the far place's moves.
    pub(super) divided: bool,
}

impl Move {
    /// The host as it is known from now on, if it is the one that moves. In
    /// another segment than the near one every hardware address is a router's,
    /// unless the client is at home there.
    pub(super) fn of(&self, host: &HostKey) -> Option<HostKey> {
        let whole = self.far.segment != self.near.segment && (!self.divided || host.mac.is_none());
        let routed = whole || host.mac == self.far.mac;
        let there = host.ip == self.client && host.segment == self.far.segment && routed;
        there.then_some(HostKey { segment: self.near.segment, ip: self.client, mac: self.near.mac })
    }

    /// The host at the far place, and one without a hardware address there.
    pub(super) fn hosts(&self) -> [Option<HostKey>; 2] {
        let host = |mac| HostKey { segment: self.far.segment, ip: self.client, mac };
        let bare = self.far.mac.is_some() && self.far.segment != self.near.segment;
        [Some(host(self.far.mac)), bare.then(|| host(None))]
    }

    /// The same where hosts are told apart by segment and address.
    pub(super) fn segment(&self, segment: u32, client: &Addr) -> Option<u32> {
        (segment == self.far.segment && *client == self.client && segment != self.near.segment)
            .then_some(self.near.segment)
    }
}

impl Observer {
    pub(super) fn move_host(&mut self, client: Addr, far: Place, near: Place) {
        let station = |p: Place| Place { mac: p.mac.filter(|m| super::observer::is_station(*m)), ..p };
        let (far, near) = (station(far), station(near));
        let divided = self.presences.sends_otherwise(far.segment, &client, far.mac);
        let to = Move { client, far, near, divided };
        self.drafts.move_host(&to);
        for contact in self.contacts.iter_mut() {
            let (segment, ip) = (contact.host.segment, contact.host.ip);
            if let Some(pending) = contact.pending.as_mut()
                && let Some(host) = to.of(&HostKey { segment, ip, mac: pending.told })
            {
                pending.told = host.mac;
            }
            if let Some(host) = to.of(&contact.host) {
                contact.host = host;
            }
            for part in &mut contact.parts {
                if let Some(host) = to.of(&part.key.host) {
                    part.key.host = host;
                    part.draft = self.drafts.find(&part.key).unwrap_or(part.draft);
                }
            }
        }
        self.answers.move_client(&to);
        self.presences.move_host(&to);
        self.signs.move_host(&to);
        if let Some(segment) = to.segment(far.segment, &client)
            && self.local_askers.remove(&(far.segment, client))
        {
            self.local_askers.insert((segment, client));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::testing_flow::*;
    use crate::base::{Mac, Stage};
    use crate::flow::Place;

    fn place(segment: u32, n: u8) -> Place {
        Place { segment, mac: Some(Mac([2, 0, 0, 0, 0, n])) }
    }

    /// What was filed under the far place is found at the near one, once, and
    /// a contact under way goes on there.
    #[test]
    fn records_and_contacts_move() {
        let mut s = Scene::new();
        s.mac = place(0, 100).mac;
        s.ask(UPDATE);
        let mut t = s.connect(SERVER, 443);
        t.up(&mut s, &hello(Some(UPDATE), 0));
        s.moved(HOST, place(0, 100), place(0, 9));
        s.mac = place(0, 9).mac;
        t.down(&mut s, &server_hello());
        s.ask(UPDATE);
        let seen = s.end();
        let r = seen.one();
        assert_eq!((r.host.mac, r.count, r.stage), (place(0, 9).mac, 3, Stage::Connected));
        assert!(r.bytes_to_server > 0 && r.bytes_from_server > 0);
    }

    #[test]
    fn what_came_from_the_router_moves_to_another_segment() {
        let mut s = Scene::new();
        s.mac = place(0, 100).mac;
        s.lookup(UPDATE, &[Rr::A(UPDATE, [203, 0, 113, 9], 60)]);
        s.moved(HOST, place(0, 100), place(4, 9));
        let seen = s.end();
        assert_eq!((seen.one().host.segment.as_str(), seen.one().host.mac), ("vlan:4", place(4, 9).mac));
    }

    #[test]
    fn what_the_client_sent_from_there_itself_stays() {
        let mut s = Scene::new();
        s.mac = place(0, 9).mac;
        s.ask(UPDATE);
        s.moved(HOST, place(0, 100), place(4, 66));
        let seen = s.end();
        assert_eq!((seen.one().host.segment.as_str(), seen.one().host.mac), ("", place(0, 9).mac));
    }

    #[test]
    fn another_host_stays() {
        let mut s = Scene::new();
        s.mac = place(0, 50).mac;
        s.ask(UPDATE);
        s.moved(HOST, place(0, 100), place(0, 9));
        s.moved("10.0.0.77", place(0, 50), place(0, 9));
        s.moved(HOST, place(3, 50), place(4, 9));
        assert_eq!(s.end().one().host.mac, place(0, 50).mac);
    }
}
