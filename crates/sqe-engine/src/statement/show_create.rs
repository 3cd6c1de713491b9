//! The statement that would create a table or a view.

use sqe_iceberg::Transform;
use sqe_iceberg::spec::TableMetadata;

use super::types::{quote_ident, to_sql};
use crate::catalogs::{Relation, TableName};
use crate::{Error, ErrorKind, Result, Session, plan, tpch};

pub(super) async fn view(session: &Session, name: &TableName) -> Result<String> {
    match session.catalogs_of_user().load(name).await? {
        Relation::View(view) => {
            let columns = view.current_schema().as_struct().fields().iter();
            let columns: Vec<String> = columns.map(|column| quote_ident(&column.name)).collect();
            let text = plan::view_text(name, &view)?;
            Ok(format!("CREATE VIEW {} ({}) AS\n{text}", quoted(name), columns.join(", ")))
        }
        Relation::Table(_) => Err(wrong_kind(name, "table", "view")),
    }
}

pub(super) async fn table(session: &Session, name: &TableName) -> Result<String> {
    let catalogs = session.catalogs_of_user();
    if let Relation::View(_) = catalogs.load(name).await? {
        return Err(wrong_kind(name, "view", "table"));
    }
    if name.catalog == tpch::CATALOG {
        let message = format!("no statement creates {:?}: it is generated", name.to_string());
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint(format!("DESCRIBE {name} shows its columns")));
    }
    let ident = name.ident()?;
    let table = catalogs.writable(&name.catalog)?.load_table(&ident).await?;
    Ok(create_table(name, &table.metadata))
}

fn wrong_kind(name: &TableName, is: &str, wanted: &str) -> Error {
    let message = format!("{:?} is a {is}, not a {wanted}", name.to_string());
    Error::new(ErrorKind::InvalidStatement, message)
        .with_hint(format!("use SHOW CREATE {}", is.to_uppercase()))
}

fn create_table(name: &TableName, metadata: &TableMetadata) -> String {
    let columns = metadata.current_schema().as_struct().fields().iter().map(|field| {
        let required = if field.required { " NOT NULL" } else { "" };
        let comment = field.doc.as_deref();
        let comment = comment.map_or(String::new(), |doc| format!(" COMMENT {}", quote_text(doc)));
        let name = quote_ident(&field.name);
        format!("  {name} {}{required}{comment}", to_sql(&field.field_type))
    });
    let columns = columns.collect::<Vec<_>>().join(",\n");
    let mut text = format!("CREATE TABLE {} (\n{columns}\n)", quoted(name));
    let partitioning = partitioning(metadata);
    if !partitioning.is_empty() {
        text += &format!("\nPARTITIONED BY ({})", partitioning.join(", "));
    }
    text += &format!("\nLOCATION {}", quote_text(metadata.location()));
    let version = ("format-version".to_owned(), (metadata.format_version() as u8).to_string());
    let mut properties: Vec<(String, String)> =
        metadata.properties().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    properties.push(version);
    properties.sort();
    let properties = properties.iter();
    let properties = properties.map(|(k, v)| format!("  {} = {}", quote_text(k), quote_text(v)));
    text + &format!("\nTBLPROPERTIES (\n{}\n)", properties.collect::<Vec<_>>().join(",\n"))
}

fn partitioning(metadata: &TableMetadata) -> Vec<String> {
    let fields = metadata.default_partition_spec().fields().iter();
    let fields = fields.map(|field| {
        let schema = metadata.current_schema();
        let column = schema.name_by_field_id(field.source_id).unwrap_or("?");
        let column = column.split('.').map(quote_ident).collect::<Vec<_>>().join(".");
        match field.transform {
            Transform::Identity => column,
            Transform::Bucket(buckets) => format!("bucket({buckets}, {column})"),
            Transform::Truncate(width) => format!("truncate({width}, {column})"),
            other => format!("{other}({column})"),
        }
    });
    fields.collect()
}

fn quoted(name: &TableName) -> String {
    let parts = [&name.catalog, &name.schema, &name.table];
    parts.map(|part| quote_ident(part)).join(".")
}

fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
