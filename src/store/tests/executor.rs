//! The actors.

use std::sync::Arc;

use actix::Message;

use super::super::messages::{FlushSpend, LoadPrincipal, Ping, ReadCheckpoints, ReadTotals};
use super::super::{AnyConnection, NameCache, Pools, Query, Store, StoreError, ask};
use super::{JOURNAL, NOW_MS, batch, hash, on_each, populate, spend_row};
use crate::types::DatabaseUrl;

struct Panicking;

impl Message for Panicking {
    type Result = Result<(), StoreError>;
}

impl Query for Panicking {
    type Answer = ();

    fn run(self, conn: &mut AnyConnection, _: &mut NameCache) -> Result<(), StoreError> {
        use diesel::connection::TransactionManager;
        <AnyConnection as TransactionManager<AnyConnection>>::begin_transaction(conn)?;
        panic!("on purpose");
    }
}

#[test]
fn the_three_doors_answer() {
    on_each(|db| {
        populate(&mut db.connect(), 1);
        actix_rt::System::new().block_on(async {
            let store = Store::open(&db.url, Pools::default()).unwrap();
            for door in [&store.auth, &store.admin, &store.ledger] {
                ask(door, Ping {}).await.unwrap();
            }
            assert!(
                ask(
                    &store.auth,
                    LoadPrincipal {
                        key_hash: hash(1),
                        now_ms: NOW_MS
                    }
                )
                .await
                .unwrap()
                .is_some()
            );
            let batch = Arc::new(batch(0, [spend_row(1)]));
            let report = ask(
                &store.ledger,
                FlushSpend {
                    batch: Arc::clone(&batch),
                },
            )
            .await
            .unwrap();
            assert_eq!(report.applied, 1);
            let checkpoints = ask(
                &store.ledger,
                ReadCheckpoints {
                    journals: vec![JOURNAL],
                },
            )
            .await
            .unwrap();
            assert_eq!(checkpoints, [(JOURNAL, 0)]);
            assert!(ask(&store.admin, ReadTotals {}).await.unwrap().agree());
        });
    });
}

#[test]
fn a_panic_costs_one_query() {
    on_each(|db| {
        actix_rt::System::new().block_on(async {
            let store = Store::open(&db.url, Pools::default()).unwrap();
            for _ in 0..3 {
                let answer = ask(&store.ledger, Panicking).await;
                assert!(
                    matches!(&answer, Err(StoreError::Panicked(text)) if text == "on purpose"),
                    "{answer:?}"
                );
                // Its thread lives and the transaction it left open holds no lock.
                let batch = Arc::new(batch(0, [spend_row(1)]));
                ask(&store.ledger, FlushSpend { batch }).await.unwrap();
            }
        });
    });
}

#[test]
fn a_database_that_is_away_is_named_without_its_password() {
    let url: DatabaseUrl = "postgres://me:hunter2@127.0.0.1:1/none".parse().unwrap();
    let Err(error) = AnyConnection::open(&url) else {
        panic!("there is no server on port 1")
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(
        !error.to_string().contains("hunter2") && error.to_string().contains("127.0.0.1:1"),
        "{error}"
    );

    let url: DatabaseUrl = "sqlite:///no/such/folder/store.db".parse().unwrap();
    assert!(
        matches!(AnyConnection::open(&url), Err(StoreError::Unavailable(text)) if text.contains("/no/such/folder"))
    );
}
