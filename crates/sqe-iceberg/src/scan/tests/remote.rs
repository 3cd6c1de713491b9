//! Scans of a file in S3: whole or an error, also when keys end in between.

use datafusion::error::DataFusionError;

use super::*;
use crate::storage::tests::fake::{FakeS3, Reply};
use crate::storage::tests::{Source, check_clean, table};
use crate::{Error, ErrorKind};

/// One file of a table in S3, of one column.
struct Remote {
    fake: FakeS3,
    table: Table,
    files: Vec<Arc<DataFile>>,
    source: Arc<Source>,
}

impl Remote {
    async fn new() -> Self {
        let fields = vec![field(1, "id", PrimitiveType::Int)];
        let mut local = TestTable::new(FormatVersion::V2, fields, &[]);
        let path = local.path("f.parquet");
        write_columns(&path, vec![(1, "id", ints(&[1, 2, 3, 4]))]);
        let bytes = std::fs::read(&path).unwrap();
        let mut file = data_file("s3://b/t/f.parquet");
        file.record_count(4).file_size_in_bytes(bytes.len() as u64);
        local.append(ManifestContentType::Data, vec![file.build().unwrap()]).await;
        let cache = ManifestCache::new(1 << 20);
        let files = plan::plan_files(&local.table(), &cache, None, None).await.unwrap();
        let fake = FakeS3::start().await;
        fake.hold(bytes);
        let (storage, source) = table(&fake);
        Self { table: Table { storage, ..local.table() }, fake, files, source }
    }

    /// The sum of the column; without a hint a footer takes two requests and data one more.
    async fn sum(&self) -> Result<i64, Error> {
        let mut config = SessionConfig::new().with_target_partitions(1);
        config.options_mut().execution.parquet.metadata_size_hint = Some(8);
        let context = SessionContext::new_with_config(config);
        let ids = crate::schema::to_arrow(self.table.metadata.current_schema()).unwrap();
        let scan = Scan {
            table: &self.table,
            schema: &ids,
            ids: &ids,
            files: &self.files,
            projection: None,
            limit: None,
        };
        let plan = scan.plan(&context.state()).unwrap();
        let batches = collect(plan, context.task_ctx()).await.map_err(|error| {
            let DataFusionError::External(error) = error else { panic!("{error}") };
            *error.downcast::<Error>().unwrap()
        })?;
        let values = batches.iter().flat_map(|batch| {
            batch.column(0).as_any().downcast_ref::<Int32Array>().unwrap().values().to_vec()
        });
        Ok(values.map(i64::from).sum())
    }
}

#[tokio::test]
async fn a_scan_outlasts_its_keys() {
    let remote = Remote::new().await;
    remote.fake.always(Reply::Content);
    assert_eq!(remote.sum().await.unwrap(), 10);
    let requests = remote.fake.asked().len();
    assert!(requests > 2, "{requests}");
    for request in 0..requests {
        remote.fake.will(std::iter::repeat_n(Reply::Content, request));
        remote.fake.will([Reply::Error(403, "ExpiredToken")]);
        assert_eq!(remote.sum().await.unwrap(), 10);
        assert_eq!((remote.fake.asked().len(), remote.source.asked()), (requests + 1, request + 1));
    }
}

#[tokio::test]
async fn a_fault_in_any_request_is_the_error_of_the_scan() {
    let remote = Remote::new().await;
    remote.fake.always(Reply::Content);
    remote.sum().await.unwrap();
    let requests = remote.fake.asked().len();
    let check = async |reply: Reply, expected: ErrorKind| {
        for request in 0..requests {
            remote.fake.will(std::iter::repeat_n(Reply::Content, request));
            remote.fake.will([reply.clone()]);
            let error = remote.sum().await.unwrap_err();
            assert_eq!(error.kind(), expected, "{reply:?} in request {request}: {error}");
            assert!(error.message().contains("s3://b/t/f.parquet"), "{error}");
            check_clean(&format!("{error} {error:?}"));
        }
    };
    check(Reply::Error(403, "AccessDenied"), ErrorKind::Forbidden).await;
    check(Reply::Error(404, "NoSuchKey"), ErrorKind::Corrupt).await;
    check(Reply::Short(1), ErrorKind::BadAnswer).await;
    check(Reply::Everything, ErrorKind::BadAnswer).await;
}
