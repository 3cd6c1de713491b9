//! `read_parquet` as bytes.

use std::sync::Arc;

use datafusion::{common::Result, physical_plan::ExecutionPlan};
use datafusion_datasource::source::DataSourceExec;
use prost::Message;
use sqe_iceberg::scan::codec::{
    Decoding, Encoding, config::FileScanMessage, parquet::ParquetMessage,
};

use super::super::parquet_source::{OwnParquetSource, parquet_source};
use super::{required, show_paths, shown_paths};

/// A scan of Parquet files that are of no table.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ParquetFilesMessage {
    #[prost(message, optional, tag = "1")]
    config: Option<FileScanMessage>,
    #[prost(message, optional, tag = "2")]
    parquet: Option<ParquetMessage>,
    #[prost(string, repeated, tag = "3")]
    paths: Vec<String>,
}

impl ParquetFilesMessage {
    /// `None` for another scan.
    pub(crate) fn of(scan: &DataSourceExec, encoding: Encoding<'_>) -> Result<Option<Self>> {
        let Some((config, source)) = scan.downcast_to_file_source::<OwnParquetSource>() else {
            return Ok(None);
        };
        let (storage, sort_order) = (source.storage(), source.sort_order());
        Ok(Some(Self {
            config: Some(FileScanMessage::new(config, storage, sort_order, encoding)?),
            parquet: Some(ParquetMessage::new(source.parquet()?, sort_order, encoding)?),
            paths: shown_paths(config),
        }))
    }

    /// The scan, in the session of `decoding`.
    pub(crate) fn scan(self, decoding: Decoding<'_>) -> Result<Arc<dyn ExecutionPlan>> {
        let (config, parquet) = (required(self.config)?, required(self.parquet)?);
        let (schema, storage) = (config.table_schema()?, config.storage(decoding.session)?);
        let runtime = decoding.session.runtime_env();
        let source = parquet_source(parquet.options()?, schema, &storage, &runtime);
        let source = parquet.with_predicate(source, decoding)?;
        let source = Arc::new(OwnParquetSource::new(source, storage));
        let mut config = config.config(source, decoding)?;
        parquet.replay_sort(&mut config, decoding)?;
        show_paths(&mut config, self.paths)?;
        Ok(DataSourceExec::from_data_source(config))
    }
}
