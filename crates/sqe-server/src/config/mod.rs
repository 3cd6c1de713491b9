//! The configuration: one TOML file, overridden by `SQE__SECTION__KEY`, overridden by flags.
//!
//! Every key has a default except what cannot be guessed. Loading reports every problem at once,
//! each with file and line, and never starts with a key it does not know. `sqe.toml.example` shows
//! each key with its default and unit; a test keeps the two equal.

mod load;
mod problem;
mod section;
mod validate;
mod value;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use bytesize::ByteSize;
use serde::Deserialize;

pub use problem::{Problem, Problems};
use section::section;
pub use section::{Section, SetError};
pub use value::{Address, Secret, Span};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Everything `sqe-server` can be told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[coordinator]`
    pub coordinator: CoordinatorConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[tls]`
    pub tls: TlsConfig,
    /// `[auth]`
    pub auth: AuthConfig,
    /// `[catalog]`
    pub catalog: CatalogConfig,
    /// `[catalogs.NAME]`, by name.
    pub catalogs: BTreeMap<String, CatalogConfig>,
    /// `[storage]`
    pub storage: StorageConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[table_functions]`
    pub table_functions: TableFunctionsConfig,
    /// `[distributed]`
    pub distributed: DistributedConfig,
    /// `[worker]`
    pub worker: WorkerConfig,
}

section! {
    /// What concerns the process as a whole.
    pub struct ServerConfig {
        /// Directory of the embedded catalog and its tables.
        data_dir ("data_dir"): PathBuf = PathBuf::from("sqe-data"),
        /// `text` or `json`.
        log_format ("log_format"): LogFormat = LogFormat::Text,
        /// Filter in the syntax of `RUST_LOG`.
        log_level ("log_level"): String = "info".to_owned(),
    }
}

section! {
    /// The listener that clients connect to.
    pub struct CoordinatorConfig {
        /// Address of the Flight SQL listener.
        listen_address ("listen_address"): IpAddr = LOOPBACK,
        /// Port of the Flight SQL listener; 0 picks a free one.
        flight_sql_port ("flight_sql_port"): u16 = 50051,
    }
}

section! {
    /// Health and metrics.
    pub struct HttpConfig {
        /// Address of the HTTP listener.
        listen_address ("listen_address"): IpAddr = LOOPBACK,
        /// Port of the HTTP listener; 0 picks a free one.
        port ("port"): u16 = 9090,
    }
}

section! {
    /// TLS of the client listener.
    pub struct TlsConfig {
        /// PEM file with the certificate chain.
        cert ("cert"): Option<PathBuf> = None,
        /// PEM file with the private key.
        key ("key"): Option<PathBuf> = None,
        /// PEM file with the CAs of client certificates; set it to demand them.
        client_ca ("client_ca"): Option<PathBuf> = None,
        /// Lets a listener that is not loopback run without TLS.
        allow_plaintext ("allow_plaintext"): bool = false,
    }
}

section! {
    /// How users prove who they are.
    pub struct AuthConfig {
        /// OAuth2 token endpoint that checks user name and password.
        token_endpoint ("token_endpoint"): Option<Address> = None,
        /// What user and password are for it.
        grant ("grant"): GrantKind = GrantKind::ClientCredentials,
        /// Password grant: the client that this server is. Users of the other grant bring their own.
        client_id ("client_id"): Option<String> = None,
        /// Password grant: its secret.
        client_secret ("client_secret"): Option<Secret> = None,
        /// File with the secret, instead of `client_secret`.
        client_secret_file ("client_secret_file"): Option<PathBuf> = None,
        /// OAuth2 scope to ask for; `PRINCIPAL_ROLE:ALL` for the endpoint of an Iceberg catalog.
        scope ("scope"): Option<String> = None,
        /// Issuer of the bearer tokens to accept, as it stands in them.
        issuer ("issuer"): Option<Address> = None,
        /// Audience that bearer tokens must name.
        audience ("audience"): Option<String> = None,
        /// Asks the issuer about each token, as the client `client_id`, whether it was revoked.
        introspect ("introspect"): bool = false,
        /// Claim with the name of the user; by default `preferred_username`, else `sub`.
        user_claim ("user_claim"): Option<String> = None,
        /// How much the clock of the issuer may differ.
        clock_skew ("clock_skew"): Span = Span::seconds(30),
        /// Client under which `sqe-cli --login` logs in.
        login_client_id ("login_client_id"): Option<String> = None,
        /// Scopes that `sqe-cli --login` asks for.
        login_scope ("login_scope"): Option<String> = None,
        /// Without an issuer: passes bearer tokens to the catalog, which alone can read them.
        opaque_bearer ("opaque_bearer"): bool = false,
        /// Wrong logins of a user from one address, after which more are refused for a minute.
        failures_per_minute ("failures_per_minute"): u32 = 30,
        /// Users who see the statements of all others in `system.runtime`, and may end them.
        operators ("operators"): Vec<String> = Vec::new(),
        /// Lets anybody in where the listener is loopback and no other way to log in is set.
        allow_anonymous ("allow_anonymous"): bool = true,
    }
}

section! {
    /// An Iceberg catalog.
    pub struct CatalogConfig {
        /// `rest` or `sqlite`; by default `rest` where a `uri` is given.
        kind ("type"): Option<CatalogKind> = None,
        /// REST: base address of the catalog.
        uri ("uri" | "polaris_url"): Option<Address> = None,
        /// REST: how long one request may take; all tries of a call take three times as long at most.
        request_timeout ("request_timeout"): Span = Span::seconds(30),
        /// REST: name of the warehouse. SQLite: location of new tables.
        warehouse ("warehouse"): Option<String> = None,
        /// SQLite: path of the database file.
        path ("path"): Option<PathBuf> = None,
        /// SQLite: value of `catalog_name` in the rows that belong to this catalog.
        catalog_name ("catalog_name"): Option<String> = None,
    }
}

section! {
    /// Object storage, where the catalog does not say.
    pub struct StorageConfig {
        /// Endpoint of the S3 service.
        s3_endpoint ("s3_endpoint"): Option<Address> = None,
        /// Region of the S3 service.
        s3_region ("s3_region"): Option<String> = None,
        /// Puts the bucket into the path instead of the host name.
        s3_path_style ("s3_path_style"): bool = false,
        /// Access key: for tables whose catalog vends none, and for `allowed_prefixes`.
        s3_access_key ("s3_access_key"): Option<Secret> = None,
        /// Secret key that goes with it.
        s3_secret_key ("s3_secret_key"): Option<Secret> = None,
        /// File with the secret key, instead of `s3_secret_key`.
        s3_secret_key_file ("s3_secret_key_file"): Option<PathBuf> = None,
        /// Session token of temporary keys, which are not renewed.
        s3_session_token ("s3_session_token"): Option<Secret> = None,
    }
}

section! {
    /// Bounds that keep one statement from hurting the others.
    pub struct LimitsConfig {
        /// Memory that all statements together may use for their state, in bytes.
        memory ("memory"): ByteSize = ByteSize::gib(2),
        /// Directory of spill files; by default one below the system's temporary directory.
        spill_dir ("spill_dir"): Option<PathBuf> = None,
        /// Disk space that spill files may use together, in bytes.
        spill ("spill"): ByteSize = ByteSize::gib(20),
        /// Memory of decoded manifests, in bytes.
        manifest_cache ("manifest_cache"): ByteSize = ByteSize::mib(256),
        /// Memory of the metadata of tables in REST catalogs, for each of them, in bytes.
        table_cache ("table_cache"): ByteSize = ByteSize::mib(64),
        /// How long a statement may run.
        statement_timeout ("statement_timeout"): Span = Span::seconds(3600),
        /// How long running statements may go on after a signal to stop.
        drain_timeout ("drain_timeout"): Span = Span::seconds(30),
    }
}

section! {
    /// Files outside of tables: `read_parquet`, `read_csv`, `read_json`, COPY, LOCATION.
    pub struct TableFunctionsConfig {
        /// Lets them reach files of this machine; by default where the listener is loopback.
        allow_local_paths ("allow_local_paths"): Option<bool> = None,
        /// Places in S3, such as `s3://bucket/landing`, below which they may read files with the keys
        /// of `[storage]`.
        allowed_prefixes ("allowed_prefixes"): Vec<String> = Vec::new(),
    }
}

