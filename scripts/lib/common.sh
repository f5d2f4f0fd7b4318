# shellcheck shell=bash
# What every script here shares: where the project is, how to talk, how to get
# what is missing. Source it; it changes to the project's top folder.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top" || exit 1
# shellcheck disable=SC2034 # for the scripts that source this file
target_dir=${CARGO_TARGET_DIR:-$top/target}

say() { printf '%s\n' "==> $*" >&2; }
die() { printf '%s\n' "$0: $*" >&2; exit 1; }

# Command needed, Debian package that brings it.
needed_packages=()
need() {
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] || needed_packages+=("$2")
}

# As need, for anything that a test command can tell.
need_unless() { # PACKAGE COMMAND...
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || needed_packages+=("$package")
}

# Installs what need() found missing: with apt-get as root or through sudo
# without a password, otherwise one sentence says what to run. With nothing
# missing it does nothing.
install_needed() {
    [ "${#needed_packages[@]}" -gt 0 ] || return 0
    local packages root=()
    mapfile -t packages < <(printf '%s\n' "${needed_packages[@]}" | sort -u)
    needed_packages=()
    if ! command -v apt-get >/dev/null 2>&1; then
        die "please install the equivalents of these Debian packages: ${packages[*]}"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true >/dev/null 2>&1; then
            die "please run first: sudo apt-get install --no-install-recommends ${packages[*]}"
        fi
        root=(sudo -n)
    fi
    say "installing ${packages[*]}"
    local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install -y -qq --no-install-recommends "${packages[@]}")
    if ! "${install[@]}" >/dev/null 2>&1; then
        "${root[@]}" apt-get update -qq
        "${install[@]}" >/dev/null
    fi
}

# What cargo needs to build the sensor.
need_build_tools() {
    # shellcheck disable=SC1091 # rustup's, where there is one
    command -v cargo >/dev/null 2>&1 || [ ! -r "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
    command -v cargo >/dev/null 2>&1 || die "please install Rust 1.89 or newer first, see https://rustup.rs"
    need cc gcc
    need_unless libc6-dev cc -E -include stdlib.h -x c /dev/null
    need_unless libpcap-dev cc -E -include pcap.h -x c /dev/null
}

# Sets `python` to the interpreter of a virtual environment under the target
# folder that holds exactly the given requirements; makes it when missing.
venv_python() { # NAME REQUIREMENT...
    local name=$1 venv
    shift
    venv=$target_dir/venv/$name
    python=$venv/bin/python
    if [ "$(cat "$venv/requirements" 2>/dev/null)" != "$*" ]; then
        need python3 python3
        need_unless python3-venv python3 -c 'import venv, ensurepip'
        install_needed
        say "making a Python environment for $name ($*)"
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$python" -m pip install -q --disable-pip-version-check "$@"
        printf '%s\n' "$*" >"$venv/requirements"
    fi
}

# Sets `spansight` to the binary to use: $SPANSIGHT, or a release build.
release_binary() {
    if [ -n "${SPANSIGHT:-}" ]; then
        spansight=$SPANSIGHT
        return
    fi
    need_build_tools
    install_needed
    cargo build --release --locked --quiet
    # shellcheck disable=SC2034 # for the scripts that source this file
    spansight=$target_dir/release/spansight
}
