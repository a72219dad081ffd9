//! Reports of use: the picture of one key and of a whole organization, with millions of counts stored.
//!
//! The counts are written past the service, by the bulk: what the tables are called is known here, and what they are for is the
//! service's affair.

use std::time::Duration;

use claviger_core::{Kind, Reach};
use claviger_token::{CredentialId, OrganizationId};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Result,
    bulk::{Direct, block_on, wall_clock},
    customer::text,
    process::{SERVER, now},
    report::Row,
    run::Bench,
    site::{Server, Site},
};

/// Of each key so many counts are stored, over 30 days.
const OF_EACH: usize = 100;

const HOUR_MS: i64 = 3_600_000;
const DAYS: i64 = 30;

/// Every hour of the time, with three verdicts each: the key with the most to read.
const VERDICTS: [&str; 3] = ["valid", "rate_limited", "permission_missing"];

const GOAL_MS: f64 = 50.0;

pub(crate) fn reports(bench: &mut Bench) -> Result<()> {
    let (buckets, tries) = (bench.scale.buckets, 2 * bench.scale.tries);
    let keys = (buckets / OF_EACH).max(1);
    let site = Site::new(bench.scratch().join("usage"), None, keys)?;
    fill(&site, keys)?;
    let server = site.serve(SERVER)?;
    let key = site.customer.key.clone();
    let shown = site.get(&server, &format!("/v1/api-keys/{key}"))?;
    let organization = text(&shown, "organization_id")?;
    let others = some_keys(&site, &server, tries)?;
    let since = |days: i64| wall_clock() - SignedDuration::from_hours(24 * days);

    let stored = format!("{buckets} counts of {keys} keys stored");
    let month = since(DAYS - 1);
    let of_key = |id: &str| format!("/v1/usage?credential_id={id}&by=day&from={month}");
    let one = vec![of_key(&key); tries];
    let what = format!("30 days of one key by day, used every hour, {stored}");
    timed(bench, &site, &server, &what, &one, Some(GOAL_MS))?;
    let each: Vec<_> = others.iter().map(|id| of_key(id)).collect();
    timed(bench, &site, &server, &format!("30 days of one key after the other, {stored}"), &each, Some(GOAL_MS))?;
    for (days, by) in [(1, "hour"), (7, "hour"), (DAYS, "day")] {
        let path = format!("/v1/usage?organization_id={organization}&per=organization&by={by}&from={}", since(days));
        let time = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
        let what = format!("{time} of the organization by {by}, {stored}");
        timed(bench, &site, &server, &what, &vec![path; tries], Some(GOAL_MS))?;
    }
    drop(server);
    overview(bench, &site, &organization, &others)
}

/// What a page of the organization reads besides, without the page.
fn overview(bench: &mut Bench, site: &Site, organization: &str, keys: &[String]) -> Result<()> {
    let organization: OrganizationId = organization.parse().map_err(|_| "no organization's id")?;
    let keys = keys.iter().filter_map(|id| id.parse().ok()).collect::<Vec<CredentialId>>();
    let from = wall_clock() - SignedDuration::from_hours(24 * (DAYS - 1));
    let (mut busiest, mut asked) = (Vec::new(), Vec::new());
    block_on(async {
        let store = site.store().await?;
        for _ in 0..bench.scale.tries {
            let mut view = store.within(Reach::Instance);
            let began = now();
            let found = view.busiest(organization, &Kind::ALL, from, wall_clock(), 5).await?;
            busiest.push(began.elapsed());
            if found.is_empty() {
                return Err("nobody is busiest".into());
            }
            let began = now();
            view.permissions_asked(&keys, from).await?;
            asked.push(began.elapsed());
        }
        store.database().close().await;
        Ok(())
    })?;
    report(bench, "the busiest of 30 days, in the store alone", busiest, None);
    report(bench, &format!("what {} keys were asked for in 30 days, in the store alone", keys.len()), asked, None);
    Ok(())
}

/// The newest keys, as many as there may be on a page.
fn some_keys(site: &Site, server: &Server, many: usize) -> Result<Vec<String>> {
    let list = site.get(server, &format!("/v1/api-keys?limit={}", many.min(200)))?;
    list["items"].as_array().into_iter().flatten().map(|key| text(key, "id")).collect()
}