section! {
    /// What coordinators and workers share: keys and TLS between nodes.
    pub struct DistributedConfig {
        /// Keys of 64 hexadecimal digits that all nodes know; the first seals, all of them open.
        fragment_keys ("fragment_keys"): Vec<Secret> = Vec::new(),
        /// File with the keys, one a line, instead of `fragment_keys`.
        fragment_keys_file ("fragment_keys_file"): Option<PathBuf> = None,
        /// Coordinator: refuses queries that read something while there is no worker.
        require_workers ("require_workers"): bool = false,
        /// Coordinator: a stage gets one task for so many bytes that it reads.
        bytes_per_task ("bytes_per_task"): ByteSize = ByteSize::mib(64),
        /// Bytes from one worker that may wait for their reader.
        connection_buffer ("connection_buffer"): ByteSize = ByteSize::mib(16),
        /// PEM file with the CAs of all nodes' certificates.
        ca ("ca"): Option<PathBuf> = None,
        /// PEM file with the certificate chain of this node.
        cert ("cert"): Option<PathBuf> = None,
        /// PEM file with its private key.
        key ("key"): Option<PathBuf> = None,
        /// Lets nodes that are not on loopback speak without TLS.
        allow_plaintext ("allow_plaintext"): bool = false,
    }
}

section! {
    /// A process of the role `worker`.
    pub struct WorkerConfig {
        /// Address of the listener for coordinators and other workers.
        listen_address ("listen_address"): IpAddr = LOOPBACK,
        /// Its port; 0 picks a free one.
        flight_port ("flight_port"): u16 = 50052,
        /// Coordinators to join.
        coordinator_urls ("coordinator_urls"): Vec<Address> = Vec::new(),
        /// How other nodes reach this one; by default the address of the listener.
        advertise_url ("advertise_url"): Option<Address> = None,
        /// Memory that all tasks together may use for their state, in bytes.
        memory_limit ("memory_limit"): ByteSize = ByteSize::gib(2),
        /// Directory of spill files; by default one below the system's temporary directory.
        spill_dir ("spill_dir"): Option<PathBuf> = None,
        /// Disk space that spill files may use together, in bytes.
        spill ("spill"): ByteSize = ByteSize::gib(20),
        /// Tasks that may run at the same time; more are refused.
        max_running_tasks ("max_running_tasks"): u32 = 512,
        /// Lets tasks read files of this machine; by default where the listener is loopback.
        allow_local_paths ("allow_local_paths"): Option<bool> = None,
    }
}

