//! The keys that coordinators and workers share.

use std::fmt;

use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305};
use secrecy::{ExposeSecret, SecretString};

/// Bytes of a key, written as twice as many hexadecimal digits.
const KEY_BYTES: usize = 32;

/// What names a key in an envelope: it says nothing about the key.
pub(crate) type KeyId = [u8; 8];

/// The keys that seal what travels between nodes. The first seals, all of them open, so that nodes
/// can change their keys one after the other.
#[derive(Clone)]
pub struct FragmentKeys {
    /// At least one.
    keys: Vec<(KeyId, XChaCha20Poly1305)>,
}

impl FragmentKeys {
    /// Keys of 64 hexadecimal digits each, the one that seals first.
    ///
    /// Errors: a sentence that says which key is wrong and how to make one, without its text.
    pub fn parse(keys: &[SecretString]) -> Result<Self, String> {
        let keys: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(index, key)| {
                let bytes = parse_hex(key.expose_secret().trim()).ok_or_else(|| {
                    format!(
                        "fragment key {} is not {} hexadecimal digits; make one with \
                         `openssl rand -hex {KEY_BYTES}`",
                        index + 1,
                        2 * KEY_BYTES
                    )
                })?;
                Ok(with_id(&bytes))
            })
            .collect::<Result<_, String>>()?;
        match keys.is_empty() {
            true => Err("there is no fragment key".to_owned()),
            false => Ok(Self { keys }),
        }
    }

    /// A key that no other process knows, for a cluster within one process.
    pub fn random() -> Self {
        use chacha20poly1305::aead::OsRng;
        Self { keys: vec![with_id(&XChaCha20Poly1305::generate_key(&mut OsRng).into())] }
    }

    pub(crate) fn sealing(&self) -> (KeyId, &XChaCha20Poly1305) {
        let (id, cipher) = &self.keys[0];
        (*id, cipher)
    }

    pub(crate) fn opening(&self, id: KeyId) -> Option<&XChaCha20Poly1305> {
        self.keys.iter().find(|(known, _)| *known == id).map(|(_, cipher)| cipher)
    }
}

impl fmt::Debug for FragmentKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FragmentKeys({} ***)", self.keys.len())
    }
}

/// A cipher with the name of its key: the beginning of the tag of nothing under a nonce that no
/// random one equals.
fn with_id(key: &[u8; KEY_BYTES]) -> (KeyId, XChaCha20Poly1305) {
    use chacha20poly1305::aead::{Aead, Payload};
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    let nothing = Payload { msg: b"", aad: b"sqe key id" };
    let tag = cipher.encrypt(&[0; 24].into(), nothing).unwrap_or_default();
    let mut id = KeyId::default();
    id.iter_mut().zip(tag).for_each(|(byte, of_tag)| *byte = of_tag);
    (id, cipher)
}

fn parse_hex(text: &str) -> Option<[u8; KEY_BYTES]> {
    let mut bytes = [0; KEY_BYTES];
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        let check = |key: &str, good: bool| {
            let parsed = FragmentKeys::parse(&[key.into()]);
            assert_eq!(parsed.is_ok(), good, "{key}");
            if let Err(message) = parsed {
                assert!(key.is_empty() || !message.contains(key), "{message}");
            }
        };
        check(&"0f".repeat(32), true);
        check(&format!("{}\n", "AB".repeat(32)), true);
        check(&"0f".repeat(31), false);
        check(&"0g".repeat(32), false);
        check(&"+f".repeat(32), false);
        check(&"é".repeat(32), false);
        check("", false);
        assert!(FragmentKeys::parse(&[]).is_err());
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        let keys = FragmentKeys::parse(&["0f".repeat(32).into()]).unwrap();
        assert_eq!(format!("{keys:?}"), "FragmentKeys(1 ***)");
    }
}
