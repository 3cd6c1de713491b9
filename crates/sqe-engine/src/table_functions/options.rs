//! The named arguments of a call.

use arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;

use super::Call;
use crate::{Error, ErrorKind, Result, suggest::nearest};

/// Options of every function.
pub(super) const COMMON: [&str; 2] = ["filename", "hive_partitioning"];

/// The named arguments of a call, each known and given once.
#[derive(Debug)]
pub(super) struct Options<'a> {
    call: &'a Call,
}

impl<'a> Options<'a> {
    /// Checks the names. `known` are the function's own options beside [`COMMON`]; `unsupported`
    /// those that other engines have and this one does not.
    pub(super) fn try_new(call: &'a Call, known: &[&str], unsupported: &[&str]) -> Result<Self> {
        let function = &call.function;
        for (index, (name, _)) in call.named.iter().enumerate() {
            let name = name.as_str();
            if call.named[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(invalid(format!("option {name} of {function} is given twice")));
            }
            if known.contains(&name) || COMMON.contains(&name) {
                continue;
            }
            if unsupported.contains(&name) {
                let message = format!("option {name} of {function} is not supported");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            let all = || known.iter().chain(&COMMON).copied();
            let error = invalid(format!("{function} has no option {name:?}"));
            return Err(match nearest(name, all()) {
                Some(near) => error.with_hint(format!("did you mean {near:?}?")),
                None => {
                    let mut all = all().collect::<Vec<_>>();
                    all.sort_unstable();
                    error.with_hint(format!("its options are {}", all.join(", ")))
                }
            });
        }
        Ok(Self { call })
    }

    fn get(&self, name: &str) -> Option<&'a ScalarValue> {
        self.call.named.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn bad(&self, name: &str, expected: &str, value: &ScalarValue) -> Error {
        let function = &self.call.function;
        let (value, data_type) = (shown(value), value.data_type());
        invalid(format!(
            "option {name} of {function} must be {expected}, got {value} of type {data_type}"
        ))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(ScalarValue::Boolean(Some(value))) => Ok(Some(*value)),
            Some(value) => Err(self.bad(name, "true or false", value)),
        }
    }

    /// A string.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.try_as_str() {
                Some(Some(text)) => Ok(Some(text)),
                _ => Err(self.bad(name, "a string", value)),
            },
        }
    }

    /// A string or a list of strings; empty if the option is not given.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(value) => {
                strings(value).ok_or_else(|| self.bad(name, "a string or a list of strings", value))
            }
        }
    }

    /// A string of one ASCII character.
    pub(super) fn character(&self, name: &str) -> Result<Option<u8>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.try_as_str() {
            Some(Some(text)) if text.len() == 1 => Ok(Some(text.as_bytes()[0])),
            _ => Err(self.bad(name, "one ASCII character", value)),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let integer = value.data_type().is_integer().then(|| value.cast_to(&DataType::Int64));
        match integer {
            Some(Ok(ScalarValue::Int64(Some(integer)))) => Ok(Some(integer)),
            _ => Err(self.bad(name, "a whole number", value)),
        }
    }

    /// One of the words of `choices`, in any case.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let words = choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
                let function = &self.call.function;
                let message = format!("option {name} of {function} must be one of {words}");
                Err(invalid(format!("{message}, got '{text}'")))
            }
        }
    }
}

/// An error about what was written.
pub(super) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidStatement, message)
}

/// The strings of a string or a list of strings. `None` for anything else, and for NULL.
pub(super) fn strings(value: &ScalarValue) -> Option<Vec<String>> {
    if let Some(text) = value.try_as_str() {
        return text.map(|text| vec![text.to_owned()]);
    }
    let list = match value {
        ScalarValue::List(list) => list.value(0),
        ScalarValue::LargeList(list) => list.value(0),
        ScalarValue::FixedSizeList(list) => list.value(0),
        _ => return None,
    };
    (0..list.len())
        .map(|row| {
            let value = ScalarValue::try_from_array(&list, row).ok()?;
            value.try_as_str().flatten().map(str::to_owned)
        })
        .collect()
}

/// A value as it is written in SQL, more or less.
fn shown(value: &ScalarValue) -> String {
    match value.try_as_str() {
        Some(Some(text)) => format!("'{text}'"),
        _ => value.to_string(),
    }
}
