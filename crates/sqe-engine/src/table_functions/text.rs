//! The file source of text formats, CSV and JSON: decodes on a thread per file and says which file
//! an error is about.
//!
//! DataFusion's own sources are not used because they lose what this one keeps: the CSV source
//! ignores which texts stand for NULL; the JSON source refuses arrays that it wants to cut, and
//! takes one that has no end for a short one; both end after the first frame of a compressed stream.

use std::{fmt, io::Read, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef, error::ArrowError};
use datafusion::{
    common::tree_node::TreeNodeRecursion,
    error::Result,
    physical_expr::{PhysicalExpr, projection::ProjectionExprs},
    physical_plan::{
        DisplayFormatType, apply_expression_roots, metrics::ExecutionPlanMetricsSet,
        stream::RecordBatchReceiverStreamBuilder,
    },
};
use datafusion_datasource::{
    PartitionedFile, TableSchema,
    boundary_stream::AlignedBoundaryStream,
    file::FileSource,
    file_compression_type::FileCompressionType,
    file_scan_config::FileScanConfig,
    file_stream::{FileOpenFuture, FileOpener},
    projection::{ProjectionOpener, SplitProjection},
};
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::ObjectStore;
use sqe_iceberg::storage::Storage;

use super::{
    blocking,
    codec::FormatMessage,
    fault::{shown_path, unreadable},
};
use crate::{Error, ErrorKind, table_functions::options::Options};

/// Batches that wait for whoever reads them.
const BATCHES_AHEAD: usize = 2;

/// Batches of a file, decoded one by one.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// A file, or a part of it, to decode.
pub(super) struct Input {
    /// Decompressed.
    pub(super) reader: Box<dyn Read + Send>,
    /// Whether the reader begins where the file does.
    pub(super) at_start: bool,
    /// The columns of the file.
    pub(super) schema: SchemaRef,
    /// Those that are read, by their place in `schema`.
    pub(super) projection: Vec<usize>,
    pub(super) batch_size: usize,
}

/// A format of text files.
pub(super) trait TextFormat: fmt::Debug + Send + Sync + 'static {
    /// Its name in plans.
    fn name(&self) -> &'static str;

    /// Whether every line break ends a record, so that a file can be cut at any of them.
    fn splits_at_lines(&self) -> bool;

    /// All that another node needs to read it.
    fn message(&self) -> FormatMessage;

    /// The projected columns of the input's records.
    fn decode(&self, input: Input) -> Result<Batches, ArrowError>;
}

/// How files are compressed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Compression {
    /// By the end of each file's name.
    Auto,
    Always(FileCompressionType),
}

impl Compression {
    const CHOICES: [(&str, Self); 7] = [
        ("auto", Self::Auto),
        ("none", Self::Always(FileCompressionType::UNCOMPRESSED)),
        ("uncompressed", Self::Always(FileCompressionType::UNCOMPRESSED)),
        ("gzip", Self::Always(FileCompressionType::GZIP)),
        ("zstd", Self::Always(FileCompressionType::ZSTD)),
        ("bzip2", Self::Always(FileCompressionType::BZIP2)),
        ("xz", Self::Always(FileCompressionType::XZ)),
    ];

    /// Its option.
    pub(super) fn of(options: &Options<'_>) -> crate::Result<Self> {
        Ok(options.choice("compression", &Self::CHOICES)?.unwrap_or(Self::Auto))
    }

    /// A name that the option has for it.
    pub(super) fn name(self) -> &'static str {
        let choice = Self::CHOICES.iter().find(|(_, choice)| *choice == self);
        choice.map_or("auto", |(name, _)| name)
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::CHOICES.iter().find(|(known, _)| *known == name).map(|(_, choice)| *choice)
    }

    /// That of a file.
    pub(super) fn of_file(self, path: &str) -> FileCompressionType {
        let Self::Auto = self else {
            let Self::Always(compression) = self else { return FileCompressionType::UNCOMPRESSED };
            return compression;
        };
        match path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("gz" | "gzip") => FileCompressionType::GZIP,
            Some("zst" | "zstd") => FileCompressionType::ZSTD,
            Some("bz2") => FileCompressionType::BZIP2,
            Some("xz") => FileCompressionType::XZ,
            _ => FileCompressionType::UNCOMPRESSED,
        }
    }
}

