//! The time a client gives a call, in its `grpc-timeout` header.

use std::future::Future;
use std::time::Duration;

use sqe_engine::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};
use tonic::metadata::MetadataMap;

/// The transport enforces the header too, until a response begins, but calls it `CANCELLED`. Being
/// a little earlier lets the right code win.
const HEAD_START: Duration = Duration::from_millis(3);

/// When a call must be over, if ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// The deadline of a call that begins now.
    pub(crate) fn of(headers: &MetadataMap) -> Self {
        let header = headers.get("grpc-timeout");
        let timeout = header.and_then(|value| parse(value.to_str().ok()?));
        Self(
            timeout
                .and_then(|timeout| Instant::now().checked_add(timeout.saturating_sub(HEAD_START))),
        )
    }

    /// The result of `work`, or `DeadlineExceeded` with `work` dropped.
    pub(crate) async fn enforce<T>(self, work: impl Future<Output = T>) -> Result<T> {
        let Some(at) = self.0 else {
            return Ok(work.await);
        };
        timeout_at(at, work).await.map_err(|_| {
            let message = "the client's time limit for this call is over";
            Error::new(ErrorKind::DeadlineExceeded, message)
        })
    }
}

/// At most eight digits and a unit, as the gRPC specification says; anything else is no limit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_parsed_in_all_units() {
        let check = |text, millis| assert_eq!(parse(text), Some(Duration::from_millis(millis)));
        check("2H", 7_200_000);
        check("2M", 120_000);
        check("30S", 30_000);
        check("15m", 15);
        check("4000u", 4);
        check("99000000n", 99);
        for text in ["", "S", "12", "-1S", "+1S", "123456789S", "1é", "1.5S"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn work_ends_at_the_deadline() {
        let mut headers = MetadataMap::new();
        headers.insert("grpc-timeout", "5m".parse().unwrap());
        let deadline = Deadline::of(&headers);
        assert_eq!(deadline.enforce(async { 1 }).await.unwrap(), 1);
        let late = deadline.enforce(std::future::pending::<()>()).await;
        assert_eq!(late.unwrap_err().kind, ErrorKind::DeadlineExceeded);
    }
}