/// What log lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object per line.
    Json,
}

/// What a user and a password are for a token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// Id and secret of a client of its own.
    ClientCredentials,
    /// Name and password.
    Password,
}

/// Which protocol a catalog speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatalogKind {
    /// Iceberg's REST protocol.
    Rest,
    /// A database file in the schema of Iceberg's JDBC catalog.
    Sqlite,
}

impl CatalogConfig {
    /// The kind that was named, or the one the other keys imply.
    pub fn effective_kind(&self) -> CatalogKind {
        let implied = if self.uri.is_some() { CatalogKind::Rest } else { CatalogKind::Sqlite };
        self.kind.unwrap_or(implied)
    }
}

impl Config {
    /// The address of the client listener.
    pub fn flight_address(&self) -> SocketAddr {
        (self.coordinator.listen_address, self.coordinator.flight_sql_port).into()
    }

    /// The address of a worker's listener.
    pub fn worker_address(&self) -> SocketAddr {
        (self.worker.listen_address, self.worker.flight_port).into()
    }

    /// The address of the HTTP listener.
    pub fn http_address(&self) -> SocketAddr {
        (self.http.listen_address, self.http.port).into()
    }

    /// Whether table functions may read files of this machine.
    pub fn allow_local_paths(&self) -> bool {
        let loopback = self.coordinator.listen_address.is_loopback();
        self.table_functions.allow_local_paths.unwrap_or(loopback)
    }

    /// The SQL name of `[catalog]`: that of its warehouse, if it is a REST catalog and the name can
    /// be one in SQL, else `catalog`.
    pub fn default_catalog(&self) -> &str {
        let warehouse = match self.catalog.effective_kind() {
            CatalogKind::Rest => self.catalog.warehouse.as_deref().unwrap_or_default(),
            CatalogKind::Sqlite => "",
        };
        // A warehouse may be an address, and the generated catalog has a name already.
        match warehouse.is_empty()
            || warehouse.contains(['.', '/', ':'])
            || ["tpch", "system"].contains(&warehouse)
        {
            true => "catalog",
            false => warehouse,
        }
    }

    /// Every catalog that was configured, the default one under the key `catalog`.
    pub fn all_catalogs(&self) -> impl Iterator<Item = (String, &CatalogConfig)> {
        let named = self.catalogs.iter().map(|(name, c)| (format!("catalogs.{name}"), c));
        std::iter::once(("catalog".to_owned(), &self.catalog)).chain(named)
    }
}

#[cfg(test)]
mod tests;
