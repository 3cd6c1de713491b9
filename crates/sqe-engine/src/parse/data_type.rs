//! Column types: nested ones in the spellings of Spark (`ARRAY<INT>`, `STRUCT<a: INT>`), Trino
//! (`ARRAY(INT)`, `ROW(a INT)`) and DuckDB (`INT[]`, `STRUCT(a INT)`), the rest as `sqlparser`
//! reads them.

use sqlparser::ast::{ArrayElemTypeDef, DataType, Ident};
use sqlparser::tokenizer::Token;

use super::Cursor;
use crate::{Error, ErrorKind, Result};

/// A column type as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SqlType {
    Plain(DataType),
    List(Box<SqlType>),
    Map(Box<SqlType>, Box<SqlType>),
    Struct(Vec<StructField>),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StructField {
    pub(crate) name: Ident,
    pub(crate) data_type: SqlType,
    pub(crate) not_null: bool,
    pub(crate) comment: Option<String>,
}

/// Types are walked recursively, here and by everything that reads a schema.
const MAX_DEPTH: usize = 64;

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<SqlType> {
    cursor.type_depth += 1;
    if cursor.type_depth > MAX_DEPTH {
        let message = format!("types nest deeper than {MAX_DEPTH} levels");
        return Err(Error::new(ErrorKind::InvalidStatement, message).at(cursor.location()));
    }
    let parsed = parse_level(cursor);
    cursor.type_depth -= 1;
    parsed
}

fn parse_level(cursor: &mut Cursor<'_>) -> Result<SqlType> {
    let mut data_type = if cursor.opens_type(&["ARRAY", "LIST"]) {
        let close = cursor.open()?;
        let element = parse(cursor)?;
        cursor.close(&close)?;
        SqlType::List(Box::new(element))
    } else if cursor.opens_type(&["MAP"]) {
        let close = cursor.open()?;
        let key = parse(cursor)?;
        cursor.expect_token(&Token::Comma)?;
        let value = parse(cursor)?;
        cursor.close(&close)?;
        SqlType::Map(Box::new(key), Box::new(value))
    } else if cursor.opens_type(&["STRUCT", "ROW"]) {
        let close = cursor.open()?;
        let mut fields = vec![field(cursor)?];
        while cursor.token(&Token::Comma) {
            fields.push(field(cursor)?);
        }
        cursor.close(&close)?;
        SqlType::Struct(fields)
    } else {
        plain(cursor.data_type()?)
    };
    while cursor.token(&Token::LBracket) {
        cursor.expect_token(&Token::RBracket)?;
        data_type = SqlType::List(Box::new(data_type));
    }
    Ok(data_type)
}

/// `sqlparser` reads the brackets of `INT[]` itself.
fn plain(data_type: DataType) -> SqlType {
    match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, None)) => {
            SqlType::List(Box::new(plain(*element)))
        }
        other => SqlType::Plain(other),
    }
}

fn field(cursor: &mut Cursor<'_>) -> Result<StructField> {
    let name = cursor.identifier()?;
    let _ = cursor.token(&Token::Colon);
    let data_type = parse(cursor)?;
    let (not_null, comment) = column_options(cursor)?;
    Ok(StructField { name, data_type, not_null, comment })
}

/// `[NOT NULL | NULL] [COMMENT '..']` in any order.
pub(super) fn column_options(cursor: &mut Cursor<'_>) -> Result<(bool, Option<String>)> {
    let (mut not_null, mut comment) = (false, None);
    loop {
        if cursor.words(&["NOT", "NULL"]) {
            not_null = true;
        } else if cursor.words(&["NULL"]) {
            not_null = false;
        } else if cursor.words(&["COMMENT"]) {
            comment = Some(cursor.string()?);
        } else {
            return Ok((not_null, comment));
        }
    }
}

impl Cursor<'_> {
    /// Takes one of `names` if a bracket follows it.
    fn opens_type(&mut self, names: &[&str]) -> bool {
        let bracket = matches!(self.peek(1), Token::Lt | Token::LParen);
        bracket && names.iter().any(|name| self.words(&[name]))
    }

    /// Takes the opening bracket; returns the closing one.
    fn open(&mut self) -> Result<Token> {
        if self.token(&Token::Lt) {
            return Ok(Token::Gt);
        }
        self.expect_token(&Token::LParen)?;
        Ok(Token::RParen)
    }

    /// Takes a closing bracket. The tokenizer joins two `>` to one token, which closes two types.
    fn close(&mut self, bracket: &Token) -> Result<()> {
        if *bracket == Token::Gt && self.token(&Token::ShiftRight) {
            self.half_taken_shift = true;
            return Ok(());
        }
        self.expect_token(bracket)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Statement, parse};

    /// The types of a table's columns as text.
    fn check(columns: &str, expected: &str) {
        let statement = parse(&format!("CREATE TABLE t ({columns})")).unwrap();
        let Statement::CreateTable(table) = statement else { panic!("{statement:?}") };
        let types: Vec<String> =
            table.columns.iter().map(|column| shown(&column.data_type)).collect();
        assert_eq!(types.join(", "), expected, "{columns}");
    }

    fn shown(data_type: &super::SqlType) -> String {
        use super::SqlType as T;
        match data_type {
            T::Plain(plain) => plain.to_string(),
            T::List(element) => format!("list<{}>", shown(element)),
            T::Map(key, value) => format!("map<{}, {}>", shown(key), shown(value)),
            T::Struct(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|field| {
                        let null = if field.not_null { " NOT NULL" } else { "" };
                        format!("{}: {}{null}", field.name, shown(&field.data_type))
                    })
                    .collect();
                format!("struct<{}>", fields.join(", "))
            }
        }
    }

    #[test]
    fn nested_types_in_all_spellings() {
        check("a ARRAY<INT>, b ARRAY(INT), c INT[], d LIST<INT>", &["list<INT>"; 4].join(", "));
        check("m MAP<VARCHAR, ARRAY<INT>>", "map<VARCHAR, list<INT>>");
        check("s STRUCT<a: INT, b: STRUCT<c INT>>", "struct<a: INT, b: struct<c: INT>>");
        check("s STRUCT<a: STRUCT<b INT>> NOT NULL, t INT", "struct<a: struct<b: INT>>, INT");
        check("m MAP<INT, MAP<INT, STRUCT<b INT>>>", "map<INT, map<INT, struct<b: INT>>>");
        check("r ROW(a INT NOT NULL, b DOUBLE)[]", "list<struct<a: INT NOT NULL, b: DOUBLE>>");
        check("s STRUCT<a ARRAY<INT>>, t INT", "struct<a: list<INT>>, INT");
        check("s STRUCT<a ARRAY<INT>> NOT NULL", "struct<a: list<INT>>");
        check("s STRUCT<a ARRAY<INT>>[]", "list<struct<a: list<INT>>>");
        check("l ARRAY<ARRAY<ARRAY<INT>>>, t INT", "list<list<list<INT>>>, INT");
        check(
            "d DECIMAL(10, 2), t TIMESTAMP WITH TIME ZONE",
            "DECIMAL(10,2), TIMESTAMP WITH TIME ZONE",
        );
    }
}
