//! Endpoints that not every server has, as `/v1/config` lists them. What every server has is not
//! asked for: where it is missing, the server's answer says so.

pub(super) const TABLE_EXISTS: &str = "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}";
pub(super) const REGISTER_TABLE: &str = "POST /v1/{prefix}/namespaces/{namespace}/register";
pub(super) const RENAME_TABLE: &str = "POST /v1/{prefix}/tables/rename";
pub(super) const COMMIT_TABLES: &str = "POST /v1/{prefix}/transactions/commit";
pub(super) const TABLE_CREDENTIALS: &str =
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials";
pub(super) const LIST_VIEWS: &str = "GET /v1/{prefix}/namespaces/{namespace}/views";
pub(super) const LOAD_VIEW: &str = "GET /v1/{prefix}/namespaces/{namespace}/views/{view}";
pub(super) const CREATE_VIEW: &str = "POST /v1/{prefix}/namespaces/{namespace}/views";
pub(super) const REPLACE_VIEW: &str = "POST /v1/{prefix}/namespaces/{namespace}/views/{view}";
pub(super) const DROP_VIEW: &str = "DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}";
pub(super) const RENAME_VIEW: &str = "POST /v1/{prefix}/views/rename";

/// Newer than the lists of endpoints, so that a server without a list has none of them.
pub(super) const ONLY_IF_LISTED: [&str; 1] = [TABLE_CREDENTIALS];
