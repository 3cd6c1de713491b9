//! Scans as bytes, for plans that travel to other nodes.
//!
//! [`config`] has what every file scan has, [`parquet`] the Parquet reader, [`files`] what Iceberg
//! knows of each file. The bytes name the storage by its number only, and hold no keys; the node
//! that reads them has the storage in its session already, see [`Storages`](crate::storage::Storages).

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_datasource::source::DataSourceExec;
use datafusion_proto::physical_plan::{
    PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};
use prost::Message;

use self::config::FileScanMessage;
use self::files::FilesMessage;
use self::parquet::ParquetMessage;
use super::source::{IcebergParquetSource, parquet_source};
use crate::storage::Storage;

pub mod config;
mod files;
pub mod parquet;

/// Scans of Iceberg tables to bytes and back.
///
/// What it reads runs in the session of the context that it is given: the storages come from
/// there, and so does the cache of footers.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanCodec;

/// What encodes the expressions of a plan.
#[derive(Clone, Copy)]
pub struct Encoding<'a> {
    /// The codec that was asked.
    pub codec: &'a dyn PhysicalExtensionCodec,
    /// The converter that it was given, which keeps expressions that are shared the same.
    pub converter: &'a dyn PhysicalProtoConverterExtension,
}

/// What decodes the expressions of a plan, and the session that it will run in.
#[derive(Clone, Copy)]
pub struct Decoding<'a> {
    /// The codec that was asked.
    pub codec: &'a dyn PhysicalExtensionCodec,
    /// The converter that it was given.
    pub converter: &'a dyn PhysicalProtoConverterExtension,
    /// The session.
    pub session: &'a TaskContext,
}

impl<'a> Decoding<'a> {
    fn context(&self) -> PhysicalPlanDecodeContext<'a> {
        PhysicalPlanDecodeContext::new(self.session, self.codec)
    }
}

/// The part of a message that must be there. Errors: internal where it is not.
fn required<T>(part: Option<T>) -> Result<T> {
    part.ok_or_else(|| internal_datafusion_err!("a part of an encoded scan is missing"))
}

#[derive(Clone, PartialEq, Message)]
struct ScanMessage {
    #[prost(message, optional, tag = "1")]
    config: Option<FileScanMessage>,
    #[prost(message, optional, tag = "2")]
    parquet: Option<ParquetMessage>,
    #[prost(message, optional, tag = "3")]
    files: Option<FilesMessage>,
}

impl PhysicalExtensionCodec for ScanCodec {
    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let scan = node.downcast_ref::<DataSourceExec>();
        let Some((config, source)) =
            scan.and_then(DataSourceExec::downcast_to_file_source::<IcebergParquetSource>)
        else {
            return internal_err!("{} is not a scan of an Iceberg table", node.name());
        };
        let encoding = Encoding { codec: self, converter };
        let (storage, sort_order) = (source.storage(), source.sort_order());
        let message = ScanMessage {
            config: Some(FileScanMessage::new(config, storage, sort_order, encoding)?),
            parquet: Some(ParquetMessage::new(source.parquet()?, sort_order, encoding)?),
            files: Some(FilesMessage::new(config)?),
        };
        message.encode(buf).map_err(|error| internal_datafusion_err!("{error}"))
    }

    fn try_decode(
        &self,
        buf: &[u8],
        _inputs: &[Arc<dyn ExecutionPlan>],
        session: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let message = ScanMessage::decode(buf)
            .map_err(|error| internal_datafusion_err!("a scan does not decode: {error}"))?;
        let decoding = Decoding { codec: self, converter, session };
        let (config, parquet) = (required(message.config)?, required(message.parquet)?);
        let (schema, storage) = (config.table_schema()?, config.storage(session)?);
        let plain = parquet_source(schema, parquet.options()?, &storage, &session.runtime_env());
        let plain = parquet.with_predicate(plain, decoding)?;
        let source = IcebergParquetSource::new(plain, storage);
        let mut config = config.config(Arc::new(source), decoding)?;
        parquet.replay_sort(&mut config, decoding)?;
        required(message.files)?.attach(&mut config)?;
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// The storages that the scans of Iceberg tables in `plan` read from, each once.
pub fn storages_of(plan: &Arc<dyn ExecutionPlan>) -> Vec<Storage> {
    let mut storages: Vec<Storage> = Vec::new();
    let walked = plan.apply(|node| {
        let scan = node.downcast_ref::<DataSourceExec>();
        let scan = scan.and_then(DataSourceExec::downcast_to_file_source::<IcebergParquetSource>);
        if let Some((_, source)) = scan {
            let storage = source.storage();
            if storages.iter().all(|known| known.id() != storage.id()) {
                storages.push(storage.clone());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // Nothing that is done at a node fails.
    debug_assert!(walked.is_ok());
    storages
}
