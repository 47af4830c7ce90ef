#!/usr/bin/env bash
# Builds what is asked for, in order: `native` (the addon, build/addon/Release/uvs.node) and `ts` (dist/).
# npm runs it at install and prepare; scripts/setup.sh runs it when sources are newer than the stamps left here.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
mkdir -p build

build_native() {
  for tool in cmake c++ clang pkg-config; do
    command -v "$tool" >/dev/null || { echo "uvs: $tool is missing: run scripts/setup.sh" >&2; exit 1; }
  done
  touch build/.native.started
  cmake-js compile --out build/addon --config Release --log-level error
  mv build/.native.started build/native.stamp
}

build_ts() {
  # An installed package brings dist/ along and has no sources.
  [ -f tsconfig.build.json ] || return 0
  touch build/.ts.started
  tsc -p tsconfig.build.json
  # npm does not link a package's own commands: with this link `npx director` works in a checkout.
  [ ! -f dist/cli/main.js ] || ln -sf ../../scripts/director node_modules/.bin/director
  mv build/.ts.started build/ts.stamp
}

for part in "$@"; do
  case "$part" in
    native) build_native ;;
    ts) build_ts ;;
    *) echo "usage: build.sh [native] [ts]" >&2; exit 2 ;;
  esac
done
