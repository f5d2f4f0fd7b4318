//! Tests of pseudonyms.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

fn pseudonyms(key: &[u8], home: HomeNets) -> Pseudonyms {
    static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| Arc::new(Catalogue::builtin()));
    Pseudonyms::new(key, &home, Arc::clone(&CATALOGUE))
}

fn of(home: &[&str]) -> Pseudonyms {
    pseudonyms(&KEY, HomeNets::only(home.iter().map(|p| p.parse().unwrap()).collect()))
}

fn shared(a: &Addr, b: &Addr) -> u32 {
    (a.bits() ^ b.bits()).leading_zeros()
}

proptest! {
    #[test]
    fn addresses_share_as_many_bits_as_before(
        a in any::<u32>(), b in any::<u32>(), flip in 0u32..32, c in any::<u128>(), d in any::<u128>(), six in 0u32..128,
    ) {
        let p = pseudonyms(&KEY, HomeNets::any());
        let v4 = |n: u32| Addr::v4(n.to_be_bytes());
        let v6 = |n: u128| Addr((n & (u128::MAX >> 3) | 1 << 125).to_be_bytes());
        // Neighbours and strangers.
        let pairs = [(v4(a), v4(b)), (v4(a), v4(a ^ 1 << flip)), (v6(c), v6(d)), (v6(c), v6(c ^ 1 << six))];
        for (x, y) in pairs {
            if p.covers(&x) && p.covers(&y) {
                // The last half of an IPv6 address is replaced as a whole.
                let most = if x.as_v4().is_some() { 128 } else { 64 };
                let (before, after) = (shared(&x, &y), shared(&p.address(x), &p.address(y)));
                prop_assert_eq!(after.min(most), before.min(most), "{} {}", x, y);
                prop_assert_eq!(after == 128, before == 128, "{} {}", x, y);
            }
        }
    }

    #[test]
    fn a_block_is_mapped_onto_itself(n in any::<u32>(), six in any::<u128>()) {
        let home = ["203.0.113.0/24", "2001:db8:1::/48", "192.168.7.0/24"];
        let p = of(&home);
        for block in OWN.iter().chain(&home[..2]) {
            let block: Prefix = block.parse().unwrap();
            let host = if is_v4(&block) { u128::from(n) } else { six };
            let mask = u128::MAX.checked_shr(u32::from(block.len128())).unwrap_or(0);
            let addr = Addr((block.network() | host & mask).to_be_bytes());
            prop_assert!(block.contains(&p.address(addr)), "{addr} in {block}");
        }
    }

    /// What an address becomes depends on the key, not on which private
    /// networks are called home.
    #[test]
    fn private_addresses_are_the_same_in_every_run(n in any::<[u8; 3]>()) {
        let addr = Addr::v4([10, n[0], n[1], n[2]]);
        let one = of(&["10.0.0.0/8"]).address(addr);
        prop_assert_eq!(of(&["192.168.7.0/24", "10.1.0.0/16"]).address(addr), one);
        prop_assert_eq!(pseudonyms(&KEY, HomeNets::any()).address(addr), one);
    }

    #[test]
    fn networks_hold_the_pseudonyms_of_their_hosts(n in any::<[u8; 3]>(), len in 104u8..=128) {
        let p = of(&["10.0.0.0/8"]);
        let addr = Addr::v4([10, n[0], n[1], n[2]]);
        let mask = u128::MAX << (128 - u32::from(len));
        let network = Prefix::new(Addr((addr.bits() & mask).to_be_bytes()), len).unwrap();
        prop_assert!(p.prefix(network).contains(&p.address(addr)));
    }
}

/// Interface ids made from hardware addresses of one maker begin alike.
#[test]
fn interface_ids_do_not_tell_the_maker() {
    for prefix in ["fe80::", "fd00:0:0:1:", "2001:db8:1:2:"] {
        let p = of(&["2001:db8:1::/48"]);
        let all: Vec<Addr> = (0..40)
            .map(|n| format!("{prefix}d681:d7ff:fe{n:02x}:{:04x}", n * 977).parse().unwrap())
            .map(|a| p.address(a))
            .collect();
        let halves: HashSet<u128> = all.iter().map(|a| a.bits() >> 32 & 0xffff_ffff).collect();
        assert!(halves.len() > 38, "{prefix}: {}", halves.len());
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 40);
        assert!(all.iter().all(|a| a.bits() >> 64 == all[0].bits() >> 64), "{prefix}");
    }
    // Of a home network within the last half membership stays.
    let p = of(&["2001:db8:1:2::7:0/112"]);
    let (inside, outside) = ("2001:db8:1:2::7:9".parse().unwrap(), "2001:db8:1:2::8:9".parse().unwrap());
    assert!(p.home().contains(&p.address(inside)));
    assert!(!p.home().contains(&p.address(outside)));
}

