#!/usr/bin/env bash
# Fills the catalog of the test stack: bucket, warehouse, namespaces, principals, roles and grants.
# What exists already stays as it is, so it can be run again at any time. It knows nothing but the
# management API of Polaris and the REST catalog, and serves every catalog that has both.
set -euo pipefail

usage() {
  cat <<'EOF'
scripts/bootstrap-test.sh
Addresses and keys come from the environment, or from testing/env if SQE_TEST_CATALOG_URI is unset.
Without SQE_TEST_OIDC_ISSUER there are no users and none of their tables, roles and grants; without
SQE_TEST_NESSIE_URI the second catalog is left alone.
EOF
}

cd "$(dirname "$0")/.."
. scripts/lib.sh

case "${1-}" in
  '') ;;
  --help | -h) usage && exit 0 ;;
  *) usage >&2 && die "unknown argument $1" ;;
esac
[ -n "${SQE_TEST_CATALOG_URI-}" ] || . testing/env

catalog=$SQE_TEST_CATALOG_URI
management=$SQE_TEST_MANAGEMENT_URI
warehouse=$SQE_TEST_WAREHOUSE
issuer=${SQE_TEST_OIDC_ISSUER-}
nessie=${SQE_TEST_NESSIE_URI-}
s3=$SQE_TEST_S3_ENDPOINT
region=$SQE_TEST_S3_REGION
bucket=$SQE_TEST_S3_BUCKET
location=s3://$bucket/$warehouse

command -v curl >/dev/null 2>&1 || die "curl is missing: install it, then run this again"

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# Sends METHOD URL [BODY] with the token, and leaves the answer's body in $answer. What exists
# already (409) is as good as made.
send() {
  local method=$1 url=$2 body=${3-} status arguments=()
  [ -z "$body" ] || arguments=(-H 'Content-Type: application/json' -d "$body")
  # The token goes through a file descriptor, because others can read the arguments of a process.
  status=$(curl -sS --max-time 60 -o "$answer" -w '%{http_code}' -X "$method" \
    -H @<(printf 'Authorization: Bearer %s\n' "$token") "${arguments[@]}" "$url") ||
    die "$method $url: no answer"
  case $status in
    2?? | 409) ;;
    *) die "$method $url: $status $(cat "$answer")" ;;
  esac
}

# Prints the string value of the first FIELD in the answer.
field() {
  sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p' "$answer" | head -n 1
}

make_bucket() {
  local sign=(--max-time 60 --aws-sigv4 "aws:amz:$region:s3" --user "$SQE_TEST_S3_ROOT_KEY:$SQE_TEST_S3_ROOT_SECRET")
  curl -fsI -o "$answer" "${sign[@]}" "$s3/$bucket" ||
    curl -fsS -o "$answer" "${sign[@]}" -X PUT "$s3/$bucket" ||
    die "cannot make the bucket $bucket at $s3"
}

# Gets a token for a client's own credentials: ENDPOINT ID SECRET SCOPE.
get_token() {
  curl -fsS --max-time 60 -o "$answer" "$1" -d grant_type=client_credentials \
    --data-urlencode "client_id=$2" --data-urlencode "client_secret=$3" -d "scope=$4" ||
    die "no token from $1"
  token=$(field access_token)
}

# Makes the namespaces of the catalog at URI, and leaves the URL of its namespaces in $namespaces.
make_namespaces() {
  send GET "$1/v1/config?warehouse=$warehouse"
  namespaces=$1/v1/$(field prefix)/namespaces
  for name in default test_ns; do
    send POST "$namespaces" "{\"namespace\":[\"$name\"],\"properties\":{}}"
  done
}

# Makes the tables of the users, which are empty.
make_tables() {
  local name
  for name in table_a table_b; do
    send POST "$namespaces/test_ns/tables" "{\"name\":\"$name\",\"stage-create\":false,
      \"properties\":{},\"schema\":{\"type\":\"struct\",\"schema-id\":0,\"fields\":[
      {\"id\":1,\"name\":\"id\",\"type\":\"long\",\"required\":false},
      {\"id\":2,\"name\":\"v\",\"type\":\"string\",\"required\":false}]}}"
  done
}

make_warehouse() {
  local storage
  storage="{\"storageType\":\"S3\",\"allowedLocations\":[\"$location\"],\"region\":\"$region\",
    \"endpoint\":\"$s3\",\"pathStyleAccess\":true}"
  send POST "$management/catalogs" "{\"catalog\":{\"name\":\"$warehouse\",\"type\":\"INTERNAL\",
    \"properties\":{\"default-base-location\":\"$location\"},\"storageConfigInfo\":$storage}}"
  grant catalog_admin '"type":"catalog","privilege":"CATALOG_MANAGE_CONTENT"'
}

# Gives the catalog role ROLE a GRANT, which is the inside of a JSON object.
grant() {
  send PUT "$management/catalogs/$warehouse/catalog-roles/$1/grants" "{\"grant\":{$2}}"
}

# Makes a principal role and the catalog role of the same name that comes with it.
make_role() {
  send POST "$management/principal-roles" "{\"principalRole\":{\"name\":\"$1\"}}"
  send POST "$management/catalogs/$warehouse/catalog-roles" "{\"catalogRole\":{\"name\":\"$1\"}}"
  send PUT "$management/principal-roles/$1/catalog-roles/$warehouse" \
    "{\"catalogRole\":{\"name\":\"$1\"}}"
}

# Makes the principal NAME with ROLES. Its own secret is not kept: its tokens come from the provider.
make_principal() {
  local name=$1 role
  shift
  send POST "$management/principals" "{\"principal\":{\"name\":\"$name\"}}"
  for role in "$@"; do
    send PUT "$management/principals/$name/principal-roles" \
      "{\"principalRole\":{\"name\":\"$role\"}}"
  done
}

make_users() {
  local role privilege
  for role in analyst engineer service; do make_role "$role"; done
  for privilege in NAMESPACE_LIST NAMESPACE_READ_PROPERTIES TABLE_LIST VIEW_LIST; do
    grant analyst "\"type\":\"catalog\",\"privilege\":\"$privilege\""
  done
  local table='"type":"table","namespace":["test_ns"],"privilege":"TABLE_READ_DATA"'
  grant analyst "$table,\"tableName\":\"table_a\""
  grant engineer "$table,\"tableName\":\"table_b\""
  grant service '"type":"catalog","privilege":"CATALOG_MANAGE_CONTENT"'
  make_principal user_a analyst
  make_principal user_ab analyst engineer
  make_principal service-account-sqe service
}

make_bucket
get_token "$SQE_TEST_TOKEN_ENDPOINT" "$SQE_TEST_CLIENT_ID" "$SQE_TEST_CLIENT_SECRET" PRINCIPAL_ROLE:ALL
make_warehouse
make_namespaces "$catalog"
if [ -n "$issuer" ]; then
  make_tables
  make_users
fi
echo "warehouse $warehouse is ready at $catalog"

# Nessie's rules are settings of its server; only names and tables are made here.
if [ -n "$nessie" ]; then
  token=
  [ -z "$issuer" ] || get_token "$issuer/protocol/openid-connect/token" \
    "$SQE_TEST_OIDC_CLIENT_ID" "$SQE_TEST_OIDC_CLIENT_SECRET" profile
  make_namespaces "$nessie"
  [ -z "$issuer" ] || make_tables
  echo "warehouse $warehouse is ready at $nessie"
fi
