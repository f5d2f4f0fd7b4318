//! Drafts as bytes, for the spool. Only the run that wrote them reads them.

use super::draft::{Draft, DraftKey, HostKey};
use super::listed::{Least, Listed};
use super::record::Slots;
use super::shown::{Frame, Kept, Shown};
use crate::base::{Addr, Channel, Mac, Prefix, Stage, Timestamp};
use crate::catalogue::IndicatorRef;
use crate::flow::Notes;
use crate::packet::EncapId;

const STAGES: [Stage; 5] = [Stage::Queried, Stage::Answered, Stage::Attempted, Stage::Connected, Stage::Transferred];

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend(text.as_bytes());
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_end(out: &mut Vec<u8>, (addr, port): &(Addr, u16)) {
    out.extend(addr.0);
    out.extend(port.to_be_bytes());
}

fn put_frame(out: &mut Vec<u8>, f: &Frame) {
    out.extend(f.source.to_be_bytes());
    out.extend(f.number.to_be_bytes());
    out.extend(f.offset.to_be_bytes());
    out.extend(f.ts.0.to_be_bytes());
    out.extend(f.interface.to_be_bytes());
    out.extend(f.encap.0.to_be_bytes());
    put_end(out, &f.src);
    put_end(out, &f.dst);
    out.extend(f.sha256);
    out.push(f.name.is_some().into());
    put_text(out, f.name.as_deref().unwrap_or(""));
    out.push(f.stage as u8);
}

/// Appends a draft, whose host has no name yet.
pub(super) fn put(out: &mut Vec<u8>, d: &Draft) {
    out.extend(d.key.source.to_be_bytes());
    out.extend(d.key.host.segment.to_be_bytes());
    out.extend(d.key.host.ip.0);
    out.push(d.key.host.mac.is_some().into());
    out.extend(d.key.host.mac.unwrap_or_default().0);
    out.extend(d.key.indicator.0.to_be_bytes());
    out.extend(d.key.day.to_be_bytes());
    out.push(d.stage as u8);
    out.extend(d.first.0.to_be_bytes());
    out.extend(d.last.0.to_be_bytes());
    for n in [d.count, d.revision, d.to_server, d.from_server] {
        out.extend(n.to_be_bytes());
    }
    out.extend(d.slots.bits().to_be_bytes());
    out.extend(d.slots_connected.bits().to_be_bytes());
    out.extend(d.notes.bits().to_be_bytes());
    put_len(out, d.names.listed.len());
    d.names.listed.iter().for_each(|n| put_text(out, n));
    put_others(out, &d.names);
    put_len(out, d.servers.listed.len());
    for (addr, port, transport) in d.servers.listed.iter() {
        put_end(out, &(*addr, *port));
        out.push(*transport);
    }
    put_others(out, &d.servers);
    put_len(out, d.subnets.listed.len());
    for subnet in d.subnets.listed.iter() {
        out.extend(subnet.network().to_be_bytes());
        out.push(subnet.len128());
    }
    put_others(out, &d.subnets);
    put_len(out, d.flows.len());
    d.flows.iter().for_each(|id| put_text(out, id));
    put_len(out, d.shown.len());
    for s in &d.shown {
        out.push(s.channel as u8);
        put_len(out, s.kept.len());
        for k in &s.kept {
            put_frame(out, &k.frame);
            out.push(k.observed.into());
        }
    }
}

fn put_others<T>(out: &mut Vec<u8>, list: &Listed<T>) {
    put_len(out, list.others.len());
    list.others.iter().for_each(|h| out.extend(h.to_be_bytes()));
}

