# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # day: for make-samples, which sources this file; out, dir, top, prefix: of it
# What the labelled scenes tell: who does what, when. Every computer stands for
# one case; capture-samples/labelled/labels.tsv says what is to be concluded.

sample_labelled() {
    local day=2026-03-03 to=$out/labelled
    net_down "$prefix"
    labelled_network
    record_from clocks "$dir/marks" labelled_day \
        "$dir/lan.pcap" sensor span0 '' \
        "$dir/outside.pcap" internet eth0 ip \
        "$dir/dns-only.pcap" resolver eth0 'port 53' \
        "$dir/one-way.pcap" sensor span0 'ether dst 00:00:5e:00:53:01 and ip and not dst net 10.0.0.0/8'
    day=2026-03-03
    # One private address twice: a visitor's computer in a VLAN of its own.
    echo 'nameserver 198.51.100.53' >"/etc/netns/$prefix-pc-11/resolv.conf"
    record_from clocks "$dir/marks" visitor "$dir/visitor.pcap" sensor span0 'host 10.30.0.11'
    python3 scripts/samples/captures.py tag "$dir/tagged.pcap" \
        "$dir/visitor.pcap=40,MAC=00:00:5e:00:53:0b>00:00:5e:00:53:8b"
    python3 scripts/samples/captures.py join "$dir/day.pcap" "$dir/lan.pcap" "$dir/tagged.pcap"
    mkdir -p "$to"
    zstd -q -19 -f "$dir/day.pcap" -o "$to/lan.pcap.zst"
    local capture
    for capture in outside dns-only one-way; do
        zstd -q -19 -f "$dir/$capture.pcap" -o "$to/$capture.pcap.zst"
    done
    versions >"$to/versions.txt"
}

# --- what computers do ------------------------------------------------------

# Takes an address from the DHCP server, and tells it a name.
boot() { # NODE UDHCPC-ARGUMENT...
    on "$1" udhcpc -f -q -n -t 5 -i eth0 -s "$top/scripts/samples/labelled/lease.sh" "${@:2}" >/dev/null 2>&1
    on "$1" ping -c 1 -W 2 10.30.0.1 >/dev/null
}

# As boot, until end_lease gives the address back.
lease() { # NODE UDHCPC-ARGUMENT...
    serve "$1" udhcpc -f -R -p "$dir/$1.pid" -i eth0 -s "$top/scripts/samples/labelled/lease.sh" "${@:2}"
    wait_for on "$1" ping -c 1 -W 2 10.30.0.1
}

end_lease() { # NODE
    kill -TERM "$(cat "$dir/$1.pid")"
    sleep 0.5
}

index() { # NODE URL CURL-ARGUMENT...
    get "$1" "${@:3}" "$2/index/u1313g.xml"
}

update() { # NODE URL CURL-ARGUMENT...
    get "$1" "${@:3}" "$2/index/u1313g.xml" "$2/bases/av/kdb/i386/base001.kdc"
}

reputation() { # NODE HOST CURL-ARGUMENT...
    get "$1" "${@:3}" "https://$2/verdict"
}

# An agent's call at its management server, over TLS.
agent_sync() { # NODE SERVER
    on "$1" curl -s -k --max-time 5 "https://$2:13000/index.html" -o /dev/null
}

# The server's datagram that wakes an agent.
wake() { # ADDRESS
    on ksc bash -c "head -c 96 /dev/urandom >/dev/udp/$1/15000" || true
}

reputation_by_proxy() { # NODE
    on "$1" bash -c 'head -c 200 /dev/urandom | ncat -w 1 10.30.0.5 13111 >/dev/null' || true
}

# A handshake, and nothing after it.
only_handshake() { # NODE HOST
    timeout 10 ip netns exec "$prefix-$1" openssl s_client -connect "$2:443" -servername "$2" \
        </dev/null >/dev/null 2>&1 || true
}

# A box and the devices behind it, all at work.
together() { # NODE...
    local i node
    for i in 1 2 3 4; do
        for node in "$@"; do get "$node" --ipv4 http://cdn.example.net/index.html; done
        sleep 0.2
    done
}

everyday() { # NODE
    ask "$1" mail.example.com A
    get "$1" --ipv4 http://cdn.example.net/index.html https://www.example.com/
}

# --- the day ----------------------------------------------------------------

labelled_day() {
    morning
    first_round
    alarms_and_strangers
    web_and_visits
    through_others
    second_round
    third_round
    afternoon
    midnight
    further_days
}

