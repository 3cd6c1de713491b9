use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema, UInt32Type};
use arrow_flight::IpcMessage;
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo,
};
use bytes::Bytes;

use crate::client::{Client, pretty, query};
use crate::server::Server;

async fn with_tables() -> (Server, Client) {
    let server = Server::start().await;
    let mut client = server.client().await;
    let statements = [
        "CREATE SCHEMA lake.a_1",
        "CREATE SCHEMA lake.ab1",
        "CREATE TABLE lake.a_1.orders (id BIGINT NOT NULL, price DECIMAL(10, 2), note VARCHAR)",
        "CREATE TABLE lake.ab1.orders (id BIGINT)",
        "CREATE VIEW lake.a_1.v AS SELECT id FROM lake.a_1.orders",
    ];
    for sql in statements {
        client.run(sql).await.unwrap();
    }
    (server, client)
}

fn strings(batch: &RecordBatch, column: &str) -> Vec<String> {
    let values = batch.column_by_name(column).unwrap().as_string::<i32>();
    values.iter().map(|value| value.unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogs_and_schemas_are_listed() {
    let (_server, mut client) = with_tables().await;
    let catalogs = strings(&client.rows(CommandGetCatalogs {}).await.unwrap(), "catalog_name");
    assert!(catalogs.contains(&"lake".to_owned()) && catalogs.is_sorted(), "{catalogs:?}");

    let mut schemas = async |catalog: Option<&str>, pattern: Option<&str>| {
        let command = CommandGetDbSchemas {
            catalog: catalog.map(str::to_owned),
            db_schema_filter_pattern: pattern.map(str::to_owned),
        };
        strings(&client.rows(command).await.unwrap(), "db_schema_name")
    };
    assert_eq!(schemas(Some("lake"), Some("a%")).await, ["a_1", "ab1"]);
    assert_eq!(schemas(Some("lake"), Some("a\\_%")).await, ["a_1"]);
    assert!(schemas(Some("l%"), None).await.is_empty());
    assert!(schemas(Some(""), None).await.is_empty());
    assert!(schemas(None, None).await.contains(&"ab1".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_listed_by_pattern_and_type() {
    let (_server, mut client) = with_tables().await;
    let mut tables = async |schema: Option<&str>, table: Option<&str>, kinds: &[&str]| {
        let command = CommandGetTables {
            catalog: Some("lake".into()),
            db_schema_filter_pattern: schema.map(str::to_owned),
            table_name_filter_pattern: table.map(str::to_owned),
            table_types: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            include_schema: false,
        };
        let batch = client.rows(command).await.unwrap();
        let names = strings(&batch, "table_name");
        let names = std::iter::zip(strings(&batch, "db_schema_name"), names);
        names.map(|(schema, table)| format!("{schema}.{table}")).collect::<Vec<_>>()
    };
    assert_eq!(tables(Some("a%"), Some("ord%"), &[]).await, ["a_1.orders", "ab1.orders"]);
    assert_eq!(tables(Some("a\\_1"), None, &[]).await, ["a_1.orders", "a_1.v"]);
    assert_eq!(tables(Some("a%"), None, &["VIEW"]).await, ["a_1.v"]);
    assert!(tables(Some("a%"), None, &["NOTHING"]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_of_a_table_is_the_one_of_its_rows() {
    let (_server, mut client) = with_tables().await;
    let command = CommandGetTables {
        catalog: Some("lake".into()),
        db_schema_filter_pattern: Some("a\\_1".into()),
        table_name_filter_pattern: Some("orders".into()),
        table_types: Vec::new(),
        include_schema: true,
    };
    let batch = client.rows(command).await.unwrap();
    let bytes = batch.column_by_name("table_schema").unwrap().as_binary::<i32>().value(0);
    let listed = Schema::try_from(IpcMessage(Bytes::copy_from_slice(bytes))).unwrap();
    let rows = client.rows(query("SELECT * FROM lake.a_1.orders")).await.unwrap();
    let shape = |schema: &Schema| {
        let fields = schema.fields().iter();
        fields
            .map(|field| (field.name().clone(), field.data_type().clone(), field.is_nullable()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(&listed), shape(&rows.schema()));
    assert_eq!(listed.field(2).data_type(), &DataType::Utf8);
    let metadata = listed.field(1).metadata();
    assert_eq!(metadata["ARROW:FLIGHT:SQL:TYPE_NAME"], "DECIMAL(10, 2)");
    assert_eq!(metadata["ARROW:FLIGHT:SQL:PRECISION"], "10");
}

#[tokio::test(flavor = "multi_thread")]
async fn table_types_are_those_of_the_listing() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let batch = client.rows(CommandGetTableTypes {}).await.unwrap();
    assert_eq!(strings(&batch, "table_type"), ["SYSTEM TABLE", "TABLE", "VIEW"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn key_listings_are_empty_in_the_right_shape() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let primary = client.rows(CommandGetPrimaryKeys::default()).await.unwrap();
    assert_eq!((primary.num_rows(), primary.num_columns()), (0, 6));
    let foreign = [
        client.rows(CommandGetExportedKeys::default()).await.unwrap(),
        client.rows(CommandGetImportedKeys::default()).await.unwrap(),
        client.rows(CommandGetCrossReference::default()).await.unwrap(),
    ];
    for batch in foreign {
        assert_eq!((batch.num_rows(), batch.num_columns()), (0, 13));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_info_answers_what_was_asked() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let batch = client.rows(CommandGetSqlInfo { info: vec![8, 0, 99_999] }).await.unwrap();
    let expected = "\
+-----------+--------------------+
| info_name | value              |
+-----------+--------------------+
| 0         | {string_value=SQE} |
| 8         | {int32_bitmask=0}  |
+-----------+--------------------+";
    assert_eq!(pretty(&batch), expected);

    let all = client.rows(CommandGetSqlInfo { info: Vec::new() }).await.unwrap();
    let ids: HashSet<u32> =
        all.column(0).as_primitive::<UInt32Type>().values().iter().copied().collect();
    let missing: Vec<u32> = (500..=576).filter(|id| !ids.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(pretty(&all).contains("date_trunc"));
}

#[tokio::test(flavor = "multi_thread")]
async fn type_info_is_filtered_by_type() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let all = client.rows(CommandGetXdbcTypeInfo { data_type: None }).await.unwrap();
    assert!(all.num_rows() > 10);
    let bigint = client.rows(CommandGetXdbcTypeInfo { data_type: Some(-5) }).await.unwrap();
    assert_eq!(strings(&bigint, "type_name"), ["BIGINT"]);
    assert_eq!(bigint.column(0).len(), 1);
}
