# shellcheck shell=bash
# What the lab network of the live tests needs; sourced after common.sh.
need ip iproute2
need tc iproute2
need ethtool ethtool
need tcpdump tcpdump
need curl curl
need openssl openssl
need dig bind9-dnsutils
need dnsmasq dnsmasq-base
need python3 python3
