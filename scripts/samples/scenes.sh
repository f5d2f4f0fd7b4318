# shellcheck shell=bash
# shellcheck disable=SC2154 # out, dir, day: of make-samples, which sources this file
# The scenes: who does what, when. One function for each sample.

sample_dns-udp() { record "$out/dns-udp.pcap" dns_udp "$(only 11)"; }
dns_udp() {
    at 08:00:00
    ask pc-01 s00.upd.kaspersky.com A
    ask pc-01 s00.upd.kaspersky.com AAAA +cookie +dnssec
    ask pc-01 www.kaspersky.com HTTPS
    ask pc-01 DnL-01.gEo.KaSpErSkY.cOm A +noedns
    ask pc-01 s12.upd.kaspersky.com A
    at 08:01:00
    ask pc-01 -6 @fd20::53 p00.upd.kaspersky.com AAAA
    ask pc-01 www.example.com A
}

sample_dns-tcp() { record "$out/dns-tcp.pcap" dns_tcp "$(only 11)"; }
dns_tcp() {
    at 08:00:00
    ask pc-01 +tcp dnl-01.geo.kaspersky.com
    # Several questions on one connection.
    at 08:01:00
    ask pc-01 +tcp +keepopen s00.upd.kaspersky.com p00.upd.kaspersky.com ds.kaspersky.com
    # Three questions at once, cut into segments of seven bytes.
    at 08:02:00
    on pc-01 python3 scripts/samples/pipelined-dns.py 10.20.0.53 \
        downloads.upd.kaspersky.com dnl-01.geo.kaspersky.com www.example.com
}

sample_tls12() { record "$out/tls12.pcap" tls12 "$(only 11)"; }
tls12() {
    at 08:00:00
    update_https pc-01 s00.upd.kaspersky.com --ipv4 --tls-max 1.2
    # A second session that resumes the first.
    at 08:05:00
    resume pc-01 -tls1_2
}

sample_tls13() { record "$out/tls13.pcap" tls13 "$(only 12)"; }
tls13() {
    at 08:00:00
    update_https pc-02 s05.upd.kaspersky.com --tlsv1.3
    # The server asks for another key share: two ClientHellos, one contact.
    at 08:01:00
    get pc-02 https://ds.kaspersky.com/verdict
    at 08:05:00
    resume pc-02 -tls1_3
}

resume() { # NODE VERSION
    rm -f "$dir/session"
    printf 'HEAD / HTTP/1.0\r\n\r\n' | timeout 10 ip netns exec "$prefix-$1" openssl s_client -ign_eof -quiet "$2" \
        -connect 198.51.100.80:443 -servername s00.upd.kaspersky.com -sess_out "$dir/session" >/dev/null 2>&1
    printf 'HEAD / HTTP/1.0\r\n\r\n' | timeout 10 ip netns exec "$prefix-$1" openssl s_client -ign_eof -quiet "$2" \
        -connect 198.51.100.80:443 -servername s00.upd.kaspersky.com -sess_in "$dir/session" >/dev/null 2>&1
}

sample_tls-ipv6() { record "$out/tls-ipv6.pcap" tls_ipv6 "$(only 12)"; }
tls_ipv6() {
    at 08:00:00
    update_https pc-02 s00.upd.kaspersky.com --ipv6
    get pc-02 --ipv6 http://p00.upd.kaspersky.com/index/u1313g.xml
}

sample_browser-tcp() { record "$out/browser-tcp.pcap" browser_tcp "$(only 13)"; }
browser_tcp() {
    at 08:00:00
    browse pc-03 https://www.kaspersky.com/ --disable-quic
}

sample_browser-quic() { record "$out/browser-quic.pcap" browser_quic "$(only 13)"; }
browser_quic() {
    at 08:00:00
    browse pc-03 https://www.kaspersky.com/ --enable-quic --origin-to-force-quic-on=www.kaspersky.com:443
}

