#!/usr/bin/env bash
# Installs and starts a Docker engine with BuildKit on a Debian machine that has none, and makes sure that the base
# image the challenges build on is there. Safe to run again: every step first looks whether it is already done.
#
#   engine/install.sh            engine and base image
#   engine/install.sh --check    only say what is missing (exit 1 if anything is)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
say() { printf 'engine: %s\n' "$*"; }
die() { printf 'engine: %s\n' "$*" >&2; exit 1; }

# A client without buildx, or with one older than the harness reads (0.13), may stand first in PATH, so "docker is there"
# is not enough.
client() {
  local candidate version
  for candidate in $(type -ap docker) /usr/bin/docker; do
    version=$("$candidate" buildx version 2>/dev/null | sed -nE 's/.*buildx v?([0-9]+\.[0-9]+).*/\1/p') || continue
    if [ -n "$version" ] && printf '0.13\n%s\n' "$version" | sort -CV; then echo "$candidate"; return; fi
  done
  return 1
}
answers() { client >/dev/null && "$(client)" info >/dev/null 2>&1; }

install_packages() {
  [ "$(id -u)" = 0 ] || die "installing an engine needs root: run 'sudo make engine', or install Docker yourself (https://docs.docker.com/engine/install/) and run 'make engine' again"
  command -v apt-get >/dev/null || die "this script knows Debian only: install Docker yourself (https://docs.docker.com/engine/install/) and run 'make engine' again"
  export DEBIAN_FRONTEND=noninteractive
  local codename suite=""
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  if [ "$codename" = bookworm ]; then
    # bookworm's own engine (20.10) has a builder that knows no here-documents. Pinned at 50, trixie gives only what is
    # asked of it by name; containerd and runc stay bookworm's, because trixie's pull in another libc.
    local mirror
    mirror=$(sed -nE 's/^URIs: *([^ ]+\/debian)\/?$/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+\/debian)\/? .*/\2/p' \
      /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1 || true)
    echo "deb ${mirror:-http://deb.debian.org/debian} trixie main" > /etc/apt/sources.list.d/harness-engine-trixie.list
    printf 'Package: *\nPin: release n=trixie\nPin-Priority: 50\n' > /etc/apt/preferences.d/harness-engine-trixie
    suite=/trixie
  fi
  say "installing the engine, its client, BuildKit's client and a bootstrapper (about 30 s)"
  apt-get -q=2 update
  apt-get -q=2 install -y --no-install-recommends "docker.io$suite" "docker-cli$suite" "docker-buildx$suite" tini \
    iptables mmdebstrap ca-certificates >/dev/null
}

start_engine() {
  [ "$(id -u)" = 0 ] || die "the engine is installed but does not answer, and starting it needs root: 'sudo systemctl start docker', or join the group 'docker' if it runs"
  say "starting the engine"
  if [ -d /run/systemd/system ]; then
    systemctl start docker
  else
    # No init system: the engine outlives this script in a session of its own.
    setsid nohup dockerd >/var/log/harness-dockerd.log 2>&1 </dev/null &
  fi
  local second
  for second in $(seq 60); do
    if answers; then say "the engine answers after ${second} s"; return; fi
    sleep 1
  done
  die "the engine did not answer within 60 s; its log: /var/log/harness-dockerd.log"
}

if [ "${1:-}" = --check ]; then
  answers || die "no engine with BuildKit answers; 'make engine' installs one on Debian"
  "$here/base-image.sh" --check
  exit 0
fi
client >/dev/null && [ -n "$(type -ap dockerd /usr/sbin/dockerd || true)" ] || answers || install_packages
answers || start_engine
"$here/base-image.sh"
say "ready: $("$(client)" version --format 'engine {{.Server.Version}}, client {{.Client.Version}}'), $("$(client)" buildx version | cut -d' ' -f2)"
