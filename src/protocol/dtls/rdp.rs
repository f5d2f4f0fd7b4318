//! RDP over UDP: the headers before the TLS or DTLS bytes of its data packets.

/// The payload of a data packet, by the newer form or the older one. Nothing
/// but the lengths of the headers tells them from other datagrams: the caller
/// must find what it looks for exactly there.
pub fn rdp_payload(datagram: &[u8]) -> [Option<&[u8]>; 2] {
    [version2(datagram), version1(datagram)]
}

/// MS-RDPEUDP section 2.2.2: acknowledged number (4), window (2), flags (2);
/// with ACK (4) a vector with its length (2), padded to four bytes; with
/// acknowledgement of those (0x100) four bytes; with DATA (8) two numbers (4
/// each).
fn version1(datagram: &[u8]) -> Option<&[u8]> {
    let flags = u16::from_be_bytes(*datagram.get(6..)?.first_chunk()?);
    // Nothing but these four, the delay flag being the last.
    if flags & 8 == 0 || flags & !(4 | 8 | 0x100 | 0x400) != 0 {
        return None;
    }
    let mut rest = datagram.get(8..)?;
    if flags & 4 != 0 {
        let size = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
        rest = rest.get(size.saturating_add(2).next_multiple_of(4)..)?;
    }
    if flags & 0x100 != 0 {
        rest = rest.get(4..)?;
    }
    rest.get(8..)
}

/// MS-RDPEUDP2 section 2.2: the first and the eighth byte are swapped. Then
/// prefix (1; packet type 0 in bits 1 to 4), flags (2, little-endian, twelve
/// bits), and as those say: acknowledgement (7 and as many as its last four
/// bits say), overhead (1), delays (3), acknowledged acknowledgement (2), data
/// number (2); at last the channel's number (2) and the data.
fn version2(datagram: &[u8]) -> Option<&[u8]> {
    let (head, _) = datagram.split_first_chunk::<8>()?;
    let [_, f0, f1, .., prefix] = *head;
    let flags = u16::from_le_bytes([f0, f1]) & 0xfff;
    if prefix & 0x1e != 0 || flags & 4 == 0 || flags & !(1 | 4 | 0x10 | 0x40 | 0x100) != 0 {
        return None;
    }
    let mut at = 3_usize;
    if flags & 1 != 0 {
        let place = at.saturating_add(6);
        let count = *datagram.get(place)? & 15;
        at = at.saturating_add(7).saturating_add(usize::from(count));
    }
    for (flag, len) in [(0x40, 1), (0x100, 3), (0x10, 2), (4, 2)] {
        if flags & flag != 0 {
            at = at.saturating_add(len);
        }
    }
    at = at.saturating_add(2);
    if at < 8 { None } else { datagram.get(at..) }
}
