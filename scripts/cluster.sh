#!/usr/bin/env bash
# A coordinator and its workers on this machine: real processes, with TLS between them.
set -euo pipefail

usage() {
  cat <<'EOF'
scripts/cluster.sh up [--workers N] [--data-dir DIR] [--config FILE]
  --workers N      how many workers; by default 3
  --data-dir DIR   where keys, certificates, logs, tables and spill files go; by default ./sqe-cluster
  --config FILE    more configuration of the coordinator, such as [auth] and [catalog]
scripts/cluster.sh status | down [--data-dir DIR]
The coordinator listens on 60051, the workers on 60061 and up, all with TLS. Clients check the
coordinator's certificate with DIR/ca.pem.
SQE_PROFILE=dev uses the build of the tests.
EOF
}

invoked_from=$PWD
cd "$(dirname "$0")/.."
. scripts/lib.sh

[ $# -gt 0 ] || { usage >&2 && exit 1; }
action=$1 workers=3 data=$invoked_from/sqe-cluster more=''
shift
while [ $# -gt 0 ]; do
  case "$1" in
    --workers | --data-dir | --config)
      [ $# -gt 1 ] || die "$1 needs a value"
      case "$1" in
        --workers) workers=$2 ;;
        --data-dir) data=$2 ;;
        --config) more=$2 ;;
      esac
      shift
      ;;
    *) usage >&2 && die "unknown argument $1" ;;
  esac
  shift
done
[[ $workers =~ ^[1-9][0-9]*$ ]] || die "--workers must be a number from 1, got \"$workers\""
[[ $data = /* ]] || data=$invoked_from/$data
[[ -z $more || $more = /* ]] || more=$invoked_from/$more

# Certificates that all nodes check each other by; valid for localhost alone.
make_certificates() {
  command -v openssl >/dev/null 2>&1 || die "openssl is missing: install it, then run this again"
  [ ! -e "$data/node.pem" ] || return 0
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
    -subj "/CN=SQE cluster" -keyout "$data/ca.key" -out "$data/ca.pem" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
    -keyout "$data/node.key" -out "$data/node.csr" 2>/dev/null
  openssl x509 -req -in "$data/node.csr" -CA "$data/ca.pem" -CAkey "$data/ca.key" -days 365 \
    -CAcreateserial -out "$data/node.pem" 2>/dev/null \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1")
  openssl rand -hex 32 >"$data/fragment-keys"
}

# Starts one node and waits until it listens: NAME ROLE PORT HTTP_PORT.
start() {
  local name=$1 tries=0
  mkdir -p "$data/$name"
  nohup "$bin/sqe-server" --role "$2" --port "$3" --http-port "$4" --data-dir "$data/$name" \
    --config "$data/$name.toml" </dev/null >"$data/$name.log" 2>&1 &
  echo $! >"$data/$name.pid"
  until grep -q '^listening on' "$data/$name.log"; do
    kill -0 "$(cat "$data/$name.pid")" 2>/dev/null || die "$name ended: $(tail -3 "$data/$name.log")"
    [ $((tries += 1)) -lt 300 ] || die "$name does not listen, see $data/$name.log"
    sleep 0.1
  done
}

distributed() {
  cat <<EOF
[distributed]
fragment_keys_file = "$data/fragment-keys"
ca = "$data/ca.pem"
cert = "$data/node.pem"
key = "$data/node.key"
EOF
}

up() {
  need_cargo
  case "${SQE_PROFILE:-release}" in
    release) build_release && bin=$CARGO_TARGET_DIR/release ;;
    dev) cargo test --workspace --no-run --locked && bin=$CARGO_TARGET_DIR/debug ;;
    *) die "SQE_PROFILE must be release or dev, got \"$SQE_PROFILE\"" ;;
  esac
  umask 077
  mkdir -p "$data"
  compgen -G "$data/*.pid" >/dev/null && die "$data has a cluster that was started: run down first"
  make_certificates
  {
    distributed
    printf 'require_workers = true\n[tls]\ncert = "%s"\nkey = "%s"\n' \
      "$data/node.pem" "$data/node.key"
    [ -z "$more" ] || cat "$more"
  } >"$data/coordinator.toml"
  start coordinator coordinator 60051 60090
  for number in $(seq "$workers"); do
    {
      distributed
      printf '[worker]\ncoordinator_urls = ["https://localhost:60051"]\n'
      printf 'advertise_url = "https://localhost:%d"\n' $((60060 + number))
    } >"$data/worker-$number.toml"
    start "worker-$number" worker $((60060 + number)) $((60090 + number))
  done
  echo "coordinator on localhost:60051, $workers workers, certificate authority $data/ca.pem"
}

each_pid() {
  local file
  for file in "$data"/*.pid; do
    [ -e "$file" ] || continue
    "$1" "$(basename "$file" .pid)" "$(cat "$file")" "$file"
  done
}

show() {
  if kill -0 "$2" 2>/dev/null; then echo "$1 runs (pid $2)"; else echo "$1 has ended"; fi
}

stop() {
  kill "$2" 2>/dev/null || true
  local tries=0
  while kill -0 "$2" 2>/dev/null; do
    [ $((tries += 1)) -lt 400 ] || { kill -9 "$2" 2>/dev/null || true; }
    sleep 0.1
  done
  rm -f "$3"
}

case "$action" in
  up) up ;;
  status) each_pid show ;;
  down) each_pid stop ;;
  --help | -h) usage ;;
  *) usage >&2 && die "unknown action $action" ;;
esac
