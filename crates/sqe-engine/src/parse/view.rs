//! `CREATE [OR REPLACE] VIEW name [(columns)] AS query`.

use sqlparser::ast::{Ident, ObjectName, Query};
use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::Result;

/// A view to create.
#[derive(Debug, Clone)]
pub(crate) struct CreateView {
    pub(crate) name: ObjectName,
    pub(crate) replace: bool,
    pub(crate) if_not_exists: bool,
    /// New names of the columns; empty where the query names them.
    pub(crate) columns: Vec<Ident>,
    pub(crate) query: Query,
    /// The text of the query as it was written.
    pub(crate) text: String,
}

pub(super) fn parse(cursor: &mut Cursor<'_>, replace: bool) -> Result<CreateView> {
    let if_not_exists = cursor.words(&["IF", "NOT", "EXISTS"]);
    let name = cursor.object_name()?;
    let mut columns = Vec::new();
    if cursor.token(&Token::LParen) {
        columns.push(cursor.identifier()?);
        while cursor.token(&Token::Comma) {
            columns.push(cursor.identifier()?);
        }
        cursor.expect_token(&Token::RParen)?;
    }
    cursor.expect_word("AS")?;
    let text = cursor.rest().to_owned();
    let query = cursor.query()?;
    Ok(CreateView { name, replace, if_not_exists, columns, query, text })
}
