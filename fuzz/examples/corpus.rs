//! Moves inputs between folders and the saved corpus.
//!
//! usage: corpus seeds SAMPLES FOLDER    inputs for every target from captures and
//!                                       the records that are expected of them
//!        corpus unpack FILE FOLDER
//!        corpus pack FOLDER FILE        inputs of at most 16 KiB, shortest first

mod written;

use spansight::base::{Addr, Timestamp};
use spansight::capture::{Batch, OpenOptions, Status, open};
use spansight::flow::may_be_dhcp;
use spansight::packet::{Decoder, NoticeKind, Options, Packet, Transport};
use spansight::protocol::quic;
use spansight_fuzz::corpus;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Longest input that is kept.
const MAX_INPUT: usize = 16 << 10;

/// Most inputs and bytes that a saved corpus holds.
const MAX_INPUTS: usize = 2000;
const MAX_BYTES: usize = 200 << 10;

/// Targets whose inputs are messages or streams.
const MESSAGES: [&str; 6] = ["dns", "dns_stream", "tls_client", "tls_server", "quic", "http"];

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["seeds", samples, folder] => seeds(Path::new(samples), Path::new(folder)),
        ["unpack", file, folder] => save(Path::new(folder), corpus::read(Path::new(file))?),
        ["pack", folder, file] => pack(Path::new(folder), Path::new(file)),
        _ => {
            eprintln!("usage: corpus seeds SAMPLES FOLDER | unpack FILE FOLDER | pack FOLDER FILE");
            std::process::exit(2);
        }
    }
}

/// Files of a folder, in order of name.
fn files(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.sort();
    paths.iter().filter(|p| p.is_file()).map(std::fs::read).collect()
}

fn save(folder: &Path, inputs: Vec<Vec<u8>>) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (n, input) in inputs.iter().enumerate() {
        std::fs::write(folder.join(format!("saved-{n:05}")), input)?;
    }
    Ok(())
}

fn pack(folder: &Path, file: &Path) -> io::Result<()> {
    let mut inputs = files(folder)?;
    inputs.retain(|i| i.len() <= MAX_INPUT);
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    inputs.dedup();
    let mut room = MAX_BYTES;
    inputs.truncate(MAX_INPUTS);
    inputs.retain(|i| {
        let fits = i.len() <= room;
        room -= if fits { i.len() } else { 0 };
        fits
    });
    corpus::write(file, &inputs)
}

/// A client's address and port, and its server's.
type Ends = (Addr, u16, Addr, u16);

/// Whether the server speaks, and what it says.
type Turn = (bool, Vec<u8>);

/// What the captures in a folder hold.
#[derive(Default)]
struct Found {
    /// Frames, each behind the link type's place and its length.
    frames: BTreeSet<Vec<u8>>,
    /// Payloads of segments and datagrams.
    payloads: BTreeSet<Vec<u8>>,
    /// Datagrams to ports on which names are announced, and their senders.
    announced: BTreeSet<Vec<u8>>,
    /// ARP and neighbour discovery, and DHCP, as their targets take them.
    links: Vec<Vec<u8>>,
    leases: Vec<Vec<u8>>,
    /// TCP conversations by their ends, the client's first: its port, and what
    /// was said in turns.
    talks: BTreeMap<Ends, Vec<Turn>>,
    /// Whole files.
    files: Vec<Vec<u8>>,
}

