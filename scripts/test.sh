#!/usr/bin/env bash
# Every check of the project: format, lints, tests, real clients. Installs what it needs from the
# package registries, into ~/.cache/sqe.
#
# scripts/test.sh [--full]
#   --full   also: TPC-H at scale 1, licences and advisories of all dependencies
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

full=
case "${1-}" in
  '') ;;
  --full) full=1 ;;
  *) die "unknown argument $1, expected --full or nothing" ;;
esac

need_cargo
need_lints
need_python
need_npm
# Before anything is built: the stack needs more than the rest.
scripts/test-stack.sh need

step "format"
cargo fmt --all --check
step "clippy"
cargo clippy --workspace --all-targets --locked -- -D warnings
# This builds the binaries too. Another cargo command would build the dependencies a second time,
# with the features that it needs of them.
step "tests"
cargo test --workspace --locked
step "clients: environment"
env=$(python_env tests/clients/requirements.txt)
step "clients"
"$env/bin/python" -m pytest -q tests/clients
step "beside the test stack"
scripts/integration-test.sh
step "quick start"
SQE_PROFILE=dev scripts/quickstart.sh --scale 0.01
if [ -n "$full" ]; then
  step "TPC-H at scale 1"
  SQE_TPCH_SCALE=1 "$env/bin/python" -m pytest -q tests/clients/test_tpch.py
  step "licences and advisories"
  command -v cargo-deny >/dev/null 2>&1 || cargo install --quiet --locked cargo-deny
  cargo deny check
fi
step "all checks passed"
