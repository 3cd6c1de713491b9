//! From a file and the environment to a [`Config`].

use std::path::Path;

use toml_edit::{Document, Item, Table};

use super::problem::unknown;
use super::{Config, Problems, Section, SetError};

/// Prefix of environment variables that override keys.
const ENV_PREFIX: &str = "SQE__";

const SECTIONS: &[&str] = &[
    "server",
    "coordinator",
    "http",
    "tls",
    "auth",
    "catalog",
    "catalogs",
    "storage",
    "limits",
    "table_functions",
    "distributed",
    "worker",
];

impl Config {
    /// Reads `file`, if one is given, and then the variables of `env` that start with `SQE__`.
    ///
    /// Errors: every problem of the file, the environment and the values together.
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut config = Self::default();
        if let Some(path) = file {
            match std::fs::read_to_string(path) {
                Ok(text) => config.read_file(&path.display().to_string(), &text, &mut problems),
                Err(error) => problems.add(Some(path.display().to_string()), error.to_string()),
            }
        }
        for (name, value) in env {
            if let Some(rest) = name.strip_prefix(ENV_PREFIX) {
                config.read_variable(&name, &rest.to_ascii_lowercase(), &value, &mut problems);
            }
        }
        config.validate(&mut problems);
        if problems.0.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn read_file(&mut self, file: &str, text: &str, problems: &mut Problems) {
        let place = |span: Option<std::ops::Range<usize>>| match span {
            Some(span) => Some(format!("{file}:{}", line_of(text, span.start))),
            None => Some(file.to_owned()),
        };
        let document = match Document::parse(text) {
            Ok(document) => document,
            Err(error) => return problems.add(place(error.span()), error.message().trim()),
        };
        for (name, item) in document.iter() {
            let span = document.key(name).and_then(toml_edit::Key::span).or(item.span());
            let Some(table) = item.as_table() else {
                let message = match item.is_value() {
                    true if !SECTIONS.contains(&name) => unknown("key", name, SECTIONS.to_vec()),
                    _ => format!("`{name}` must be a section, written `[{name}]`"),
                };
                problems.add(place(span), message);
                continue;
            };
            if name == "catalogs" {
                for (catalog, item) in table {
                    let section = self.catalogs.entry(catalog.to_owned()).or_default();
                    match item.as_table() {
                        Some(table) => read_table(section, &format!("catalogs.{catalog}"), table, &place, problems),
                        None => problems.add(
                            place(item.span()),
                            format!("`catalogs.{catalog}` must be a section, written `[catalogs.{catalog}]`"),
                        ),
                    }
                }
                continue;
            }
            match self.section(name) {
                Some(section) => read_table(section, name, table, &place, problems),
                None => problems.add(place(span), unknown("section", name, SECTIONS.to_vec())),
            }
        }
    }

    fn read_variable(&mut self, name: &str, path: &str, value: &str, problems: &mut Problems) {
        let parts: Vec<&str> = path.split("__").collect();
        let place = Some(name.to_owned());
        let (section, key): (&mut dyn AnySection, &str) = match parts[..] {
            ["catalogs", catalog, key] => {
                (self.catalogs.entry(catalog.to_owned()).or_default(), key)
            }
            [section, key] => match self.section(section) {
                Some(found) => (found, key),
                None => {
                    return problems.add(place, unknown("section", section, SECTIONS.to_vec()));
                }
            },
            _ => return problems.add(place, "must be named SQE__SECTION__KEY"),
        };
        // A number or a list is written as in the file; what the key does not take in that form is
        // text, so that nobody has to quote inside a variable.
        let text = toml_edit::Value::from(value);
        let typed = value.parse().unwrap_or_else(|_| text.clone());
        let outcome = section.set_any(key, typed).or_else(|_| section.set_any(key, text));
        if let Err(error) = outcome {
            problems.add(place, describe(error, key, section.keys()));
        }
    }

    fn section(&mut self, name: &str) -> Option<&mut dyn AnySection> {
        Some(match name {
            "server" => &mut self.server,
            "coordinator" => &mut self.coordinator,
            "http" => &mut self.http,
            "tls" => &mut self.tls,
            "auth" => &mut self.auth,
            "catalog" => &mut self.catalog,
            "storage" => &mut self.storage,
            "limits" => &mut self.limits,
            "table_functions" => &mut self.table_functions,
            "distributed" => &mut self.distributed,
            "worker" => &mut self.worker,
            _ => return None,
        })
    }

    /// Every section by name with the keys it takes.
    #[cfg(test)]
    pub(super) fn known_keys() -> Vec<(&'static str, &'static [&'static str])> {
        let mut config = Self::default();
        let named = SECTIONS.iter().filter_map(|name| Some((*name, config.section(name)?.keys())));
        named.chain([("catalogs.lake", super::CatalogConfig::KEYS)]).collect()
    }
}

/// [`Section`] without its associated constant, so that sections of different types can be chosen
/// by name.
trait AnySection {
    fn keys(&self) -> &'static [&'static str];
    fn set_any(&mut self, key: &str, value: toml_edit::Value) -> Result<(), SetError>;
}

impl<S: Section> AnySection for S {
    fn keys(&self) -> &'static [&'static str] {
        S::KEYS
    }

    fn set_any(&mut self, key: &str, value: toml_edit::Value) -> Result<(), SetError> {
        self.set(key, value)
    }
}

fn read_table(
    section: &mut dyn AnySection,
    name: &str,
    table: &Table,
    place: &dyn Fn(Option<std::ops::Range<usize>>) -> Option<String>,
    problems: &mut Problems,
) {
    for (key, item) in table {
        let span = table.key(key).and_then(toml_edit::Key::span).or(item.span());
        let outcome = match item {
            Item::Value(value) => section.set_any(key, value.clone()),
            _ if section.keys().contains(&key) => {
                Err(SetError::BadValue("must be a value, not a section".to_owned()))
            }
            _ => Err(SetError::UnknownKey),
        };
        if let Err(error) = outcome {
            problems.add(place(span), describe(error, &format!("{name}.{key}"), section.keys()));
        }
    }
}

fn describe(error: SetError, key: &str, known: &[&'static str]) -> String {
    match error {
        SetError::BadValue(why) => format!("{key}: {why}"),
        SetError::UnknownKey => {
            let bare = key.rsplit('.').next().unwrap_or(key);
            unknown("key", bare, known.to_vec())
        }
    }
}

/// The line of the byte at `offset`, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
