# shellcheck shell=bash
# Small networks in Linux network namespaces, with a SPAN port.
#
# A network is known by its prefix; all its namespaces are PREFIX-NODE, so that
# net_down removes it whole, whoever made it. Needs root; of the kernel, veth,
# bridges and tc with u32 and mirred.

# Removes the network and ends what runs in it. No error if there is none.
net_down() { # PREFIX
    local ns pids
    for ns in $(ip netns list 2>/dev/null | awk '{print $1}' | grep "^$1-"); do
        pids=$(ip netns pids "$ns" 2>/dev/null || true)
        # shellcheck disable=SC2086 # one word for each process
        [ -z "$pids" ] || kill -9 $pids 2>/dev/null || true
        ip netns del "$ns" 2>/dev/null || true
        rm -rf "/etc/netns/$ns"
    done
    rmdir /etc/netns 2>/dev/null || true
}

ns_add() { # NAMESPACE
    ip netns add "$1"
    # Addresses are ready at once, and nothing speaks that no one asked for.
    ip netns exec "$1" sh -c '
        echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
        echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
        echo 0 >/proc/sys/net/ipv6/conf/default/accept_ra
        echo 0 >/proc/sys/net/ipv6/conf/default/router_solicitations'
    ip -n "$1" link set lo up
}

# Makes a switch with a SPAN port: PREFIX-sw holds the bridge, and PREFIX-sensor
# the interface span0 to listen on. The SPAN port copies what enters each port
# of the switch, so it shows every frame exactly once.
net_up() { # PREFIX
    net_down "$1"
    ns_add "$1-sw"
    ns_add "$1-sensor"
    ip -n "$1-sw" link add br0 type bridge mcast_snooping 0
    ip -n "$1-sw" link add mirror type veth peer name span0 netns "$1-sensor"
    ip netns exec "$1-sw" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
    ip netns exec "$1-sensor" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
    ip -n "$1-sw" link set mirror mtu 9000 up
    ip -n "$1-sw" link set br0 up
    ip -n "$1-sensor" link set span0 mtu 9000 promisc on up
}

# Frames as a wire would carry them: no segments of 64 KiB, checksums filled in.
no_offload() { # NAMESPACE INTERFACE
    ip netns exec "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null 2>&1
}

# Plugs a new node PREFIX-NODE into the switch, with interface eth0.
# MAC and addresses with prefix length; an empty gateway means no route out.
node_add() { # PREFIX NODE MAC IPV4 IPV6 GATEWAY4 GATEWAY6 RESOLVER
    local ns=$1-$2 sw=$1-sw
    ns_add "$ns"
    ip -n "$sw" link add "p-$2" type veth peer name eth0 netns "$ns"
    ip -n "$ns" link set eth0 address "$3"
    no_offload "$ns" eth0
    ip -n "$ns" addr add "$4" dev eth0
    ip -n "$ns" link set eth0 up
    [ -z "$5" ] || ip -n "$ns" -6 addr add "$5" dev eth0 nodad
    ip -n "$sw" link set "p-$2" master br0 up
    ip netns exec "$sw" tc qdisc add dev "p-$2" clsact
    ip netns exec "$sw" tc filter add dev "p-$2" ingress protocol all prio 10 \
        u32 match u32 0 0 action mirred egress mirror dev mirror
    [ -z "$6" ] || ip -n "$ns" route add default via "$6"
    [ -z "$7" ] || ip -n "$ns" -6 route add default via "$7"
    if [ -n "$8" ]; then
        mkdir -p "/etc/netns/$ns"
        echo "nameserver $8" >"/etc/netns/$ns/resolv.conf"
    fi
}

# Waits, five seconds at most, until a command succeeds.
wait_for() { # COMMAND...
    local i
    for i in $(seq 50); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "gave up waiting for: $*" >&2
    return "$i"
}
