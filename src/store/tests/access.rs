//! Keys, users, teams, and the caller they make.

use super::super::{KeyRow, NewKey, NewTeam, NewUser, StoreError, TeamRow, UserRow, queries};
use super::{NOW_MS, batch, hash, on_each, populate, spend_row};
use crate::types::{Limits, ModelAccess, NanoUsd, Role};

fn key(n: u32) -> NewKey {
    NewKey {
        row: KeyRow::new(hash(n), NOW_MS),
        models: Vec::new(),
    }
}

fn list(models: &[&str]) -> Vec<String> {
    models.iter().map(ToString::to_string).collect()
}

#[test]
fn a_principal_has_everything_of_key_user_and_team() {
    on_each(|db| {
        let conn = &mut db.connect();
        let mut team = NewTeam {
            row: TeamRow::new("t", NOW_MS),
            models: list(&["z", "a"]),
        };
        team.row.blocked = true;
        team.row.tpm_limit = Some(7);
        queries::upsert_team(conn, &team).unwrap();
        let mut user = NewUser {
            row: UserRow::new("u", NOW_MS),
            models: list(&["m", "m"]),
        };
        user.row.user_role = Some("proxy_admin".into());
        user.row.max_budget = Some(NanoUsd(0));
        queries::upsert_user(conn, &user).unwrap();
        let mut new = key(1);
        new.models = list(&["gpt-4o", "claude", "*"]);
        new.row.user_id = Some("u".into());
        new.row.team_id = Some("t".into());
        new.row.key_alias = Some("ci".into());
        new.row.rpm_limit = Some(60);
        new.row.max_parallel_requests = Some(-1);
        new.row.spend = NanoUsd(42);
        new.row.expires_at = Some(NOW_MS);
        queries::insert_key(conn, &new).unwrap();

        let found = queries::load_principal(conn, hash(1), NOW_MS)
            .unwrap()
            .unwrap();
        assert_eq!(found.key_hash, hash(1));
        assert_eq!(*found.key.id, *hash(1).to_string());
        assert_eq!(found.key.spend, NanoUsd(42));
        assert_eq!(
            found.key.limits,
            Limits {
                rpm: Some(60),
                max_parallel_requests: Some(0),
                ..Limits::default()
            }
        );
        assert_eq!(found.key_alias.as_deref(), Some("ci"));
        assert_eq!(
            (found.role, found.expires_at, found.blocked),
            (Role::ProxyAdmin, Some(NOW_MS), false)
        );
        assert_eq!(found.models, ModelAccess(list(&["gpt-4o", "claude", "*"])));
        assert_eq!(
            found.user.unwrap().limits,
            Limits {
                max_budget: Some(NanoUsd(0)),
                ..Limits::default()
            }
        );
        assert_eq!(found.user_models, ModelAccess(list(&["m"])));
        assert_eq!(
            found.team.unwrap().limits,
            Limits {
                tpm: Some(7),
                ..Limits::default()
            }
        );
        assert_eq!(
            (found.team_models, found.team_blocked),
            (ModelAccess(list(&["z", "a"])), true)
        );

        let info = queries::key_info(conn, hash(1)).unwrap().unwrap();
        assert_eq!((info.row, info.models), (new.row, new.models));
    });
}

#[test]
fn a_key_may_stand_alone() {
    on_each(|db| {
        let conn = &mut db.connect();
        assert!(
            queries::load_principal(conn, hash(1), NOW_MS)
                .unwrap()
                .is_none()
        );
        assert_eq!(queries::key_info(conn, hash(1)).unwrap(), None);
        queries::insert_key(conn, &key(1)).unwrap();
        let found = queries::load_principal(conn, hash(1), NOW_MS)
            .unwrap()
            .unwrap();
        assert_eq!(
            (found.role, found.user, found.team),
            (Role::Unknown, None, None)
        );
        assert_eq!(found.models, ModelAccess::default());

        // Its user need not exist; its spend is logged under the id all the same.
        let mut orphan = key(2);
        orphan.row.user_id = Some("later".into());
        queries::insert_key(conn, &orphan).unwrap();
        let found = queries::load_principal(conn, hash(2), NOW_MS)
            .unwrap()
            .unwrap();
        assert_eq!(found.role, Role::InternalUser);
        assert_eq!(&*found.user.unwrap().id, "later");
    });
}

#[test]
fn each_refusal_has_its_own_error() {
    on_each(|db| {
        let conn = &mut db.connect();
        let mut first = key(1);
        first.row.key_alias = Some("ci".into());
        queries::insert_key(conn, &first).unwrap();
        let mut second = key(2);
        second.row.key_alias = Some("ci".into());
        assert!(
            matches!(queries::insert_key(conn, &second), Err(StoreError::AliasTaken(alias)) if alias == "ci")
        );
        assert!(matches!(
            queries::insert_key(conn, &key(1)),
            Err(StoreError::KeyExists)
        ));
        second.row = KeyRow {
            key_alias: None,
            team_id: Some("none".into()),
            ..second.row
        };
        assert!(
            matches!(queries::insert_key(conn, &second), Err(StoreError::TeamMissing(team)) if team == "none")
        );
        // The stored row stays untouched, and nothing of the others is left.
        assert_eq!(
            queries::key_info(conn, hash(1)).unwrap().unwrap().row,
            first.row
        );
        assert_eq!(queries::key_info(conn, hash(2)).unwrap(), None);
    });
}

#[test]
fn one_of_many_gets_the_alias() {
    on_each(|db| {
        let insert = |n: u32| {
            let mut key = key(n);
            key.row.key_alias = Some("ci".into());
            queries::insert_key(&mut db.connect(), &key)
        };
        std::thread::scope(|threads| {
            let started: Vec<_> = (0..8).map(|n| threads.spawn(move || insert(n))).collect();
            let answers: Vec<_> = started
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect();
            assert_eq!(
                answers.iter().filter(|answer| answer.is_ok()).count(),
                1,
                "{answers:?}"
            );
            assert_eq!(
                answers
                    .iter()
                    .filter(|answer| matches!(answer, Err(StoreError::AliasTaken(_))))
                    .count(),
                7
            );
        });
    });
}

#[test]
fn changing_a_user_keeps_what_it_spent() {
    on_each(|db| {
        let conn = &mut db.connect();
        populate(conn, 1);
        queries::flush_spend(conn, &mut Default::default(), &batch(0, [spend_row(1)])).unwrap();
        let mut user = NewUser {
            row: UserRow::new("u-1", NOW_MS),
            models: list(&["only"]),
        };
        user.row.rpm_limit = Some(3);
        queries::upsert_user(conn, &user).unwrap();
        let found = queries::load_principal(conn, hash(1), NOW_MS)
            .unwrap()
            .unwrap();
        let user = found.user.unwrap();
        assert_eq!((user.limits.rpm, user.spend), (Some(3), NanoUsd(1_001)));
        assert_eq!(found.user_models, ModelAccess(list(&["only"])));
        assert!(queries::ledger_totals(conn).unwrap().agree());
    });
}