fn seeds(samples: &Path, folder: &Path) -> io::Result<()> {
    let mut found = Found::default();
    std::fs::create_dir_all(folder)?;
    let path = folder.join("seed");
    for content in files(samples)? {
        std::fs::write(&path, &content)?;
        if let Ok(source) = open(&path, &OpenOptions::default()) {
            read(source, &mut found);
            found.files.push(content);
        }
    }
    std::fs::remove_file(&path)?;
    let Found { frames, payloads, announced, links, leases, talks, files: mut whole } = found;
    let written = |lines: &[&[u8]]| lines.iter().map(|l| l.to_vec()).collect::<Vec<_>>();
    let put = |target: &str, inputs: Vec<Vec<u8>>| save(&folder.join(target), inputs);
    for target in MESSAGES {
        put(target, payloads.iter().cloned().collect())?;
    }
    put("packet", frames.into_iter().collect())?;
    put("segments", payloads.iter().map(|p| segment(p)).collect())?;
    put("chopped", talks.iter().map(|(ends, turns)| conversation(ends.3, turns)).collect())?;
    put("announced", announced.into_iter().chain(written(ANNOUNCED)).collect())?;
    // What one says alone, and several in a row.
    let rows = |all: &[Vec<u8>]| all.iter().cloned().chain(all.chunks(6).map(<[_]>::concat)).collect::<Vec<_>>();
    put("neighbours", rows(&links))?;
    put("dhcp", rows(&leases).into_iter().chain(written(DHCP)).collect())?;
    put("reverse", written(REVERSE))?;
    put("dtls", payloads.iter().filter_map(|p| datagram(p)).collect())?;
    put("quic_frames", payloads.iter().flat_map(|p| opened(p)).collect())?;
    put("http2", payloads.iter().filter_map(|p| http2(p)).collect())?;
    put("hpack", payloads.iter().filter_map(|p| sections(p)).collect())?;
    put("proxies", written(PROXIES))?;
    put("starttls", written(STARTTLS))?;
    whole.iter_mut().for_each(|f| f.truncate(MAX_INPUT));
    let magic = |f: &[u8], m: [u8; 4]| f.starts_with(&m).then(|| f[4..].to_vec());
    put("pcap", whole.iter().filter_map(|f| magic(f, [0xd4, 0xc3, 0xb2, 0xa1])).collect())?;
    put("pcapng", whole.iter().filter_map(|f| magic(f, [10, 13, 13, 10])).collect())?;
    let squeezed = whole.iter().map(|f| zstd::encode_all(f.as_slice(), 3)).collect::<io::Result<Vec<_>>>()?;
    put("compressed", squeezed)?;
    put("growing", whole.clone())?;
    put("pipeline", whole)?;
    written::inputs(samples, folder)?.into_iter().try_for_each(|(target, inputs)| put(target, inputs))
}

/// Names that hosts announce in multicast DNS, LLMNR and NetBIOS, each with
/// its sender's address behind it.
const ANNOUNCED: &[&[u8]] = &[
    b"\0\0\x84\0\0\0\0\x01\0\0\0\0\x02pc\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\0\0\x05\x0a\0\0\x05",
    b"\x12\x34\x80\0\0\x01\0\x01\0\0\0\0\x02pc\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04\x0a\0\0\x05\x0a\0\0\x05",
    b"\x12\x34\x29\x10\0\x01\0\0\0\0\0\x01\x20FAEDCACACACACACACACACACACACACAAA\0\0\x20\0\x01\xc0\x0c\0\x20\0\x01\0\x04\x93\xe0\
        \0\x06\x60\0\x0a\0\0\x05\x0a\0\0\x05",
    b"\x12\x34\x85\0\0\0\0\x01\0\0\0\0\x20FAEDCACACACACACACACACACACACACAAA\0\0\x20\0\x01\0\x04\x93\xe0\0\x06\x60\0\x0a\0\
        \0\x05\x0a\0\0\x05",
];

/// Answers to lookups of addresses.
const REVERSE: &[&[u8]] = &[
    b"\0\x07\x81\x80\0\x01\0\x01\0\0\0\0\x015\x010\x010\x0210\x07in-addr\x04arpa\0\0\x0c\0\x01\xc0\x0c\0\x0c\0\x01\0\0\0\
        \x3c\0\x04\x02pc\0",
    b"\0\x07\x81\x80\0\x01\0\x02\0\0\0\0\x015\x010\x010\x0210\x07in-addr\x04arpa\0\0\x0c\0\x01\xc0\x0c\0\x05\0\x01\0\0\0\
        \x3c\0\x04\x01x\xc0\x0e\xc0\x33\0\x0c\0\x01\0\0\0\x3c\0\x05\x02pc\xc0\x15",
    b"\0\x07\x81\x80\0\x01\0\x01\0\0\0\0\x015\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\
        \x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x010\x01d\x01f\x03ip6\x04arpa\0\0\x0c\0\x01\xc0\x0c\0\x0c\0\x01\0\0\0\
        \x3c\0\x04\x02pc\0",
];

