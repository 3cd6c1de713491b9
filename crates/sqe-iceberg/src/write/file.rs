//! One Parquet file while it is written.

use std::sync::Arc;

use arrow::array::RecordBatch;
use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Struct};
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;

use super::columns::NanCounter;
use super::location::new_data_file;
use super::metrics::describe;
use super::target::Target;
use super::upload::{UPLOAD_BYTES, Upload};
use crate::{Error, ErrorKind, Result, storage};

/// A file that takes rows of one partition. Dropped before it is finished, it leaves nothing.
pub(super) struct OpenFile {
    target: Arc<Target>,
    location: String,
    partition: Struct,
    writer: AsyncArrowWriter<Upload>,
    nans: NanCounter,
}

impl OpenFile {
    pub(super) fn begin(target: &Arc<Target>, partition: Struct) -> Result<Self> {
        let directory = &target.options.data_location;
        let location = new_data_file(directory, &target.spec, &target.partition_type, &partition);
        target.files.record(&location);
        let upload = Upload::new(&target.files, &location)?;
        // Readers find columns by field id and types in the table; the schema of the writer's
        // library would only make them depend on it.
        let options = ArrowWriterOptions::new()
            .with_properties(target.options.parquet.clone())
            .with_parquet_schema(target.parquet.clone())
            .with_skip_arrow_metadata(true);
        let arrow = Arc::clone(&target.arrow);
        let writer = AsyncArrowWriter::try_new_with_options(upload, arrow, options)
            .map_err(|error| write_error(&location, error))?;
        let nans = target.nans.clone();
        Ok(Self { target: Arc::clone(target), location, partition, writer, nans })
    }

    /// Encodes rows of the target's Arrow schema.
    pub(super) async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.nans.count(rows)?;
        self.writer.write(rows).await.map_err(|error| write_error(&self.location, error))
    }

    /// Bytes of memory that are held until the file is finished; an upper bound.
    pub(super) fn memory_bytes(&self) -> usize {
        self.writer.memory_size() + self.writer.bytes_written().min(UPLOAD_BYTES)
    }

    /// The size of the file if it were finished now; an estimate.
    pub(super) fn encoded_bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    /// Writes what is left and describes the file.
    pub(super) async fn finish(self) -> Result<DataFile> {
        let Self { target, location, partition, mut writer, nans } = self;
        let files = target.files.clone();
        let step = async move {
            let parquet = writer.finish().await.map_err(|error| write_error(&location, error))?;
            // Now, while others are still being written, and not all at once at the end.
            target.files.sync(&location).await?;
            let mut file = DataFileBuilder::default();
            file.content(DataContentType::Data)
                .file_path(location)
                .file_format(DataFileFormat::Parquet)
                .partition(partition)
                .partition_spec_id(target.spec.spec_id())
                .file_size_in_bytes(writer.bytes_written() as u64);
            describe(&mut file, &target.options.leaves, &parquet, &nans.counts())?;
            file.build().map_err(|error| {
                Error::new(ErrorKind::Internal, "description of a data file").with_source(error)
            })
        };
        files.finish(step).await
    }
}

fn write_error(location: &str, error: ParquetError) -> Error {
    let kind = match crate::error::is_storage_full(&error) {
        true => ErrorKind::ResourceExhausted,
        false => storage::kind_below(&error).unwrap_or(ErrorKind::Unavailable),
    };
    Error::new(kind, format!("failed to write {location}")).with_source(error)
}
