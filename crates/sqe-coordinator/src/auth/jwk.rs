//! Which published keys (RFC 7517) may verify which tokens.

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

/// Shorter ones can be broken (RFC 7518, section 3.3).
const MIN_RSA_BITS: usize = 2048;

/// A key that verifies signatures.
#[derive(Clone)]
pub(super) struct Key {
    decoding: DecodingKey,
    /// The only algorithm that the issuer uses it with, where it says so.
    algorithm: Option<KeyAlgorithm>,
}

impl Key {
    /// `None` for a key that is for something else, too short, or of a kind that is not known here.
    pub(super) fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let signs =
            common.public_key_use.as_ref().is_none_or(|public| *public == PublicKeyUse::Signature);
        let operations = common.key_operations.as_ref();
        let verifies = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        let decoding = DecodingKey::from_jwk(jwk).ok()?;
        let strong = rsa_bits(&decoding).is_none_or(|bits| bits >= MIN_RSA_BITS);
        (signs && verifies && strong).then_some(Self { decoding, algorithm: common.key_algorithm })
    }

    /// The key, if it is for tokens of an algorithm.
    pub(super) fn decoding(&self, algorithm: Algorithm) -> Option<&DecodingKey> {
        let fits = self.algorithm.is_none_or(|only| only == algorithm.into());
        fits.then_some(&self.decoding)
    }
}

fn rsa_bits(key: &DecodingKey) -> Option<usize> {
    let DecodingKeyKind::RsaModulusExponent { n, .. } = key.kind() else { return None };
    let leading = n.iter().take_while(|byte| **byte == 0).count();
    let first = n.get(leading).map_or(0, |byte| byte.leading_zeros() as usize);
    Some((n.len() - leading) * 8 - first)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    fn rsa(modulus: &[u8], change: Value) -> Option<Key> {
        let mut jwk = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB" });
        for (name, value) in change.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        Key::of(&serde_json::from_value(jwk).unwrap())
    }

    #[test]
    fn short_rsa_keys_are_not_believed() {
        let bits = |bits: usize| {
            let mut modulus = vec![0; 300];
            modulus[300 - bits.div_ceil(8)] = 1 << ((bits - 1) % 8);
            rsa(&modulus, json!({})).is_some()
        };
        assert_eq!([2047, 2048, 2049].map(bits), [false, true, true]);
        assert!(rsa(&[0xff; 128], json!({})).is_none());
        assert!(rsa(&[], json!({})).is_none());
    }

    #[test]
    fn a_key_verifies_only_what_it_is_for() {
        let check = |change: Value, rs256: bool, ps256: bool| {
            let key = rsa(&[0xff; 256], change.clone());
            let fits =
                |algorithm| key.as_ref().is_some_and(|key| key.decoding(algorithm).is_some());
            assert_eq!(
                (fits(Algorithm::RS256), fits(Algorithm::PS256)),
                (rs256, ps256),
                "{change}"
            );
        };
        check(json!({}), true, true);
        check(json!({ "use": "sig", "alg": "RS256" }), true, false);
        check(json!({ "key_ops": ["sign", "verify"], "alg": "PS256" }), false, true);
        check(json!({ "alg": "RSA-OAEP" }), false, false);
        check(json!({ "alg": "unheard-of" }), false, false);
        check(json!({ "use": "enc" }), false, false);
        check(json!({ "use": "unheard-of" }), false, false);
        check(json!({ "key_ops": ["encrypt"] }), false, false);
        check(json!({ "key_ops": [] }), false, false);
        check(json!({ "use": "sig", "key_ops": ["wrapKey"] }), false, false);
    }
}
