# shellcheck shell=bash
# shellcheck disable=SC2154 # prefix, dir, top, python: of make-samples, which sources this file
# The network of the labelled scenes: a company's LAN 10.30.0.0/24 and
# fd30::/64 behind a gateway that translates IPv4 addresses, with a branch
# behind a router and two boxes that hide what is behind them.

lan() { # NODE NUMBER [RESOLVER]
    node_add "$prefix" "$1" "00:00:5e:00:53:$(printf %02x "$2")" "10.30.0.$2/24" "fd30::$2/64" \
        10.30.0.1 fd30::1 "${3-10.30.0.53}"
}

# A node of the LAN that has no address yet.
lan_unnumbered() { # NODE MAC
    node_add "$prefix" "$1" "$2" 10.30.0.199/24 '' '' '' 10.30.0.53
    ip -n "$prefix-$1" addr flush dev eth0 scope global
}

# A network stack with the time to live and TCP options of Windows.
like_windows() { # NODE
    ip netns exec "$prefix-$1" sh -c '
        echo 128 >/proc/sys/net/ipv4/ip_default_ttl
        echo 0 >/proc/sys/net/ipv4/tcp_timestamps
        echo 128 >/proc/sys/net/ipv6/conf/all/hop_limit
        echo 128 >/proc/sys/net/ipv6/conf/eth0/hop_limit'
}

