//! Making API keys on SQLite, beside the least that a durable change can cost there: one row, one commit.

use std::time::Duration;

use sqlx::{
    Connection as _,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    Result,
    bulk::block_on,
    compare::median,
    customer,
    process::{SERVER, now},
    report::{Row, micros, per_second},
    run::Bench,
    wrk::Requests,
};

pub(crate) fn keys(bench: &mut Bench) -> Result<()> {
    let (site, scale) = (bench.few()?, bench.scale);
    let server = site.serve(SERVER)?;
    let head = ["POST /v1/api-keys HTTP/1.1", &site.authorization()];
    let body = customer::new_key(&site.customer.service_account).to_string();
    // The request names no token; the load generator wants some.
    let requests = Requests::new(server.public, &head, &body, bench.tokens(0..1)?);

    let mut bare = Vec::new();
    let mut ours = [(1, Vec::new()), (8, Vec::new()), (32, Vec::new())];
    for _ in 0..scale.rounds {
        bare.push(commit(bench)?);
        for (connections, each) in &mut ours {
            let outcome = requests.send(&bench.full(*connections), 0, bench.scratch())?;
            each.push(Duration::from_secs_f64(1.0 / outcome.rate));
        }
    }
    let rate = |each: Vec<Duration>| 1.0 / median(each).as_secs_f64();
    let shown = |rate: f64| format!("{}, {} each", per_second(rate), micros(Duration::from_secs_f64(1.0 / rate)));
    let bare = rate(bare);
    let [alone, eight, more] = ours.map(|(_, each)| rate(each));
    let what = "API key created on SQLite, full durability, audited";
    let row = Row::at_least(what, "≥ 0.5 × the rate of a bare one-row commit", alone / bare, 0.5);
    bench.report(row.with(shown(bare), shown(alone), Some(alone / bare)));
    for (connections, rate) in [(8, eight), (32, more)] {
        let row = Row::at_least(format!("the same, {connections} at a time"), "more than one at a time", rate, alone);
        bench.report(row.with(shown(bare), shown(rate), Some(rate / bare)));
    }
    Ok(())
}

/// How long one durable row takes, on the disk that the service uses.
fn commit(bench: &Bench) -> Result<Duration> {
    let options = SqliteConnectOptions::new()
        .filename(bench.scratch().join("commit.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    block_on(async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let table = "CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";
        sqlx::query(table).execute(&mut connection).await?;
        let (began, mut rows) = (now(), 0);
        while began.elapsed() < Duration::from_secs(bench.scale.seconds) {
            let insert = sqlx::query("INSERT INTO bare (text) VALUES (?)").bind("one row of a usual length, for a key");
            insert.execute(&mut connection).await?;
            rows += 1;
        }
        Ok(began.elapsed() / rows)
    })
}
