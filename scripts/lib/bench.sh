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

# Makes a capture, unless it is there: its path is then captures[SORT], and that
# of the names in it truths[SORT]. Needs the Python environment `bench`.
declare -A captures truths
seed=1
generate() { # SORT MIB
    local capture=$bench/$1-$2-$seed.pcap names=$bench/$1-$2-$seed.tsv
    # shellcheck disable=SC2034 # for the scripts that source this file
    captures[$1]=$capture truths[$1]=$names
    if [ ! -s "$capture" ] || [ -n "$(find scripts/benchmark/{generate,dense,messages,wire}.py -newer "$capture")" ]; then
        say "making the $1 capture of $2 MiB"
        # shellcheck disable=SC2154 # python is of venv_python
        "$python" scripts/benchmark/generate.py "$capture.new" "$names" $(($2 << 20)) "$seed" "$1"
        mv "$capture.new" "$capture"
    fi
}
