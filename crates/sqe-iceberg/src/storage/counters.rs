//! What the stores and the cache of manifests count.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const REQUESTS: &str = "sqe_storage_requests_total";
const BYTES: &str = "sqe_storage_bytes_total";
const RENEWALS: &str = "sqe_storage_key_renewals_total";
const CACHE_HITS: &str = "sqe_manifest_cache_hits_total";
const CACHE_MISSES: &str = "sqe_manifest_cache_misses_total";
const CACHE_BYTES: &str = "sqe_manifest_cache_bytes";

/// Tells the recorder of the process what the metrics of this crate mean.
pub fn describe_metrics() {
    let requests = "Requests to object stores, repeated ones included, by operation and outcome.";
    describe_counter!(REQUESTS, Unit::Count, requests);
    describe_counter!(BYTES, Unit::Bytes, "Bytes read from and written to object stores.");
    let renewals = "Times that keys of object stores were asked for, by outcome.";
    describe_counter!(RENEWALS, Unit::Count, renewals);
    describe_counter!(CACHE_HITS, Unit::Count, "Manifests and lists found in the cache.");
    describe_counter!(CACHE_MISSES, Unit::Count, "Manifests and lists that had to be read.");
    describe_gauge!(CACHE_BYTES, Unit::Bytes, "Size of the decoded manifests in the cache.");
}

/// A request ended; `outcome` is `ok` or a class of statuses.
pub(super) fn request(operation: &'static str, outcome: &'static str) {
    counter!(REQUESTS, "operation" => operation, "outcome" => outcome).increment(1);
}

pub(super) fn bytes_read(bytes: usize) {
    counter!(BYTES, "direction" => "read").increment(bytes as u64);
}

pub(super) fn bytes_written(bytes: usize) {
    counter!(BYTES, "direction" => "write").increment(bytes as u64);
}

pub(super) fn renewal(succeeded: bool) {
    let outcome = if succeeded { "ok" } else { "error" };
    counter!(RENEWALS, "outcome" => outcome).increment(1);
}

/// Somebody asked for a manifest or a list of them.
pub(crate) fn manifest_asked(was_cached: bool) {
    let name = if was_cached { CACHE_HITS } else { CACHE_MISSES };
    counter!(name).increment(1);
}

/// The cache of manifests holds so much.
pub(crate) fn manifest_bytes(bytes: u64) {
    gauge!(CACHE_BYTES).set(bytes as f64);
}