/// A home network of one address would leave that address as it is.
#[test]
fn a_small_home_network_does_not_name_its_host() {
    let host: Addr = "203.0.113.5".parse().unwrap();
    let turned = (0..8u8).filter(|n| {
        let p = pseudonyms(&[*n + 1; 40].map(|b| b ^ 0x5a), HomeNets::only(vec!["203.0.113.5/32".parse().unwrap()]));
        assert!(p.address(host).to_string().starts_with("203.0.113."));
        p.address(host) != host
    });
    assert!(turned.count() >= 6);
}

#[test]
fn in_publications_every_address_is_replaced() {
    static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| Arc::new(Catalogue::builtin()));
    let home = HomeNets::only(vec!["203.0.113.5/32".parse().unwrap()]);
    let p = Pseudonyms::for_publication(&KEY, &home, Arc::clone(&CATALOGUE));
    for text in ["8.8.8.8", "203.0.113.5", "203.0.113.9", "81.20.0.7", "240.1.2.3", "2001:4860::1", "10.0.0.5"] {
        let addr: Addr = text.parse().unwrap();
        assert_ne!(p.address(addr), addr, "{text}");
        assert_eq!(is_within(&addr, &OWN[0].parse().unwrap()), is_within(&p.address(addr), &OWN[0].parse().unwrap()));
    }
    let host = p.address("203.0.113.5".parse().unwrap());
    assert!(!host.to_string().starts_with("203.0.113."), "{host}");
    assert!(p.home().contains(&host) && !p.home().contains(&p.address("203.0.113.4".parse().unwrap())));
    // Nothing is told of hosts by what became of known servers.
    let (server, at_home) = ("198.51.100.7".parse().unwrap(), "203.0.113.5".parse().unwrap());
    assert!(p.server(server) != server && p.server(server) != p.address(server));
    assert_eq!(p.server(at_home), p.address(at_home));
    for text in ["224.0.0.251", "255.255.255.255", "0.0.0.0", "127.0.0.1", "::", "::1", "ff02::fb"] {
        let addr: Addr = text.parse().unwrap();
        assert_eq!(p.address(addr), addr, "{text}");
    }
    let group: Mac = "03:00:5e:00:00:fb".parse().unwrap();
    assert!(p.mac(group) != group && p.mac(group).0[0] & 3 == 3);
    assert_eq!(p.mac(Mac([255; 6])), Mac([255; 6]));
    assert_eq!(p.text("from 8.8.8.8"), format!("from {}", p.address("8.8.8.8".parse().unwrap())));
}

#[test]
fn no_two_hosts_become_one() {
    let p = pseudonyms(&KEY, HomeNets::any());
    let hosts: Vec<Addr> = (0..8192u16).map(|n| Addr::v4([172, 16, (n >> 8) as u8, n as u8])).collect();
    let new: HashSet<Addr> = hosts.iter().map(|a| p.address(*a)).collect();
    assert_eq!(new.len(), hosts.len());
    // About half of the bits of a byte are turned.
    let turned: u32 = hosts.iter().map(|a| (a.bits() ^ p.address(*a).bits()).count_ones()).sum();
    assert!((7..=11).contains(&(turned / 8192)), "of 20 bits {}", turned / 8192);
}

#[test]
fn servers_and_groups_stay() {
    let p = of(&["10.0.0.0/8"]);
    for text in
        ["8.8.8.8", "2001:4860::1", "224.0.0.251", "ff02::fb", "255.255.255.255", "0.0.0.0", "::", "::1", "127.0.0.1"]
    {
        let addr: Addr = text.parse().unwrap();
        assert_eq!(p.address(addr), addr, "{text}");
    }
    for text in ["10.0.0.5", "192.168.1.1", "fe80::1", "fd00::1"] {
        let addr: Addr = text.parse().unwrap();
        assert_ne!(p.address(addr), addr, "{text}");
    }
    assert!(p.address("fe80::1".parse().unwrap()).to_string().starts_with("fe80::"));
    // Where every address is at home none is told from outside, but for groups.
    let any = pseudonyms(&KEY, HomeNets::any());
    assert_ne!(any.address("8.8.8.8".parse().unwrap()), "8.8.8.8".parse().unwrap());
    assert_eq!(any.address("224.0.0.251".parse().unwrap()), "224.0.0.251".parse().unwrap());
    let public = any.address("93.184.216.34".parse().unwrap());
    assert!(!OWN.iter().any(|b| b.parse::<Prefix>().unwrap().contains(&public)), "{public}");
}