/// Asks one after the other, and tells how long each took.
fn timed(
    bench: &mut Bench,
    site: &Site,
    server: &Server,
    what: &str,
    paths: &[String],
    goal: Option<f64>,
) -> Result<()> {
    let mut times = Vec::new();
    for path in paths {
        let began = now();
        let answer = site.get(server, path)?;
        times.push(began.elapsed());
        if answer["items"].as_array().is_none_or(Vec::is_empty) {
            return Err(format!("{path} tells of no use: {answer}").into());
        }
    }
    report(bench, what, times, goal);
    Ok(())
}

fn report(bench: &mut Bench, what: &str, mut times: Vec<Duration>, goal: Option<f64>) {
    times.sort_unstable();
    let at = |part: usize| times.get((times.len() * part / 100).min(times.len().saturating_sub(1)));
    let ms = |part: usize| at(part).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    let row = match goal {
        Some(goal) => Row::at_most(what, format!("p99 ≤ {goal} ms"), ms(99), goal),
        None => Row::for_orientation(what, ""),
    };
    bench.report(row.with("", format!("p50 {:.1} ms, p99 {:.1} ms", ms(50), ms(99)), None));
}

/// Uses of each key in [`OF_EACH`] hours of 30 days, and of one key in every hour; with the sums that stand beside them.
fn fill(site: &Site, keys: usize) -> Result<()> {
    let began = now();
    let step = |what: &str| println!("   {:>5.1} s  {what}", began.elapsed().as_secs_f32());
    let hour = hour_of(wall_clock());
    let (apart, key) = (DAYS * 24 / OF_EACH as i64, &site.customer.key);
    let numbers = |most: i64| {
        format!("(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) SELECT i FROM n)")
    };
    let hours = format!(
        "INSERT INTO usage_hour (credential, hour, code, uses)
         SELECT k.id, {hour} - ({OF_EACH} - 1 - n.i) * {apart} * {HOUR_MS},
                CASE n.i % 10 WHEN 3 THEN 'rate_limited' WHEN 7 THEN 'permission_missing' ELSE 'valid' END, 1 + n.i % 50
         FROM (SELECT id FROM credential WHERE id <> '{key}' ORDER BY id) k CROSS JOIN {} n",
        numbers(OF_EACH as i64 - 1)
    );
    let busy = VERDICTS.map(|code| {
        let all = numbers(DAYS * 24 - 1);
        format!(
            "INSERT INTO usage_hour (credential, hour, code, uses)
             SELECT '{key}', {hour} - n.i * {HOUR_MS}, '{code}', 1000 FROM {all} n"
        )
    });
    let sums = "INSERT INTO organization_usage_hour (organization, hour, code, uses)
         SELECT k.organization, u.hour, u.code, CAST(SUM(u.uses) AS BIGINT)
         FROM usage_hour u JOIN credential k ON k.id = u.credential GROUP BY k.organization, u.hour, u.code";
    let ranks = "INSERT INTO usage_rank (organization, credential, day, kind, uses)
         SELECT k.organization, u.credential, u.hour - u.hour % 86400000, k.kind, CAST(SUM(u.uses) AS BIGINT)
         FROM usage_hour u JOIN credential k ON k.id = u.credential
         GROUP BY k.organization, u.credential, u.hour - u.hour % 86400000, k.kind";
    let asked = "INSERT INTO usage_permission_day (credential, day, permission, uses)
         SELECT credential, day, 'invoices:read', uses FROM usage_rank";
    step(&format!("counting uses of {keys} keys"));
    block_on(async {
        let mut direct = Direct::open(&site.database).await?;
        direct.prepare().await?;
        // Making the customer was use as well, which is counted in all of them.
        let mut indexes = Vec::new();
        for table in ["usage_hour", "organization_usage_hour", "usage_rank", "usage_permission_day"] {
            direct.run(&format!("DELETE FROM {table}")).await?;
            indexes.extend(direct.indexes(table).await?);
        }
        for (name, _) in &indexes {
            direct.run(&format!("DROP INDEX {name}")).await?;
        }
        direct.run(&hours).await?;
        for one in &busy {
            direct.run(one).await?;
        }
        step("hours");
        direct.run(sums).await?;
        step("sums of the organization");
        direct.run(ranks).await?;
        direct.run(asked).await?;
        step("days");
        for (_, definition) in &indexes {
            direct.run(definition).await?;
        }
        step("indexes");
        direct.finish().await
    })
}

fn hour_of(time: Timestamp) -> i64 {
    time.as_millisecond() - time.as_millisecond().rem_euclid(HOUR_MS)
}