sample_update-http() { record "$out/update-http.pcap" update_plain "$(only 11)"; }
update_plain() {
    at 08:00:00
    update_http pc-01 --ipv4
    at 08:00:10
    get pc-01 --ipv4 -A "$agent" http://p00.upd.kaspersky.com/diffs/bases/av/kdb/i386/base001.kdc.dif
}

# HTTP/2 in clear text: known beforehand, with two servers; asked for, of one
# that agrees and one that goes on with HTTP/1; field sections in several
# padded frames.
sample_http2() { record "$out/http2.pcap" http2 "$(only 11)"; }
http2() {
    local files=(index/u1313g.xml diffs/bases/av/kdb/i386/base001.kdc.dif)
    at 08:00:00
    get pc-01 --ipv4 --http2-prior-knowledge http://s00.upd.kaspersky.com:8080/index/u1313g.xml
    at 08:01:00
    on pc-01 nghttp -n "${files[@]/#/http://s05.upd.kaspersky.com:8081/}"
    at 08:02:00
    on pc-01 nghttp -n --upgrade "${files[@]/#/http://s05.upd.kaspersky.com:8080/}"
    at 08:03:00
    get pc-01 --ipv4 --http2 http://p00.upd.kaspersky.com:8080/index/u1313g.xml
    at 08:04:00
    get pc-01 --ipv4 --http2 http://p00.upd.kaspersky.com/index/u1313g.xml
    at 08:05:00
    on pc-01 nghttp -n --continuation --padding=32 http://dnl-01.geo.kaspersky.com:8080/index/u1313g.xml
}

sample_proxy() { record "$out/proxy.pcap" through_proxy; }
through_proxy() {
    at 08:00:00
    update_http pc-06 -x http://10.20.0.8:3128
    at 08:01:00
    update_https pc-06 s05.upd.kaspersky.com -x http://10.20.0.8:3128
    # The proxy cannot reach this one, and says so.
    at 08:02:00
    try pc-06 -x http://10.20.0.8:3128 https://s10.upd.kaspersky.com/index/u1313g.xml
}

sample_resolver() { record "$out/resolver.pcap" through_resolver; }
through_resolver() {
    at 08:00:00
    ask pc-01 dnl-01.geo.kaspersky.com A
    ask pc-02 dnl-01.geo.kaspersky.com A # from the cache
    at 08:01:00
    ask pc-02 s05.upd.kaspersky.com A
    get pc-02 https://s05.upd.kaspersky.com/index/u1313g.xml
    at 08:02:00
    ask pc-08 www.example.com A
}

sample_web-visit() { record "$out/web-visit.pcap" web_visit "$(only 13)"; }
web_visit() {
    at 08:00:00
    browse pc-03 https://www.kaspersky.com/ --disable-quic
    at 08:01:00
    get pc-03 https://support.kaspersky.com/
}

sample_no-contact() { record "$out/no-contact.pcap" no_contact "$(only 18)"; }
no_contact() {
    at 08:00:00
    ordinary pc-08
    browse pc-08 https://www.example.com/ --disable-quic
}

ordinary() { # NODE
    ask "$1" mail.example.com A
    get "$1" https://www.example.com/ http://cdn.example.net/index.html
    get "$1" --tls-max 1.2 https://mail.example.com/
    ask "$1" nowhere.example.org AAAA
}

sample_lookalike() { record "$out/lookalike.pcap" lookalike "$(only 15)"; }
lookalike() {
    at 08:00:00
    get pc-05 http://kasperskyupdate.com/index.html
    get pc-05 https://www.kasperskyupdate.com/index.html
}

sample_unreachable() { record "$out/unreachable.pcap" unreachable "$(only 14)"; }
unreachable() {
    at 08:00:00
    try pc-04 https://s10.upd.kaspersky.com/index/u1313g.xml # refused
    at 08:00:10
    try pc-04 https://s11.upd.kaspersky.com/index/u1313g.xml # no answer
    at 08:00:20
    try pc-04 https://s12.upd.kaspersky.com/index/u1313g.xml # no such name
}

