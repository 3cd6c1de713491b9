//! Plans on their way to other nodes: the nodes of this engine as bytes, its scans in parts.
//!
//! [`PlanCodec`] is the one codec that a session needs beside that of the plans themselves. Each
//! source says in its own folder what it is as bytes. [`scans`] tells what the scans of a plan
//! read, and divides them among tasks.

use std::sync::Arc;

use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_datasource::source::DataSourceExec;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use prost::{Message, Oneof};
use sqe_iceberg::scan::codec::{Decoding, Encoding};
use sqe_iceberg::{IcebergParquetSource, ScanCodec};

use crate::cooperation::PacedMessage;
use crate::table_functions::codec::{ParquetFilesMessage, TextFilesMessage};
use crate::tpch::{TpchExec, TpchMessage};

mod scans;
#[cfg(test)]
pub(crate) mod tests;

pub use scans::{check_sources, split, storages_of, task_bytes};

/// The nodes of this engine to bytes and back: scans of tables, of table functions, of `tpch`, and
/// what makes joins let others run.
///
/// What it reads runs in the session of the context that it is given, whose storages are an
/// extension of the session's configuration, see [`Storages`](sqe_iceberg::storage::Storages).
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanCodec;

#[derive(Clone, PartialEq, Message)]
struct NodeMessage {
    #[prost(oneof = "Node", tags = "1, 2, 3, 4, 5")]
    node: Option<Node>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Node {
    /// What [`ScanCodec`] makes of a scan.
    #[prost(bytes = "vec", tag = "1")]
    Table(Vec<u8>),
    #[prost(message, tag = "2")]
    Parquet(Box<ParquetFilesMessage>),
    #[prost(message, tag = "3")]
    Text(Box<TextFilesMessage>),
    #[prost(message, tag = "4")]
    Tpch(TpchMessage),
    #[prost(message, tag = "5")]
    Paced(PacedMessage),
}

impl PlanCodec {
    fn node(
        self,
        node: &Arc<dyn ExecutionPlan>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Node> {
        if let Some(generated) = node.downcast_ref::<TpchExec>() {
            return Ok(Node::Tpch(TpchMessage::of(generated)?));
        }
        if let Some(message) = PacedMessage::of(node) {
            return Ok(Node::Paced(message));
        }
        let Some(scan) = node.downcast_ref::<DataSourceExec>() else {
            return internal_err!("{} cannot be sent to another node", node.name());
        };
        let encoding = Encoding { codec: &self, converter };
        if scan.downcast_to_file_source::<IcebergParquetSource>().is_some() {
            let mut bytes = Vec::new();
            ScanCodec.try_encode(Arc::clone(node), &mut bytes, converter)?;
            return Ok(Node::Table(bytes));
        }
        if let Some(message) = ParquetFilesMessage::of(scan, encoding)? {
            return Ok(Node::Parquet(Box::new(message)));
        }
        match TextFilesMessage::of(scan, encoding)? {
            Some(message) => Ok(Node::Text(Box::new(message))),
            None => internal_err!("this scan cannot be sent to another node: {scan:?}"),
        }
    }
}

impl PhysicalExtensionCodec for PlanCodec {
    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let message = NodeMessage { node: Some(self.node(&node, converter)?) };
        message.encode(buf).map_err(|error| internal_datafusion_err!("{error}"))
    }

    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        session: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let message = NodeMessage::decode(buf)
            .map_err(|error| internal_datafusion_err!("a node does not decode: {error}"))?;
        let decoding = Decoding { codec: self, converter, session };
        match message.node {
            Some(Node::Table(bytes)) => ScanCodec.try_decode(&bytes, inputs, session, converter),
            Some(Node::Parquet(message)) => message.scan(decoding),
            Some(Node::Text(message)) => message.scan(decoding),
            Some(Node::Tpch(message)) => message.exec(),
            Some(Node::Paced(message)) => message.exec(inputs),
            None => internal_err!("a node of no known kind does not decode"),
        }
    }
}
