//! `CALL procedure('argument', name => 'argument')`.

use sqlparser::ast::ObjectName;
use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::Result;

/// A procedure to run. All arguments are text.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) procedure: ObjectName,
    /// Each with its name where that was written.
    pub(crate) arguments: Vec<(Option<String>, String)>,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Call> {
    let procedure = cursor.object_name()?;
    if matches!(cursor.peek(0), Token::LParen) && matches!(cursor.peek(1), Token::RParen) {
        cursor.expect_token(&Token::LParen)?;
        cursor.expect_token(&Token::RParen)?;
        return Ok(Call { procedure, arguments: Vec::new() });
    }
    let arguments = cursor.parenthesized(|cursor| {
        let name = match cursor.peek(1) {
            Token::RArrow => {
                let name = cursor.identifier()?.value.to_lowercase();
                cursor.expect_token(&Token::RArrow)?;
                Some(name)
            }
            _ => None,
        };
        Ok((name, cursor.string()?))
    })?;
    Ok(Call { procedure, arguments })
}
