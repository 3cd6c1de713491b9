#!/usr/bin/env bash
# From a clone to answers: builds server and client, makes TPC-H tables, runs the 22 queries.
set -euo pipefail

usage() {
  cat <<'EOF'
scripts/quickstart.sh [--keep] [--port N] [--scale N] [--data-dir DIR]
  --keep          leaves the server running and its data in place
  --port N        where the server listens for Flight SQL; by default a free port
  --scale N       TPC-H scale factor, such as 0.01, 0.1, 1 or 10; by default 1
  --data-dir DIR  where the tables go; by default a temporary directory, with --keep ./sqe-data
SQE_PROFILE=dev builds without optimizations, which is quicker to build and slower to run.
EOF
}

invoked_from=$PWD
cd "$(dirname "$0")/.."
. scripts/lib.sh

keep='' port=0 scale=1 data=''
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=1 ;;
    --port | --scale | --data-dir)
      [ $# -gt 1 ] || die "$1 needs a value"
      case "$1" in
        --port) port=$2 ;;
        --scale) scale=$2 ;;
        --data-dir) data=$2 ;;
      esac
      shift
      ;;
    --help | -h) usage && exit 0 ;;
    *) usage >&2 && die "unknown argument $1" ;;
  esac
  shift
done
[[ $scale =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "--scale must be a number, got \"$scale\""
[[ $port =~ ^[0-9]+$ ]] || die "--port must be a number, got \"$port\""

need_cargo
step "build"
case "${SQE_PROFILE:-release}" in
  release) build_release && bin=$CARGO_TARGET_DIR/release ;;
  # The build of the tests has the binaries, too, and scripts/test.sh has made it already.
  dev) cargo test --workspace --no-run --locked && bin=$CARGO_TARGET_DIR/debug ;;
  *) die "SQE_PROFILE must be release or dev, got \"$SQE_PROFILE\"" ;;
esac

temporary=$(mktemp -d)
if [ -z "$data" ]; then
  [ -n "$keep" ] && data=$invoked_from/sqe-data || data=$temporary/data
fi
[[ $data = /* ]] || data=$invoked_from/$data
[ ! -e "$data/catalog.db" ] ||
  die "$data has tables already: name another directory with --data-dir or remove this one"
mkdir -p "$data"

server='' finished=''
clean_up() {
  if [ -n "$server" ] && ! [ -n "$keep" -a -n "$finished" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$temporary"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step "start the server"
log=$temporary/server.log
[ -z "$keep" ] || log=$data/server.log
# Without a terminal's hang-up, so that a server that is kept outlives the terminal.
nohup "$bin/sqe-server" --port "$port" --http-port 0 --data-dir "$data" </dev/null >"$log" 2>&1 &
server=$!

# Prints the address of the line `PREFIX ADDRESS` once the server has written it.
address_of() {
  local tries=0 line
  until line=$(grep -m 1 "^$1 " "$log"); do
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2 && die "the server did not start"; }
    [ $((tries += 1)) -lt 600 ] || { cat "$log" >&2 && die "the server is not ready after 60 s"; }
    sleep 0.1
  done
  printf '%s\n' "${line#"$1 "}"
}
address=$(address_of "listening on")
port=${address##*:}
echo "listening on $address, data in $data"

cli() {
  "$bin/sqe-cli" --protocol flight --host 127.0.0.1 --port "$port" -u "${USER:-quickstart}" "$@"
}

TIMEFORMAT=%R
total=0
# Runs `cli ARGUMENTS` and prints LABEL, its seconds and its last line, which counts the rows.
timed() {
  local label=$1 seconds
  shift
  seconds=$({ time cli "$@" >"$temporary/out" 2>"$temporary/err"; } 2>&1) ||
    { cat "$temporary/err" >&2 && die "$label failed"; }
  printf '  %-9s %8s s  %s\n' "$label" "$seconds" "$(tail -n 1 "$temporary/out")"
  total=$(awk "BEGIN { print $total + $seconds }")
}

step "create the TPC-H tables at scale $scale"
for table in region nation supplier customer part partsupp orders lineitem; do
  timed "$table" -e "CREATE TABLE $table AS SELECT * FROM tpch.sf${scale/./_}.$table"
done

step "run the 22 TPC-H queries"
total=0
for query in benches/tpch/q*.sql; do
  timed "$(basename "$query" .sql)" -f "$query"
done
printf '  %-9s %8s s\n' total "$total"

step "tables"
cli -e "SHOW TABLES"
finished=1

step "how to go on"
if [ -n "$keep" ]; then
  echo "The server goes on with process id $server. Stop it with: kill $server"
else
  echo "The server stops now. With --keep it goes on, and you connect to it as follows."
fi
cat <<EOF

From the command line:

  $bin/sqe-cli --port $port

From Python, after \`pip install adbc-driver-flightsql adbc-driver-manager pyarrow\`:

  from adbc_driver_flightsql import dbapi
  with dbapi.connect("grpc://127.0.0.1:$port", autocommit=True) as connection:
      with connection.cursor() as cursor:
          cursor.execute("SELECT c_mktsegment, count(*) AS customers FROM customer GROUP BY 1")
          print(cursor.fetch_arrow_table())
EOF
