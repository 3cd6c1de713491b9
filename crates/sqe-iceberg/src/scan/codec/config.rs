//! The part of a file scan that does not depend on its format.
//!
//! What DataFusion's own message leaves out or cuts off is beside it: limits beyond 32 bits,
//! whether files keep their order, columns that only the reader knows, versions of files. Left out
//! on purpose are the statistics of files for columns that nothing in the scan compares: of wide
//! tables they would be most of a plan.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_expr::utils::collect_columns;
use datafusion_datasource::file::FileSource;
use datafusion_datasource::file_groups::FileGroup;
use datafusion_datasource::file_scan_config::FileScanConfig;
use datafusion_datasource::{PartitionedFile, TableSchema};
use datafusion_proto::physical_plan::from_proto::{
    parse_protobuf_file_scan_config, parse_table_schema_from_proto,
};
use datafusion_proto::physical_plan::to_proto::serialize_file_scan_config;
use datafusion_proto::protobuf;
use prost::Message;

use super::{Decoding, Encoding, required};
use crate::storage::{Storage, Storages, scan_url};

/// A file scan without what only its source knows.
#[derive(Clone, PartialEq, Message)]
pub struct FileScanMessage {
    #[prost(message, optional, tag = "1")]
    base: Option<protobuf::FileScanExecConf>,
    /// Rows that are enough.
    #[prost(uint64, optional, tag = "2")]
    limit: Option<u64>,
    #[prost(bool, tag = "3")]
    preserve_order: bool,
    /// The number of the storage.
    #[prost(uint64, tag = "4")]
    storage: u64,
    #[prost(message, optional, tag = "5")]
    virtual_columns: Option<protobuf::Schema>,
    /// One for each file in the order of the groups; none where no file has any of it.
    #[prost(message, repeated, tag = "6")]
    files: Vec<FileMessage>,
}

/// What DataFusion's message of a file leaves out.
#[derive(Clone, PartialEq, Message)]
struct FileMessage {
    #[prost(string, optional, tag = "1")]
    e_tag: Option<String>,
    #[prost(string, optional, tag = "2")]
    version: Option<String>,
    /// Bytes at the end that are read for the footer.
    #[prost(uint64, optional, tag = "3")]
    footer_bytes: Option<u64>,
}

impl FileScanMessage {
    /// The scan `config`, whose source reads from `storage`, as near to `sort_order` as it can.
    ///
    /// Errors: internal for what cannot travel, such as an expression adapter.
    pub fn new(
        config: &FileScanConfig,
        storage: &Storage,
        sort_order: Option<&LexOrdering>,
        encoding: Encoding,
    ) -> Result<Self> {
        if config.expr_adapter_factory.is_some() {
            return internal_err!("a scan with an expression adapter of its own cannot be encoded");
        }
        if config.file_compression_type.is_compressed() {
            return internal_err!("a scan with a compression of its own cannot be encoded");
        }
        let mut base = serialize_file_scan_config(config, encoding.codec, encoding.converter)?;
        // 32 bits of it, which is another limit.
        base.limit = None;
        let compared = compared_columns(config, sort_order);
        let files = base.file_groups.iter_mut().flat_map(|group| &mut group.files);
        files.for_each(|file| keep_statistics(file, &compared));
        let virtual_columns = config.file_source.table_schema().virtual_columns();
        let virtual_columns = match virtual_columns.is_empty() {
            true => None,
            false => Some((&Schema::new(virtual_columns.clone())).try_into()?),
        };
        let files = config.file_groups.iter().flat_map(FileGroup::iter).map(FileMessage::of);
        let mut files: Vec<FileMessage> = files.collect();
        if files.iter().all(|file| *file == FileMessage::default()) {
            files.clear();
        }
        Ok(Self {
            base: Some(base),
            limit: config.limit.map(|limit| limit as u64),
            preserve_order: config.preserve_order,
            storage: storage.id(),
            virtual_columns,
            files,
        })
    }

    /// The columns of the table, for which a source is to be made.
    pub fn table_schema(&self) -> Result<TableSchema> {
        let schema = parse_table_schema_from_proto(required(self.base.as_ref())?)?;
        let Some(virtual_columns) = &self.virtual_columns else { return Ok(schema) };
        let virtual_columns: Schema = virtual_columns.try_into()?;
        Ok(TableSchema::builder(Arc::clone(schema.file_schema()))
            .with_table_partition_cols(schema.table_partition_cols().clone())
            .with_virtual_columns(virtual_columns.fields)
            .build())
    }

    /// The storage of the scan. Errors: those of [`Storages::find`].
    pub fn storage(&self, session: &TaskContext) -> Result<Storage> {
        Storages::find(session, self.storage)
    }

    /// The scan with `source`, which gets the projection.
    pub fn config(self, source: Arc<dyn FileSource>, decoding: Decoding) -> Result<FileScanConfig> {
        let base = required(self.base.as_ref())?;
        let (context, converter) = (decoding.context(), decoding.converter);
        let mut config = parse_protobuf_file_scan_config(base, &context, converter, source)?;
        config.object_store_url = scan_url(&decoding.session.runtime_env())?;
        let limit = self.limit.map(usize::try_from).transpose();
        config.limit = limit.map_err(|error| internal_datafusion_err!("limit: {error}"))?;
        config.preserve_order = self.preserve_order;
        if !self.files.is_empty() {
            let mut parts = self.files.into_iter();
            map_files(&mut config, |file| required(parts.next())?.add_to(file))?;
        }
        Ok(config)
    }
}

/// By their place in the table.
fn compared_columns(config: &FileScanConfig, sort_order: Option<&LexOrdering>) -> HashSet<usize> {
    let orders = config.output_ordering.iter().chain(sort_order);
    let sorted = orders.flatten().map(|by| Arc::clone(&by.expr));
    let exprs = config.file_source.filter().into_iter().chain(sorted);
    let columns = exprs.flat_map(|expr| collect_columns(&expr));
    let schema = config.file_source.table_schema().table_schema();
    // Orders are those of the rows that come out, in which columns have other places.
    columns.filter_map(|column| schema.index_of(column.name()).ok()).collect()
}

fn keep_statistics(file: &mut protobuf::PartitionedFile, columns: &HashSet<usize>) {
    if columns.is_empty() {
        file.statistics = None;
    }
    let statistics = file.statistics.iter_mut().flat_map(|of_file| &mut of_file.column_stats);
    for (column, statistics) in statistics.enumerate() {
        if !columns.contains(&column) {
            *statistics = Default::default();
        }
    }
}

/// Puts what `change` makes of each file in its place, in the order of the groups.
pub fn map_files(
    config: &mut FileScanConfig,
    mut change: impl FnMut(PartitionedFile) -> Result<PartitionedFile>,
) -> Result<()> {
    for group in &mut config.file_groups {
        let files = std::mem::take(group).into_inner().into_iter().map(&mut change);
        *group = FileGroup::new(files.collect::<Result<_>>()?);
    }
    Ok(())
}

impl FileMessage {
    fn of(file: &PartitionedFile) -> Self {
        Self {
            e_tag: file.object_meta.e_tag.clone(),
            version: file.object_meta.version.clone(),
            footer_bytes: file.metadata_size_hint.map(|bytes| bytes as u64),
        }
    }

    fn add_to(self, mut file: PartitionedFile) -> Result<PartitionedFile> {
        file.object_meta.e_tag = self.e_tag;
        file.object_meta.version = self.version;
        file.metadata_size_hint = self.footer_bytes.and_then(|bytes| usize::try_from(bytes).ok());
        Ok(file)
    }
}
