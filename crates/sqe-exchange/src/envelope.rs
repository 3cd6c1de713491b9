//! Sealed bytes: `version | key id | nonce | ciphertext and tag`, by XChaCha20-Poly1305, whose nonce
//! is long enough to be random.
//!
//! What an envelope is for and whom it is for are authenticated with it, so that one that was made
//! for something or somebody else does not open. Nothing is decoded before that.

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, AeadCore, OsRng, Payload};

use crate::keys::{FragmentKeys, KeyId};

const VERSION: u8 = 1;
const KEY_ID: usize = size_of::<KeyId>();
const NONCE: usize = 24;
const HEAD: usize = 1 + KEY_ID + NONCE;

/// What an envelope is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A task of a query, to a worker.
    Fragment,
    /// The right to fetch partitions of a task, to a worker.
    Ticket,
    /// A message to a task that runs.
    Control,
    /// What a worker tells of itself, to a coordinator.
    Membership,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Fragment => "fragment",
            Self::Ticket => "ticket",
            Self::Control => "control",
            Self::Membership => "membership",
        }
    }
}

/// An envelope that does not open. It says no more: whoever forges one learns nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// Seals `plain` for `recipient`.
pub(crate) fn seal(
    keys: &FragmentKeys,
    purpose: Purpose,
    recipient: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, Refused> {
    let (id, cipher) = keys.sealing();
    let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
    let mut sealed = Vec::with_capacity(HEAD + plain.len() + 16);
    sealed.push(VERSION);
    sealed.extend(id);
    sealed.extend(nonce);
    let context = context(purpose, recipient);
    let payload = Payload { msg: plain, aad: &context };
    sealed.extend(cipher.encrypt(&nonce, payload).map_err(|_| Refused)?);
    Ok(sealed)
}

/// Opens what was sealed for `recipient` and this purpose.
pub(crate) fn open(
    keys: &FragmentKeys,
    purpose: Purpose,
    recipient: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, Refused> {
    let (head, ciphertext) = sealed.split_at_checked(HEAD).ok_or(Refused)?;
    let (id, nonce) = head[1..].split_at(KEY_ID);
    let id = KeyId::try_from(id).map_err(|_| Refused)?;
    let cipher = keys.opening(id).filter(|_| head[0] == VERSION).ok_or(Refused)?;
    let context = context(purpose, recipient);
    let payload = Payload { msg: ciphertext, aad: &context };
    cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| Refused)
}

/// What is random in an envelope, by which one that comes twice is known.
pub(crate) fn nonce(sealed: &[u8]) -> Option<[u8; NONCE]> {
    sealed.get(1 + KEY_ID..HEAD)?.try_into().ok()
}

fn context(purpose: Purpose, recipient: &[u8]) -> Vec<u8> {
    // No name holds a zero, so no two of these are the same bytes.
    [b"sqe ".as_slice(), purpose.name().as_bytes(), &[0, VERSION], recipient].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(digits: &[&str]) -> FragmentKeys {
        let keys: Vec<_> = digits.iter().map(|digit| digit.repeat(64).into()).collect();
        FragmentKeys::parse(&keys).unwrap()
    }

    #[test]
    fn it_opens_for_its_recipient_and_purpose_alone() {
        let check = |opens: &[&str], purpose, recipient: &[u8], good: bool| {
            let sealed = seal(&keys(&["a"]), Purpose::Fragment, b"worker 1", b"plan").unwrap();
            let opened = open(&keys(opens), purpose, recipient, &sealed);
            assert_eq!(opened, if good { Ok(b"plan".to_vec()) } else { Err(Refused) });
        };
        check(&["a"], Purpose::Fragment, b"worker 1", true);
        check(&["b", "a"], Purpose::Fragment, b"worker 1", true);
        check(&["b"], Purpose::Fragment, b"worker 1", false);
        check(&["a"], Purpose::Ticket, b"worker 1", false);
        check(&["a"], Purpose::Fragment, b"worker 2", false);
    }

    #[test]
    fn no_two_envelopes_are_alike() {
        let seal = || seal(&keys(&["a"]), Purpose::Ticket, b"", b"").unwrap();
        assert_ne!(nonce(&seal()), nonce(&seal()));
    }

    proptest! {
        #[test]
        fn one_changed_bit_closes_it(
            plain in prop::collection::vec(any::<u8>(), 0..64),
            at: prop::sample::Index,
            bit in 0..8_u32,
        ) {
            let keys = keys(&["a"]);
            let mut sealed = seal(&keys, Purpose::Control, b"w", &plain).unwrap();
            prop_assert_eq!(open(&keys, Purpose::Control, b"w", &sealed), Ok(plain));
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(open(&keys, Purpose::Control, b"w", &sealed), Err(Refused));
        }

        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
            prop_assert_eq!(open(&keys(&["a"]), Purpose::Fragment, b"w", &bytes), Err(Refused));
        }
    }
}
