# What the scripts share. Sourced, never run.
# shellcheck shell=bash

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # for those that source this
started_at=${SECONDS}

# Builds never look at a database. Cargo finds .cargo/config.toml, which says so
# too, only from inside the clone.
export SQLX_OFFLINE=true

say() { printf '%s\n' "$*" >&2; }
fail() { # STATUS MESSAGE…
    local status=$1
    shift
    say "kiln: $*"
    exit "$status"
}

# step TITLE COMMAND…: runs it, shows how long it took; its output goes to a log
# that is shown when it fails.
step() {
    local title=$1 log from=$SECONDS
    shift
    log=$(mktemp)
    printf '  %-46s' "$title" >&2
    if "$@" >"$log" 2>&1 </dev/null; then
        printf '%4d s\n' $((SECONDS - from)) >&2
        rm -f "$log"
    else
        local status=$?
        printf 'failed\n' >&2
        tail -n 40 "$log" >&2
        say "kiln: \"$title\" failed (exit $status); the whole output is in $log"
        exit 1
    fi
}

have() { command -v "$1" >/dev/null 2>&1; }

is_root() { [ "$(id -u)" -eq 0 ]; }

# Debian and Ubuntu, as root or with sudo: there the scripts install what is
# missing. Elsewhere they name it and stop with 2.
can_install() {
    have apt-get && [ -r /etc/os-release ] && grep -qE '^(ID|ID_LIKE)=.*(debian|ubuntu)' /etc/os-release || return 1
    is_root || have sudo
}

as_root() {
    if is_root; then "$@"; else sudo "$@"; fi
}

asked=${KILN_YES:-}
# Not root: one question for everything, then sudo.
ask_once() { # WHAT
    is_root && return 0
    [ -n "$asked" ] && return 0
    if [ ! -t 0 ]; then
        fail 2 "$1 is missing, and installing it needs sudo: run this in a terminal, or set KILN_YES=1"
    fi
    printf 'Kiln needs to install packages (%s) with sudo. Go on? [Y/n] ' "$1" >&2
    local answer
    read -r answer
    case $answer in '' | [yY]*) asked=1 ;; *) fail 2 "not installed: $1" ;; esac
}

apt_updated=
apt_install() { # TITLE PACKAGE…
    local title=$1
    shift
    can_install || fail 2 "missing: $title. Install it, for example: $(other_systems "$@")"
    ask_once "$*"
    if [ -z "$apt_updated" ]; then
        # Only warn: an index that is there may be good enough.
        as_root apt-get update -qq >/dev/null 2>&1 || say "  (apt-get update failed; trying with the index that is there)"
        apt_updated=1
    fi
    step "install $title" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@"
}

other_systems() {
    if have dnf; then
        echo "dnf install $*"
    elif have pacman; then
        echo "pacman -S $*"
    elif have brew; then
        echo "brew install $*"
    elif have apk; then
        echo "apk add $*"
    else
        echo "your package manager's packages for: $*"
    fi
}

# Docker ------------------------------------------------------------------

# Says what is wrong: ok, no-client, no-permission, no-engine.
docker_state() {
    have docker || { echo no-client && return; }
    local answer
    if answer=$(timeout 10 docker version --format '{{.Server.Version}}' 2>&1); then
        echo ok
    elif grep -qi 'permission denied' <<<"$answer"; then
        echo no-permission
    else
        echo no-engine
    fi
}

engine_pid_file() { echo "${KILN_ENGINE_PID_FILE:-/run/kiln-dockerd.pid}"; }

start_engine() {
    if [ -d /run/systemd/system ]; then
        as_root systemctl start docker
    else
        # No service manager: started by hand, and stopped by scripts/stop.
        # shellcheck disable=SC2016
        as_root sh -c 'setsid nohup dockerd >/var/log/kiln-dockerd.log 2>&1 </dev/null & echo $! >"$1"' sh "$(engine_pid_file)"
    fi
    local tries=0
    until [ "$(docker_state)" != no-engine ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 120 ] || { say "the engine did not start; see /var/log/kiln-dockerd.log"; return 1; }
        sleep 0.25
    done
}

