//! The backslash commands of the interactive mode: parsing and help. Running them is up to
//! `interactive`.

/// One backslash command.
#[derive(Debug, PartialEq)]
pub(crate) enum MetaCommand {
    Describe(String),
    /// Tables whose name matches a pattern of SQL's LIKE.
    Tables(Option<String>),
    Schemas,
    Catalogs,
    Timing,
    Expanded,
    Help,
    Quit,
}

pub(crate) const HELP: &str = r"\d            list tables
\d NAME       describe a table
\dt [PATTERN] list tables; in the pattern, * is any text
\dn           list schemas
\l            list catalogs
\timing       show how long statements take, or stop it
\x            print one line per value, or stop it
\?            show this help
\q            quit
Statements end with ; and may span lines. Ctrl-C cancels a running statement.";

impl MetaCommand {
    /// Parses a line that starts with `\`. Errors: a message that names the command.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim().trim_end_matches(';');
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = Some(argument.trim()).filter(|argument| !argument.is_empty());
        let command = match (name, argument) {
            (r"\d", Some(name)) => return Ok(Self::Describe(name.to_owned())),
            (r"\d", None) => Self::Tables(None),
            (r"\dt", pattern) => {
                return Ok(Self::Tables(pattern.map(|pattern| pattern.replace('*', "%"))));
            }
            (r"\dn", _) => Self::Schemas,
            (r"\l", _) => Self::Catalogs,
            (r"\timing", _) => Self::Timing,
            (r"\x", _) => Self::Expanded,
            (r"\?", _) => Self::Help,
            (r"\q", _) => Self::Quit,
            _ => return Err(format!(r"unknown command {name}, \? lists the commands")),
        };
        match argument {
            Some(argument) => Err(format!("{name} takes no argument, got {argument:?}")),
            None => Ok(command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<MetaCommand, &str>) {
        assert_eq!(MetaCommand::parse(line), expected.map_err(str::to_owned));
    }

    #[test]
    fn parses() {
        check(r"\d", Ok(MetaCommand::Tables(None)));
        check(r"\d  a.b ;", Ok(MetaCommand::Describe("a.b ".trim().into())));
        check(r"\dt line*", Ok(MetaCommand::Tables(Some("line%".into()))));
        check(r"\q ", Ok(MetaCommand::Quit));
        check(r"\x on", Err(r#"\x takes no argument, got "on""#));
        check(r"\nope", Err(r"unknown command \nope, \? lists the commands"));
    }
}
