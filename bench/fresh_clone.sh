#!/usr/bin/env bash
# Times the README's two commands in a fresh clone with an empty home folder: no caches of pip or of the harness.
#   bench/fresh_clone.sh [demo|test]...
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet "$root" "$work/clone"
mkdir "$work/home"
for target in "${@:-demo}"; do
  start=$SECONDS
  HOME="$work/home" PIP_NO_CACHE_DIR=1 make -C "$work/clone" "$target"
  echo "make $target: $((SECONDS - start)) s"
done
