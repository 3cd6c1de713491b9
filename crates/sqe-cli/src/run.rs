//! Runs statements one after the other and prints their results, up to the first error.

use std::io::Write as _;
use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow_flight::sql::ProstMessageExt;
use arrow_flight::{FlightInfo, IpcMessage};
use futures::TryStreamExt;

use crate::error::{Error, Result};
use crate::format::{Format, count_rows};
use crate::output::Output;
use crate::session::Session;
use crate::split::split;

/// A text of statements.
pub(crate) struct Script {
    /// Name of the file it was read from.
    pub(crate) file: Option<String>,
    pub(crate) text: String,
}

pub(crate) struct Runner {
    pub(crate) session: Session,
    pub(crate) output: Output,
    pub(crate) format: Format,
}

impl Runner {
    /// Runs the statements of `script`; an error knows its place in it.
    pub(crate) async fn script(&mut self, script: &Script) -> Result<()> {
        for statement in split(&script.text).statements {
            let result = match self.session.query(statement.text).await {
                Ok(info) => self.show(info).await,
                Err(error) => Err(error),
            };
            let file = script.file.as_deref();
            result.map_err(|error| error.locate(file, &script.text, &statement))?;
        }
        Ok(())
    }

    /// Runs a Flight SQL metadata command.
    pub(crate) async fn command(&mut self, command: impl ProstMessageExt) -> Result<()> {
        let info = self.session.start(command).await?;
        self.show(info).await
    }

    async fn show(&mut self, info: FlightInfo) -> Result<()> {
        let result = self.print(info).await;
        // A failed write explains an error of the format, which only saw its text.
        self.output.finish()?;
        result
    }

    async fn print(&mut self, info: FlightInfo) -> Result<()> {
        let schema = Schema::try_from(IpcMessage(info.schema))
            .map_err(|error| Error::Transport(format!("schema of the result: {error}")))?;
        if schema.fields().is_empty() && info.endpoint.is_empty() {
            return self.print_affected(info.total_records);
        }
        let mut writer =
            self.format.open(&Arc::new(schema), &mut self.output).map_err(Error::Format)?;
        for endpoint in info.endpoint {
            let mut batches = self.session.fetch(endpoint).await?;
            while let Some(batch) = batches.try_next().await? {
                writer.write(&batch).map_err(Error::Format)?;
            }
        }
        writer.finish().map_err(Error::Format)
    }

    /// Says that a statement without rows is done; `rows` is negative if the server does not count.
    fn print_affected(&mut self, rows: i64) -> Result<()> {
        let text = match u64::try_from(rows) {
            Ok(rows) => format!("({} affected)", count_rows(rows)),
            Err(_) => "OK".to_owned(),
        };
        if self.format.is_data() {
            eprintln!("{text}");
            return Ok(());
        }
        writeln!(self.output, "{text}").map_err(Error::Write)
    }
}
