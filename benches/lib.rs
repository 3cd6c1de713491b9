//! How the benches of this package measure and report; what they measure is in their own files.

use std::hint::black_box;
use std::time::Instant;

/// The nanoseconds one of `items` takes in the best of `rounds` runs of `work`.
///
/// The best one is the least disturbed by whatever else the machine does.
pub fn best_nanos_per_item<T>(items: usize, rounds: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        black_box(work());
        best = best.min(start.elapsed().as_secs_f64());
    }
    best * 1e9 / items as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_best_round_counts() {
        let mut pauses = [30, 2, 30].into_iter();
        let work = || std::thread::sleep(Duration::from_millis(pauses.next().unwrap_or_default()));
        let nanos = best_nanos_per_item(2, 3, work);
        assert!((1e6..15e6).contains(&nanos), "{nanos}");
    }
}
