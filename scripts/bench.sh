#!/usr/bin/env bash
# Runs one benchmark of benches/ against a release build: scripts/bench.sh NAME [ARGUMENTS]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

name=${1-}
[ -f "benches/$name.py" ] && [ "$name" != harness ] ||
  die "unknown benchmark \"$name\", expected tpch, ctas, latency, startup or point_query"
shift

[ "$name" != point_query ] || [ -n "${SQE_TEST_CATALOG_URI-}" ] ||
  die "point_query needs the test stack: run scripts/test-stack.sh up and source the file that it prints"
need_cargo
need_python
build_release
env=$(python_env tests/clients/requirements.txt benches/requirements.txt)
exec "$env/bin/python" "benches/$name.py" "$@"
