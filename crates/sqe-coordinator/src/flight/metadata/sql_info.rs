//! `GetSqlInfo`: what the server is and what its SQL can do.
//!
//! JDBC drivers read all of it once and fail on ids that are missing or have another type than they
//! expect, so that the tables below hold every id that has a true value, in the type of the
//! specification.

use std::collections::{BTreeMap, HashSet};

use arrow::array::RecordBatch;
use arrow_flight::sql::metadata::SqlInfoDataBuilder;
use arrow_flight::sql::{
    CommandGetSqlInfo, SqlInfo, SqlNullOrdering, SqlSupportedCaseSensitivity,
    SqlSupportedTransaction,
};
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;
use sqe_engine::{Result, Session};

use super::defect;
use crate::options::CoordinatorOptions;

/// `SQL_SUPPORTED_ANSI92_LEVEL`, which the crate's enumeration calls differently from the rest.
const ANSI92_LEVEL: u32 = 526;
/// `SQL_STORED_FUNCTIONS_USING_CALL_SYNTAX_SUPPORTED`.
const CALL_SYNTAX: u32 = 576;

const STRINGS: [(SqlInfo, &str); 9] = [
    (SqlInfo::FlightSqlServerName, "SQE"),
    (SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION")),
    (SqlInfo::FlightSqlServerArrowVersion, arrow::ARROW_VERSION),
    (SqlInfo::SqlIdentifierQuoteChar, "\""),
    (SqlInfo::SqlSearchStringEscape, "\\"),
    (SqlInfo::SqlExtraNameCharacters, ""),
    (SqlInfo::SqlSchemaTerm, "schema"),
    (SqlInfo::SqlProcedureTerm, "procedure"),
    (SqlInfo::SqlCatalogTerm, "catalog"),
];

const TRUE: [SqlInfo; 15] = [
    SqlInfo::FlightSqlServerSql,
    SqlInfo::FlightSqlServerCancel,
    SqlInfo::SqlDdlSchema,
    SqlInfo::SqlDdlTable,
    SqlInfo::SqlSupportsColumnAliasing,
    SqlInfo::SqlNullPlusNullIsNull,
    SqlInfo::SqlSupportsTableCorrelationNames,
    SqlInfo::SqlSupportsExpressionsInOrderBy,
    SqlInfo::SqlSupportsOrderByUnrelated,
    SqlInfo::SqlSupportsLikeEscapeClause,
    SqlInfo::SqlSupportsNonNullableColumns,
    SqlInfo::SqlCatalogAtStart,
    SqlInfo::SqlCorrelatedSubqueriesSupported,
    SqlInfo::SqlMaxRowSizeIncludesBlobs,
    // What a session may see is what its catalogs show it.
    SqlInfo::SqlAllTablesAreSelectable,
];

const FALSE: [SqlInfo; 16] = [
    SqlInfo::FlightSqlServerReadOnly,
    SqlInfo::FlightSqlServerSubstrait,
    SqlInfo::FlightSqlServerBulkIngestion,
    SqlInfo::FlightSqlServerIngestTransactionsSupported,
    SqlInfo::SqlDdlCatalog,
    SqlInfo::SqlSupportsDifferentTableCorrelationNames,
    SqlInfo::SqlSupportsIntegrityEnhancementFacility,
    SqlInfo::SqlSelectForUpdateSupported,
    SqlInfo::SqlStoredProceduresSupported,
    SqlInfo::SqlTransactionsSupported,
    SqlInfo::SqlDataDefinitionCausesTransactionCommit,
    SqlInfo::SqlDataDefinitionsInTransactionsIgnored,
    SqlInfo::SqlBatchUpdatesSupported,
    SqlInfo::SqlSavepointsSupported,
    SqlInfo::SqlNamedParametersSupported,
    SqlInfo::SqlLocatorsUpdateCopy,
];

/// Bit masks over the enumerations of the specification; bit `n` stands for the value `n`.
const MASKS: [(SqlInfo, i32); 14] = [
    // unrelated, beyond select
    (SqlInfo::SqlSupportedGroupBy, 0b11),
    // minimum, core
    (SqlInfo::SqlSupportedGrammar, 0b11),
    // limited, full
    (SqlInfo::SqlOuterJoinsSupportLevel, 0b110),
    (SqlInfo::SqlSchemasSupportedActions, 0),
    (SqlInfo::SqlCatalogsSupportedActions, 0),
    (SqlInfo::SqlSupportedPositionedCommands, 0),
    // comparisons, exists, in
    (SqlInfo::SqlSupportedSubqueries, 0b111),
    // union, union all
    (SqlInfo::SqlSupportedUnions, 0b11),
    (SqlInfo::SqlSupportedTransactionsIsolationLevels, 0),
    // forward only
    (SqlInfo::SqlSupportedResultSetTypes, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0),
    // read only
    (SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0),
];

/// Limits; 0 means that there is none or that it is not known.
const UNLIMITED: [SqlInfo; 20] = [
    SqlInfo::SqlMaxBinaryLiteralLength,
    SqlInfo::SqlMaxCharLiteralLength,
    SqlInfo::SqlMaxColumnNameLength,
    SqlInfo::SqlMaxColumnsInGroupBy,
    SqlInfo::SqlMaxColumnsInIndex,
    SqlInfo::SqlMaxColumnsInOrderBy,
    SqlInfo::SqlMaxColumnsInSelect,
    SqlInfo::SqlMaxColumnsInTable,
    SqlInfo::SqlMaxConnections,
    SqlInfo::SqlMaxCursorNameLength,
    SqlInfo::SqlMaxIndexLength,
    SqlInfo::SqlDbSchemaNameLength,
    SqlInfo::SqlMaxProcedureNameLength,
    SqlInfo::SqlMaxCatalogNameLength,
    SqlInfo::SqlMaxStatements,
    SqlInfo::SqlMaxTableNameLength,
    SqlInfo::SqlMaxTablesInSelect,
    SqlInfo::SqlMaxUsernameLength,
    // No isolation level, as there are no transactions. Drivers expect 64 bits.
    SqlInfo::SqlDefaultTransactionIsolation,
    SqlInfo::SqlMaxRowSize,
];

const NUMERIC_FUNCTIONS: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "cot",
    "degrees",
    "exp",
    "factorial",
    "floor",
    "gcd",
    "isnan",
    "iszero",
    "lcm",
    "ln",
    "log",
    "log10",
    "log2",
    "nanvl",
    "pi",
    "pow",
    "power",
    "radians",
    "random",
    "round",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
];
const STRING_FUNCTIONS: &[&str] = &[
    "ascii",
    "bit_length",
    "btrim",
    "char_length",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "contains",
    "ends_with",
    "find_in_set",
    "initcap",
    "instr",
    "left",
    "length",
    "levenshtein",
    "lower",
    "lpad",
    "ltrim",
    "octet_length",
    "overlay",
    "position",
    "regexp_count",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "substring",
    "translate",
    "trim",
    "upper",
    "uuid",
];
const DATETIME_FUNCTIONS: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "date_bin",
    "date_format",
    "date_part",
    "date_trunc",
    "datepart",
    "datetrunc",
    "from_unixtime",
    "make_date",
    "make_time",
    "now",
    "to_char",
    "to_date",
    "to_local_time",
    "to_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
    "today",
];
const SYSTEM_FUNCTIONS: &[&str] = &[
    "arrow_typeof",
    "coalesce",
    "current_catalog",
    "current_schema",
    "current_user",
    "greatest",
    "ifnull",
    "least",
    "nullif",
    "nvl",
    "nvl2",
    "version",
];

