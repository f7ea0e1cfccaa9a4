//! A key's life after it was made: changed, listed, regenerated, deleted.

use super::super::queries::{Deletion, KeyOrder, KeyQuery, Match, load_principal};
use super::super::{
    AnyConnection, KeyChanges, KeyInfo, KeyRow, KeyUpdate, NewKey, NewTeam, Rotation, StoreError,
    TeamRow, queries,
};
use super::{NOW_MS, batch, hash, on_each, populate, spend_row};
use crate::types::{KeyHash, NanoUsd};

fn insert(conn: &mut AnyConnection, n: u32, change: impl FnOnce(&mut NewKey)) {
    let mut key = NewKey {
        row: KeyRow::new(hash(n), NOW_MS + i64::from(n)),
        models: Vec::new(),
    };
    change(&mut key);
    queries::insert_key(conn, &key).unwrap();
}

fn info(conn: &mut AnyConnection, hash: KeyHash) -> KeyInfo {
    queries::key_info(conn, hash).unwrap().unwrap()
}

fn update(changes: KeyChanges) -> KeyUpdate {
    KeyUpdate {
        changes,
        now_ms: NOW_MS,
        ..KeyUpdate::default()
    }
}

#[test]
fn a_change_writes_what_it_names_and_always_grows_the_version() {
    on_each(|db| {
        let conn = &mut db.connect();
        insert(conn, 1, |key| {
            key.row.key_alias = Some("ci".into());
            key.row.rpm_limit = Some(1);
            key.row.tpm_limit = Some(2);
            key.models = vec!["a".into()];
        });
        let before = info(conn, hash(1));
        let changes = KeyChanges {
            rpm_limit: Some(None),
            max_budget: Some(Some(NanoUsd(5))),
            blocked: Some(true),
            ..KeyChanges::default()
        };
        let mut change = update(changes);
        change.models = Some(vec!["b".into(), "a".into()]);
        change.spend = NanoUsd(7);
        let after = queries::update_key(conn, hash(1), &change)
            .unwrap()
            .unwrap();
        let expected = KeyRow {
            rpm_limit: None,
            max_budget: Some(NanoUsd(5)),
            blocked: true,
            spend: NanoUsd(7),
            // It was made a millisecond after what this change calls now.
            updated_at: before.row.updated_at + 1,
            ..before.row
        };
        assert_eq!(
            (&after.row, &after.models[..]),
            (&expected, &["b".to_owned(), "a".into()][..])
        );
        assert_eq!(info(conn, hash(1)), after);

        insert(conn, 2, |key| key.row.key_alias = Some("taken".into()));
        for (changes, refused) in [
            (
                KeyChanges {
                    key_alias: Some(Some("taken".into())),
                    ..KeyChanges::default()
                },
                "alias",
            ),
            (
                KeyChanges {
                    team_id: Some(Some("none".into())),
                    ..KeyChanges::default()
                },
                "team",
            ),
        ] {
            let error = queries::update_key(conn, hash(1), &update(changes)).unwrap_err();
            assert!(match refused {
                "alias" => matches!(error, StoreError::AliasTaken(alias) if alias == "taken"),
                _ => matches!(error, StoreError::TeamMissing(team) if team == "none"),
            });
        }
        assert_eq!(info(conn, hash(1)), after);
        assert_eq!(queries::update_key(conn, hash(9), &change).unwrap(), None);
    });
}

