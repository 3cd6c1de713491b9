//! Reading bytes of data files: DataFusion's reader, but for the errors of footers.
//!
//! That reader turns what fails while it reads a footer into text, so that a store which is away
//! for a moment looks like a file that is broken. Here the error stays what it is.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, ParquetFileReaderFactory,
};
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_datasource::PartitionedFile;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

/// Makes readers of the files of one table for one user. Footers are cached by the path of the
/// file in the table's store, which tells apart what must not be shared.
#[derive(Debug)]
pub(super) struct ReaderFactory {
    store: Arc<dyn ObjectStore>,
    footers: Arc<FileMetadataCache>,
    inner: CachedParquetFileReaderFactory,
}

impl ReaderFactory {
    pub(super) fn new(store: &Arc<dyn ObjectStore>, footers: Arc<FileMetadataCache>) -> Self {
        let inner = CachedParquetFileReaderFactory::new(Arc::clone(store), Arc::clone(&footers));
        Self { store: Arc::clone(store), footers, inner }
    }
}

impl ParquetFileReaderFactory for ReaderFactory {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        footer_bytes: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let meta = file.object_meta.clone();
        let inner = self.inner.create_reader(partition, file, footer_bytes, metrics)?;
        let (store, footers) = (Arc::clone(&self.store), Arc::clone(&self.footers));
        Ok(Box::new(Reader { inner, store, footers, meta, footer_bytes }))
    }
}

struct Reader {
    inner: Box<dyn AsyncFileReader + Send>,
    store: Arc<dyn ObjectStore>,
    footers: Arc<FileMetadataCache>,
    meta: ObjectMeta,
    /// So much of the end is read at first.
    footer_bytes: Option<usize>,
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        self.inner.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        self.inner.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let footer = DFParquetMetadata::new(self.store.as_ref(), &self.meta)
                .with_file_metadata_cache(Some(Arc::clone(&self.footers)))
                .with_metadata_size_hint(self.footer_bytes)
                .with_page_index_policy(options.map(ArrowReaderOptions::column_index_policy));
            let read = footer.fetch_metadata().await;
            read.map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }
}
