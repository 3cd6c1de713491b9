#!/usr/bin/env bash
# Runs one benchmark of benches/ against a release build: scripts/bench.sh NAME [ARGUMENTS]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

name=${1-}
[ -f "benches/$name.py" ] && [ "$name" != harness ] ||
  die "unknown benchmark \"$name\", expected tpch, ctas, latency or startup"
shift

need_cargo
need_python
build_release
env=$(python_env tests/clients/requirements.txt benches/requirements.txt)
exec "$env/bin/python" "benches/$name.py" "$@"
