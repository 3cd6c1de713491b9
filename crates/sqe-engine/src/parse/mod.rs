//! From the text of one statement to a [`Statement`], parsed once, with places in every error.
//!
//! DataFusion's parser reads what it knows. What it does not know is read here over the same tokens
//! by the same `sqlparser`: tables with Iceberg's types and partitioning, and the SHOW family.

mod call;
mod column_names;
mod complexity;
mod create_table;
mod cursor;
mod data_type;
mod distinct_from;
mod distinct_order;
mod drop;
mod numbers;
mod repeated_rows;
mod schema;
mod show;
mod view;

use std::ops::ControlFlow;

use datafusion::sql::parser::{CopyToSource, DFParserBuilder, Statement as DfStatement};
use sqlparser::ast::{ObjectName, Statement as SqlStatement, VisitMut};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

pub(crate) use call::Call;
pub(crate) use create_table::{ColumnDef, CreateTable, PartitionField};
pub(crate) use cursor::Cursor;
pub(crate) use data_type::{SqlType, StructField};
pub(crate) use drop::{Drop, DropKind};
pub(crate) use repeated_rows::{EXCEPT_ALL, INTERSECT_ALL};
pub(crate) use schema::CreateSchema;
pub(crate) use show::{Describe, LISTS as SHOW_LISTS, Show};
pub(crate) use view::CreateView;

use crate::{Error, ErrorKind, Location, Result};

/// How deep expressions and queries may nest. Beyond it the parser answers with an error; the
/// planner's recursion is guarded by growing stacks.
const RECURSION_LIMIT: usize = 300;

/// One statement, by family.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    /// SELECT, VALUES, TABLE, EXPLAIN, COPY: DataFusion plans and runs it.
    Query(DfStatement),
    /// INSERT INTO.
    Insert(DfStatement),
    CreateTable(Box<CreateTable>),
    CreateView(Box<CreateView>),
    CreateSchema(CreateSchema),
    Drop(Drop),
    Show(Show),
    Describe(Describe),
    Use(ObjectName),
    Call(Call),
    /// SET and RESET of session settings.
    Setting(DfStatement),
}

/// Parses exactly one statement; a final semicolon is allowed.
///
/// Errors: `InvalidStatement` with the place for syntax errors and for a second statement,
/// `Unsupported` for statements that are not built.
pub(crate) fn parse(sql: &str) -> Result<Statement> {
    parse_tokens(sql).map_err(|error| match error.location {
        // `sqlparser` gives the end of the text no place.
        None if error.message.ends_with("found: EOF") => error.at(cursor::end_of(sql)),
        _ => error,
    })
}

fn parse_tokens(sql: &str) -> Result<Statement> {
    let mut tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| syntax_error(ParserError::from(error)))?;
    drop_final_semicolons(&mut tokens);
    if tokens.iter().all(|token| matches!(token.token, Token::Whitespace(_))) {
        return Err(Error::new(ErrorKind::InvalidStatement, "the statement is empty"));
    }
    complexity::check(&tokens)?;
    let mut cursor = Cursor::new(sql, tokens.clone(), RECURSION_LIMIT);
    if let Some(statement) = own_statement(&mut cursor)? {
        cursor.end()?;
        return Ok(statement);
    }
    let mut parser = DFParserBuilder::new(tokens)
        .with_recursion_limit(RECURSION_LIMIT)
        .build()
        .map_err(Error::from)?;
    let mut statement = parser.parse_statement().map_err(Error::from)?;
    cursor::expect_end(&parser.parser)?;
    settle(&mut statement);
    classify(statement)
}

/// The query that a view stores.
pub(crate) fn parse_query(sql: &str) -> Result<DfStatement> {
    match parse(sql)? {
        Statement::Query(statement) => Ok(statement),
        _ => Err(Error::new(ErrorKind::InvalidStatement, "a view must be a query")),
    }
}

fn settle(statement: &mut DfStatement) {
    match statement {
        DfStatement::Statement(inner) => settle_ast(inner.as_mut()),
        DfStatement::Explain(explain) => settle(&mut explain.statement),
        DfStatement::CopyTo(copy) => {
            if let CopyToSource::Query(query) = &mut copy.source {
                settle_ast(query.as_mut());
            }
        }
        DfStatement::CreateExternalTable(_) | DfStatement::Reset(_) => {}
    }
}

/// What the planner would read in another way than users expect.
fn settle_ast(ast: &mut impl VisitMut) {
    distinct_from::ends_before_and(ast);
    distinct_order::by_position(ast);
    column_names::settle(ast);
    numbers::keep_digits(ast);
    repeated_rows::count_repeated(ast);
}

fn drop_final_semicolons(tokens: &mut Vec<TokenWithSpan>) {
    while matches!(
        tokens.last().map(|token| &token.token),
        Some(Token::SemiColon | Token::Whitespace(_) | Token::EOF)
    ) {
        tokens.pop();
    }
}

