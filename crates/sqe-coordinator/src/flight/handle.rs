//! What a client holds to name a statement: in tickets and prepared-statement handles.

use bytes::Bytes;
use uuid::Uuid;

/// Names a statement of a session. Random and so not to be guessed, yet no credential: whoever
/// shows one must also be the user it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle {
    /// The session that owns the statement.
    pub(crate) session: Uuid,
    /// The prepared statement or the query.
    pub(crate) statement: Uuid,
}

impl Handle {
    /// 32 bytes: session, statement.
    pub(crate) fn encode(self) -> Bytes {
        [self.session.into_bytes(), self.statement.into_bytes()].concat().into()
    }

    /// The inverse of `encode`; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (session, statement) = bytes.split_at_checked(16)?;
        Some(Self {
            session: Uuid::from_slice(session).ok()?,
            statement: Uuid::from_slice(statement).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_survive_the_wire_and_nothing_else_is_one() {
        let handle = Handle { session: Uuid::new_v4(), statement: Uuid::new_v4() };
        let bytes = handle.encode();
        assert_eq!(Handle::decode(&bytes), Some(handle));
        assert_eq!(Handle::decode(&bytes[..31]), None);
        assert_eq!(Handle::decode(b""), None);
        assert_eq!(Handle::decode(&[0; 33]), None);
    }
}