/// Reads what [`put`] wrote.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Bytes<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn ts(&mut self) -> Option<Timestamp> {
        self.array().map(i64::from_be_bytes).map(Timestamp)
    }

    fn stage(&mut self) -> Option<Stage> {
        STAGES.get(usize::from(self.u8()?)).copied()
    }

    fn text(&mut self) -> Option<Box<str>> {
        let len = usize::try_from(self.u32()?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(Into::into)
    }

    fn end(&mut self) -> Option<(Addr, u16)> {
        Some((Addr(self.array()?), self.u16()?))
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let n = self.u32()?;
        (0..n).map(|_| item(self)).collect()
    }

    fn frame(&mut self) -> Option<Frame> {
        Some(Frame {
            source: self.u32()?,
            number: self.u64()?,
            offset: self.u64()?,
            ts: self.ts()?,
            interface: self.u16()?,
            encap: EncapId(self.u32()?),
            src: self.end()?,
            dst: self.end()?,
            sha256: self.array()?,
            name: {
                let named = self.u8()? == 1;
                let name = self.text()?;
                named.then_some(name)
            },
            stage: self.stage()?,
        })
    }

    fn shown(&mut self) -> Option<Shown> {
        let channel = Channel::ALL.get(usize::from(self.u8()?)).copied()?;
        let kept = self.list(|b| Some(Kept { frame: b.frame()?, observed: b.u8()? == 1 }))?;
        Some(Shown { channel, kept })
    }

    /// The draft; `None` if these are not its bytes.
    pub(super) fn draft(&mut self) -> Option<Draft> {
        let source = self.u32()?;
        let (segment, ip) = (self.u32()?, Addr(self.array()?));
        let (has_mac, mac) = (self.u8()? == 1, Mac(self.array()?));
        let host = HostKey { segment, ip, mac: has_mac.then_some(mac) };
        let indicator = IndicatorRef(self.u32()?);
        let key = DraftKey { source, host, indicator, day: self.array().map(i64::from_be_bytes)? };
        Some(Draft {
            key,
            stage: self.stage()?,
            first: self.ts()?,
            last: self.ts()?,
            count: self.u64()?,
            revision: self.u64()?,
            to_server: self.u64()?,
            from_server: self.u64()?,
            slots: self.array().map(u128::from_be_bytes).map(Slots::from_bits)?,
            slots_connected: self.array().map(u128::from_be_bytes).map(Slots::from_bits)?,
            notes: self.u32().map(Notes::from_bits)?,
            names: Listed {
                listed: Least::from_sorted(self.list(Self::text)?),
                others: self.list(Self::u64)?.into_iter().collect(),
            },
            servers: Listed {
                listed: Least::from_sorted(self.list(|b| {
                    let (addr, port) = b.end()?;
                    Some((addr, port, b.u8()?))
                })?),
                others: self.list(Self::u64)?.into_iter().collect(),
            },
            subnets: Listed {
                listed: Least::from_sorted(self.list(|b| Prefix::new(Addr(b.array()?), b.u8()?))?),
                others: self.list(Self::u64)?.into_iter().collect(),
            },
            flows: Least::from_sorted(self.list(Self::text)?),
            shown: self.list(Self::shown)?,
            called: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown::tests::frame;
    use super::*;
    use crate::flow::Note;
    use crate::packet::Transport;

    #[test]
    fn a_draft_survives() {
        let host = HostKey { segment: 7, ip: "fd00::5".parse().unwrap(), mac: Some(Mac([2, 0, 0, 0, 0, 9])) };
        let key = DraftKey { source: 3, host, indicator: IndicatorRef(11), day: 20_000 };
        let mut d = Draft::part(key);
        let named = Frame { name: Some("/path".into()), source: 4, ..frame(9, Stage::Attempted) };
        let names: Vec<Box<str>> = (0..80).map(|i| format!("n{i}.test").into()).collect();
        d.observe(Channel::Payload, &frame(5, Stage::Queried), &[], Notes::NONE.with(Note::ViaProxy));
        d.observe(Channel::HttpPath, &named, &names, Notes::NONE.with(Note::Ambiguous));
        d.observe(Channel::HttpPath, &frame(12, Stage::Connected), &[], Notes::NONE);
        (0..20).for_each(|i| d.add_server((Addr::v4([192, 0, 2, i]), 443), Transport::Udp));
        (0..20u8).for_each(|i| d.add_subnet(format!("192.0.{i}.0/24").parse().unwrap()));
        d.add_flow("1:abc");
        d.add_bytes(1, u64::MAX);
        for d in [d, Draft::part(DraftKey { host: HostKey { mac: None, ..host }, ..key })] {
            let mut bytes = Vec::new();
            put(&mut bytes, &d);
            let mut reader = Bytes(&bytes);
            assert_eq!(reader.draft(), Some(d));
            assert!(reader.0.is_empty());
            for cut in 0..bytes.len() {
                assert_eq!(Bytes(&bytes[..cut]).draft(), None);
            }
        }
    }
}
