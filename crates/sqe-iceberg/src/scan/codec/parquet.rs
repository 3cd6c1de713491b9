//! The Parquet reader of a scan.

use datafusion::common::Result;
use datafusion::common::config::TableParquetOptions;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::SortOrderPushdownResult;
use datafusion_datasource::file::FileSource;
use datafusion_datasource::file_scan_config::FileScanConfig;
use datafusion_proto::physical_plan::from_proto::parse_physical_sort_exprs;
use datafusion_proto::physical_plan::to_proto::serialize_physical_sort_exprs;
use datafusion_proto::protobuf;
use prost::Message;

use super::{Decoding, Encoding, required};

/// What the Parquet source of a scan was told: options, predicate, order.
#[derive(Clone, PartialEq, Message)]
pub struct ParquetMessage {
    /// Without the configuration of the scan.
    #[prost(message, optional, tag = "1")]
    scan: Option<protobuf::ParquetScanExecNode>,
    #[prost(message, repeated, tag = "2")]
    sort_order: Vec<protobuf::PhysicalSortExprNode>,
}

impl ParquetMessage {
    /// `sort_order`: the last one for which `source` said that it reads nearly in it.
    pub fn new(
        source: &ParquetSource,
        sort_order: Option<&LexOrdering>,
        encoding: Encoding,
    ) -> Result<Self> {
        let Encoding { codec, converter } = encoding;
        let predicate = source.filter();
        let predicate = predicate.map(|filter| converter.physical_expr_to_proto(&filter, codec));
        let scan = protobuf::ParquetScanExecNode {
            base_conf: None,
            predicate: predicate.transpose()?,
            parquet_options: Some(source.table_parquet_options().try_into()?),
        };
        let sort_order = sort_order.into_iter().flatten().cloned();
        let sort_order = serialize_physical_sort_exprs(sort_order, codec, converter)?;
        Ok(Self { scan: Some(scan), sort_order })
    }

    /// The options of the source.
    pub fn options(&self) -> Result<TableParquetOptions> {
        let scan = required(self.scan.as_ref())?;
        required(scan.parquet_options.as_ref())?.try_into()
    }

    /// `source`, which has no predicate yet, with its predicate.
    pub fn with_predicate(
        &self,
        source: ParquetSource,
        decoding: Decoding,
    ) -> Result<ParquetSource> {
        let Some(predicate) = &required(self.scan.as_ref())?.predicate else { return Ok(source) };
        let (schema, context) = (source.table_schema().table_schema(), decoding.context());
        let converter = decoding.converter;
        let predicate = converter.proto_to_physical_expr(predicate, schema, &context)?;
        Ok(source.with_predicate(predicate))
    }

    /// Asks the source of `config` once more for the order that it was asked for. Where it does not
    /// take it, the scan is slower and no less right: something above it sorts.
    pub fn replay_sort(&self, config: &mut FileScanConfig, decoding: Decoding) -> Result<()> {
        if self.sort_order.is_empty() {
            return Ok(());
        }
        let (schema, context) = (config.projected_schema()?, decoding.context());
        let converter = decoding.converter;
        let order = parse_physical_sort_exprs(&self.sort_order, &context, &schema, converter)?;
        // Files in the opposite order are those for which a source that cannot sort by a column
        // would have said the same.
        let opposite = order.iter().map(PhysicalSortExpr::reverse).collect::<Vec<_>>();
        let properties = EquivalenceProperties::new_with_orderings(schema, [opposite]);
        let answer = config.file_source.try_pushdown_sort(&order, &properties);
        if let Ok(SortOrderPushdownResult::Inexact { inner }) = answer {
            config.file_source = inner;
        }
        Ok(())
    }
}