# Gives a node an inner network that it forwards for.
inner_network() { # NODE GATEWAY-ADDRESS/LENGTH
    ip -n "$prefix-$1" link add inner type bridge mcast_snooping 0
    ip -n "$prefix-$1" addr add "$2" dev inner
    ip -n "$prefix-$1" link set inner up
    ip netns exec "$prefix-$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

# A node behind another, with IPv4 alone.
inner() { # OUTER NODE MAC ADDRESS/LENGTH GATEWAY
    ns_add "$prefix-$2"
    ip -n "$prefix-$1" link add "i-$2" type veth peer name eth0 netns "$prefix-$2"
    ip -n "$prefix-$2" link set eth0 address "$3"
    no_offload "$prefix-$2" eth0
    no_offload "$prefix-$1" "i-$2"
    ip -n "$prefix-$2" addr add "$4" dev eth0
    ip -n "$prefix-$2" link set eth0 up
    ip -n "$prefix-$1" link set "i-$2" master inner up
    ip -n "$prefix-$2" route add default via "$5"
    mkdir -p "/etc/netns/$prefix-$2"
    echo 'nameserver 10.30.0.53' >"/etc/netns/$prefix-$2/resolv.conf"
}

translate() { # NODE OUTER-INTERFACE
    ip netns exec "$prefix-$1" nft "
        table ip nat { chain out { type nat hook postrouting priority 100; oifname $2 masquerade; }; }"
}

# The zones of com, net and org with the addresses that the internet's
# resolver knows.
labelled_zones() {
    local tld
    for tld in com net org; do
        {
            echo "\$ORIGIN $tld."
            echo '@ 5 SOA ns nobody 1 3600 600 86400 5'
            echo '@ 5 NS ns'
            echo 'ns 5 A 198.51.100.53'
            cat "$top/scripts/samples/internet.dnsmasq.conf" "$top/scripts/samples/labelled/internet.dnsmasq.conf" |
                sed -n "s/^host-record=\([^,]*\.$tld\),\([0-9.]*\).*/\1. 5 A \2/p"
        } >"$dir/labelled/$tld.zone"
    done
}

labelled_internet() {
    local i
    ns_add "$prefix-internet"
    ip -n "$prefix-gw" link add wan type veth peer name eth0 netns "$prefix-internet"
    ip -n "$prefix-gw" link set wan address 00:00:5e:00:53:fe
    ip -n "$prefix-internet" link set eth0 address 00:00:5e:00:53:fd
    no_offload "$prefix-gw" wan
    no_offload "$prefix-internet" eth0
    ip -n "$prefix-gw" addr add 198.51.100.1/24 dev wan
    ip -n "$prefix-gw" -6 addr add 2001:db8:100::1/64 dev wan nodad
    ip -n "$prefix-gw" link set wan up
    ip -n "$prefix-internet" link set eth0 up
    for i in 2 25 53 54 55 56 80 81 82 83 84 85 90; do
        ip -n "$prefix-internet" addr add "198.51.100.$i/24" dev eth0
        ip -n "$prefix-internet" -6 addr add "2001:db8:100::$i/64" dev eth0 nodad
    done
    for i in 192.0.2.10 203.0.113.66 95.211.172.143 8.8.8.8 223.6.6.6 77.74.176.10; do
        ip -n "$prefix-internet" addr add "$i/32" dev lo
    done
    ip -n "$prefix-internet" route add default via 198.51.100.1
    ip -n "$prefix-internet" -6 route add default via 2001:db8:100::1
    ip -n "$prefix-gw" route add default via 198.51.100.2
    ip -n "$prefix-gw" route add 10.31.0.0/24 via 10.30.0.2
    ip netns exec "$prefix-gw" sh -c '
        echo 1 >/proc/sys/net/ipv4/ip_forward
        echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    translate gw wan

    serve internet dnsmasq -C "$top/scripts/samples/internet.dnsmasq.conf" \
        -C "$top/scripts/samples/labelled/internet.dnsmasq.conf"
    labelled_zones
    serve internet nsd -d -c "$dir/labelled/names.nsd.conf"
    serve internet nginx -c "$dir/labelled/internet.nginx.conf"
    serve internet "$python" "$top/scripts/samples/h3-server.py" "$dir/server.pem" "$dir/server.key" \
        198.51.100.81 2001:db8:100::81
    serve internet "$python" "$top/scripts/samples/smtp-server.py" 198.51.100.25 mx12.kaspersky-labs.com
    serve internet ncat -l -k 77.74.176.10 443
    serve internet ncat -l -k 198.51.100.85 443
}

labelled_lan() {
    local i
    # The servers of the LAN.
    lan router 2
    lan ksc 5
    lan intranet 6
    lan mirror 7
    lan proxy 8
    lan socks 9
    lan mail 25
    lan resolver 53 ''
    lan iterating 54 ''
    lan forwarder 55 ''
    lan nat 60
    lan hotspot 61
    lan box 59
    lan rogue 66
    for i in {11..24} {26..52} {62..65} {67..79}; do
        lan "pc-$i" "$i"
        printf 'dhcp-host=00:00:5e:00:53:%02x,10.30.0.%d\n' "$i" "$i" >>"$dir/labelled/lan.dnsmasq.conf"
        [ $((i % 3)) -eq 0 ] || like_windows "pc-$i"
    done
    # Two ask other resolvers.
    echo 'nameserver 10.30.0.54' >"/etc/netns/$prefix-pc-46/resolv.conf"
    echo 'nameserver 10.30.0.55' >"/etc/netns/$prefix-pc-47/resolv.conf"
    lan_unnumbered phone 02:8a:51:7e:30:c4
    lan_unnumbered churn-a 00:00:5e:00:53:a0
    lan_unnumbered churn-b 00:00:5e:00:53:a1
    lan_unnumbered mover 00:00:5e:00:53:a2
    # One computer makes its IPv6 addresses itself, one has no other kind.
    ip -n "$prefix-pc-12" -6 addr flush dev eth0 scope global
    ip -n "$prefix-pc-51" -4 addr flush dev eth0
    echo 'nameserver fd30::53' >"/etc/netns/$prefix-pc-51/resolv.conf"

    ip -n "$prefix-resolver" route add 10.31.0.0/24 via 10.30.0.2
    inner_network router 10.31.0.1/24
    inner router branch-1 00:00:5e:00:53:b1 10.31.0.11/24 10.31.0.1
    inner router branch-2 00:00:5e:00:53:b2 10.31.0.12/24 10.31.0.1
    inner router branch-3 00:00:5e:00:53:b3 10.31.0.13/24 10.31.0.1
    like_windows branch-1

    inner_network nat 192.168.77.1/24
    inner nat nat-1 00:00:5e:00:53:c1 192.168.77.11/24 192.168.77.1
    inner nat nat-2 00:00:5e:00:53:c2 192.168.77.12/24 192.168.77.1
    like_windows nat-2
    translate nat eth0
    inner_network hotspot 192.168.43.1/24
    inner hotspot hot-1 00:00:5e:00:53:d1 192.168.43.11/24 192.168.43.1
    inner hotspot hot-2 00:00:5e:00:53:d2 192.168.43.12/24 192.168.43.1
    like_windows hot-1
    translate hotspot eth0
    inner_network box 192.168.8.1/24
    inner box box-1 00:00:5e:00:53:e1 192.168.8.11/24 192.168.8.1
    inner box box-2 00:00:5e:00:53:e2 192.168.8.12/24 192.168.8.1
    like_windows box-2
    translate box eth0

    serve gw dnsmasq -C "$dir/labelled/lan.dnsmasq.conf"
    serve resolver unbound -d -c "$dir/labelled/resolver.unbound.conf"
    serve iterating unbound -d -c "$dir/labelled/iterating.unbound.conf"
    serve forwarder dnsmasq -k --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= --cache-size=0 \
        --bind-interfaces --listen-address=10.30.0.55 --server=10.30.0.53
    serve proxy squid -N -f "$top/scripts/samples/labelled/proxy.squid.conf"
    serve socks microsocks -i 10.30.0.9 -p 1080
    for i in ksc mirror intranet; do
        serve "$i" nginx -c "$dir/labelled/lan.nginx.conf" -g "pid $dir/$i.pid;"
    done
    serve ksc ncat -l -k 13111 -e /bin/cat
    for i in 22 23; do serve "pc-$i" ncat -u -l -k 15000; done
}

labelled_network() {
    net_up "$prefix"
    node_add "$prefix" gw 00:00:5e:00:53:01 10.30.0.1/24 fd30::1/64 '' '' ''
    labelled_internet
    labelled_lan
    # Small files: what counts is that there are enough bytes for a transfer.
    head -c 9000 /dev/urandom >"$dir/www/bases/av/kdb/i386/base001.kdc"
    head -c 500 /dev/urandom >"$dir/www/verdict"
    mkdir -p "$dir/www/reports/bases"
    cp "$dir/www/verdict" "$dir/www/reports/bases/index.html"
    cp "$dir/www/index/u1313g.xml" "$dir/www/index/updates.xml"
    head -c 20000 /dev/urandom >"$dir/www/setup.exe"
    cat >"$dir/www/links.html" <<'PAGE'
<!doctype html><title>sample</title>
<link rel="dns-prefetch" href="http://www.kaspersky.com/">
<link rel="dns-prefetch" href="http://support.kaspersky.com/">
<link rel="dns-prefetch" href="http://forum.kaspersky.com/">
<p>Links that a browser looks up beforehand.</p>
PAGE
    cat >"$dir/www/saved.html" <<'PAGE'
<!doctype html><title>sample</title>
<script src="https://gc.kis.v2.scr.kaspersky-labs.com/FD126C42-EBFA-4E12-B309-BB3FDD723AC1/main.js"></script>
<p>A page that was saved with what the product had put into it.</p>
PAGE
    wait_for on pc-52 dig +short +time=1 +tries=1 www.example.com
    wait_for on pc-52 curl -sf -o /dev/null http://www.example.com/
    wait_for on pc-52 curl -sf -o /dev/null -x http://10.30.0.8:3128 http://www.example.com/
    wait_for on pc-52 curl -sf -o /dev/null --socks5-hostname 10.30.0.9:1080 http://www.example.com/
    wait_for on pc-52 curl -sf -o /dev/null http://10.30.0.7/index/u1313g.xml
    wait_for on pc-46 curl -sf -o /dev/null http://www.example.com/
    wait_for on pc-47 curl -sf -o /dev/null http://www.example.com/
    wait_for on nat-1 curl -sf -o /dev/null http://www.example.com/
    wait_for on box-2 curl -sf -o /dev/null http://www.example.com/
    wait_for on hot-2 curl -sf -o /dev/null http://www.example.com/
    wait_for on branch-3 curl -sf -o /dev/null http://www.example.com/
    wait_for sh -c "ip netns exec $prefix-internet ss -lun | grep -q ':443 '"
}
