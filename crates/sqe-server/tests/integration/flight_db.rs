//! sqllogictest over Flight SQL, as any client would speak it.

use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use async_trait::async_trait;
use futures::TryStreamExt;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use tonic::transport::Channel;

/// One connection.
pub(crate) struct FlightDb {
    client: FlightSqlServiceClient<Channel>,
}

/// What a statement failed with, as the client shows it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DbError(String);

impl From<arrow::error::ArrowError> for DbError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self(error.to_string())
    }
}

impl From<FlightError> for DbError {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Tonic(status) => Self(status.message().to_owned()),
            other => Self(other.to_string()),
        }
    }
}

impl FlightDb {
    /// Logs in as `user`.
    pub(crate) async fn connect(address: &str, user: &str) -> Self {
        let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
        Self::log_in(endpoint.connect().await.unwrap(), user).await
    }

    /// Logs in as `user` over a channel that is there.
    pub(crate) async fn log_in(channel: Channel, user: &str) -> Self {
        let mut client = FlightSqlServiceClient::new(channel);
        client.handshake(user, "").await.unwrap();
        Self { client }
    }

    /// The rows of a query as text.
    pub(crate) async fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        match self.execute(sql).await.unwrap() {
            DBOutput::Rows { rows, .. } => rows,
            _ => panic!("{sql} answers no rows"),
        }
    }

    /// What a statement fails with.
    pub(crate) async fn error(&mut self, sql: &str) -> String {
        match self.execute(sql).await {
            Ok(_) => panic!("{sql} does not fail"),
            Err(error) => error.to_string(),
        }
    }

    pub(crate) async fn execute(
        &mut self,
        sql: &str,
    ) -> Result<DBOutput<DefaultColumnType>, DbError> {
        let info = self.client.execute(sql.to_owned(), None).await?;
        if info.endpoint.is_empty() {
            let rows = u64::try_from(info.total_records).unwrap_or(0);
            return Ok(DBOutput::StatementComplete(rows));
        }
        let schema = info.clone().try_decode_schema()?;
        let mut rows = Vec::new();
        for endpoint in info.endpoint {
            let ticket = endpoint.ticket.ok_or_else(|| DbError("no ticket".into()))?;
            let batches: Vec<RecordBatch> = self.client.do_get(ticket).await?.try_collect().await?;
            for batch in batches {
                assert_eq!(batch.schema().fields(), schema.fields(), "announced and sent schema");
                rows.extend(text_rows(&batch)?);
            }
        }
        let types = schema.fields().iter().map(|field| column_type(field.data_type()));
        Ok(DBOutput::Rows { types: types.collect(), rows })
    }
}

#[async_trait]
impl AsyncDB for FlightDb {
    type Error = DbError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DbError> {
        self.execute(sql).await
    }

    async fn shutdown(&mut self) {
        // The server ends the session by itself when the connection is gone.
        let _ = self.client.close().await;
    }

    fn engine_name(&self) -> &str {
        "sqe"
    }

    async fn sleep(duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        integer if integer.is_integer() => DefaultColumnType::Integer,
        DataType::Float32 | DataType::Float64 => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    }
}

fn text_rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>, DbError> {
    let columns: Vec<Vec<String>> =
        batch.columns().iter().map(text_column).collect::<Result<_, _>>()?;
    Ok((0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column[row].clone()).collect())
        .collect())
}

fn text_column(column: &ArrayRef) -> Result<Vec<String>, DbError> {
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let text = |row: usize| {
        if column.is_null(row) {
            return "NULL".to_owned();
        }
        match column.data_type() {
            // The shortest digits that say the value, the same on every machine.
            DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
            DataType::Float32 => column.as_primitive::<Float32Type>().value(row).to_string(),
            _ => match formatter.value(row).to_string() {
                empty if empty.is_empty() => "(empty)".to_owned(),
                // A row of a file is one line.
                text => text.replace('\n', "\\n"),
            },
        }
    };
    Ok((0..column.len()).map(text).collect())
}
