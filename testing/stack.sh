# The servers of the test stack: how they are obtained, started, watched and stopped. Sourced by
# scripts/test-stack.sh after scripts/lib.sh and testing/env, never run.

stack=$cache/stack # downloads and builds, kept
run=$stack/run     # logs, process ids and data of one `up`
maven_repository=$stack/m2

minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
nessie_version=0.99.0
keycloak_version=26.7.0
jdbc_version=18.3.0
dependency_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.7.0

minio=$stack/minio-$minio_version
nessie=$maven_repository/org/projectnessie/nessie/nessie-quarkus/$nessie_version/nessie-quarkus-$nessie_version-runner.jar
keycloak=$stack/keycloak-$keycloak_version
jdbc_driver=$maven_repository/org/apache/arrow/flight-sql-jdbc-driver/$jdbc_version/flight-sql-jdbc-driver-$jdbc_version.jar
realm=testing/keycloak/iceberg-realm.json

issuer=$SQE_TEST_OIDC_ISSUER
oidc=${issuer%/realms/*}
s3=$SQE_TEST_S3_ENDPOINT
catalog=${SQE_TEST_CATALOG_URI%/api/catalog}
nessie_management=http://127.0.0.1:18184

# Sets java_home to a JDK that is new enough for all servers.
need_java() {
  local home major
  for home in "${SQE_TEST_JAVA_HOME-}" "${JAVA_HOME-}" /usr/lib/jvm/* "$HOME"/.sdkman/candidates/java/*; do
    [ -f "$home/release" ] && [ -x "$home/bin/javac" ] || continue
    major=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
    [ "${major:-0}" -lt 21 ] || { java_home=$home && return; }
  done
  die "no JDK 21 or newer is found: install one (Debian: apt-get install openjdk-21-jdk-headless) or name its folder in SQE_TEST_JAVA_HOME"
}

need_commands() {
  local command
  for command in curl flock go mvn python3 setsid tar; do
    command -v "$command" >/dev/null 2>&1 || die "$command is missing, which the test stack needs: install it, then run this again"
  done
}

maven() {
  JAVA_HOME=$java_home mvn -B -q -Dmaven.repo.local="$maven_repository" "$@" >&2
}

# Puts an artifact, given by its coordinates and FILE, into the Maven repository of the stack.
artifact() {
  [ -f "$2" ] || { step "obtain $1" && maven "$dependency_plugin:get" -Dtransitive=false -Dartifact="$1"; } ||
    die "cannot obtain $1"
}

obtain_minio() {
  [ ! -x "$minio" ] || return 0
  step "build MinIO, which takes some minutes"
  GOBIN=$stack/go-bin go install "github.com/minio/minio@$minio_version" || die "cannot build MinIO"
  mv "$stack/go-bin/minio" "$minio"
}

obtain_nessie() {
  artifact "org.projectnessie.nessie:nessie-quarkus:$nessie_version:jar:runner" "$nessie"
}

# Unpacks Keycloak, and makes a database with the realm for every `up` to begin with.
obtain_keycloak() {
  set_keycloak_command
  local archive=$maven_repository/org/keycloak/keycloak-quarkus-dist/$keycloak_version/keycloak-quarkus-dist-$keycloak_version.tar.gz
  keycloak_database=$stack/realm-$keycloak_version-$(cksum <"$realm" | cut -d ' ' -f 1)
  if [ ! -e "$keycloak/built" ]; then
    artifact "org.keycloak:keycloak-quarkus-dist:$keycloak_version:tar.gz" "$archive"
    step "build Keycloak"
    rm -rf "$keycloak" && tar -C "$stack" -xzf "$archive"
    "${keycloak_command[@]}" build --db=dev-file >"$stack/keycloak-build.log" 2>&1 &&
      touch "$keycloak/built" || die "cannot build Keycloak, see $stack/keycloak-build.log"
  fi
  if [ ! -d "$keycloak_database" ]; then
    step "make Keycloak's database"
    rm -rf "$keycloak/data"
    "${keycloak_command[@]}" import --optimized --file="$PWD/$realm" >"$stack/keycloak-import.log" 2>&1 ||
      die "cannot import the realm, see $stack/keycloak-import.log"
    mv "$keycloak/data/h2" "$keycloak_database"
  fi
}

# Leaves in keycloak_command what runs Keycloak's script; its arguments go behind it.
set_keycloak_command() {
  keycloak_command=(
    env JAVA_HOME="$java_home" JAVA_OPTS_KC_HEAP='-Xms64m -Xmx512m'
    JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1
    KC_BOOTSTRAP_ADMIN_USERNAME="$SQE_TEST_OIDC_ADMIN_USER"
    KC_BOOTSTRAP_ADMIN_PASSWORD="$SQE_TEST_OIDC_ADMIN_PASSWORD" "$keycloak/bin/kc.sh"
  )
}

obtain_jdbc_driver() {
  artifact "org.apache.arrow:flight-sql-jdbc-driver:$jdbc_version" "$jdbc_driver"
}

# Builds the catalog, once for each content of its sources.
obtain_catalog() {
  local sources=testing/rest-catalog key
  key=$(find "$sources/pom.xml" "$sources/src" -type f | LC_ALL=C sort | xargs cat | cksum | cut -d ' ' -f 1)
  catalog_home=$stack/rest-catalog-$key
  [ ! -d "$catalog_home" ] || return 0
  step "build the catalog"
  rm -rf "$stack/rest-catalog-new"
  maven -f "$sources/pom.xml" -Dcatalog.build.directory="$stack/rest-catalog-new" package ||
    die "cannot build the catalog"
  # Of earlier sources; a catalog that runs from there is started again now.
  rm -rf "$stack"/rest-catalog-[0-9]*
  mv "$stack/rest-catalog-new" "$catalog_home"
}

# Prints when a process started, in the kernel's ticks: tells it from a later one with the same id.
born() {
  # The second field is the name, which may have spaces; the start is the 20th one after it.
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

# Whether the process that `start` has recorded under NAME is running.
alive() {
  local pid start
  read -r pid start 2>/dev/null <"$run/$1.pid" && [ -n "$start" ] && [ "$(born "$pid")" = "$start" ]
}

# Runs a command in the background as NAME, in a process group of its own that outlives the shell.
start() {
  local name=$1
  shift
  # Not with the lock, which ends with this script.
  setsid "$@" >"$run/$name.log" 2>&1 </dev/null 9>&- &
  echo "$! $(born $!)" >"$run/$name.pid"
}

# Ends what runs as NAME, and nothing else.
stop() {
  local pid tries=0
  if alive "$1"; then
    read -r pid _ <"$run/$1.pid"
    kill -TERM -- "-$pid" 2>/dev/null || true
    while alive "$1" && [ $((tries += 1)) -le 100 ]; do sleep 0.1; done
    ! alive "$1" || kill -KILL -- "-$pid" 2>/dev/null || true
  fi
  rm -f "$run/$1.pid"
}

# Waits until the server NAME answers URL. One that has ended is told at once, also if another
# process answers in its place.
wait_for() {
  local name=$1 url=$2 until=$((SECONDS + 180))
  until curl -fs -o "$run/$name.answer" --max-time 5 "$url" && alive "$name"; do
    alive "$name" || { tail -n 20 "$run/$name.log" >&2 && die "$name has ended, see $run/$name.log"; }
    [ "$SECONDS" -lt "$until" ] || { tail -n 20 "$run/$name.log" >&2 && die "$name does not answer after 180 s, see $run/$name.log"; }
    sleep 0.2
  done
}

start_minio() {
  rm -rf "$run/minio"
  mkdir -p "$run/minio"
  start minio env MINIO_ROOT_USER="$SQE_TEST_S3_ROOT_KEY" \
    MINIO_ROOT_PASSWORD="$SQE_TEST_S3_ROOT_SECRET" MINIO_BROWSER=off MINIO_UPDATE=off \
    "$minio" server "$run/minio" --address "${s3#http://}"
}

start_keycloak() {
  rm -rf "$keycloak/data"
  mkdir -p "$keycloak/data"
  cp -r "$keycloak_database" "$keycloak/data/h2"
  start keycloak "${keycloak_command[@]}" start --optimized --cache=local \
    --http-enabled=true --http-host=127.0.0.1 --http-port="${oidc##*:}" --hostname="$oidc"
}

# Starts the catalog; with ISSUER it also takes the tokens of that provider.
start_catalog() {
  start catalog env SQE_CATALOG_OIDC_ISSUER="$1" SQE_CATALOG_PORT="${catalog##*:}" \
    SQE_CATALOG_TOKEN_LIFE="${SQE_TEST_TOKEN_LIFE-}" \
    SQE_CATALOG_CREDENTIAL_LIFE="${SQE_TEST_CREDENTIAL_LIFE-}" \
    SQE_CATALOG_ROOT_ID="$SQE_TEST_CLIENT_ID" SQE_CATALOG_ROOT_SECRET="$SQE_TEST_CLIENT_SECRET" \
    AWS_REGION="$SQE_TEST_S3_REGION" AWS_ACCESS_KEY_ID="$SQE_TEST_S3_ROOT_KEY" \
    AWS_SECRET_ACCESS_KEY="$SQE_TEST_S3_ROOT_SECRET" \
    "$java_home/bin/java" -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -jar "$catalog_home/rest-catalog.jar"
}

# Starts Nessie; with ISSUER it takes the tokens of that provider only, under the rules below.
start_nessie() {
  local store=nessie.catalog.service.s3.default-options rule=nessie.server.authorization.rules
  local options=(
    -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port=18183
    -Dquarkus.management.host=127.0.0.1 -Dquarkus.management.port="${nessie_management##*:}"
    -Dnessie.version.store.type=IN_MEMORY -Dnessie.catalog.default-warehouse="$SQE_TEST_WAREHOUSE"
    -Dnessie.catalog.warehouses."$SQE_TEST_WAREHOUSE".location="s3://$SQE_TEST_S3_BUCKET/nessie"
    -D$store.endpoint="$s3" -D$store.sts-endpoint="$s3" -D$store.region="$SQE_TEST_S3_REGION"
    -D$store.path-style-access=true -D$store.client-iam.enabled=true
    -D$store.access-key=urn:nessie-secret:quarkus:stack.s3
  )
  if [ -n "$1" ]; then
    options+=(
      -Dquarkus.oidc.tenant-enabled=true -Dquarkus.oidc.auth-server-url="$1"
      -Dquarkus.oidc.connection-delay=PT2M -Dquarkus.oidc.client-id=sqe
      -Dquarkus.oidc.application-type=service -Dquarkus.oidc.token.audience=catalog
      -Dquarkus.oidc.token.principal-claim=principal
      -Dquarkus.oidc.roles.role-claim-path=principal_roles
      -Dnessie.server.authentication.enabled=true -Dnessie.server.authorization.enabled=true
      "-D$rule.service='service' in roles"
      "-D$rule.refs=op=='VIEW_REFERENCE'"
      "-D$rule.names=op in ['READ_ENTRIES','READ_CONTENT_KEY'] && 'analyst' in roles"
      "-D$rule.analyst=op=='READ_ENTITY_VALUE' && 'analyst' in roles && path in ['default','test_ns','test_ns.table_a']"
      "-D$rule.engineer=op=='READ_ENTITY_VALUE' && 'engineer' in roles && path=='test_ns.table_b'"
    )
  fi
  start nessie env STACK_S3_NAME="$SQE_TEST_S3_ROOT_KEY" STACK_S3_SECRET="$SQE_TEST_S3_ROOT_SECRET" \
    "$java_home/bin/java" -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${options[@]}" \
    -jar "$nessie"
}
