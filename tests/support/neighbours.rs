//! Frames that say who has an address: ARP, neighbour discovery, DHCP.

use super::packets::udp;

fn ethernet(dst: [u8; 6], src: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    [&dst[..], &src, &kind.to_be_bytes(), payload].concat()
}

/// An ARP request or reply from a station that sends it itself.
pub fn arp(request: bool, sender: ([u8; 6], [u8; 4]), target: ([u8; 6], [u8; 4])) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, if request { 1 } else { 2 }];
    let asked = if request { [0; 6] } else { target.0 };
    let message = [&head[..], &sender.0, &sender.1, &asked, &target.1].concat();
    ethernet(if request { [0xff; 6] } else { target.0 }, sender.0, 0x0806, &message)
}

/// A neighbour solicitation (135) or advertisement (136) with the sender's
/// link-layer address.
pub fn discovery(kind: u8, mac: [u8; 6], src: [u8; 16], dst: [u8; 16], target: [u8; 16]) -> Vec<u8> {
    let flags = if kind == 136 { 0x60 } else { 0 };
    let option = if kind == 136 { 2 } else { 1 };
    let message = [&[kind, 0, 0, 0, flags, 0, 0, 0][..], &target, &[option, 1], &mac].concat();
    let head = [0x60, 0, 0, 0, 0, message.len() as u8, 58, 255];
    ethernet([0x33, 0x33, 0, 0, 0, 1], mac, 0x86dd, &[&head[..], &src, &dst, &message].concat())
}

/// A DHCP message of a kind, of the client `mac`: it has one address, and is
/// given another. `options` are codes and values.
pub fn dhcp(kind: u8, mac: [u8; 6], has: [u8; 4], given: [u8; 4], options: &[(u8, &[u8])]) -> Vec<u8> {
    let to_server = !matches!(kind, 2 | 5 | 6);
    let mut m = vec![if to_server { 1 } else { 2 }, 1, 6, 0, 1, 2, 3, mac[5], 0, 0, 0, 0];
    m.extend([has, given, [0; 4], [0; 4]].concat());
    m.extend(mac);
    m.resize(236, 0);
    m.extend([99, 130, 83, 99, 53, 1, kind]);
    for (code, value) in options {
        m.extend([*code, value.len() as u8]);
        m.extend(*value);
    }
    m.push(255);
    let server = ([10, 0, 0, 1], 67);
    if to_server { udp((has, 68), ([255; 4], 67), &m) } else { udp(server, ([255; 4], 68), &m) }
}

/// A DHCPv6 message between link-local addresses, to or from a client.
pub fn dhcp6(kind: u8, client: ([u8; 6], [u8; 16]), duid: &[u8], options: &[u8]) -> Vec<u8> {
    let id = [&[0, 1][..], &(duid.len() as u16).to_be_bytes(), duid].concat();
    let message = [&[kind, 7, 7, 7][..], &id, options].concat();
    let (ports, src_mac, dst_mac, src, dst) = if kind == 7 {
        ([547_u16, 546], [2, 0, 10, 0, 0, 1], client.0, link_local(1), client.1)
    } else {
        let mut group = [0; 16];
        (group[0], group[1], group[13], group[15]) = (0xff, 2, 1, 2);
        ([546, 547], client.0, [0x33, 0x33, 0, 1, 0, 2], client.1, group)
    };
    let len = (8 + message.len() as u16).to_be_bytes();
    let datagram = [&ports[0].to_be_bytes()[..], &ports[1].to_be_bytes(), &len, &[0, 0], &message].concat();
    let head = [0x60, 0, 0, 0, len[0], len[1], 17, 1];
    ethernet(dst_mac, src_mac, 0x86dd, &[&head[..], &src, &dst, &datagram].concat())
}

/// fe80::n.
pub fn link_local(n: u8) -> [u8; 16] {
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n]
}

/// fd00::n.
pub fn unique_local(n: u8) -> [u8; 16] {
    [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n]
}