/// DHCP for IPv6: a request, its answer, both through a relay.
const DHCP: &[&[u8]] = &[
    b"\x03\0\x1a\x03\x01\x02\x03\0\x01\0\x08\0\x02\0\0\xab\x11\x42\x43\0\x27\0\x06\x01\x04pc17",
    b"\x02\0\x3c\x07\x01\x02\x03\0\x01\0\x08\0\x02\0\0\xab\x11\x42\x43\0\x03\0\x28\0\0\0\x01\0\0\0\0\0\0\0\0\0\x05\0\x18\
        \xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\x63\0\0\0\x64",
    b"\x03\0\x40\x0c\0\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\x4f\0\x08\0\x01\x02\0\0\0\0\
        \x05\0\x09\0\x0e\x05\x01\x02\x03\0\x01\0\x06\0\x03\0\x01\x02\0",
];

/// Messages to proxies and from them.
const PROXIES: &[&[u8]] = &[
    b"\x05\x02\0\x02",
    b"\x01\x02me\x03pwd",
    b"\x05\x01\0\x03\x0chost.example\x01\xbb",
    b"\x05\x01\0\x01\xc0\0\x02\x07\x01\xbb",
    b"\x04\x01\x01\xbb\0\0\0\x01me\0host.example\0",
    b"\x04\x01\x01\xbb\xc0\0\x02\x07\0",
    b"\x05\0",
    b"\x05\0\0\x01\0\0\0\0\0\0",
    b"\x05\0\0\x03\x02ab\0\0",
    b"\0\x5a\0\0\0\0\0\0",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\x01\xbb",
];

/// What is said before TLS.
const STARTTLS: &[&[u8]] = &[
    b"EHLO client.example\r\nSTARTTLS\r\n",
    b"LHLO x\r\nNOOP\r\nSTARTTLS \r\n",
    b"a001 CAPABILITY\r\na002 STARTTLS\r\n",
    b"CAPA\r\nSTLS\r\n",
    b"FEAT\r\nAUTH SSL\r\n",
    b"CAPABILITIES\r\nSTARTTLS\r\n",
    b"250-x\r\n250 STARTTLS\r\n220 go ahead\r\n\x16\x03\x03",
    b"<?xml version='1.0'?><stream:stream to='x'\nversion='1.0'>\n<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    b"<?xml?><stream:stream><mechanism>PLAIN</mechanism><proceed/>\x16\x03",
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"\x20\0\0\x01\x85\xae\xff\x19\0\0\0\x01\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
    b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00",
    b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0\x16\x03\x03",
    b"\x03\0\0\x26\x21\xe0\0\0\0\0\0Cookie: mstshash=u\r\n\x01\0\x08\0\x03\0\0\0",
    b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x1f\x08\0\x02\0\0\0",
    b"\x04\x01\0\x0b\0\0\x01\0\0\0\x06\x12\x01\0\x39\0\0\0\0",
    b"\x12\x01\0\x1a\0\0\0\0\0\0\x1a\0\x06\x01\0\x20\0\x01\x02\0\0\0\0\0\0\0",
];

/// A payload as one segment from a client, for the target `segments`.
fn segment(payload: &[u8]) -> Vec<u8> {
    let length = payload.len().min(0x7ff);
    let mut input = vec![0x40, (length >> 8) as u8, length as u8, 0, 0, 1];
    input.extend_from_slice(&payload[..length]);
    input
}

/// A conversation for the target `chopped`: the port's place in its table, how
/// to cut, and the first turns.
fn conversation(port: u16, turns: &[Turn]) -> Vec<u8> {
    let place = [443, 80, 53, 853, 25, 1080, 8080].iter().take_while(|p| **p != port).count() as u8;
    let mut input = vec![place, 40, 1, 2, 3, 4];
    for (from_server, bytes) in turns.iter().take(8) {
        let bytes = &bytes[..bytes.len().min(if *from_server { 3000 } else { 6000 })];
        let head = bytes.len() as u16 | u16::from(*from_server) << 15;
        input.extend_from_slice(&head.to_be_bytes());
        input.extend_from_slice(bytes);
    }
    input
}

/// A ClientHello as it would stand in a DTLS record: with a cookie, whose
/// length is zero, behind the session id.
fn datagram(stream: &[u8]) -> Option<Vec<u8>> {
    let body = stream.strip_prefix(&[22, 3])?.get(7..)?;
    let session = usize::from(*body.get(34)?);
    let (front, behind) = body.split_at_checked(35 + session)?;
    let body = [&[0xfe, 0xfd], front.get(2..)?, &[0], behind].concat();
    let len = (body.len() as u32).to_be_bytes();
    let handshake = [&[1], &len[1..], &[0; 5], &len[1..], &body].concat();
    let record = (handshake.len() as u16).to_be_bytes();
    Some([&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0], &record[..], &handshake].concat())
}

