//! `EXCEPT ALL` and `INTERSECT ALL` as calls of table functions of two queries, which the planner
//! of this crate knows. DataFusion's own do not count how often a row is there.

use std::ops::ControlFlow;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, ObjectName, Query, Select,
    SelectFlavor, SelectItem, SetExpr, SetOperator, SetQuantifier, Table, TableFactor,
    TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

/// The name of the function that stands for `EXCEPT ALL`.
pub(crate) const EXCEPT_ALL: &str = "except all";
/// The name of the function that stands for `INTERSECT ALL`.
pub(crate) const INTERSECT_ALL: &str = "intersect all";

struct RepeatedRows;

impl VisitorMut for RepeatedRows {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        replace(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn replace(body: &mut SetExpr) {
    let SetExpr::SetOperation { left, op, set_quantifier, right } = body else { return };
    replace(left);
    replace(right);
    let name = match (op, set_quantifier) {
        (SetOperator::Except | SetOperator::Minus, SetQuantifier::All) => EXCEPT_ALL,
        (SetOperator::Intersect, SetQuantifier::All) => INTERSECT_ALL,
        _ => return,
    };
    let args = [left, right].map(|side| {
        let side = std::mem::replace(side.as_mut(), nothing());
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(Box::new(query(side)))))
    });
    let call = TableFactor::Function {
        lateral: false,
        name: ObjectName::from(vec![Ident::with_quote('"', name)]),
        args: args.into(),
        with_ordinality: false,
        alias: None,
    };
    *body = SetExpr::Select(Box::new(all_of(call)));
}

/// Stands where a side was taken out for a moment.
fn nothing() -> SetExpr {
    SetExpr::Table(Box::new(Table { table_name: None, schema_name: None }))
}

fn query(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// `SELECT * FROM relation`.
fn all_of(relation: TableFactor) -> Select {
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
        exclude: None,
        into: None,
        from: vec![TableWithJoins { relation, joins: Vec::new() }],
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}

/// Makes every such operation of a statement a call.
pub(super) fn count_repeated(statement: &mut impl VisitMut) {
    let _ = statement.visit(&mut RepeatedRows);
}