/// Statements that DataFusion's parser does not know, or knows in another shape.
fn own_statement(cursor: &mut Cursor<'_>) -> Result<Option<Statement>> {
    if cursor.words(&["SHOW"]) {
        return show::parse(cursor).map(|show| Some(Statement::Show(show)));
    }
    if cursor.words(&["DESCRIBE"]) || cursor.words(&["DESC"]) {
        return show::describe(cursor).map(|describe| Some(Statement::Describe(describe)));
    }
    if cursor.words(&["USE"]) {
        return cursor.object_name().map(|name| Some(Statement::Use(name)));
    }
    if cursor.words(&["CALL"]) {
        return call::parse(cursor).map(|call| Some(Statement::Call(call)));
    }
    if cursor.words(&["DROP"]) {
        return drop::parse(cursor).map(|drop| Some(Statement::Drop(drop)));
    }
    if cursor.words(&["CREATE"]) {
        if cursor.next_is("EXTERNAL") {
            return Ok(None);
        }
        let replace = cursor.words(&["OR", "REPLACE"]);
        if cursor.words(&["TABLE"]) {
            if replace {
                return Err(cursor.unsupported("CREATE OR REPLACE TABLE"));
            }
            let table = create_table::parse(cursor)?;
            return Ok(Some(Statement::CreateTable(Box::new(table))));
        }
        if cursor.words(&["VIEW"]) {
            let view = view::parse(cursor, replace)?;
            return Ok(Some(Statement::CreateView(Box::new(view))));
        }
        if !replace && (cursor.words(&["SCHEMA"]) || cursor.words(&["NAMESPACE"])) {
            return schema::parse(cursor).map(|schema| Some(Statement::CreateSchema(schema)));
        }
        return Err(cursor.unsupported_here("CREATE"));
    }
    Ok(None)
}

fn classify(statement: DfStatement) -> Result<Statement> {
    match &statement {
        DfStatement::Explain(explain) => {
            let insert = is_insert(&explain.statement);
            if insert && explain.options.analyze {
                return Err(unsupported("EXPLAIN ANALYZE of a statement that writes"));
            }
            let query = matches!(classify((*explain.statement).clone())?, Statement::Query(_));
            match query || insert {
                true => Ok(Statement::Query(statement)),
                false => Err(unsupported("EXPLAIN of this statement")),
            }
        }
        DfStatement::CopyTo(_) => Ok(Statement::Query(statement)),
        DfStatement::Reset(_) => Ok(Statement::Setting(statement)),
        DfStatement::CreateExternalTable(_) => Err(unsupported("CREATE EXTERNAL TABLE")
            .with_hint("read files with read_parquet, read_csv or read_json")),
        DfStatement::Statement(inner) => match inner.as_ref() {
            SqlStatement::Query(_) => Ok(Statement::Query(statement)),
            SqlStatement::Insert(_) => Ok(Statement::Insert(statement)),
            SqlStatement::Set(_) => Ok(Statement::Setting(statement)),
            other => Err(unsupported(leading_words(other))),
        },
    }
}

fn is_insert(statement: &DfStatement) -> bool {
    matches!(statement, DfStatement::Statement(inner) if matches!(**inner, SqlStatement::Insert(_)))
}

fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} is not supported yet"))
}

/// The keywords at the start of a statement, such as `ALTER TABLE`; no names or values of it.
fn leading_words(statement: &SqlStatement) -> String {
    let text = statement.to_string();
    let words = text.split_whitespace().take(2);
    let words = words.take_while(|word| word.chars().all(|c| c.is_ascii_uppercase()));
    words.collect::<Vec<_>>().join(" ")
}

/// The tables, views and functions in the FROM clauses of a statement.
pub(crate) fn visit_relations(
    statement: &DfStatement,
    mut visit: impl FnMut(&sqlparser::ast::TableFactor) -> Result<()>,
) -> Result<()> {
    struct Factors<F>(F);
    impl<F: FnMut(&sqlparser::ast::TableFactor) -> Result<()>> sqlparser::ast::Visitor for Factors<F> {
        type Break = Error;
        fn pre_visit_table_factor(
            &mut self,
            factor: &sqlparser::ast::TableFactor,
        ) -> ControlFlow<Error> {
            match (self.0)(factor) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        }
    }
    fn walk<V: sqlparser::ast::Visitor<Break = Error>>(
        statement: &DfStatement,
        visitor: &mut V,
    ) -> ControlFlow<Error> {
        use sqlparser::ast::Visit;
        match statement {
            DfStatement::Statement(inner) => inner.visit(visitor),
            DfStatement::Explain(explain) => walk(&explain.statement, visitor),
            DfStatement::CopyTo(copy) => match &copy.source {
                CopyToSource::Query(query) => query.visit(visitor),
                CopyToSource::Relation(_) => ControlFlow::Continue(()),
            },
            DfStatement::CreateExternalTable(_) | DfStatement::Reset(_) => {
                ControlFlow::Continue(())
            }
        }
    }
    match walk(statement, &mut Factors(&mut visit)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// A syntax error; `sqlparser` puts its place at the end of the text.
pub(crate) fn syntax_error(error: ParserError) -> Error {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return Error::new(
                ErrorKind::InvalidStatement,
                format!("the statement nests deeper than {RECURSION_LIMIT} levels"),
            );
        }
    };
    let (message, location) = match split_location(&text) {
        Some((message, location)) => (message, Some(location)),
        None => (text.as_str(), None),
    };
    let mut error = Error::new(ErrorKind::InvalidStatement, format!("syntax error: {message}"));
    error.location = location;
    error
}

