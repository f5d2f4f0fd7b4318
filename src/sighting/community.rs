//! Community ID version 1: a flow hash that other tools compute too
//! (Corelight's specification, seed 0).

use crate::flow::Endpoints;
use base64::Engine as _;

/// `1:` and the Base64 of a SHA-1 over the ordered ends of the flow.
pub(super) fn community_id(e: &Endpoints) -> String {
    let mut a = (e.client, e.cport);
    let mut b = (e.server, e.sport);
    let (x, y) = (bytes(&a.0), bytes(&b.0));
    if (&y, b.1) < (&x, a.1) {
        std::mem::swap(&mut a, &mut b);
    }
    let mut input = vec![0, 0];
    input.extend(bytes(&a.0));
    input.extend(bytes(&b.0));
    input.extend([e.transport as u8, 0]);
    input.extend(a.1.to_be_bytes());
    input.extend(b.1.to_be_bytes());
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &input);
    format!("1:{}", base64::engine::general_purpose::STANDARD.encode(digest))
}

fn bytes(a: &crate::base::Addr) -> Vec<u8> {
    a.as_v4().map_or_else(|| a.0.to_vec(), |v4| v4.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Transport;

    #[test]
    fn agrees_with_the_published_baseline() {
        // From the specification's baseline for default seed: a TCP and a UDP flow.
        let tcp = Endpoints {
            client: "128.232.110.120".parse().unwrap(),
            cport: 34855,
            server: "66.35.250.204".parse().unwrap(),
            sport: 80,
            transport: Transport::Tcp,
        };
        assert_eq!(community_id(&tcp), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        let back = Endpoints { client: tcp.server, cport: 80, server: tcp.client, sport: 34855, ..tcp };
        assert_eq!(community_id(&back), community_id(&tcp));
        let udp = Endpoints {
            client: "192.168.1.52".parse().unwrap(),
            cport: 54585,
            server: "8.8.8.8".parse().unwrap(),
            sport: 53,
            transport: Transport::Udp,
        };
        assert_eq!(community_id(&udp), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
    }
}
