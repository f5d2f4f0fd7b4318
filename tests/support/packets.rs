//! Frames made in the test: IPv4 over Ethernet, UDP and TCP, and the messages
//! in them.

/// 2026-03-01T10:00:00Z in nanoseconds.
pub const TEN: i64 = 1_772_359_200_000_000_000;
/// A second in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
/// A resolver at home.
pub const RESOLVER: [u8; 4] = [10, 0, 0, 53];
/// A server on the internet.
pub const SERVER: [u8; 4] = [198, 51, 100, 80];

/// Flags of a first segment.
pub const SYN: u8 = 2;
const ACK: u8 = 16;
/// Flags of a segment with data.
pub const PSH_ACK: u8 = 24;
const FIN_ACK: u8 = 17;

/// A host at home.
pub fn host(n: u16) -> [u8; 4] {
    let [high, low] = n.to_be_bytes();
    [10, 0, high, low]
}

fn mac(ip: [u8; 4]) -> [u8; 6] {
    // What is not at home comes by the router.
    if ip[0] == 10 { [2, 0, ip[0], ip[1], ip[2], ip[3]] } else { [2, 0, 0, 0, 0, 1] }
}

fn ethernet(src: [u8; 4], dst: [u8; 4], protocol: u8, transport: &[u8]) -> Vec<u8> {
    let mut f = Vec::with_capacity(34 + transport.len());
    f.extend(mac(dst));
    f.extend(mac(src));
    f.extend([8, 0, 0x45, 0]);
    f.extend((20 + transport.len() as u16).to_be_bytes());
    f.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    f.extend(src);
    f.extend(dst);
    f.extend(transport);
    f
}

/// A UDP datagram.
pub fn udp(src: ([u8; 4], u16), dst: ([u8; 4], u16), payload: &[u8]) -> Vec<u8> {
    let mut t = Vec::with_capacity(8 + payload.len());
    t.extend(src.1.to_be_bytes());
    t.extend(dst.1.to_be_bytes());
    t.extend((8 + payload.len() as u16).to_be_bytes());
    t.extend([0, 0]);
    t.extend(payload);
    ethernet(src.0, dst.0, 17, &t)
}

/// A TCP segment without options.
pub fn tcp(src: ([u8; 4], u16), dst: ([u8; 4], u16), seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut t = Vec::with_capacity(20 + payload.len());
    t.extend(src.1.to_be_bytes());
    t.extend(dst.1.to_be_bytes());
    t.extend(seq.to_be_bytes());
    t.extend(ack.to_be_bytes());
    t.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    t.extend(payload);
    ethernet(src.0, dst.0, 6, &t)
}

/// A TCP connection from handshake to end: the client's and the server's
/// payloads in turns.
pub fn connection(client: ([u8; 4], u16), server: ([u8; 4], u16), turns: &[(&[u8], &[u8])]) -> Vec<Vec<u8>> {
    let (mut c, mut s) = (1000_u32, 5000_u32);
    let mut frames = vec![
        tcp(client, server, c, 0, SYN, &[]),
        tcp(server, client, s, c + 1, SYN | ACK, &[]),
        tcp(client, server, c + 1, s + 1, ACK, &[]),
    ];
    (c, s) = (c + 1, s + 1);
    for (request, response) in turns {
        for part in request.chunks(1200) {
            frames.push(tcp(client, server, c, s, PSH_ACK, part));
            c += part.len() as u32;
        }
        for part in response.chunks(1200) {
            frames.push(tcp(server, client, s, c, PSH_ACK, part));
            s += part.len() as u32;
        }
    }
    frames.push(tcp(client, server, c, s, FIN_ACK, &[]));
    frames.push(tcp(server, client, s, c + 1, FIN_ACK, &[]));
    frames.push(tcp(client, server, c + 1, s + 1, ACK, &[]));
    frames
}

/// A question for a name's IPv4 addresses. The name is given label by label.
pub fn query(id: u16, labels: &[&[u8]]) -> Vec<u8> {
    let mut m = Vec::new();
    m.extend(id.to_be_bytes());
    m.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in labels {
        m.push(label.len() as u8);
        m.extend(*label);
    }
    m.extend([0, 0, 1, 0, 1]);
    m
}

/// The answer to it with one address.
pub fn answer(id: u16, labels: &[&[u8]], address: [u8; 4]) -> Vec<u8> {
    let mut m = query(id, labels);
    (m[2], m[3], m[7]) = (0x81, 0x80, 1);
    m.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    m.extend(address);
    m
}

/// A lookup at the resolver: question and answer.
pub fn lookup(client: [u8; 4], port: u16, name: &str, address: [u8; 4]) -> [Vec<u8>; 2] {
    let labels: Vec<&[u8]> = name.split('.').map(str::as_bytes).collect();
    let (us, them) = ((client, port), (RESOLVER, 53));
    [udp(us, them, &query(port, &labels)), udp(them, us, &answer(port, &labels, address))]
}

/// A TLS 1.2 ClientHello with a server name (RFC 6066, section 3).
pub fn client_hello(name: &[u8]) -> Vec<u8> {
    let n = name.len() as u16;
    let mut extension = Vec::from([0, 0]);
    extension.extend((n + 5).to_be_bytes());
    extension.extend((n + 3).to_be_bytes());
    extension.push(0);
    extension.extend(n.to_be_bytes());
    extension.extend(name);
    let mut body = Vec::from([3, 3]);
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend((extension.len() as u16).to_be_bytes());
    body.extend(extension);
    let mut record = Vec::from([22, 3, 1]);
    record.extend((body.len() as u16 + 4).to_be_bytes());
    record.extend([1, 0]);
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

/// A TLS 1.2 ServerHello without extensions.
pub fn server_hello() -> Vec<u8> {
    let mut record = Vec::from([22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3]);
    record.extend([9; 32]);
    record.extend([0, 0x13, 1, 0]);
    record
}

/// An HTTP request.
pub fn get(host: &[u8], path: &[u8], user_agent: &[u8]) -> Vec<u8> {
    [b"GET ", path, b" HTTP/1.1\r\nHost: ", host, b"\r\nUser-Agent: ", user_agent, b"\r\n\r\n"].concat()
}

/// A response with a body of `n` bytes.
pub fn response(n: usize) -> Vec<u8> {
    let mut r = format!("HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n").into_bytes();
    r.resize(r.len() + n, b'x');
    r
}

/// A page that has nothing to do with the vendor, with the lookup before.
pub fn visit(client: [u8; 4], port: u16) -> Vec<Vec<u8>> {
    let (name, server) = ("www.example.net", [192, 0, 2, 7]);
    let get = get(name.as_bytes(), b"/", b"curl/8");
    let mut frames = Vec::from(lookup(client, port, name, server));
    frames.extend(connection((client, port), (server, 80), &[(&get, &response(64))]));
    frames
}

/// A host that looks an update server up and fetches an index by HTTP.
pub fn update(client: [u8; 4], port: u16) -> Vec<Vec<u8>> {
    let mut frames = Vec::from(lookup(client, port, "p00.upd.kaspersky.com", SERVER));
    let request = get(b"p00.upd.kaspersky.com", b"/index/u1313g.xml", b"x");
    frames.extend(connection((client, port), (SERVER, 80), &[(&request, &response(4000))]));
    frames
}