/// The answer to `GetSqlInfo`; ids that are not known are left out.
pub(super) fn sql_info(
    session: &Session,
    options: &CoordinatorOptions,
    command: CommandGetSqlInfo,
) -> Result<RecordBatch> {
    let mut builder = SqlInfoDataBuilder::new();
    append_constants(&mut builder);
    let max_statement = i64::try_from(options.max_statement_bytes).unwrap_or(i64::MAX);
    builder.append(SqlInfo::SqlMaxStatementLength, max_statement);
    builder.append(SqlInfo::SqlKeywords, ALL_KEYWORDS);
    let functions: HashSet<String> = session.functions().into_iter().collect();
    let mut append_functions = |info: SqlInfo, names: &[&'static str]| {
        let known = names.iter().copied().filter(|name| functions.contains(*name));
        let known: Vec<&str> = known.collect();
        builder.append(info, known.as_slice());
    };
    append_functions(SqlInfo::SqlNumericFunctions, NUMERIC_FUNCTIONS);
    append_functions(SqlInfo::SqlStringFunctions, STRING_FUNCTIONS);
    append_functions(SqlInfo::SqlDatetimeFunctions, DATETIME_FUNCTIONS);
    append_functions(SqlInfo::SqlSystemFunctions, SYSTEM_FUNCTIONS);
    let data = builder.build().map_err(defect)?;
    command.into_builder(&data).build().map_err(defect)
}

fn append_constants(builder: &mut SqlInfoDataBuilder) {
    for (info, value) in STRINGS {
        builder.append(info, value);
    }
    for info in TRUE {
        builder.append(info, true);
    }
    for info in FALSE {
        builder.append(info, false);
    }
    builder.append(CALL_SYNTAX, false);
    for (info, value) in MASKS {
        builder.append(info, value);
    }
    // Entry level.
    builder.append(ANSI92_LEVEL, 0b1);
    for info in UNLIMITED {
        builder.append(info, 0_i64);
    }
    let transaction = SqlSupportedTransaction::None as i32;
    builder.append(SqlInfo::FlightSqlServerTransaction, transaction);
    let lowercase = SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32;
    builder.append(SqlInfo::SqlIdentifierCase, lowercase);
    // The specification has no word for names that keep their case.
    let as_written = SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32;
    builder.append(SqlInfo::SqlQuotedIdentifierCase, as_written);
    let nulls = SqlNullOrdering::SqlNullsSortedHigh as i32;
    builder.append(SqlInfo::SqlNullOrdering, nulls);
    builder.append(SqlInfo::SqlSupportsConvert, BTreeMap::new());
}