fn split_location(text: &str) -> Option<(&str, Location)> {
    let (message, place) = text.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let location = Location { line: line.parse().ok()?, column: column.trim().parse().ok()? };
    Some((message, location))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &str) {
        assert_eq!(parse(sql).unwrap_err().to_string(), expected, "{sql}");
    }

    #[test]
    fn errors_name_the_place() {
        check(
            "SELEC 1",
            "syntax error: Expected: an SQL statement, found: SELEC at line 1, column 1",
        );
        check(
            "SELECT\n  1 + ",
            "syntax error: Expected: an expression, found: EOF at line 2, column 6",
        );
        check("SELECT 'a", "syntax error: Unterminated string literal at line 1, column 8");
        check(" -- nothing\n;", "the statement is empty");
    }

    #[test]
    fn a_second_statement_is_refused() {
        check(
            "SELECT 1; SELECT 2",
            "only one statement can be executed at a time at line 1, column 9",
        );
        check("USE a; USE b", "only one statement can be executed at a time at line 1, column 6");
        assert!(parse("SELECT ';' ; ;\n").is_ok());
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        check("DELETE FROM t", "DELETE FROM is not supported yet");
        check("TRUNCATE TABLE t", "TRUNCATE TABLE is not supported yet");
        check("BEGIN", "BEGIN is not supported yet");
        check("CREATE OR REPLACE TABLE t (a int)", "CREATE OR REPLACE TABLE is not supported yet");
        check("CREATE INDEX i ON t (a)", "CREATE INDEX is not supported yet at line 1, column 8");
    }

    #[test]
    fn long_chains_are_an_error() {
        let refused = |sql: String, expected: &str| {
            let error = parse(&sql).unwrap_err();
            assert_eq!(error.message, expected);
        };
        let unions = format!("SELECT 1, 2{}", " UNION ALL SELECT 1, 2".repeat(501));
        refused(unions, "more than 500 set operations in a row");
        let ors = format!("SELECT 1 WHERE x IN (1, 2){}", " OR x IN (1, 2)".repeat(4001));
        refused(ors, "more than 4000 AND and OR in a row");
        let sums = format!("SELECT 1{}", " + -1".repeat(501));
        refused(sums, "more than 500 operators in a row");
        let lists = format!("SELECT 1 WHERE x IN (1{})", ", -1 + 2".repeat(100_000));
        assert!(parse(&lists).is_ok());
        let types = format!("CREATE TABLE t (a {}INT{})", "ARRAY<".repeat(100), ">".repeat(100));
        refused(types, "types nest deeper than 64 levels");
    }

    #[test]
    fn distinct_from_ends_before_and() {
        let shown = |sql: &str| match parse(sql).unwrap() {
            Statement::Query(query) => query.to_string(),
            other => panic!("{other:?}"),
        };
        let same = |sql: &str, parenthesized: &str| {
            let written = shown(&format!("SELECT {sql} AS x"));
            let meant = shown(&format!("SELECT {parenthesized} AS x"));
            assert_eq!(written, meant.replace(['(', ')'], ""));
            let Ok(Statement::Query(DfStatement::Statement(written))) =
                parse(&format!("SELECT {sql} AS x"))
            else {
                panic!("a query")
            };
            let SqlStatement::Query(query) = *written else { panic!("a query") };
            let body = query.body.as_select().unwrap().projection[0].clone();
            let sqlparser::ast::SelectItem::ExprWithAlias { expr, .. } = body else {
                panic!("{body}")
            };
            assert!(matches!(expr, sqlparser::ast::Expr::BinaryOp { .. }), "{expr:?}");
        };
        same("a IS DISTINCT FROM b AND c", "(a IS DISTINCT FROM b) AND c");
        same("a IS NOT DISTINCT FROM b AND c OR d", "((a IS NOT DISTINCT FROM b) AND c) OR d");
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let sql = format!("SELECT {}1{}", "(".repeat(2000), ")".repeat(2000));
        check(&sql, "the statement nests deeper than 300 levels");
    }
}