# One private address in two VLANs. Kernels without VLAN devices are common in
# small machines, so the tags are put into the recorded frames.
sample_vlan() {
    record "$dir/a.pcap" vlan_a "$(only 11)"
    record "$dir/b.pcap" vlan_b "$(only 11)"
    python3 scripts/samples/captures.py tag "$out/vlan.pcap" "$dir/a.pcap=20" \
        "$dir/b.pcap=30,MAC=00:00:5e:00:53:0b>00:00:5e:00:53:3b"
}
vlan_a() {
    at 08:00:00
    get pc-01 --ipv4 https://s00.upd.kaspersky.com/index/u1313g.xml
}
vlan_b() {
    at 08:01:00
    get pc-01 --ipv4 https://www.kaspersky.com/
}

sample_multi-interface() {
    record "$dir/a.pcap" interface_a "$(only 11)"
    record "$dir/b.pcap" interface_b "$(only 12)"
    python3 scripts/samples/captures.py interfaces "$out/multi-interface.pcapng" "$dir/a.pcap" "$dir/b.pcap"
}
interface_a() {
    at 08:00:00
    get pc-01 --ipv4 https://s00.upd.kaspersky.com/index/u1313g.xml
}
interface_b() {
    at 08:00:00
    get pc-02 --ipv6 http://p00.upd.kaspersky.com/index/u1313g.xml
    get pc-02 https://ds.kaspersky.com/verdict
}

# Ten computers over one morning, recorded in one go.
sample_office-day() {
    record "$dir/office-day.pcap" office_day
    zstd -q -19 -f "$dir/office-day.pcap" -o "$out/office-day.pcap.zst"
}
office_day() {
    local i
    at 07:55:00
    for i in 01 02 03 04 05 06 07 08 09 10; do
        on "pc-$i" udhcpc -f -q -n -i eth0 -s /bin/true -x "hostname:pc-$i" >/dev/null 2>&1
        on "pc-$i" ping -c 1 10.20.0.1 >/dev/null
    done
    at 08:01:00
    ordinary pc-08
    at 08:05:00
    update_http pc-01 --ipv4
    at 08:07:00
    get pc-01 https://ds.kaspersky.com/verdict
    at 08:12:00
    update_https pc-02 s05.upd.kaspersky.com
    at 08:15:00
    ask pc-10 downloads.upd.kaspersky.com A
    at 08:20:00
    try pc-04 https://s10.upd.kaspersky.com/index/u1313g.xml https://s11.upd.kaspersky.com/index/u1313g.xml
    at 08:31:00
    update_http pc-06 -x http://10.20.0.8:3128
    at 08:40:00
    browse pc-03 https://www.kaspersky.com/ --disable-quic
    at 08:52:00
    get pc-09 https://dc1.ksn.kaspersky-labs.com/verdict
    at 09:05:00
    update_http pc-01 --ipv4
    at 09:12:00
    update_https pc-02 s00.upd.kaspersky.com --ipv6
    at 09:20:00
    try pc-04 https://s11.upd.kaspersky.com/index/u1313g.xml
    at 09:26:00
    get pc-05 http://kasperskyupdate.com/index.html
    at 09:40:00
    ordinary pc-08
    browse pc-08 https://www.example.com/ --disable-quic
    at 09:50:00
    get pc-09 https://ksn-url-geo.kaspersky-labs.com/verdict
    get pc-09 http://touch.kaspersky.com/verdict
    at 10:05:00
    update_http pc-01 --ipv4
    at 10:13:00
    update_https pc-02 s05.upd.kaspersky.com
    at 10:20:00
    try pc-04 https://s10.upd.kaspersky.com/index/u1313g.xml
    at 10:35:00
    browse pc-03 https://www.kaspersky.com/ --enable-quic --origin-to-force-quic-on=www.kaspersky.com:443
    at 10:58:00
    ordinary pc-05
    at 11:10:00
    get pc-01 https://dc1.ksn.kaspersky-labs.com/verdict
    at 11:30:00
    ordinary pc-03
}
