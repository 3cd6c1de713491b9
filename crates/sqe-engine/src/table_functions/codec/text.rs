//! `read_csv` and `read_json` as bytes.

use std::sync::Arc;

use datafusion::{common::Result, physical_plan::ExecutionPlan};
use datafusion_datasource::source::DataSourceExec;
use prost::{Message, Oneof};
use sqe_iceberg::scan::codec::{Decoding, Encoding, config::FileScanMessage};

use super::super::{
    csv::CsvFormat,
    json::JsonFormat,
    text::{Compression, TextFormat, TextSource},
};
use super::{required, show_paths, shown_paths};

/// A scan of text files.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TextFilesMessage {
    #[prost(message, optional, tag = "1")]
    config: Option<FileScanMessage>,
    #[prost(string, repeated, tag = "2")]
    paths: Vec<String>,
    /// As the option of the functions names it.
    #[prost(string, tag = "3")]
    compression: String,
    #[prost(bool, tag = "4")]
    splits: bool,
    #[prost(oneof = "FormatMessage", tags = "5, 6")]
    format: Option<FormatMessage>,
}

/// A text format.
#[derive(Clone, PartialEq, Oneof)]
pub(in crate::table_functions) enum FormatMessage {
    #[prost(message, tag = "5")]
    Csv(CsvMessage),
    #[prost(message, tag = "6")]
    Json(JsonMessage),
}

/// Characters are ASCII.
#[derive(Clone, PartialEq, Message)]
pub(in crate::table_functions) struct CsvMessage {
    #[prost(uint32, tag = "1")]
    pub(in crate::table_functions) delimiter: u32,
    #[prost(uint32, tag = "2")]
    pub(in crate::table_functions) quote: u32,
    #[prost(uint32, optional, tag = "3")]
    pub(in crate::table_functions) escape: Option<u32>,
    #[prost(uint32, optional, tag = "4")]
    pub(in crate::table_functions) comment: Option<u32>,
    #[prost(string, repeated, tag = "5")]
    pub(in crate::table_functions) nulls: Vec<String>,
    #[prost(bool, tag = "6")]
    pub(in crate::table_functions) header: bool,
    #[prost(bool, tag = "7")]
    pub(in crate::table_functions) splits: bool,
}

/// A file that is said to be neither an array nor a sequence is looked at.
#[derive(Clone, PartialEq, Message)]
pub(in crate::table_functions) struct JsonMessage {
    #[prost(bool, tag = "1")]
    pub(in crate::table_functions) array: bool,
    #[prost(bool, tag = "2")]
    pub(in crate::table_functions) sequence: bool,
    #[prost(bool, tag = "3")]
    pub(in crate::table_functions) splits: bool,
}

impl TextFilesMessage {
    /// `None` for another scan.
    pub(crate) fn of(scan: &DataSourceExec, encoding: Encoding<'_>) -> Result<Option<Self>> {
        let Some((config, source)) = scan.downcast_to_file_source::<TextSource>() else {
            return Ok(None);
        };
        Ok(Some(Self {
            config: Some(FileScanMessage::new(config, source.storage(), None, encoding)?),
            paths: shown_paths(config),
            compression: source.compression().name().to_owned(),
            splits: source.splits(),
            format: Some(source.format().message()),
        }))
    }

    /// The scan, in the session of `decoding`.
    pub(crate) fn scan(self, decoding: Decoding<'_>) -> Result<Arc<dyn ExecutionPlan>> {
        let format: Arc<dyn TextFormat> = match required(self.format)? {
            FormatMessage::Csv(message) => Arc::new(CsvFormat::from_message(message)?),
            FormatMessage::Json(message) => Arc::new(JsonFormat::from_message(&message)),
        };
        let compression = required(Compression::from_name(&self.compression))?;
        let config = required(self.config)?;
        let (schema, storage) = (config.table_schema()?, config.storage(decoding.session)?);
        let source = TextSource::new(format, compression, self.splits, schema, storage);
        let mut config = config.config(Arc::new(source), decoding)?;
        show_paths(&mut config, self.paths)?;
        Ok(DataSourceExec::from_data_source(config))
    }
}
