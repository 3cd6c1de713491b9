//! `USE schema`, `USE catalog` and `USE catalog.schema`.

use sqlparser::ast::ObjectName;

use crate::plan::name_parts;
use crate::{Error, ErrorKind, Output, Result, Session};

/// Where unqualified names shall be looked up.
#[derive(Debug)]
pub(crate) struct Use {
    parts: Vec<String>,
}

pub(super) fn plan(name: &ObjectName) -> Result<Use> {
    let parts = name_parts(name)?;
    match parts.len() {
        1 | 2 => Ok(Use { parts }),
        _ => Err(Error::new(
            ErrorKind::InvalidStatement,
            format!("{name} has more parts than catalog and schema"),
        )),
    }
}

/// The schema of unqualified names in a catalog that was named alone.
async fn default_schema(session: &Session, catalog: &str) -> Result<String> {
    let usual = session.engine().state().config_options().catalog.default_schema.clone();
    for schema in [usual.as_str(), "main", "default"] {
        if session.catalogs_of_user().has_schema(catalog, schema).await? {
            return Ok(schema.to_owned());
        }
    }
    Ok(usual)
}

impl Use {
    pub(super) async fn run(&self, session: &Session) -> Result<Output> {
        let catalogs = session.catalogs_of_user();
        let current = session.current_catalog();
        let (catalog, schema) = match self.parts.as_slice() {
            [catalog, schema] => (catalog.clone(), schema.clone()),
            [schema] if catalogs.has_schema(&current, schema).await? => (current, schema.clone()),
            [catalog] if catalogs.names().contains(catalog) => {
                let schema = default_schema(session, catalog).await?;
                return Ok(self.set(session, catalog.clone(), schema));
            }
            parts => {
                let name = parts.join(".");
                return Err(catalogs.schema_not_found(&current, &name).await);
            }
        };
        match catalogs.has_schema(&catalog, &schema).await? {
            true => Ok(self.set(session, catalog, schema)),
            false => Err(catalogs.schema_not_found(&catalog, &schema).await),
        }
    }

    fn set(&self, session: &Session, catalog: String, schema: String) -> Output {
        session.with_state(|state| {
            let defaults = &mut state.config_mut().options_mut().catalog;
            defaults.default_catalog = catalog;
            defaults.default_schema = schema;
        });
        Output::Done { affected: None }
    }
}
