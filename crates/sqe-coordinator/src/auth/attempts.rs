//! Wrong logins are counted by name and address and, more generously, by address alone; after too
//! many of them nobody is asked any more for a while.
//!
//! A login takes a place before anybody is asked, and a right one gives it back: many guesses at
//! once are no more than one after the other. Who finds all places taken waits for the answers.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqe_engine::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(60);
/// Many users may share the address of a proxy: it may be wrong so many times as often as a name.
const NAMES_OF_AN_ADDRESS: usize = 20;
/// Whoever invents names makes the oldest be forgotten, but not the count of their address.
const MAX_ENTRIES: usize = 100_000;

/// The wrong logins of the last minute.
#[derive(Debug)]
pub(super) struct Attempts {
    names: Table<(Arc<str>, Option<IpAddr>)>,
    addresses: Table<IpAddr>,
}

impl Attempts {
    pub(super) fn new(per_minute: u32) -> Self {
        let limit = usize::try_from(per_minute).unwrap_or(usize::MAX);
        Self {
            names: Table::new(limit),
            addresses: Table::new(limit.saturating_mul(NAMES_OF_AN_ADDRESS)),
        }
    }

    /// One login of `user`. It is wrong until it is known to be none.
    /// Errors: `ResourceExhausted` where the user or the address was wrong too often.
    pub(super) async fn begin(&self, user: &str, address: Option<IpAddr>) -> Result<Attempt> {
        let network = address.map(network);
        let mut places = vec![self.names.take((user.to_lowercase().into(), network)).await?];
        if let Some(network) = network {
            places.push(self.addresses.take(network).await?);
        }
        Ok(Attempt { places })
    }
}

/// A login that nobody has answered yet. Dropped, it was wrong.
#[derive(Debug)]
pub(super) struct Attempt {
    places: Vec<Place>,
}

impl Attempt {
    /// The login was not wrong.
    pub(super) fn excuse(mut self) {
        self.places.clear();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.places.drain(..).for_each(Place::spend);
    }
}

/// Dropped, it is free again.
#[derive(Debug)]
struct Place {
    window: Arc<Window>,
    permit: OwnedSemaphorePermit,
}

impl Place {
    fn spend(self) {
        self.permit.forget();
        let spent = self.window.spent.fetch_add(1, Ordering::Relaxed) + 1;
        if spent >= self.window.limit {
            self.window.places.close();
        }
    }
}

/// The logins that may be wrong within a minute.
#[derive(Debug)]
struct Window {
    limit: usize,
    /// Closed when all are spent.
    places: Arc<Semaphore>,
    spent: AtomicUsize,
}

/// A window for each key that tried in the last minute.
#[derive(Debug)]
struct Table<K> {
    limit: usize,
    windows: Mutex<Windows<K>>,
}

#[derive(Debug)]
struct Windows<K> {
    by_key: HashMap<K, Arc<Window>>,
    /// Every key once, the oldest first.
    begun: VecDeque<(Instant, K)>,
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        let windows = Windows { by_key: HashMap::new(), begun: VecDeque::new() };
        Self { limit, windows: Mutex::new(windows) }
    }

    async fn take(&self, key: K) -> Result<Place> {
        let window = self.window(key, Instant::now());
        let Ok(permit) = Arc::clone(&window.places).acquire_owned().await else {
            let message = format!("{} logins in a minute were wrong", self.limit);
            return Err(Error::new(ErrorKind::ResourceExhausted, message)
                .with_hint("wait for a minute and try again"));
        };
        Ok(Place { window, permit })
    }

    fn window(&self, key: K, now: Instant) -> Arc<Window> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let Windows { by_key, begun } = &mut *windows;
        let is_over = |since: Instant| now.duration_since(since) >= WINDOW;
        while let Some((_, old)) = begun.pop_front_if(|(since, _)| is_over(*since)) {
            by_key.remove(&old);
        }
        if let Some(window) = by_key.get(&key) {
            return Arc::clone(window);
        }
        if by_key.len() >= MAX_ENTRIES
            && let Some((_, oldest)) = begun.pop_front()
        {
            by_key.remove(&oldest);
        }
        let window = Arc::new(Window {
            limit: self.limit,
            places: Arc::new(Semaphore::new(self.limit)),
            spent: AtomicUsize::new(0),
        });
        begun.push_back((now, key.clone()));
        by_key.insert(key, Arc::clone(&window));
        window
    }
}

