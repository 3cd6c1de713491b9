#!/usr/bin/env bash
# SQE beside the test stack: starts the stack if it is not up, and the server with the smallest
# configuration, testing/minimal.toml; runs the tests over Flight, then those with real clients.
#
# scripts/integration-test.sh [--rust]
#   --rust   only the tests over Flight
# Where SQE_TEST_CATALOG_URI is set, the stack is that of the environment (see testing/env).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

clients=1
case "${1-}" in
  '') ;;
  --rust) clients= ;;
  *) die "unknown argument $1, expected --rust or nothing" ;;
esac

need_cargo
[ -z "$clients" ] || need_python

if [ -z "${SQE_TEST_CATALOG_URI-}" ]; then
  stack_env=$cache/stack/run/env
  # The stack of somebody who uses it already is left as it is.
  if [ ! -f "$stack_env" ] || ! (. "$stack_env" && curl -s -o /dev/null "$SQE_TEST_CATALOG_URI/v1/config"); then
    step "test stack"
    scripts/test-stack.sh up
  fi
  . "$stack_env"
fi

step "build"
cargo test --workspace --locked --no-run
server=${SQE_SERVER:-$CARGO_TARGET_DIR/debug/sqe-server}

step "server"
dir=$(mktemp -d)
# Nothing of the environment but what a program needs: no key of the store reaches the server.
env -i PATH="$PATH" HOME="$HOME" "$server" --config testing/minimal.toml --data-dir "$dir/data" \
  --port 0 --http-port 0 2>"$dir/log" &
pid=$!
trap 'kill "$pid" 2>/dev/null; wait "$pid" || true; rm -rf "$dir"' EXIT
address=
for _ in {1..100}; do
  address=$(sed -n 's/^listening on //p' "$dir/log")
  [ -z "$address" ] || break
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.1
done
[ -n "$address" ] || die "the server does not start: $(cat "$dir/log")"

step "tests over Flight"
SQE_TEST_ADDRESS=http://$address cargo test --workspace --locked --test integration_test -- --ignored
step "catalogs and stores"
cargo test --workspace --locked --test integration -- --ignored

if [ -n "$clients" ]; then
  step "clients beside the stack"
  python=$(python_env tests/clients/requirements.txt tests/stack/requirements.txt)/bin/python
  "$python" -m pytest -q tests/stack
fi
step "integration tests passed"
