//! `SET` and `RESET` of session settings.

use std::collections::HashMap;

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, Statement as PlanStatement};
use datafusion::sql::parser::Statement as DfStatement;

use crate::plan::Planner;
use crate::suggest::hint_nearest;
use crate::{Error, ErrorKind, Output, Result, Session};

/// Settings that a client may not change: they decide where names are looked up, which USE does,
/// or switch off what keeps results right.
const FIXED: [&str; 4] = [
    "datafusion.catalog.",
    "datafusion.sql_parser.collect_spans",
    "datafusion.sql_parser.dialect",
    "datafusion.runtime.",
];

/// A change of one setting.
#[derive(Debug)]
pub(crate) struct Setting {
    name: String,
    /// None restores the default.
    value: Option<String>,
}

pub(super) async fn plan(
    session: &Session,
    state: &SessionState,
    statement: DfStatement,
) -> Result<Setting> {
    let plan = Planner::new(session, state).plan(statement).await?;
    let (name, value) = match plan {
        LogicalPlan::Statement(PlanStatement::SetVariable(set)) => (set.variable, Some(set.value)),
        LogicalPlan::Statement(PlanStatement::ResetVariable(reset)) => (reset.variable, None),
        _ => return Err(Error::new(ErrorKind::Unsupported, "this SET is not supported yet")),
    };
    let name = full_name(state, &name.to_ascii_lowercase())?;
    if FIXED.iter().any(|fixed| name.starts_with(fixed)) {
        let message = format!("setting {name:?} cannot be changed in a session");
        return Err(Error::new(ErrorKind::PermissionDenied, message));
    }
    Ok(Setting { name, value })
}

/// The full name of a setting that may be given by its last part alone, such as `time_zone`.
pub(super) fn full_name(state: &SessionState, name: &str) -> Result<String> {
    let entries = state.config_options().entries();
    let matches =
        |key: &str| key == name || key.strip_suffix(name).is_some_and(|k| k.ends_with('.'));
    let mut found = entries.iter().map(|entry| entry.key.as_str()).filter(|key| matches(key));
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key.to_owned()),
        (Some(first), Some(_)) if first == name => Ok(first.to_owned()),
        (Some(first), Some(second)) => Err(Error::new(
            ErrorKind::InvalidStatement,
            format!("setting {name:?} is ambiguous: {first:?} and {second:?}"),
        )),
        (None, _) => {
            let error =
                Error::new(ErrorKind::InvalidStatement, format!("setting {name:?} is not known"));
            Err(hint_nearest(error, name, entries.iter().map(|entry| entry.key.as_str())))
        }
    }
}

impl Setting {
    pub(super) fn run(&self, session: &Session) -> Result<Output> {
        let defaults = session.engine().state().config_options();
        session.with_state(|state| {
            let options = state.config_mut().options_mut();
            match &self.value {
                Some(value) => options.set(&self.name, value),
                None => reset(options, defaults, &self.name),
            }
        })?;
        Ok(Output::Done { affected: None })
    }
}

/// Restores one setting. A default may be "not set", which no value expresses; so all the others
/// are set again over the defaults.
fn reset(options: &mut ConfigOptions, defaults: &ConfigOptions, name: &str) -> DfResult<()> {
    let mut restored = defaults.clone();
    let before: HashMap<String, Option<String>> =
        defaults.entries().into_iter().map(|entry| (entry.key, entry.value)).collect();
    for entry in options.entries() {
        if entry.key != name
            && before.get(&entry.key) != Some(&entry.value)
            && let Some(value) = &entry.value
        {
            restored.set(&entry.key, value)?;
        }
    }
    *options = restored;
    Ok(())
}
