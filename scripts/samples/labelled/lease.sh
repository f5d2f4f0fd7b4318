#!/bin/sh
# shellcheck disable=SC2154 # set by udhcpc
# What udhcpc calls: takes the leased address, and gives it back.
case $1 in
deconfig) ip -4 addr flush dev "$interface" scope global ;;
bound | renew)
    ip -4 addr replace "$ip/$mask" dev "$interface"
    ip route replace default via "${router%% *}"
    ;;
esac
