use std::time::Duration;

use actix::Addr;
use diesel::connection::SimpleConnection;

use super::*;
use crate::store::{AnyConnection, Pools, queries};
use crate::types::DatabaseUrl;

const SOON: Duration = Duration::from_millis(20);

fn row(good: i64, bad: i64) -> LearntRow {
    LearntRow {
        router: "r".into(),
        model_group: "g".into(),
        request_type: RequestType::ALL[0].as_str().into(),
        good,
        bad,
    }
}

fn heard(feedback: Option<Feedback>) -> Heard {
    let chosen = Chosen {
        router: "r".into(),
        group: "g".into(),
        kind: RequestType::ALL[0],
    };
    Heard {
        session: 1,
        chosen,
        feedback,
    }
}

struct Known {
    _folder: tempfile::TempDir,
    database: AnyConnection,
    learned: Arc<ArcSwap<Learned>>,
    store: Store,
}

impl Known {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("learnt.db"));
        Self {
            store: Store::open(&url, Pools::default()).unwrap(),
            database: AnyConnection::open(&url).unwrap(),
            learned: Arc::default(),
            _folder: folder,
        }
    }

    fn memory(&self, interval: Duration) -> Addr<RouteMemory> {
        let memory = RouteMemory::new(self.store.clone(), self.learned.clone());
        RouteMemory { interval, ..memory }.start()
    }

    fn written(&mut self) -> Vec<(i64, i64)> {
        let rows = queries::read_learnt(&mut self.database).unwrap();
        rows.iter().map(|row| (row.good, row.bad)).collect()
    }

    fn learned(&self) -> (f64, f64) {
        let own = self.learned.load().of("r", "g", RequestType::ALL[0]);
        (own.good, own.bad)
    }
}

async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(SOON).await;
    }
    panic!("it did not come");
}

/// What was learnt before is read as soon as that can be, and counted once.
#[actix_web::test]
async fn a_database_that_was_away_is_read_later() {
    let mut known = Known::new();
    queries::add_learnt(&mut known.database, &[row(3, 4)]).unwrap();
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    let away = rename("route_learning", "away");
    known.database.batch_execute(&away).unwrap();
    let memory = known.memory(SOON);
    memory.send(heard(None)).await.unwrap();
    memory.send(heard(Some(Feedback::Good))).await.unwrap();
    until(|| known.learned() == (1.0, 0.0)).await;
    let back = rename("away", "route_learning");
    known.database.batch_execute(&back).unwrap();
    until(|| known.learned() == (4.0, 4.0)).await;
    until(|| known.written() == [(4, 4)]).await;
    assert_eq!(known.learned(), (4.0, 4.0));
}

/// What is being written down when the process ends is waited for.
#[actix_web::test]
async fn a_flush_waits_for_the_write_under_way() {
    let mut known = Known::new();
    let memory = known.memory(EXCHANGE);
    memory.send(heard(None)).await.unwrap();
    memory.send(heard(Some(Feedback::Good))).await.unwrap();
    known.database.batch_execute("BEGIN IMMEDIATE").unwrap();
    memory.do_send(FlushLearnt);
    let second = memory.send(FlushLearnt);
    let second = actix_web::rt::spawn(second);
    tokio::time::sleep(10 * SOON).await;
    assert!(!second.is_finished());
    known.database.batch_execute("COMMIT").unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(known.written(), [(1, 0)]);
}

/// Another instance's experience is believed here, while somebody is led here.
#[actix_web::test]
async fn what_others_write_is_read() {
    let mut known = Known::new();
    let memory = known.memory(SOON);
    memory.send(heard(None)).await.unwrap();
    memory.send(heard(Some(Feedback::Good))).await.unwrap();
    until(|| known.written() == [(1, 0)]).await;
    queries::add_learnt(&mut known.database, &[row(5, 2)]).unwrap();
    memory.send(heard(None)).await.unwrap();
    until(|| known.learned() == (6.0, 2.0)).await;
    memory.send(heard(Some(Feedback::Bad))).await.unwrap();
    until(|| known.written() == [(6, 3)]).await;
    assert_eq!(known.learned(), (6.0, 3.0));
}
