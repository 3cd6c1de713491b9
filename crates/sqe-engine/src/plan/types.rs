//! SQL types that mean something else here than to DataFusion.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::TypePlanner;
use sqe_iceberg::schema::uuid_metadata;
use sqlparser::ast::{DataType as SqlType, TimezoneInfo};

/// The zone in which Iceberg keeps points in time.
const ICEBERG_TIME_ZONE: &str = "UTC";

/// Times without a precision are of microseconds, as they are in Iceberg; a uuid is its bytes.
#[derive(Debug)]
pub(super) struct IcebergTypes {
    /// The zone of TIMESTAMP WITH TIME ZONE.
    time_zone: Arc<str>,
}

impl IcebergTypes {
    pub(super) fn new(state: &SessionState) -> Self {
        let zone = state.config_options().execution.time_zone.as_deref();
        Self { time_zone: Arc::from(zone.unwrap_or(ICEBERG_TIME_ZONE)) }
    }
}

impl TypePlanner for IcebergTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        use TimezoneInfo as Zone;
        let data_type = match sql_type {
            SqlType::Timestamp(None, Zone::None | Zone::WithoutTimeZone) => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            SqlType::Timestamp(None, Zone::WithTimeZone | Zone::Tz) => {
                DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.time_zone)))
            }
            SqlType::Time(None | Some(6), Zone::None | Zone::WithoutTimeZone) => {
                DataType::Time64(TimeUnit::Microsecond)
            }
            SqlType::Uuid => {
                let uuid = Field::new("", DataType::FixedSizeBinary(16), true);
                return Ok(Some(Arc::new(uuid.with_metadata(uuid_metadata()))));
            }
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}
