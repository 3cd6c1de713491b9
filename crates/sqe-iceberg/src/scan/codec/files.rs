//! What Iceberg knows of the files of a scan.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion_datasource::file_groups::FileGroup;
use datafusion_datasource::file_scan_config::FileScanConfig;
use datafusion_proto::protobuf;
use prost::Message;

use super::config::map_files;
use super::required;
use crate::scan::ScanFile;

/// The files of a scan, each once however many ranges of it are read.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FilesMessage {
    /// The columns of the table with the ids of all their fields.
    #[prost(message, optional, tag = "1")]
    table: Option<protobuf::Schema>,
    #[prost(message, repeated, tag = "2")]
    files: Vec<FileMessage>,
    /// For each file of the groups, in their order, its place in `files`.
    #[prost(uint32, repeated, tag = "3")]
    places: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct FileMessage {
    #[prost(string, tag = "1")]
    location: String,
    #[prost(int64, repeated, tag = "2")]
    split_offsets: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    constants: Vec<ConstantMessage>,
    #[prost(int32, repeated, tag = "4")]
    may_be_nan: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct ConstantMessage {
    #[prost(int32, tag = "1")]
    field_id: i32,
    #[prost(message, optional, tag = "2")]
    value: Option<protobuf::ScalarValue>,
}

impl FilesMessage {
    /// Errors: internal for a file without its Iceberg part, or of another table than the first.
    pub(super) fn new(config: &FileScanConfig) -> Result<Self> {
        let mut message = Self::default();
        let mut table: Option<&Arc<Schema>> = None;
        let mut known = HashMap::new();
        for file in config.file_groups.iter().flat_map(FileGroup::iter) {
            let Some(file) = file.extension::<Arc<ScanFile>>() else {
                return internal_err!("{} has no Iceberg part", file.object_meta.location);
            };
            match table {
                None => table = Some(&file.table),
                Some(table) if Arc::ptr_eq(table, &file.table) || *table == file.table => {}
                Some(_) => return internal_err!("a scan has files of two tables"),
            }
            let place = match known.get(&Arc::as_ptr(file)) {
                Some(place) => *place,
                None => {
                    let place = u32::try_from(message.files.len());
                    let place = place.map_err(|error| internal_datafusion_err!("{error}"))?;
                    known.insert(Arc::as_ptr(file), place);
                    message.files.push(FileMessage::of(file)?);
                    place
                }
            };
            message.places.push(place);
        }
        message.table = table.map(|table| table.as_ref().try_into()).transpose()?;
        Ok(message)
    }

    /// Hangs each part on its file. Errors: internal where there are more files than parts.
    pub(super) fn attach(self, config: &mut FileScanConfig) -> Result<()> {
        let table: Schema = match &self.table {
            Some(table) => table.try_into()?,
            None => Schema::empty(),
        };
        let table = Arc::new(table);
        let files = self.files.into_iter().map(|file| file.scan_file(&table).map(Arc::new));
        let files = files.collect::<Result<Vec<_>>>()?;
        let mut places = self.places.into_iter();
        map_files(config, |file| {
            let scan_file = required(files.get(required(places.next())? as usize))?;
            Ok(file.with_extension(Arc::clone(scan_file)))
        })
    }
}

impl FileMessage {
    fn of(file: &ScanFile) -> Result<Self> {
        let constants = file.constants.iter().map(|(field_id, value)| {
            Ok(ConstantMessage { field_id: *field_id, value: Some(value.try_into()?) })
        });
        Ok(Self {
            location: file.location.clone(),
            split_offsets: file.split_offsets.to_vec(),
            constants: constants.collect::<Result<_>>()?,
            may_be_nan: file.may_be_nan.to_vec(),
        })
    }

    fn scan_file(self, table: &Arc<Schema>) -> Result<ScanFile> {
        let constants = self.constants.iter().map(|constant| {
            let value = required(constant.value.as_ref())?;
            Ok((constant.field_id, value.try_into()?))
        });
        Ok(ScanFile {
            location: self.location,
            table: Arc::clone(table),
            split_offsets: self.split_offsets.into(),
            constants: constants.collect::<Result<_>>()?,
            may_be_nan: self.may_be_nan.into(),
        })
    }
}
