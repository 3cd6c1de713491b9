#!/usr/bin/env bash
# Every check of the project: format, lints, tests. Needs a Rust toolchain (rustup), nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

need_cargo
step "format"
cargo fmt --all --check
step "clippy"
cargo clippy --workspace --all-targets --locked -- -D warnings
step "tests"
cargo test --workspace --locked
step "all checks passed"
