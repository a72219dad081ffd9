//! The schema's history. Each file is frozen once released; `tests/fixtures` keeps data of every release.

use sqlx::{
    ConnectOptions as _, Connection as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    postgres::PgPoolOptions,
};

use crate::{
    dialect::{Pools, schema_for_postgres},
    error::StoreError,
    look_alike,
};

/// Version, name, text; in order.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first light", include_str!("../migrations/0001_first_light.sql")),
    (2, "limits and use", include_str!("../migrations/0002_limits_and_use.sql")),
    (3, "people", include_str!("../migrations/0003_people.sql")),
    (4, "machine to machine", include_str!("../migrations/0004_machine_to_machine.sql")),
    (5, "fleets", include_str!("../migrations/0005_fleets.sql")),
    (6, "route rules", include_str!("../migrations/0006_route_rules.sql")),
    (7, "usage", include_str!("../migrations/0007_usage.sql")),
    (8, "brand", include_str!("../migrations/0008_brand.sql")),
];

/// The last of them.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

/// Brings the schema up to this version. Safe to run on several nodes at once.
pub(crate) async fn run(pools: &Pools) -> Result<(), StoreError> {
    run_to(pools, i64::MAX).await?;
    look_alike::complete(pools).await
}

/// Brings the schema up to the last version that is not above `target`.
pub(crate) async fn run_to(pools: &Pools, target: i64) -> Result<(), StoreError> {
    let done = match pools {
        Pools::Sqlite { write, .. } => {
            // The migrator's own lock exists on PostgreSQL only; here the write lock keeps other processes out.
            let mut connection = write.connect().await?;
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            let done = migrator(str::to_owned).run_direct(Some(target), &mut *transaction, false).await;
            transaction.commit().await?;
            connection.close().await?;
            done
        }
        Pools::Postgres { pool, .. } => {
            // A connection of its own without the cap on statements, which a migration of much data would break, and without lines
            // of the log about statements that take long, as on SQLite.
            let uncapped = pool.connect_options().as_ref().clone().options([("statement_timeout", "0")]);
            let uncapped = uncapped.disable_statement_logging();
            let pool = PgPoolOptions::new().max_connections(1).connect_with(uncapped).await?;
            let done = migrator(schema_for_postgres).run_to(target, &pool).await;
            pool.close().await;
            done
        }
    };
    done.map_err(|error| {
        if let MigrateError::VersionMissing(version) = error {
            StoreError::NewerSchema(version)
        } else {
            StoreError::Migration(error)
        }
    })
}

fn migrator(translate: impl Fn(&str) -> String) -> Migrator {
    let migration = |(version, name, sql): &(i64, &'static str, &str)| {
        let sql = sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(translate(sql)));
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}
