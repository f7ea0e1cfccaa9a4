//! The addresses of names: asked once at a time, used for a while, and used longer while no name server answers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

/// Names kept at most.
const MOST_NAMES: usize = 1000;
/// Addresses of one name kept at most.
const MOST_ADDRESSES: usize = 16;
/// A name server that fails leaves us with what it said before for so long.
const STALE: Duration = Duration::from_secs(3600);

/// One worker's names.
pub struct Names {
    ttl: Duration,
    known: RefCell<HashMap<String, Known>>,
}

type Answer = Rc<[IpAddr]>;

struct Known {
    /// Filled by the first who asks; the others wait for it.
    asked: Rc<OnceCell<Answer>>,
    /// Since when `asked` is there.
    since: Instant,
    /// What was said before, and when.
    before: Option<(Answer, Instant)>,
}

impl Names {
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            known: RefCell::default(),
        }
    }

    /// The addresses of a name, in the system's order of preference; never empty. An address stands for itself.
    pub async fn look_up(&self, host: &str) -> io::Result<Answer> {
        if let Ok(address) = host.parse() {
            return Ok(Rc::from([address]));
        }
        let asked = self.place(host, Instant::now());
        let answer = asked.get_or_try_init(|| ask(host)).await;
        match answer {
            Ok(answer) => Ok(answer.clone()),
            Err(error) => self.instead(host, Instant::now()).ok_or(error),
        }
    }

    /// What is known of a name is wrong: nobody was there.
    pub fn forget(&self, host: &str) {
        self.known.borrow_mut().remove(host);
    }

    /// Where the answer is, or will be.
    fn place(&self, host: &str, now: Instant) -> Rc<OnceCell<Answer>> {
        let mut known = self.known.borrow_mut();
        if let Some(own) = known.get_mut(host) {
            if own.asked.initialized() && now.duration_since(own.since) > self.ttl {
                let last = own.asked.get().cloned();
                own.before = last.map(|last| (last, own.since));
                own.asked = Rc::default();
                own.since = now;
            }
            return own.asked.clone();
        }
        if known.len() >= MOST_NAMES {
            known.retain(|_, own| now.duration_since(own.since) <= self.ttl);
        }
        if known.len() >= MOST_NAMES {
            known.clear();
        }
        let asked = Rc::<OnceCell<Answer>>::default();
        let own = Known {
            asked: asked.clone(),
            since: now,
            before: None,
        };
        known.insert(host.to_owned(), own);
        asked
    }

    /// What was said before, while it is not too old.
    fn instead(&self, host: &str, now: Instant) -> Option<Answer> {
        let known = self.known.borrow();
        let (answer, since) = known.get(host)?.before.as_ref()?;
        (now.duration_since(*since) <= self.ttl + STALE).then(|| answer.clone())
    }
}

async fn ask(host: &str) -> io::Result<Answer> {
    // The port is of no importance.
    let found = tokio::net::lookup_host((host, 0)).await?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|address| address.ip()) {
        if !addresses.contains(&address) && addresses.len() < MOST_ADDRESSES {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no address"));
    }
    Ok(addresses.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_for_a_while_and_longer_in_need() {
        let names = Names::new(Duration::from_secs(60));
        let start = Instant::now();
        let first: Answer = Rc::from([IpAddr::from([192, 0, 2, 1])]);
        let place = names.place("a.test", start);
        assert!(Rc::ptr_eq(&place, &names.place("a.test", start)));
        place.set(first.clone()).unwrap();
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(names.place("a.test", later(60)).get(), Some(&first));
        assert_eq!(names.place("a.test", later(61)).get(), None);
        assert_eq!(names.instead("a.test", later(61)), Some(first.clone()));
        assert_eq!(names.instead("a.test", later(3660)), Some(first));
        assert_eq!(names.instead("a.test", later(3661)), None);
        names.forget("a.test");
        assert_eq!(names.instead("a.test", later(61)), None);
    }

    #[test]
    fn bounded() {
        let names = Names::new(Duration::from_secs(60));
        let now = Instant::now();
        for number in 0..3 * MOST_NAMES {
            names.place(&format!("{number}.test"), now);
        }
        assert!(names.known.borrow().len() <= MOST_NAMES);
    }

    #[actix_web::test]
    async fn this_machine() {
        let names = Names::new(Duration::from_secs(60));
        let found = names.look_up("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
        assert_eq!(
            *names.look_up("::1").await.unwrap(),
            [IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]
        );
        assert!(names.look_up("no-such-name.invalid").await.is_err());
    }
}
