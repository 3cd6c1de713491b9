# Shared by the scripts of this folder; sourced, never run.

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sqe/target}"
export CARGO_INCREMENTAL=0

started=$SECONDS

step() {
  printf '\n==> [%4ds] %s\n' "$((SECONDS - started))" "$*"
}

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

need_cargo() {
  command -v cargo >/dev/null 2>&1 || [ ! -f "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
  command -v cargo >/dev/null 2>&1 ||
    die "cargo is missing: install the Rust toolchain with rustup (https://rustup.rs), then run this again"
  for part in rustfmt clippy; do
    cargo "${part/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$part"
  done
}