morning() {
    local i
    at 07:50:00
    for i in 11 13 14 23 24 33 34 52; do boot "pc-$i" -x "hostname:pc-$i"; done
    boot pc-19 -F pc-19.corp.example.com
    boot phone -x hostname:phone-of-somebody
    lease churn-a -x hostname:laptop-a -r 10.30.0.152
    lease mover -x hostname:tablet -r 10.30.0.153
    ip netns exec "$prefix-pc-12" sh -c '
        cd /proc/sys/net/ipv6/conf/eth0
        echo 1 >accept_ra; echo 2 >use_tempaddr; echo 3 >router_solicitations'
    ip -n "$prefix-pc-12" link set eth0 down
    ip -n "$prefix-pc-12" link set eth0 up
    ip -n "$prefix-pc-12" route add default via 10.30.0.1
    wait_for sh -c "ip -n $prefix-pc-12 -6 addr show dev eth0 | grep -q temporary"
    for i in {15..18} {20..22} {26..32} {35..50} {62..65} {67..79}; do on "pc-$i" ping -c 1 -W 2 10.30.0.1 >/dev/null; done
    for i in router ksc intranet mirror proxy socks mail nat hotspot; do on "$i" ping -c 1 -W 2 10.30.0.1 >/dev/null; done
    at 07:55:00
    everyday pc-52
    on pc-26 dig +time=2 +tries=1 -x 10.30.0.52 >/dev/null
}

first_round() {
    at 08:01:00
    update ksc https://s00.upd.kaspersky.com --ipv4
    at 08:05:00
    update pc-11 https://s05.upd.kaspersky.com --tlsv1.3
    at 08:06:00
    update pc-12 http://p00.upd.kaspersky.com --ipv6 -A "$agent"
    at 08:08:00
    update pc-13 https://s01.upd.kaspersky.com
    reputation pc-13 ksn-file-geo.kaspersky-labs.com
    at 08:10:00
    update pc-14 https://s02.upd.kaspersky.com --tls-max 1.2
    at 08:12:00
    only_handshake pc-15 s01.upd.kaspersky.com
    at 08:14:00
    try pc-16 https://s12.upd.kaspersky.com/index/u1313g.xml # no such name
    at 08:16:00
    try pc-17 https://s10.upd.kaspersky.com/index/u1313g.xml # refused
    at 08:18:00
    try pc-18 https://s11.upd.kaspersky.com/index/u1313g.xml # no answer
    at 08:19:00
    try pc-48 https://s14.upd.kaspersky.com/index/u1313g.xml # an alert
    try pc-72 https://s16.upd.kaspersky.com/index/u1313g.xml # a connection, and silence
    at 08:20:00
    ask pc-19 s00.upd.kaspersky.com A
    at 08:21:00
    ask pc-20 p01.upd.kaspersky.com A
    at 08:22:00
    ask pc-21 downloads.upd.kaspersky.com A
    at 08:23:00
    ask pc-45 downloads.upd.kaspersky.com A
    at 08:24:00
    agent_sync pc-22 10.30.0.5
    wake 10.30.0.22
    agent_sync pc-24 10.30.0.5
    reputation_by_proxy pc-24
    agent_sync pc-49 10.30.0.6
    at 08:26:00
    reputation pc-26 ds.kaspersky.com
    get pc-27 https://activation-v2.kaspersky.com/verdict http://touch.kaspersky.com/verdict
    at 08:28:00
    update pc-28 http://ksc.corp.example.com -A "$agent"
    at 08:30:00
    update pc-29 http://mirror.corp.example.com
    at 08:31:00
    update phone https://s03.upd.kaspersky.com
    at 08:33:00
    update churn-a https://s05.upd.kaspersky.com
    at 08:35:00
    update pc-51 https://s00.upd.kaspersky.com --ipv6
    at 08:37:00
    update branch-1 http://p00.upd.kaspersky.com --ipv4
    get branch-2 https://support.kaspersky.com/
    everyday branch-3
}

