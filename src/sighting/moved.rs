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
    far: Place,
    near: Place,
}

impl Move {
    /// The host as it is known from now on, if it is the one that moves. In
    /// another segment than the near one every hardware address is a router's.
    pub(super) fn of(&self, host: &HostKey) -> Option<HostKey> {
        let there = host.ip == self.client
            && host.segment == self.far.segment
            && (self.far.segment != self.near.segment || host.mac == self.far.mac);
        there.then_some(HostKey { segment: self.near.segment, ip: self.client, mac: self.near.mac })
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
        let to = Move { client, far: station(far), near: station(near) };
        self.drafts.move_host(&to);
        for contact in self.contacts.iter_mut() {
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
        if let Some(segment) = to.segment(far.segment, &client)
            && self.local_askers.remove(&(far.segment, client))
        {
            self.local_askers.insert((segment, client));
        }
    }
}