/// Reads files of a text format, of its own storage.
#[derive(Clone)]
pub(super) struct TextSource {
    format: Arc<dyn TextFormat>,
    compression: Compression,
    /// Whether files may be cut at line breaks.
    splits: bool,
    storage: Storage,
    table_schema: TableSchema,
    projection: SplitProjection,
    batch_size: usize,
    metrics: ExecutionPlanMetricsSet,
}

/// Whether all of `files` may be cut at line breaks.
pub(super) fn splits(
    format: &dyn TextFormat,
    compression: Compression,
    files: &[PartitionedFile],
) -> bool {
    let compressed =
        |file: &PartitionedFile| compression.of_file(file.path().as_ref()).is_compressed();
    format.splits_at_lines() && !files.iter().any(compressed)
}

impl TextSource {
    /// Reads files of `storage`, which are cut only if `splits`.
    pub(super) fn new(
        format: Arc<dyn TextFormat>,
        compression: Compression,
        splits: bool,
        table_schema: TableSchema,
        storage: Storage,
    ) -> Self {
        Self {
            splits,
            format,
            compression,
            storage,
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            batch_size: 0,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    pub(super) fn format(&self) -> &dyn TextFormat {
        &*self.format
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    pub(super) fn splits(&self) -> bool {
        self.splits
    }

    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }
}

impl FileSource for TextSource {
    fn create_file_opener(
        &self,
        _: Arc<dyn ObjectStore>,
        _base_config: &FileScanConfig,
        _partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let opener = TextOpener { source: self.clone() };
        let file_schema = self.table_schema.file_schema();
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), file_schema)
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self { batch_size, ..self.clone() })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(Self { projection, ..self.clone() })))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        self.format.name()
    }

    fn fmt_extra(&self, _format: DisplayFormatType, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    fn supports_repartitioning(&self) -> bool {
        self.splits
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.projection.source.iter(), f)
    }
}

/// Opens the files of a partition.
struct TextOpener {
    source: TextSource,
}

impl FileOpener for TextOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let source = self.source.clone();
        let store = Arc::clone(source.storage.store());
        Ok(async move {
            let meta = &file.object_meta;
            let path = shown_path(&file);
            let bytes = match &file.range {
                None => blocking::bytes(store, meta),
                Some(range) => {
                    let (start, end) = (to_u64(range.start, &path)?, to_u64(range.end, &path)?);
                    let location = meta.location.clone();
                    let size = meta.size;
                    AlignedBoundaryStream::new(store, location, start, end, size, b'\n')
                        .await
                        .map_err(|error| unreadable(&path, error))?
                        .boxed()
                }
            };
            let at_start = file.range.as_ref().is_none_or(|range| range.start == 0);
            let compression = source.compression.of_file(&path);
            let schema = Arc::clone(source.table_schema.file_schema());
            let projection = source.projection.file_indices;
            let projected = Arc::new(schema.project(&projection)?);
            let (reader, feed) = blocking::channel(bytes);
            let mut builder = RecordBatchReceiverStreamBuilder::new(projected, BATCHES_AHEAD);
            builder.spawn(feed.map(Ok));
            let sender = builder.tx();
            builder.spawn_blocking(move || {
                let reader = compression.convert_read(reader)?;
                let batch_size = source.batch_size;
                let input = Input { reader, at_start, schema, projection, batch_size };
                for batch in source.format.decode(input)? {
                    // Whoever read has all it wants.
                    if sender.blocking_send(Ok(batch?)).is_err() {
                        break;
                    }
                }
                Ok(())
            });
            let batches = builder.build();
            Ok(batches.map_err(move |error| unreadable(&path, error).into()).boxed())
        }
        .boxed())
    }
}

fn to_u64(offset: i64, path: &str) -> crate::Result<u64> {
    u64::try_from(offset).map_err(|_| {
        Error::new(ErrorKind::Internal, format!("offset {offset} of {path} is negative"))
    })
}
