# Shared by the scripts of this folder; sourced, never run.

cache="${XDG_CACHE_HOME:-$HOME/.cache}/sqe"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
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
  command -v cc >/dev/null 2>&1 ||
    die "a C compiler is missing: install one that is called cc (gcc or clang), then run this again"
}

# Builds both binaries for use. One command for all who need them, because Cargo gives the
# dependencies other features, and builds them again, where other packages are named.
build_release() {
  cargo build --release --locked -p sqe-server -p sqe-cli
}

need_lints() {
  for part in rustfmt clippy; do
    cargo "${part/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$part" ||
      die "$part is missing and rustup cannot add it"
  done
}

need_python() {
  python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1 ||
    die "python3 is missing, older than 3.10, or without venv: install it (Debian: apt-get install python3-venv), then run this again"
}

need_npm() {
  command -v npm >/dev/null 2>&1 ||
    die "npm is missing: install Node.js, whose registry has the real data of the tests, then run this again"
}

# Prints the folder of a Python environment with the requirements of FILES installed. It is made
# once for each content of the files and each Python; `complete` tells it from one whose making was
# interrupted.
python_env() {
  local key env file arguments=()
  key=$({ python3 --version && cat "$@"; } | cksum | cut -d ' ' -f 1)
  env="$cache/venv-$key"
  if [ ! -e "$env/complete" ]; then
    for file in "$@"; do arguments+=(-r "$file"); done
    rm -rf "$env"
    python3 -m venv "$env" >&2 &&
      "$env/bin/python" -m pip install --quiet --disable-pip-version-check "${arguments[@]}" >&2 ||
      die "cannot install the Python packages of $*"
    touch "$env/complete"
  fi
  printf '%s\n' "$env"
}
