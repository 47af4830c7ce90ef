#!/usr/bin/env bash
# Makes a bare Debian 12 or Ubuntu machine ready to build, test and demonstrate uvs: system packages (as root or with
# sudo), npm packages, the build. Safe to run again: a second or two when nothing is missing.
# Starts no daemon and enables none: the packages that bring one are for the tests, which run their own.
set -euo pipefail
cd "$(dirname "$0")/.."

# One package a word; `a|b` is satisfied by any of them and installs the first that the distribution has.
build_packages="build-essential cmake ninja-build clang pkg-config libbpf-dev libpcap-dev ccache git ca-certificates"
test_packages="doctest-dev bpftool|linux-tools-common libpcap0.8|libpcap0.8t64 iproute2 iputils-ping procps curl
  ethtool tcpdump nftables nginx-light keepalived ipvsadm frr socat iperf3 wrk openssl
  qemu-system-x86 busybox-static kmod"
# Units of these packages that Debian would start now and at every boot.
daemons="nginx keepalived frr ipvsadm iperf3"

main() {
  require_node
  step "system packages" install_packages
  if [ -e "$half_installed" ] || stale package-lock.json node_modules/.package-lock.json ||
    stale package.json node_modules/.package-lock.json; then
    step "npm packages and build" install_npm_packages
  fi
  if newer_than build/native.stamp addon CMakeLists.txt; then step "addon" bash scripts/build.sh native; fi
  if newer_than build/ts.stamp src tsconfig.json tsconfig.build.json; then step "TypeScript" bash scripts/build.sh ts; fi
}

# step NAME COMMAND...: runs it, silent unless it fails, and says how long it took.
step() {
  local name=$1 log started code=0
  shift
  log=$(mktemp)
  started=$(date +%s%N)
  # `( … ) || code=$?` would switch `set -e` off inside.
  set +e
  (set -e; "$@") >"$log" 2>&1
  code=$?
  set -e
  printf '%-6s%s%s (%d.%d s)\n' "$([ "$code" = 0 ] && echo ok || echo FAIL)" "setup: $name" \
    "$(sed -n 's/^said: /: /p' "$log" | tail -n 1)" \
    $((($(date +%s%N) - started) / 1000000000)) $((($(date +%s%N) - started) / 100000000 % 10))
  if [ "$code" != 0 ]; then tail -n 40 "$log" >&2; fi
  rm -f "$log"
  return "$code"
}

require_node() {
  local wanted="20.19.0" version
  version=$(node -p process.versions.node 2>/dev/null) || version=none
  if [ "$version" = none ] || [ "$(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1)" != "$wanted" ]; then
    echo "uvs needs Node.js $wanted or later with npm; found: $version (https://nodejs.org/en/download)" >&2
    exit 1
  fi
}

install_packages() {
  local missing
  missing=$(missing_packages $build_packages $test_packages)
  if [ -n "$missing" ]; then
    # Two set-ups at once would take each other's policy file for somebody's own. Any user may lock a folder it can read.
    exec 9</var/lib/dpkg
    flock 9
    apt_get update
    missing=$(available_packages $(missing_packages $build_packages $test_packages))
    apt_install $missing
  fi
  # libFuzzer and the sanitizers come in a package named after clang's version, on some releases inside clang itself.
  local runtime
  runtime="libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
  if ! is_installed "$runtime" && ! has_fuzzer; then
    missing="$missing $runtime"
    apt_install "$runtime"
  fi
  if [ -n "$missing" ]; then echo "said: installed" $missing; else echo "said: complete"; fi
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

has_fuzzer() {
  [ -n "$(find "$(clang -print-resource-dir)" -name 'libclang_rt.fuzzer*' -print -quit)" ]
}

# Prints the words of which no alternative is installed.
missing_packages() {
  local installed word name
  installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | tr '\n' ' ') "
  for word in "$@"; do
    for name in ${word//|/ }; do
      case "$installed" in *" $name "*) continue 2 ;; esac
    done
    echo "$word"
  done
}

# Prints for each word the first alternative that this distribution has, and the first one where it has none:
# apt's own error then names it.
available_packages() {
  local word name
  for word in "$@"; do
    for name in ${word//|/ }; do
      if [ -n "$(apt-cache madison "$name")" ]; then
        echo "$name"
        continue 2
      fi
    done
    echo "${word%%|*}"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=240 "$@"
}

apt_install() {
  [ $# -gt 0 ] || return 0
  forbid_daemons
  trap allow_daemons EXIT
  apt_get install --no-install-recommends "$@"
  disable_new_daemons "$@"
  allow_daemons
  trap - EXIT
}

policy=/usr/sbin/policy-rc.d
policy_mark="# uvs setup: no daemon starts while test packages are installed"

# Debian asks this file before a package's script starts a daemon. Somebody's own is kept aside meanwhile.
forbid_daemons() {
  if [ -e "$policy" ] && ! grep -qF "$policy_mark" "$policy"; then as_root mv "$policy" "$policy.before-uvs"; fi
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}

allow_daemons() {
  as_root rm -f "$policy"
  if [ -e "$policy.before-uvs" ]; then as_root mv "$policy.before-uvs" "$policy"; fi
}

# A daemon that was here before is its owner's business; one that came just now shall not start at the next boot.
disable_new_daemons() {
  command -v systemctl >/dev/null || return 0
  local daemon
  for daemon in $daemons; do
    case " $* " in *" $daemon "* | *" $daemon-light "*) as_root systemctl disable --quiet "$daemon" || true ;; esac
  done
}

# Is there while packages are being installed. npm's own mark does not tell: an interrupted `npm ci` may leave it with
# half of the packages gone.
half_installed=build/npm-packages.incomplete

install_npm_packages() {
  mkdir -p build
  touch "$half_installed"
  npm ci --no-audit --no-fund
  touch node_modules/.package-lock.json
  rm "$half_installed"
}

# stale SOURCE OUTPUT: OUTPUT is missing or older.
stale() {
  [ ! -e "$2" ] || [ "$1" -nt "$2" ]
}

# newer_than OUTPUT SOURCES...: OUTPUT is missing or something in SOURCES changed (or vanished: folders count) later.
newer_than() {
  local output=$1
  shift
  [ ! -e "$output" ] || [ -n "$(find "$@" -newer "$output" -print -quit)" ]
}

main "$@"
