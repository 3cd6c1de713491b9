//! Secrets are looked up by their hash: how long that takes says nothing about them.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// The hash of a secret.
pub(crate) fn hash(secret: &SecretString) -> Hash {
    Sha256::digest(secret.expose_secret()).into()
}

/// The hash of a name and what proves it.
pub(super) fn hash_of_login(user: &str, password: &SecretString) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update((user.len() as u64).to_be_bytes());
    hasher.update(user);
    hasher.update(password.expose_secret());
    hasher.finalize().into()
}

/// A hash as text.
pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