alarms_and_strangers() {
    at 08:44:00
    get pc-31 http://kasperskyupdate.com/index.html
    at 08:45:00
    get pc-32 http://qzkvrwtb.example.net/index.html
    at 08:46:00
    update pc-33 http://p01.upd.kaspersky.com
    get pc-33 http://www.kasperskyupdate.com/index.html
    at 08:48:00
    get pc-34 http://kav8.zonealarm.com/index/u1313g.xml http://kav8.zonealarm.com/bases/av/kdb/i386/base001.kdc
    update pc-34 http://dnl-02.geo.kaspersky.com
    reputation pc-34 ksn-crypto-file-geo.kaspersky-labs.com
    at 08:50:00
    on pc-23 dig +time=2 +tries=1 \
        {s00,s01,s02,s03,s05,p00,p01,p02}.upd.kaspersky.com {dnl-01,dnl-02,dnl-03}.geo.kaspersky.com \
        cm.k.kaspersky-labs.com ds.kaspersky.com activation-v2.kaspersky.com touch.kaspersky.com >/dev/null
    on pc-40 dig +time=2 +tries=1 +norecurse \
        {s00,s01,s02,s03,s05,p00,p01,p02}.upd.kaspersky.com {dnl-01,dnl-02,dnl-03}.geo.kaspersky.com \
        ds.kaspersky.com >/dev/null
    at 08:52:00
    get pc-41 http://intranet.corp.example.com/reports/bases/index.html \
        http://intranet.corp.example.com/index/updates.xml
    at 08:53:00
    get pc-42 -k http://kaspersky.com.example.org/index.html https://update.kaspersky.com.example.org/
    at 08:54:00
    on pc-43 ping -c 1 10.30.0.53 >/dev/null
    on rogue python3 "$top/scripts/samples/spoof.py" answer 10.30.0.43 00:00:5e:00:53:2b s00.upd.kaspersky.com
    at 08:55:00
    on rogue python3 "$top/scripts/samples/spoof.py" hello 10.30.0.240 00:00:5e:00:53:01 s00.upd.kaspersky.com
    at 08:56:00
    on pc-44 bash -c 'head -c 100 /dev/urandom | ncat -w 1 77.74.176.10 443 >/dev/null' || true
}

web_and_visits() {
    at 09:00:00
    browse pc-30 https://www.kaspersky.com/ --disable-quic
    at 09:02:00
    browse pc-35 https://www.kaspersky.com/ --enable-quic --origin-to-force-quic-on=www.kaspersky.com:443
    at 09:04:00
    browse pc-39 http://www.example.com/links.html
    at 09:06:00
    browse pc-50 http://www.example.com/saved.html
    at 09:08:00
    on pc-36 ping -c 3 -i 0.2 www.kaspersky.com >/dev/null
    at 09:09:00
    get pc-37 http://crl.kaspersky.com/verdict http://ocsp.kaspersky.com/verdict
    at 09:10:00
    get pc-38 -k https://products.s.kaspersky-labs.com/setup.exe
    at 09:11:00
    ask mail kaspersky.com MX
    ask mail kaspersky.com TXT
    ask mail _dmarc.kaspersky.com TXT
    on mail swaks --server mx12.kaspersky-labs.com --to someone@kaspersky.com --from postmaster@example.com \
        >/dev/null
    at 09:12:00
    get nat-1 https://www.kaspersky.com/ --ipv4
    browse nat-2 https://www.example.com/ --disable-quic
    get nat-2 --tls-max 1.2 https://mail.example.com/
    together nat nat-1 nat-2
    at 09:14:00
    update hot-1 https://s02.upd.kaspersky.com
    together hotspot hot-1 hot-2
    at 09:16:00
    everyday box-1
    everyday box-2
    everyday box-1
}

# Ways that lead over somebody else.
through_others() {
    at 09:20:00
    update pc-46 https://s00.upd.kaspersky.com
    everyday pc-46
    ask pc-46 www.example.org A
    at 09:21:00
    update pc-47 https://s01.upd.kaspersky.com
    at 09:24:00
    update pc-62 http://p00.upd.kaspersky.com -x http://10.30.0.8:3128 -A "$agent"
    update pc-62 https://s05.upd.kaspersky.com -x http://10.30.0.8:3128
    at 09:25:00
    update pc-63 https://s02.upd.kaspersky.com --socks5-hostname 10.30.0.9:1080
    at 09:26:00
    try pc-64 -x http://10.30.0.8:3128 https://s03.upd.kaspersky.com/index/u1313g.xml
    at 09:28:00
    fall_back pc-65
    at 09:30:00
    near_misses_early
    at 09:45:00
    update pc-69 https://s00.upd.kaspersky.com
}

# The local resolver knows no such name; a public one knows another.
fall_back() { # NODE
    ask "$1" s12.upd.kaspersky.com A
    ask "$1" @223.6.6.6 s03.upd.kaspersky.com A
    update "$1" https://s03.upd.kaspersky.com --resolve s03.upd.kaspersky.com:443:198.51.100.80
}