/// The address of a client, or of its network where clients have many addresses each.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V6(Ipv6Addr::LOCALHOST));

    /// The outcome of a login that needs not wait.
    fn begin(attempts: &Attempts, user: &str, address: Option<IpAddr>) -> Result<Attempt> {
        attempts.begin(user, address).now_or_never().expect("a login waits")
    }

    fn is_refused(attempts: &Attempts, user: &str, address: Option<IpAddr>) -> bool {
        match begin(attempts, user, address) {
            Ok(attempt) => {
                attempt.excuse();
                false
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::ResourceExhausted);
                true
            }
        }
    }

    #[test]
    fn too_many_wrong_logins_of_a_name_are_stopped() {
        let attempts = Attempts::new(2);
        for _ in 0..3 {
            begin(&attempts, "ada", HERE).unwrap().excuse();
        }
        drop(begin(&attempts, "ada", HERE).unwrap());
        assert!(!is_refused(&attempts, "ADA", HERE));
        drop(begin(&attempts, "Ada", HERE).unwrap());
        assert!(is_refused(&attempts, "ada", HERE));
        assert!(!is_refused(&attempts, "bob", HERE));
        assert!(!is_refused(&attempts, "ada", Some([192, 0, 2, 1].into())));
    }

    #[test]
    fn a_window_lasts_a_minute() {
        let (table, now) = (Table::new(1), Instant::now());
        let first = table.window("ada", now);
        let same = table.window("ada", now + WINDOW / 2);
        assert!(Arc::ptr_eq(&first, &same));
        let next = table.window("ada", now + WINDOW);
        assert!(!Arc::ptr_eq(&first, &next));
    }

    #[tokio::test]
    async fn many_guesses_at_once_are_no_more_than_one_after_the_other() {
        let attempts = Attempts::new(2);
        let first = begin(&attempts, "ada", None).unwrap();
        let second = begin(&attempts, "ada", None).unwrap();
        let mut third = Box::pin(attempts.begin("ada", None));
        let mut fourth = Box::pin(attempts.begin("ada", None));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(fourth.as_mut().now_or_never().is_none());
        // A right one lets the next one in, wrong ones stop all others.
        first.excuse();
        drop(third.await.unwrap());
        drop(second);
        assert_eq!(fourth.await.unwrap_err().kind, ErrorKind::ResourceExhausted);
    }

    #[test]
    fn invented_names_are_stopped_by_their_address() {
        let attempts = Attempts::new(1);
        let address = |last: u16| Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into());
        for n in 0..NAMES_OF_AN_ADDRESS {
            drop(begin(&attempts, &format!("user{n}"), address(1)).unwrap());
        }
        assert!(is_refused(&attempts, "ada", address(1)));
        assert!(is_refused(&attempts, "ada", address(2)), "an address of the same network");
        assert!(!is_refused(&attempts, "ada", HERE));
    }

    #[test]
    fn a_full_table_forgets_the_oldest_and_counts_on() {
        let attempts = Attempts::new(1);
        for n in 0..=MAX_ENTRIES {
            drop(begin(&attempts, &format!("user{n}"), None).unwrap());
        }
        assert!(is_refused(&attempts, "user1", None));
        assert!(is_refused(&attempts, &format!("user{MAX_ENTRIES}"), None));
        assert!(!is_refused(&attempts, "user0", None));
    }
}
