//! `CALL system.runtime.kill_query(query_id, reason)`.

use datafusion::execution::SessionState;

use crate::parse;
use crate::plan::resolve_name;
use crate::runtime::{CATALOG, SCHEMA};
use crate::{Error, ErrorKind, Output, Result, Session};

/// A procedure with its arguments.
#[derive(Debug)]
pub(crate) enum Call {
    KillQuery { id: String, reason: String },
}

pub(super) fn plan(state: &SessionState, call: &parse::Call) -> Result<Call> {
    let name = resolve_name(state, &call.procedure)?;
    match (name.catalog.as_str(), name.schema.as_str(), name.table.as_str()) {
        (CATALOG, SCHEMA, "kill_query") => {
            let [id, reason] = arguments(&call.arguments, ["query_id", "reason"])?;
            Ok(Call::KillQuery { id: id.to_owned(), reason: reason.to_owned() })
        }
        _ => {
            let message = format!("procedure {:?} not found", name.to_string());
            Err(Error::new(ErrorKind::NotFound, message)
                .with_hint("there is system.runtime.kill_query(query_id, reason)"))
        }
    }
}

/// The arguments in the order of `names`; those that are not given by name come first.
fn arguments<'a, const N: usize>(
    given: &'a [(Option<String>, String)],
    names: [&str; N],
) -> Result<[&'a str; N]> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidStatement, message);
    let mut found = [None; N];
    for (index, (name, value)) in given.iter().enumerate() {
        let place = match name {
            Some(name) => names.iter().position(|known| known == name),
            None => Some(index),
        };
        let slot = place.and_then(|place| found.get_mut(place)).filter(|slot| slot.is_none());
        let taken = || {
            let name = name.clone().unwrap_or_else(|| format!("argument {}", index + 1));
            invalid(format!("{name} is one too many, expected {}", names.join(", ")))
        };
        *slot.ok_or_else(taken)? = Some(value.as_str());
    }
    let missing = || invalid(format!("expected the arguments {}", names.join(", ")));
    let mut values = [""; N];
    for (value, found) in values.iter_mut().zip(found) {
        *value = found.ok_or_else(missing)?;
    }
    Ok(values)
}

impl Call {
    /// Errors: `NotFound` for a query that does not run, or is not the user's to end.
    pub(super) fn run(&self, session: &Session) -> Result<Output> {
        let Self::KillQuery { id, reason } = self;
        let (engine, user) = (session.engine(), &session.identity().user);
        let seen = engine.ledger().seen_by(user, engine.is_operator(user));
        let running = seen.iter().find(|entry| {
            entry.progress().ended_after.is_none() && entry.id.to_string() == id.to_lowercase()
        });
        match running {
            Some(entry) => {
                entry.kill(reason);
                Ok(Output::Done { affected: None })
            }
            None => {
                let message = format!("query {id:?} does not run");
                Err(Error::new(ErrorKind::NotFound, message)
                    .with_hint("SELECT query_id, query FROM system.runtime.queries"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_names_or_an_order() {
        let check = |given: &[(Option<&str>, &str)], expected: Option<[&str; 2]>| {
            let given: Vec<_> = given
                .iter()
                .map(|(name, value)| (name.map(str::to_owned), (*value).to_owned()))
                .collect();
            assert_eq!(arguments(&given, ["a", "b"]).ok(), expected);
        };
        check(&[(None, "1"), (None, "2")], Some(["1", "2"]));
        check(&[(Some("b"), "2"), (Some("a"), "1")], Some(["1", "2"]));
        check(&[(None, "1"), (Some("b"), "2")], Some(["1", "2"]));
        check(&[(None, "1")], None);
        check(&[(None, "1"), (Some("a"), "2")], None);
        check(&[(None, "1"), (None, "2"), (None, "3")], None);
        check(&[(Some("c"), "1"), (None, "2")], None);
    }
}