# What comes close to a verdict, and is not enough for it.
near_misses_early() {
    update pc-68 https://s00.upd.kaspersky.com
    reputation pc-68 ksn-file-geo.kaspersky-labs.com
    reputation pc-70 ds.kaspersky.com
    get pc-70 https://www.kaspersky.com/ --ipv4
    reputation pc-71 ppt-issuer.ksn.kaspersky-labs.com -k
    at 09:35:00
    get pc-75 http://p00.upd.kaspersky.com/index/u9999g.xml
    update pc-76 http://dnl-01.geo.kaspersky.com --ipv4
    get pc-77 http://kav8.zonealarm.com/index/u1313g.xml
    update pc-77 https://s00.upd.kaspersky.com
    update pc-73 http://mirror.example.net --ipv4
    update mover https://s02.upd.kaspersky.com
    update pc-74 https://s01.upd.kaspersky.com
    ask pc-78 -x 198.51.100.80
    ask pc-78 -x 77.74.176.10
    at 09:37:00
    agent_sync pc-79 10.30.0.6
    on mirror bash -c 'head -c 96 /dev/urandom >/dev/udp/10.30.0.79/15000' || true
}

second_round() {
    at 10:01:00
    update ksc https://s01.upd.kaspersky.com --ipv4
    at 10:05:00
    update pc-11 https://s05.upd.kaspersky.com --tlsv1.3
    at 10:06:00
    update pc-12 http://p00.upd.kaspersky.com --ipv4 -A "$agent"
    at 10:08:00
    reputation pc-13 ksn-file-geo.kaspersky-labs.com
    reputation pc-68 ksn-file-geo.kaspersky-labs.com
    at 10:14:00
    try pc-16 https://s13.upd.kaspersky.com/index/u1313g.xml
    at 10:16:00
    try pc-17 https://s15.upd.kaspersky.com/index/u1313g.xml
    at 10:17:00
    update pc-69 https://s00.upd.kaspersky.com
    at 10:18:00
    try pc-18 https://s11.upd.kaspersky.com/index/u1313g.xml
    at 10:21:00
    ask pc-20 p01.upd.kaspersky.com A
    at 10:23:00
    ask pc-45 downloads.upd.kaspersky.com A
    at 10:24:00
    agent_sync pc-22 10.30.0.5
    wake 10.30.0.22
    agent_sync pc-24 10.30.0.5
    reputation_by_proxy pc-24
    agent_sync pc-49 10.30.0.6
    at 10:26:00
    reputation pc-26 ksn-url-geo.kaspersky-labs.com
    at 10:30:00
    end_lease churn-a
    lease churn-b -x hostname:laptop-b -r 10.30.0.152
    get churn-b http://www.kaspersky.com/
    at 10:35:00
    update pc-62 http://p00.upd.kaspersky.com -x http://10.30.0.8:3128 -A "$agent"
    at 10:37:00
    fall_back pc-65
    at 10:46:00
    update pc-33 http://p02.upd.kaspersky.com
    at 10:48:00
    get pc-34 http://kav8.zonealarm.com/index/u1313g.xml
    at 10:55:00
    everyday pc-52
    everyday pc-41
}

third_round() {
    local i
    for i in 11 12 13 14; do
        at "$i:38:00"
        reputation pc-13 ksn-file-geo.kaspersky-labs.com
        at "$i:41:00"
        ask pc-20 p02.upd.kaspersky.com A
    done
}

afternoon() {
    at 15:05:00
    update pc-11 https://s00.upd.kaspersky.com --tlsv1.3
    at 15:06:00
    update pc-12 http://p00.upd.kaspersky.com --ipv6 -A "$agent"
    at 15:10:00
    reputation pc-68 ksn-file-geo.kaspersky-labs.com
    at 15:14:00
    update hot-1 https://s02.upd.kaspersky.com
    # What proxies and resolvers do for themselves.
    at 16:00:00
    update socks http://p00.upd.kaspersky.com --ipv4
    at 16:02:00
    update forwarder https://s01.upd.kaspersky.com --resolve s01.upd.kaspersky.com:443:198.51.100.80
    # To all that listen to the distribution point's group.
    at 16:05:00
    on ksc bash -c 'head -c 900 /dev/urandom >/dev/udp/239.30.0.5/15001' || true
}

# One run of contacts, on two days.
midnight() {
    at 23:52:00
    update pc-67 https://s00.upd.kaspersky.com
    day=2026-03-04
    at 00:06:00
    update pc-67 https://s00.upd.kaspersky.com
}

further_days() {
    at 08:03:00
    update pc-74 https://s01.upd.kaspersky.com
    at 08:05:00
    end_lease mover
    lease mover -x hostname:tablet -r 10.30.0.154
    update mover https://s02.upd.kaspersky.com
    day=2026-03-05
    at 08:02:00
    update pc-74 https://s01.upd.kaspersky.com
}

visitor() {
    at 12:50:00
    get pc-11 --ipv4 https://www.kaspersky.com/ https://www.example.com/
}