/// What the Initial packets of a datagram hold, behind a byte for version 1.
fn opened(datagram: &[u8]) -> Vec<Vec<u8>> {
    let (mut out, mut rest, mut scratch) = (Vec::new(), datagram, Vec::new());
    while let Ok((packet, behind)) = quic::long_packet(rest) {
        if let Some(frames) = quic::ClientKeys::new(packet.version, packet.dcid).open(&packet, &mut scratch) {
            out.push([&[0], frames].concat());
        }
        rest = behind;
    }
    out
}

/// The frames of HTTP/2 in a payload: those of a client follow its preface,
/// others begin with SETTINGS.
fn http2(payload: &[u8]) -> Option<Vec<u8>> {
    let client = payload.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let server = payload.get(3..9) == Some(&[4, 0, 0, 0, 0, 0]);
    match client {
        Some(frames) => Some([&[0x40], frames].concat()),
        None => server.then(|| [&[0x41], payload].concat()),
    }
}

/// The field sections of those, each behind its length.
fn sections(payload: &[u8]) -> Option<Vec<u8>> {
    let frames = http2(payload)?;
    let (mut rest, mut out) = (&frames[1..], vec![0]);
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (content, after) = behind.split_at(len.min(behind.len()));
        if head[3] == 1 {
            let block = content.get(if head[4] & 0x20 == 0 { 0 } else { 5 }..).unwrap_or_default();
            out.extend_from_slice(&(block.len() as u16).to_be_bytes());
            out.extend_from_slice(block);
        }
        rest = after;
    }
    (out.len() > 1).then_some(out)
}

fn read(mut source: Box<dyn spansight::capture::FrameSource>, found: &mut Found) {
    let mut batch = Batch::default();
    let mut decoder = Decoder::new(Options::default());
    while let Ok(status) = source.next_batch(&mut batch) {
        if status == Status::End {
            break;
        }
        for meta in &batch.frames {
            let bytes = batch.bytes(meta);
            let link = batch.interfaces[usize::from(meta.interface)].link;
            let supported = (0..=300).map(spansight::capture::LinkType).filter(|l| Decoder::supports(*l));
            let index = supported.take_while(|l| *l != link).count() as u8;
            let short = &bytes[..bytes.len().min(600)];
            let mut frame = vec![index, 0, (short.len() >> 8) as u8, short.len() as u8];
            frame.extend_from_slice(short);
            found.frames.insert(frame);
            if let Ok(p) = decoder.decode(link, bytes, meta.orig_len, 0, Timestamp(0)) {
                let start = p.payload_offset as usize;
                if !p.in_arena && p.payload_len > 0 {
                    keep(found, &p, &bytes[start..start + p.payload_len as usize]);
                }
            } else if let Some(n) = decoder.take_notice() {
                let message = &bytes[n.offset as usize..(n.offset + n.len) as usize];
                let message = &message[..message.len().min(255)];
                let head = [u8::from(n.kind == NoticeKind::Nd) | 4, 4, message.len() as u8];
                found.links.push([&head[..], message].concat());
            }
        }
    }
}

fn keep(found: &mut Found, p: &Packet, payload: &[u8]) {
    found.payloads.insert(payload.to_vec());
    if matches!(p.dport, 137 | 5353 | 5355) || matches!(p.sport, 137 | 5353 | 5355) {
        let from = p.src.as_v4().unwrap_or_default();
        found.announced.insert([payload, &from].concat());
    }
    if may_be_dhcp(p.transport, p.dport) {
        let port = [67, 68, 546, 547].iter().take_while(|d| **d != p.dport).count() as u8;
        found.leases.push([&[port], &(payload.len() as u16).to_be_bytes()[..], payload].concat());
    }
    if p.transport == Transport::Tcp {
        let from_server = p.sport < p.dport;
        let ends = match from_server {
            true => (p.dst, p.dport, p.src, p.sport),
            false => (p.src, p.sport, p.dst, p.dport),
        };
        let turns = found.talks.entry(ends).or_default();
        match turns.last_mut().filter(|t| t.0 == from_server) {
            Some((_, bytes)) => bytes.extend_from_slice(payload),
            None => turns.push((from_server, payload.to_vec())),
        }
    }
}
