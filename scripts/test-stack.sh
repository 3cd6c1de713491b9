#!/usr/bin/env bash
# The peers of SQE for tests, all on 127.0.0.1 and all from package registries: an S3 store, an
# Iceberg REST catalog that behaves like Polaris, Nessie as a second catalog, Keycloak for users.
# testing/README.md tells what each of them does.
set -euo pipefail

usage() {
  cat <<'EOF'
scripts/test-stack.sh up [--no-oidc] [--no-nessie]   starts all and fills the catalogs
scripts/test-stack.sh down                           ends what `up` has started
scripts/test-stack.sh check                          shows that the stack keeps its promises
scripts/test-stack.sh need                           fails in one line if something is missing here
scripts/test-stack.sh jdbc                           prints two paths: of Java, and of the JDBC driver
  --no-oidc     without Keycloak: only the client credentials of the catalog itself
  --no-nessie   without the second catalog
`up` prints the path of a file to source; it exports SQE_TEST_*. Each of these may be repeated.
  SQE_TEST_JAVA_HOME         a JDK of version 21 or newer, if none is found
  SQE_TEST_TOKEN_LIFE        life of the catalog's own tokens in seconds, by default 3600
  SQE_TEST_CREDENTIAL_LIFE   told life of the keys that the catalog vends, by default 3600
EOF
}

cd "$(dirname "$0")/.."
. scripts/lib.sh
. testing/env
. testing/stack.sh

servers=(minio keycloak catalog nessie)

# Holds the lock of the stack until the end of this script.
lock() {
  mkdir -p "$run"
  exec 9>"$stack/lock"
  flock 9
}

# Whether everything of this `up` runs already, just as it would be started now.
running() {
  local server
  [ -f "$run/mode" ] && [ "$(cat "$run/mode")" = "$mode" ] || return 1
  for server in "${wanted[@]}"; do alive "$server" || return 1; done
}

# The environment of testing/env, without the servers that this `up` has left out.
write_env() {
  local left_out='^$'
  [ -n "$with_oidc" ] || left_out+='|SQE_TEST_OIDC_'
  [ -n "$with_nessie" ] || left_out+='|SQE_TEST_NESSIE_'
  grep '^export ' testing/env | grep -vE "$left_out" >"$run/env"
}

# Takes the environment of the running stack, and nothing of an earlier one.
use_env() {
  unset "${!SQE_TEST_OIDC_@}" "${!SQE_TEST_NESSIE_@}"
  . "$run/env"
}

start_all() {
  local server
  rm -f "$run/mode" "$run/env"
  for server in "${servers[@]}"; do stop "$server"; done
  step "start ${wanted[*]}"
  # The slowest first.
  [ -z "$with_oidc" ] || start_keycloak
  start_minio
  start_catalog "${with_oidc:+$issuer}"
  [ -z "$with_nessie" ] || start_nessie "${with_oidc:+$issuer}"
  echo "$mode" >"$run/mode"
  wait_for minio "$s3/minio/health/live"
  wait_for catalog "$catalog/q/health/ready"
  [ -z "$with_oidc" ] || wait_for keycloak "$issuer/.well-known/openid-configuration"
  # Readiness would need the bucket, which is made later.
  [ -z "$with_nessie" ] || wait_for nessie "$nessie_management/q/health/live"
}

up() {
  local wanted=(minio catalog) with_oidc=1 with_nessie=1 mode
  while [ $# -gt 0 ]; do
    case "$1" in
      --no-oidc) with_oidc='' ;;
      --no-nessie) with_nessie='' ;;
      *) usage >&2 && die "unknown argument $1" ;;
    esac
    shift
  done
  need_commands
  need_java
  lock
  obtain_minio
  obtain_catalog
  [ -z "$with_oidc" ] || { obtain_keycloak && wanted+=(keycloak); }
  [ -z "$with_nessie" ] || { obtain_nessie && wanted+=(nessie); }
  mode="${wanted[*]} ${catalog_home##*/} ${SQE_TEST_TOKEN_LIFE-} ${SQE_TEST_CREDENTIAL_LIFE-}"
  running || start_all
  write_env
  step "fill the catalogs"
  use_env
  scripts/bootstrap-test.sh
  step "ready; to use it: . $run/env"
}

down() {
  local server
  lock
  for server in "${servers[@]}"; do
    ! alive "$server" || echo "end $server"
    stop "$server"
  done
  rm -f "$run/mode" "$run/env"
}

check() {
  [ -f "$run/env" ] || die "the stack is not up: run $0 up"
  use_env
  python3 testing/check.py
}

# The driver is a client and no server, but it comes from where they do.
jdbc() {
  need_commands
  need_java
  { lock && obtain_jdbc_driver; } >&2
  printf '%s\n' "$java_home/bin/java" "$jdbc_driver"
}

case "${1-}" in
  up) shift && up "$@" ;;
  down) down ;;
  check) check ;;
  need) need_commands && need_java ;;
  jdbc) jdbc ;;
  --help | -h) usage ;;
  *) usage >&2 && die "expected up, down, check, need or jdbc, got \"${1-}\"" ;;
esac
