//! Under which brand secrets were made.

use claviger_store::Database;
use claviger_token::Brand;

use crate::sample::{World, at};

fn brand(text: &str) -> Brand {
    text.parse().unwrap()
}

async fn others(database: &Database, accepted: &[&str], second: i64) -> Vec<String> {
    let accepted: Vec<Brand> = accepted.iter().map(|text| brand(text)).collect();
    let others = database.other_brands(&accepted, at(second)).await.unwrap();
    others.iter().map(ToString::to_string).collect()
}

on_both_databases! {
    async fn a_brand_is_remembered_as_long_as_a_secret_of_it_could_work(db: &TestDb) {
        let database = db.store.database();
        assert_eq!(database.brand().await.unwrap(), None);
        World::stored(db).await;
        let none: [String; 0] = [];
        assert_eq!(others(database, &[], 1).await, none);
        database.remember_brand(&brand("clv"), at(500)).await.unwrap();
        assert_eq!(others(database, &["clv"], 600).await, none);
        // What was made before is taken for its own.
        assert_eq!(others(database, &["acme"], 600).await, ["clv"]);
        database.remember_brand(&brand("acme"), at(600)).await.unwrap();
        assert_eq!(database.brand().await.unwrap(), Some(brand("acme")));
        // Nothing was made under the new one yet.
        assert_eq!(others(database, &["clv"], 700).await, none);
        assert_eq!(others(database, &["acme"], 700).await, ["clv"]);
        assert_eq!(others(database, &["acme", "clv"], 700).await, none);
        db.tamper(&format!("UPDATE secret SET created_at = {}", at(650).as_millisecond())).await;
        assert_eq!((others(database, &["acme"], 700).await, others(database, &["clv"], 700).await), (none.to_vec(), vec!["acme".to_owned()]));
        db.tamper(&format!("UPDATE secret SET ends_at = {}", at(700).as_millisecond())).await;
        assert_eq!(others(database, &["clv"], 700).await, none);
        db.tamper(&format!("UPDATE secret SET ends_at = NULL; UPDATE credential SET revoked_at = {}", at(690).as_millisecond())).await;
        assert_eq!(others(database, &["clv"], 700).await, none);
    }

    async fn a_brand_under_which_nothing_was_made_is_forgotten(db: &TestDb) {
        let database = db.store.database();
        for (second, name) in [(1, "clv"), (2, "acme"), (3, "acme")] {
            database.remember_brand(&brand(name), at(second)).await.unwrap();
        }
        assert_eq!(database.brand().await.unwrap(), Some(brand("acme")));
        assert_eq!(db.number("SELECT COUNT(*) FROM brand").await, 1);
    }
}
