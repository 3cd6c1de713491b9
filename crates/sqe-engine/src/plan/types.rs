//! SQL types that mean something else here than to DataFusion.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::TypePlanner;
use sqlparser::ast::{DataType as SqlType, TimezoneInfo};

/// Times without a precision are of microseconds, as they are in Iceberg; a uuid is its bytes.
#[derive(Debug)]
pub(super) struct IcebergTypes {
    /// The zone of TIMESTAMP WITH TIME ZONE.
    time_zone: Option<Arc<str>>,
}

impl IcebergTypes {
    pub(super) fn new(state: &SessionState) -> Self {
        let zone = state.config_options().execution.time_zone.as_deref();
        Self { time_zone: zone.map(Arc::from) }
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
                DataType::Timestamp(TimeUnit::Microsecond, self.time_zone.clone())
            }
            SqlType::Time(None | Some(6), Zone::None | Zone::WithoutTimeZone) => {
                DataType::Time64(TimeUnit::Microsecond)
            }
            SqlType::Uuid => DataType::FixedSizeBinary(16),
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}
