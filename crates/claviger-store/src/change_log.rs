//! The change log in storage: written by every commit, followed by every process.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use claviger_core::Touched;
use claviger_token::{AccessTokenId, Concerns, CredentialId, OrganizationId, PrincipalId, RoleId};
use jiff::Timestamp;

use crate::{
    Store,
    changes::{LOOK_BACK, LogCursor},
    error::StoreError,
    feed::Seen,
    sql::{Executor, Row, sql, text},
    tx::Tx,
};

/// How many rows are read at a time.
const PAGE: usize = 10_000;

/// How many holders of a role are named one by one to those who follow from outside.
const MOST_HOLDERS: usize = 1000;

/// How many holders of roles are named for one reading of the log. For the roles that come after them everybody is.
const MOST_EXPANDED: usize = 20_000;

/// How many ids one statement asks for.
const IDS_AT_ONCE: usize = 500;

impl Tx<'_> {
    /// Tells all other processes what they must forget.
    pub(crate) async fn log(&mut self, touched: &[Touched], now: Timestamp) -> Result<(), StoreError> {
        for touched in touched {
            let (kind, id) = words(touched);
            let insert = sql("INSERT INTO change_log (at, kind, id) VALUES ($1, $2, $3)");
            self.later(insert.bind(now).bind(kind).bind(id)).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Where a process that starts with an empty cache begins to follow the log.
    pub async fn log_cursor(&self, now: Instant) -> Result<LogCursor, StoreError> {
        let (cursor, newest) = self.end_of_log(now).await?;
        self.changes.are_named_up_to(cursor.settled());
        self.feed.begin(newest, &cursor, now);
        Ok(cursor)
    }

    /// Where the log ends, and when that was written.
    async fn end_of_log(&self, now: Instant) -> Result<(LogCursor, Option<Timestamp>), StoreError> {
        let latest = format!("SELECT seq, at, kind, id FROM change_log ORDER BY seq DESC LIMIT {LOOK_BACK}");
        let rows = self.follower().all(sql(&latest)).await?;
        let numbers = rows.iter().map(|row| row.int("seq")).collect::<Result<Vec<_>, _>>()?;
        let mut cursor = LogCursor::starting_at(&numbers, now);
        let newest = rows.first().map(Logged::read).transpose()?;
        if let Some(newest) = &newest {
            cursor.newest_says(newest.says());
        }
        Ok((cursor, newest.map(|row| row.at)))
    }

    /// Reads what the log says since, names it, and notes that the log could be read to its end.
    pub async fn follow_log(&self, cursor: &mut LogCursor, now: Instant) -> Result<(), StoreError> {
        while self.follow_log_page(cursor, now).await? == PAGE {}
        self.changes.was_read(now);
        self.feed.was_read();
        Ok(())
    }

    /// A connection that no request uses.
    fn follower(&self) -> Executor<'_> {
        Executor::Follower(&self.database.pools)
    }

    async fn follow_log_page(&self, cursor: &mut LogCursor, now: Instant) -> Result<usize, StoreError> {
        let newest = cursor.newest();
        let since = sql("SELECT seq, at, kind, id FROM change_log WHERE seq >= ").and_bind("?", newest);
        let mut rows = self.follower().all(since.and(&format!(" ORDER BY seq LIMIT {PAGE}"))).await?;
        let length = rows.len();
        let first = rows.first().map(Logged::read).transpose()?;
        let is_lost = newest > 0 && !first.is_some_and(|row| cursor.is_newest(row.number, &row.says()));
        let numbers = rows.iter().map(|row| row.int("seq")).collect::<Result<Vec<_>, _>>()?;
        if is_lost || cursor.jumps_to(&numbers) {
            // Trimming keeps the newest row, so one that is gone, or says something else, means another instance or a restored backup.
            // The cursor comes first: what commits before it is read must not be cached as newer than the naming.
            let (begun, newest) = self.end_of_log(now).await?;
            *cursor = begun;
            self.changes.name_everything();
            self.changes.are_named_up_to(cursor.settled());
            self.feed.begin(newest, cursor, now);
            return Ok(0);
        }
        let missing: Vec<i64> = cursor.missing().collect();
        for chunk in missing.chunks(500) {
            let late = sql("SELECT seq, at, kind, id FROM change_log WHERE seq IN ");
            rows.extend(self.follower().all(late.and_list(chunk.iter().map(|seq| (*seq).into()))).await?);
        }
        let mut rows: Vec<Logged> = rows.iter().map(Logged::read).collect::<Result<_, StoreError>>()?;
        let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
        // Nothing after this fails: what is observed is named.
        let fresh: HashSet<i64> = cursor.observe(&numbers, now).into_iter().collect();
        if let Some(row) = rows.iter().find(|row| row.number == cursor.newest()) {
            cursor.newest_says(row.says());
        }
        rows.retain(|row| fresh.contains(&row.number));
        let touched: Vec<Touched> = rows.iter().filter_map(|row| row.touched).collect();
        self.changes.name(&touched, now);
        self.changes.are_named_up_to(cursor.settled());
        let seen = self.concerned(rows).await;
        self.feed.add(seen, cursor, now);
        Ok(length)
    }

    /// Whom these changes concern. Of whom that cannot be found out now, or not quickly, they concern everybody: nobody hears of a
    /// change before this is done.
    async fn concerned(&self, mut rows: Vec<Logged>) -> Vec<Seen> {
        rows.sort_unstable_by_key(|row| row.number);
        let (mut roles, mut tokens) = (HashMap::new(), Vec::new());
        for row in &rows {
            match row.touched {
                // The last number at which a role is named says it for all of them.
                Some(Touched::Role(id)) => drop(roles.insert(id, row.number)),
                Some(Touched::AccessToken(id)) => tokens.push(id),
                _ => {}
            }
        }
        let holders = self.who_has(roles.keys().copied().collect()).await;
        let origins = self.origins_of(&tokens).await;
        let seen = rows.into_iter().map(|Logged { number, at, touched, .. }| {
            let concerns = match touched {
                Some(Touched::Credential(id)) => vec![Concerns::Credential(id)],
                Some(Touched::Principal(id)) => vec![Concerns::Principal(id)],
                Some(Touched::Organization(id)) => vec![Concerns::Organization(id)],
                Some(Touched::Role(id)) if roles.get(&id) != Some(&number) => Vec::new(),
                Some(Touched::Role(id)) => holders.get(&id).cloned().unwrap_or_else(|| vec![Concerns::Everything]),
                Some(Touched::AccessToken(id)) => match &origins {
                    // One that is not listed any more ended with all of its credential, which was named.
                    Some(origins) => origins.get(&id).copied().map(Concerns::Credential).into_iter().collect(),
                    None => vec![Concerns::Everything],
                },
                Some(Touched::SigningKeys) => vec![Concerns::SigningKeys],
                Some(Touched::Catalog) | None => vec![Concerns::Everything],
            };
            Seen { number, at, concerns }
        });
        seen.collect()
    }

    /// Those who have these roles now, by role; of what is missing it was not found out. Whoever had one when it changed, and lost it
    /// since, was named by that.
    async fn who_has(&self, roles: Vec<RoleId>) -> HashMap<RoleId, Vec<Concerns>> {
        let (mut found, mut names) = (HashMap::new(), 0);
        for some in roles.chunks(IDS_AT_ONCE) {
            let Ok(holders) = self.holders_of(some, MOST_EXPANDED - names).await else { break };
            names += holders.values().map(Vec::len).sum::<usize>();
            found.extend(holders);
            if names >= MOST_EXPANDED {
                break;
            }
        }
        found
    }

    /// Of few roles. Where very many have them, they are told by their organizations.
    async fn holders_of(&self, roles: &[RoleId], most: usize) -> Result<HashMap<RoleId, Vec<Concerns>>, StoreError> {
        let mut found: HashMap<RoleId, Vec<Concerns>> = roles.iter().map(|role| (*role, Vec::new())).collect();
        let ids = || roles.iter().map(text);
        // Not DISTINCT: for that a database may read all of them, however few are wanted.
        let holders = sql("SELECT role, principal FROM assignment WHERE role IN ").and_list(ids());
        let holders = self.follower().all(holders.and(&format!(" LIMIT {}", most + 1))).await?;
        let mut named = HashSet::new();
        for row in &holders {
            let (role, principal): (RoleId, PrincipalId) = (row.parse("role")?, row.parse("principal")?);
            // Whoever has it in several organizations has it once.
            if named.insert((role, principal)) {
                found.entry(role).or_default().push(Concerns::Principal(principal));
            }
        }
        let are_too_many = holders.len() > most;
        let is_common = |names: &Vec<Concerns>| are_too_many || names.len() > MOST_HOLDERS;
        if found.values().any(is_common) {
            let homes = sql("SELECT id, organization FROM role WHERE id IN ").and_list(ids());
            let homes = self.follower().all(homes).await?;
            for row in &homes {
                let home: Option<OrganizationId> = row.parse_or_null("organization")?;
                let names = found.entry(row.parse("id")?).or_default();
                if is_common(names) {
                    *names = vec![home.map_or(Concerns::Everything, Concerns::Organization)];
                }
            }
            // Of a role that is gone meanwhile nobody knows the home.
            for names in found.values_mut().filter(|names| names.len() > MOST_HOLDERS) {
                *names = vec![Concerns::Everything];
            }
        }
        Ok(found)
    }

    /// What tokens were made from; nothing if it could not be found out.
    async fn origins_of(&self, tokens: &[AccessTokenId]) -> Option<HashMap<AccessTokenId, CredentialId>> {
        let mut found = HashMap::new();
        for some in tokens.chunks(IDS_AT_ONCE) {
            let origins = sql("SELECT id, credential FROM revoked_token WHERE id IN ").and_list(some.iter().map(text));
            for row in &self.follower().all(origins).await.ok()? {
                found.insert(row.parse("id").ok()?, row.parse("credential").ok()?);
            }
        }
        Some(found)
    }
}