need_docker() {
    case $(docker_state) in
        ok) return ;;
        no-permission)
            fail 2 "Docker runs, but this user may not use its socket. Run: sudo usermod -aG docker $(id -un), then sign in again"
            ;;
        no-client | no-engine) ;;
    esac
    if [ -n "${DOCKER_HOST:-}" ]; then
        fail 2 "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST"
    fi
    if ! have dockerd; then
        [ "$(uname -s)" = Linux ] || fail 2 "no Docker engine answers: start Docker Desktop, or another engine, first"
        apt_install "the Docker engine" docker.io iptables
    fi
    # Installing may have started it.
    if [ "$(docker_state)" = no-engine ]; then
        ask_once "start the Docker engine"
        step "start the Docker engine" start_engine
    fi
    case $(docker_state) in
        ok) ;;
        no-permission)
            fail 2 "Docker runs now, but this user may not use its socket. Run: sudo usermod -aG docker $(id -un), then sign in again"
            ;;
        *) fail 2 "the Docker engine does not answer; see /var/log/kiln-dockerd.log" ;;
    esac
}

# Postgres ----------------------------------------------------------------

postgres_bin() {
    local dir
    if [ -n "${KILN_DATABASE_POSTGRES_BIN:-}" ]; then
        echo "$KILN_DATABASE_POSTGRES_BIN"
        return
    fi
    # shellcheck disable=SC2012
    dir=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -V | tail -n 1)
    if [ -n "$dir" ] && [ -x "$dir/initdb" ]; then
        echo "$dir"
    elif have initdb && have postgres; then
        dirname "$(command -v initdb)"
    fi
}

need_postgres() {
    [ -z "$(postgres_bin)" ] || return 0
    # Debian's package makes a cluster on port 5432 unless it is told not to.
    if can_install && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        ask_once postgresql
        as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    apt_install "the Postgres server binaries" postgresql
}

# Compiler ----------------------------------------------------------------

# rustup keeps toolchains in the home of the account, which need not be $HOME.
find_toolchain() {
    local home
    home=$(getent passwd "$(id -u)" 2>/dev/null | cut -d: -f6)
    for candidate in "${CARGO_HOME:-}/bin" "$HOME/.cargo/bin" "$home/.cargo/bin"; do
        if [ -x "$candidate/cargo" ]; then
            case ":$PATH:" in *":$candidate:"*) ;; *) PATH="$candidate:$PATH" ;; esac
        fi
    done
    if have cargo && ! cargo --version >/dev/null 2>&1 && [ -d "$home/.rustup" ]; then
        export RUSTUP_HOME=${RUSTUP_HOME:-$home/.rustup}
    fi
    # The registry cache is worth keeping, wherever HOME points.
    if [ -d "$home/.cargo/registry" ]; then
        export CARGO_HOME=${CARGO_HOME:-$home/.cargo}
    fi
    export PATH
}

rust_is_recent() {
    local version wanted
    have cargo && version=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    [ "$(printf '%s\n%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ]
}

need_compiler() {
    find_toolchain
    if ! have cc; then
        apt_install "a C compiler" gcc libc6-dev
    fi
    rust_is_recent && return
    have curl || apt_install curl curl ca-certificates
    step "install Rust with rustup" sh -c \
        'curl --proto "=https" --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --no-modify-path'
    find_toolchain
    rust_is_recent || fail 2 "Rust is missing or too old (need $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")): see https://rustup.rs"
}

target_dir() { echo "${CARGO_TARGET_DIR:-$root/target}"; }

host_triple() { rustc -vV | sed -n 's/^host: //p'; }

# The supervisor is linked statically, so that it runs in any image. It has a
# target directory of its own: its flags would rebuild everything else.
build_supervisor() { # PROFILE
    local triple
    triple=$(host_triple)
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --quiet \
        --manifest-path "$root/Cargo.toml" --target-dir "$(target_dir)/static" \
        --target "$triple" --profile "$1" -p kiln-supervisor
}

supervisor_path() { # PROFILE
    local dir=$1
    [ "$dir" = dev ] && dir=debug
    echo "$(target_dir)/static/$(host_triple)/$dir/kiln-supervisor"
}

need_chromium() {
    have chromium || have chromium-browser || have google-chrome || apt_install "headless Chromium" chromium
}