#[test]
fn a_regenerated_key_stays_the_same_key() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 1);
        queries::flush_spend(conn, &mut Default::default(), &batch(0, [spend_row(1)])).unwrap();
        insert(conn, 5, |_| {});
        let before = info(conn, hash(1));
        let rotation = Rotation {
            key_name: Some("sk-...new1".into()),
            revoke_at: NOW_MS + 1_000,
        };
        let mut change = update(KeyChanges::default());
        change.models = Some(vec!["m".into()]);
        let rotate = |conn: &mut AnyConnection, old, new, change: &KeyUpdate| {
            queries::rotate_key(conn, hash(old), hash(new), &rotation, change)
        };
        let after = rotate(conn, 1, 2, &change).unwrap().unwrap();
        assert_eq!(after.row.token_hash, hash(2).to_string());
        assert_eq!(after.models, ["m"]);
        assert_eq!(
            (after.row.rotation_count, after.row.last_rotation_at),
            (1, Some(NOW_MS))
        );
        assert_eq!(after.row.spend, before.row.spend);
        assert_eq!(queries::key_info(conn, hash(1)).unwrap(), None);

        // The former secret is good for its time, and is the same caller.
        let former = load_principal(conn, hash(1), NOW_MS).unwrap().unwrap();
        assert_eq!(
            (former.key_hash, former.retires_at),
            (hash(2), Some(NOW_MS + 1_000))
        );
        assert_eq!(former.models.0, ["m"]);
        assert!(
            load_principal(conn, hash(1), NOW_MS + 1_000)
                .unwrap()
                .is_none()
        );
        let current = load_principal(conn, hash(2), NOW_MS).unwrap().unwrap();
        assert_eq!(current.retires_at, None);

        // A call that began under the former hash is the key's, however late and however often it was regenerated.
        rotate(conn, 2, 3, &update(KeyChanges::default()))
            .unwrap()
            .unwrap();
        queries::flush_spend(conn, &mut Default::default(), &batch(1, [spend_row(1)])).unwrap();
        let booked = info(conn, hash(3)).row;
        assert_eq!((booked.spend, booked.rotation_count), (NanoUsd(2_002), 2));
        let totals = queries::ledger_totals(conn).unwrap();
        assert!(totals.agree(), "{totals:?}");
        let both = load_principal(conn, hash(1), NOW_MS).unwrap().unwrap();
        assert_eq!(both.key_hash, hash(3));

        // No secret, current or former, becomes another key's.
        assert!(matches!(
            rotate(conn, 3, 5, &update(KeyChanges::default())),
            Err(StoreError::KeyExists)
        ));
        assert!(matches!(
            rotate(conn, 5, 1, &update(KeyChanges::default())),
            Err(StoreError::KeyExists)
        ));
        let again = NewKey {
            row: KeyRow::new(hash(1), NOW_MS),
            models: Vec::new(),
        };
        assert!(matches!(
            queries::insert_key(conn, &again),
            Err(StoreError::KeyExists)
        ));
        assert!(
            rotate(conn, 8, 9, &update(KeyChanges::default()))
                .unwrap()
                .is_none()
        );
    });
}

#[test]
fn deleted_keys_are_archived_as_they_were() {
    on_each(|db| {
        let conn = &mut db.connect();
        insert(conn, 1, |key| {
            key.row.key_alias = Some("ci".into());
            key.row.user_id = Some("u".into());
            key.models = vec!["m".into()];
        });
        insert(conn, 2, |_| {});
        let before = info(conn, hash(1));
        let deletion = Deletion {
            by: Some("admin".into()),
            by_key: None,
            now_ms: NOW_MS + 9,
        };
        let gone = queries::delete_keys(conn, &[hash(1), hash(7)], &deletion).unwrap();
        assert_eq!(gone, std::slice::from_ref(&before));
        assert_eq!(
            queries::delete_keys(conn, &[hash(1)], &deletion).unwrap(),
            []
        );
        assert!(load_principal(conn, hash(1), NOW_MS).unwrap().is_none());
        let query = KeyQuery {
            limit: 10,
            ..KeyQuery::default()
        };
        let (rows, total) = queries::deleted_key_page(conn, &query).unwrap();
        assert_eq!((rows.len(), total), (1, 1));
        assert_eq!(
            serde_json::from_str::<KeyInfo>(&rows[0].document).unwrap(),
            before
        );
        assert_eq!(
            (rows[0].deleted_at, rows[0].deleted_by.as_deref()),
            (NOW_MS + 9, Some("admin"))
        );
        for (owner, total) in [("u", 1), ("v", 0)] {
            let query = KeyQuery {
                owner: Some(owner.into()),
                limit: 10,
                ..KeyQuery::default()
            };
            assert_eq!(queries::deleted_key_page(conn, &query).unwrap().1, total);
        }
        // Its alias is free again, and so is its secret.
        insert(conn, 1, |key| key.row.key_alias = Some("ci".into()));
        assert_eq!(info(conn, hash(1)).models, Vec::<String>::new());
    });
}

