# shellcheck shell=bash
# What the benchmarks share. Source it after common.sh.

# shellcheck disable=SC2154 # target_dir is of common.sh
bench=$target_dir/bench
mkdir -p "$bench"

has() { command -v "$1" >/dev/null 2>&1; }

# The arguments, quoted for a shell.
quoted() { printf '%q ' "$@"; }

machine() {
    printf '%s, %s cores, %s GiB, Linux %s' "$(awk -F': ' '/^model name/ {print $2; exit}' /proc/cpuinfo)" \
        "$(nproc)" "$(awk '/^MemTotal/ {printf "%.0f", $2 / 1048576}' /proc/meminfo)" "$(uname -r)"
}

# How many processes wanted to run during the last minute.
load_average() { cut -d' ' -f1 /proc/loadavg; }

# Builds scripts/benchmark/NAME.c into the folder of the benchmarks.
build_tool() { # NAME
    local source=scripts/benchmark/$1.c
    [ "$bench/$1" -nt "$source" ] ||
        cc -O3 -march=native -Wall -Wextra -Werror -o "$bench/$1" "$source"
}

# Installs other programs to compare with, those that there are packages of.
install_others() {
    local package
    if [ "$(id -u)" -ne 0 ] || ! has apt-get; then
        die "--install needs root and apt-get"
    fi
    apt-get update -qq
    for package in tshark tcpdump suricata libndpi-bin zeek; do
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 ||
            say "there is no package $package here"
    done
}
