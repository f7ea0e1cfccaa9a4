//! Deployments that the database keeps.

use diesel::prelude::*;

use super::super::queries::{self, TeamModel};
use super::super::schema::model_grants;
use super::super::{AnyConnection, ModelRow, NewTeam, StoreError, TeamRow};
use super::on_each;

fn row(id: &str, at: i64) -> ModelRow {
    ModelRow {
        model_id: id.into(),
        model_name: "m".into(),
        litellm_params: r#"{"model":"sealed"}"#.into(),
        model_info: "{}".into(),
        blocked: false,
        created_at: at,
        created_by: Some("u".into()),
        updated_at: at,
        updated_by: None,
    }
}

#[test]
fn added_changed_and_removed() {
    on_each(|db| {
        let conn = &mut db.connect();
        queries::insert_model(conn, &row("b", 1), None).unwrap();
        queries::insert_model(conn, &row("a", 2), None).unwrap();
        let again = queries::insert_model(conn, &row("a", 3), None);
        assert!(matches!(again, Err(StoreError::ModelExists(id)) if id == "a"));
        let changed = ModelRow {
            blocked: true,
            created_by: None,
            updated_at: 5,
            ..row("b", 1)
        };
        assert!(queries::change_model(conn, &changed, 1, None).unwrap());
        // Somebody who has not seen that change does not undo it.
        assert!(!queries::change_model(conn, &row("b", 1), 1, None).unwrap());
        assert!(!queries::change_model(conn, &row("none", 1), 1, None).unwrap());
        assert_eq!(queries::read_models(conn).unwrap(), [changed, row("a", 2)]);
        assert!(queries::delete_model(conn, "b").unwrap());
        assert!(!queries::delete_model(conn, "b").unwrap());
        assert_eq!(queries::read_models(conn).unwrap(), [row("a", 2)]);
    });
}

#[test]
fn a_team_may_call_its_model() {
    on_each(|db| {
        let conn = &mut db.connect();
        let team = |id: &str, name: &str| TeamModel {
            team_id: id.into(),
            public_name: name.into(),
        };
        for (id, models) in [("open", vec![]), ("listed", vec!["x".to_owned()])] {
            let row = TeamRow::new(id, 1);
            queries::upsert_team(conn, &NewTeam { row, models }).unwrap();
        }
        let missing = queries::insert_model(conn, &row("a", 1), Some(&team("none", "m")));
        assert!(matches!(missing, Err(StoreError::TeamMissing(id)) if id == "none"));
        assert_eq!(queries::read_models(conn).unwrap(), []);
        queries::insert_model(conn, &row("a", 1), Some(&team("listed", "m"))).unwrap();
        queries::insert_model(conn, &row("b", 1), Some(&team("open", "m"))).unwrap();
        queries::change_model(conn, &row("a", 1), 1, Some(&team("listed", "m"))).unwrap();
        let models = |conn: &mut AnyConnection, id: &str| -> Vec<String> {
            model_grants::table
                .filter(model_grants::owner_id.eq(id))
                .order(model_grants::position)
                .select(model_grants::model)
                .load(conn)
                .unwrap()
        };
        assert_eq!(models(conn, "listed"), ["x", "m"]);
        assert_eq!(models(conn, "open"), [""; 0], "it may call everything");
    });
}