#[test]
fn pages_filters_and_orders() {
    on_each(|db| {
        let conn = &mut db.connect();
        queries::upsert_team(
            conn,
            &NewTeam {
                row: TeamRow::new("t", NOW_MS),
                models: Vec::new(),
            },
        )
        .unwrap();
        for n in 1..=5_u32 {
            insert(conn, n, |key| {
                key.row.key_alias = (n != 3)
                    .then(|| ["", "Alpha_1", "alphaX1", "", "beta%", "gamma\\"][n as usize].into());
                key.row.user_id = Some(if n < 4 { "Ann" } else { "bob" }.into());
                key.row.team_id = (n == 2).then(|| "t".into());
                key.row.created_by = (n == 5).then(|| "Ann".into());
                key.row.max_budget = (n % 2 == 1).then_some(NanoUsd(n.into()));
                key.row.spend = NanoUsd(10 - i64::from(n));
                key.models = vec![format!("m{n}")];
            });
        }
        let all = KeyQuery {
            limit: 10,
            ..KeyQuery::default()
        };
        let mut page = |query: KeyQuery| {
            let page = queries::key_page(conn, &query).unwrap();
            let numbers: Vec<u32> = page
                .keys
                .iter()
                .map(|key| {
                    (1..=5)
                        .find(|n| hash(*n).to_string() == key.row.token_hash)
                        .unwrap()
                })
                .inspect(|n| {
                    assert_eq!(
                        page.keys
                            .iter()
                            .filter(|key| key.models == [format!("m{n}")])
                            .count(),
                        1
                    )
                })
                .collect();
            (numbers, page.total)
        };
        let contains = |text: &str| Some(Match::Contains(text.into()));
        let exact = |text: &str| Some(Match::Exact(text.into()));
        for (query, expected, total) in [
            (all.clone(), vec![5, 4, 3, 2, 1], 5),
            (
                KeyQuery {
                    ascending: true,
                    ..all.clone()
                },
                vec![1, 2, 3, 4, 5],
                5,
            ),
            (
                KeyQuery {
                    offset: 2,
                    limit: 2,
                    ..all.clone()
                },
                vec![3, 2],
                5,
            ),
            (
                KeyQuery {
                    offset: 20,
                    ..all.clone()
                },
                vec![],
                5,
            ),
            (
                KeyQuery {
                    key_alias: exact("Alpha_1"),
                    ..all.clone()
                },
                vec![1],
                1,
            ),
            (
                KeyQuery {
                    key_alias: exact("alpha_1"),
                    ..all.clone()
                },
                vec![],
                0,
            ),
            (
                KeyQuery {
                    key_alias: contains("ALPHA"),
                    ..all.clone()
                },
                vec![2, 1],
                2,
            ),
            (
                KeyQuery {
                    key_alias: contains("a_1"),
                    ..all.clone()
                },
                vec![1],
                1,
            ),
            (
                KeyQuery {
                    key_alias: contains("a%"),
                    ..all.clone()
                },
                vec![4],
                1,
            ),
            (
                KeyQuery {
                    key_alias: contains("a\\"),
                    ..all.clone()
                },
                vec![5],
                1,
            ),
            (
                KeyQuery {
                    user_id: exact("Ann"),
                    ..all.clone()
                },
                vec![3, 2, 1],
                3,
            ),
            (
                KeyQuery {
                    user_id: contains("an"),
                    ..all.clone()
                },
                vec![3, 2, 1],
                3,
            ),
            (
                KeyQuery {
                    team_id: Some("t".into()),
                    ..all.clone()
                },
                vec![2],
                1,
            ),
            (
                KeyQuery {
                    token_hash: Some(hash(4).to_string()),
                    ..all.clone()
                },
                vec![4],
                1,
            ),
            (
                KeyQuery {
                    search: Some("bo".into()),
                    ..all.clone()
                },
                vec![5, 4],
                2,
            ),
            (
                KeyQuery {
                    search: Some("gamma".into()),
                    ..all.clone()
                },
                vec![5],
                1,
            ),
            (
                KeyQuery {
                    search: Some(hash(3).to_string()),
                    ..all.clone()
                },
                vec![3],
                1,
            ),
            (
                KeyQuery {
                    owner: Some("Ann".into()),
                    user_id: exact("bob"),
                    ..all.clone()
                },
                vec![],
                0,
            ),
            (
                KeyQuery {
                    owner: Some("Ann".into()),
                    or_created_by_owner: true,
                    ..all.clone()
                },
                vec![5, 3, 2, 1],
                4,
            ),
            (
                KeyQuery {
                    order: KeyOrder::Spend,
                    ..all.clone()
                },
                vec![1, 2, 3, 4, 5],
                5,
            ),
            (
                KeyQuery {
                    order: KeyOrder::MaxBudget,
                    ascending: true,
                    limit: 3,
                    ..all.clone()
                },
                vec![1, 3, 5],
                5,
            ),
            (
                KeyQuery {
                    order: KeyOrder::MaxBudget,
                    limit: 3,
                    ..all.clone()
                },
                vec![5, 3, 1],
                5,
            ),
        ] {
            let told = format!("{query:?}");
            assert_eq!(page(query), (expected, total), "{told}");
        }
        let by_alias = KeyQuery {
            order: KeyOrder::KeyAlias,
            ascending: true,
            ..all.clone()
        };
        assert_eq!(page(by_alias).0.last(), Some(&3));
        let (aliases, total) = queries::key_aliases(
            conn,
            &KeyQuery {
                search: Some("a".into()),
                limit: 2,
                ..all
            },
        )
        .unwrap();
        assert_eq!((aliases.len(), total), (2, 4));
    });
}