#[test]
fn another_key_gives_other_pseudonyms() {
    let (one, two) = (of(&["10.0.0.0/8"]), pseudonyms(&[7; 40], HomeNets::default()));
    let (addr, mac) = ("10.1.2.3".parse().unwrap(), "00:11:22:33:44:55".parse().unwrap());
    assert_ne!(one.address(addr), two.address(addr));
    assert_ne!(one.mac(mac), two.mac(mac));
    assert_ne!(one.name("pc-17"), two.name("pc-17"));
    assert_ne!(one.key_id(), two.key_id());
    assert_eq!(one.key_id(), of(&["192.168.0.0/16"]).key_id());
    assert!(!format!("{one:?}").contains("0123"), "the key is not shown");
}

#[test]
fn macs_and_names() {
    let p = of(&["10.0.0.0/8"]);
    for n in 0..64 {
        for first in [0, 2] {
            let new = p.mac(Mac([first, 0x11, 0x22, 0, 0, n]));
            assert_eq!(new.0[0] & 3, first, "of one station, made up or not as before: {new}");
        }
    }
    let group: Mac = "01:00:5e:00:00:fb".parse().unwrap();
    assert_eq!(p.mac(group), group);
    let name = p.name("PC-17");
    assert_eq!((name.len(), name.get(..2), &name), (18, Some("h-"), &p.name("pc-17")));
}

#[test]
fn the_vendors_names_stay() {
    let p = of(&["10.0.0.0/8"]);
    assert_eq!(&*p.server_name("s05.upd.kaspersky.com", true), "s05.upd.kaspersky.com");
    assert_eq!(&*p.server_name("mirror.example.com", false), "mirror.example.com");
    assert_eq!(&*p.server_name("ksc.corp.example", true), p.name("ksc.corp.example"));
    let addr = p.address("10.0.0.9".parse().unwrap()).to_string();
    assert_eq!(&*p.server_name("10.0.0.9", false), addr);
    let six = p.address("fd00::9".parse().unwrap()).to_string();
    assert_eq!(&*p.server_name("[fd00::9]", true), format!("[{six}]"));
    assert_eq!(&*p.server_name("198.51.100.7", true), "198.51.100.7");
}

#[test]
fn addresses_in_a_text_are_replaced() {
    let p = of(&["10.0.0.0/8"]);
    let [a, six] = ["10.0.0.5", "fd00::5"].map(|t| p.address(t.parse().unwrap()).to_string());
    let mac = p.mac("02:00:00:00:00:01".parse().unwrap()).to_string();
    let net = p.prefix("10.1.0.0/16".parse().unwrap()).to_string();
    for (text, want) in [
        ("host 10.0.0.5 or 10.0.0.5:80", format!("host {a} or {a}:80")),
        ("(10.0.0.5.cap)", format!("({a}.cap)")),
        ("net 10.1.0.0/16,10.0.0.5/24", format!("net {net},{a}/24")),
        ("ether host 02:00:00:00:00:01", format!("ether host {mac}")),
        ("[fd00::5]:443", format!("[{six}]:443")),
        ("8.8.8.8 vlan:10 64-1 2,4,8,1,3 12:30:00 --since 2026-03-01T10:00:00Z 1.2.3", String::new()),
    ] {
        let want = if want.is_empty() { text.to_owned() } else { want };
        assert_eq!(p.text(text), want);
    }
    assert_eq!(p.home().describe(), ["10.0.0.0/8"]);
    let narrow = of(&["192.168.7.0/24"]);
    let host: Addr = "192.168.7.9".parse().unwrap();
    assert!(narrow.home().contains(&narrow.address(host)) && !narrow.home().contains(&host));
}

#[test]
fn keys_are_checked() {
    assert_eq!(key_of_file(b""), Err(WeakKey::Short(0)));
    assert_eq!(key_of_file(&[1; 31]), Err(WeakKey::Short(31)));
    assert_eq!(key_of_file(b"0123456789abcdef0123456789abcdef\n"), Err(WeakKey::Short(16)));
    assert_eq!(key_of_file(&[0; 64]), Err(WeakKey::Constant));
    assert_eq!(key_of_file(&[1; 5000]), Err(WeakKey::Long));
    let hex_digits = "0123456789ABCDEF".repeat(4) + "\r\n";
    assert_eq!(key_of_file(hex_digits.as_bytes()).unwrap().len(), 32);
    assert_eq!(key_of_file(b"a passphrase of at least 32 bytes, as it is").unwrap().len(), 43);
}