/// A row of the log.
struct Logged {
    number: i64,
    at: Timestamp,
    /// `None` of what only a later version knows.
    touched: Option<Touched>,
    kind: String,
    id: String,
}

impl Logged {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let (at, kind, id) = (row.time("at")?, row.text("kind")?, row.text("id")?);
        Ok(Self { number: row.int("seq")?, at, touched: from_words(&kind, &id), kind, id })
    }

    /// All that it says.
    fn says(&self) -> String {
        let Self { at, kind, id, .. } = self;
        format!("{at} {kind} {id}")
    }
}

fn words(touched: &Touched) -> (&'static str, String) {
    match touched {
        Touched::Credential(id) => ("credential", id.to_string()),
        Touched::Principal(id) => ("principal", id.to_string()),
        Touched::Organization(id) => ("organization", id.to_string()),
        Touched::Role(id) => ("role", id.to_string()),
        Touched::Catalog => ("catalog", String::new()),
        Touched::SigningKeys => ("signing_keys", String::new()),
        Touched::AccessToken(id) => ("access_token", id.to_string()),
    }
}

/// `None` for what only a later version knows: it cannot be in this version's cache.
fn from_words(kind: &str, id: &str) -> Option<Touched> {
    match kind {
        "credential" => id.parse::<CredentialId>().ok().map(Touched::Credential),
        "principal" => id.parse::<PrincipalId>().ok().map(Touched::Principal),
        "organization" => id.parse().ok().map(Touched::Organization),
        "role" => id.parse().ok().map(Touched::Role),
        "catalog" => Some(Touched::Catalog),
        "signing_keys" => Some(Touched::SigningKeys),
        "access_token" => id.parse().ok().map(Touched::AccessToken),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use claviger_core::ChainKey;
    use tokio::time::timeout;

    use super::*;
    use crate::{Changes, Database, dialect::Pools};

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    async fn the_log_is_followed_while_look_ups_take_every_reader() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("claviger.db").display());
        let database = Database::open(&url).await.unwrap();
        database.migrate().await.unwrap();
        let chain_key = ChainKey::new(&zeroize::Zeroizing::new([7; 32]));
        let store = Store::new(database.clone(), chain_key, Changes::new(Instant::now()));
        let Pools::Sqlite { read, .. } = &database.pools else { panic!("not SQLite") };
        let mut taken = Vec::new();
        for _ in 0..read.options().get_max_connections() {
            taken.push(read.acquire().await.unwrap());
        }
        let follow = async {
            let mut cursor = store.log_cursor(Instant::now()).await.unwrap();
            store.follow_log(&mut cursor, Instant::now()).await.unwrap();
        };
        timeout(Duration::from_millis(500), follow).await.unwrap();
    }
}
