//! What is counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder,
};

use super::fake::{FakeS3, Reply};
use super::table;

/// Counters by name and values of labels.
#[derive(Default)]
struct Counted(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Counted {
    fn get(&self) -> Vec<(String, u64)> {
        let counted = self.0.lock().unwrap();
        let values =
            counted.iter().map(|(key, value)| (key.clone(), value.load(Ordering::Relaxed)));
        values.collect()
    }
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let values: Vec<&str> = key.labels().map(|label| label.value()).collect();
        let name = format!("{} {}", key.name(), values.join(" "));
        Counter::from_arc(Arc::clone(self.0.lock().unwrap().entry(name).or_default()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn requests_and_bytes_are_counted() {
    let counted = Counted::default();
    let _recording = set_default_local_recorder(&counted);
    let fake = FakeS3::start().await;
    let (storage, _) = table(&fake);
    let (old, slow) = (Reply::Error(403, "ExpiredToken"), Reply::Error(503, "SlowDown"));
    fake.will([old, slow, Reply::Content, Reply::Success("")]);
    storage.read("s3://b/t/f").await.unwrap();
    storage.write("s3://b/t/f", Bytes::from_static(b"12345")).await.unwrap();
    let expected = [
        ("sqe_storage_bytes_total read", 100),
        ("sqe_storage_bytes_total write", 5),
        ("sqe_storage_key_renewals_total ok", 1),
        ("sqe_storage_requests_total get denied", 1),
        ("sqe_storage_requests_total get ok", 1),
        ("sqe_storage_requests_total get throttled", 1),
        ("sqe_storage_requests_total put ok", 1),
    ];
    assert_eq!(counted.get(), expected.map(|(name, value)| (name.to_owned(), value)));
}
