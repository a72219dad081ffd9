//! APIs and the permissions that they declare, in storage. APIs belong to the instance; everybody sees them.

use std::collections::HashMap;

use claviger_core::{AccessTokens, AlsoAccepts, Api, DeclaredPermission, Name, Reach, Routes, TokenFormat};
use claviger_token::{ApiId, PermissionSet, ServiceAccountId};

use crate::{
    error::StoreError,
    narrowing::Narrowed,
    sql::{Query, Row, sql, text},
    tx::Tx,
    view::{Page, View, contains},
};

const COLUMNS: &str =
    "SELECT id, identifier, name, resource_servers, builtin, created_at, accept_basic, query_parameter, access_token_ttl,
                              signing_algorithm, access_token_format, origins, route_rules
                       FROM api";

impl View<'_> {
    /// One.
    pub async fn api(&mut self, id: ApiId) -> Result<Option<Api>, StoreError> {
        let row = self.executor.optional(sql(COLUMNS).and_bind(" WHERE id = ?", text(id))).await?;
        Ok(self.with_permissions(row.as_slice()).await?.pop())
    }

    /// Claviger's own.
    pub async fn builtin_api(&mut self) -> Result<Option<Api>, StoreError> {
        let row = self.executor.optional(sql(COLUMNS).and(" WHERE builtin = 1")).await?;
        Ok(self.with_permissions(row.as_slice()).await?.pop())
    }

    /// Those whose name or identifier contains `q`.
    pub async fn apis(&mut self, q: Option<&str>, page: &Page<ApiId>) -> Result<Vec<Api>, StoreError> {
        let found = " AND (LOWER(name) LIKE LOWER(?) ESCAPE '\\' OR LOWER(identifier) LIKE LOWER(?) ESCAPE '\\')";
        let query = sql(COLUMNS)
            .and(" WHERE 1 = 1")
            .and_if(found, q.map(contains))
            .and_if(" AND id < ?", page.after.map(text))
            .and(" ORDER BY id DESC")
            .and_bind(" LIMIT ?", i64::from(page.limit));
        let rows = self.executor.all(query).await?;
        self.with_permissions(&rows).await
    }

    /// All of them: what the verifying side keeps in memory. One whose rules cannot be read has none, and takes nothing from the others.
    pub async fn catalog(&mut self) -> Result<Vec<Api>, StoreError> {
        let rows = self.executor.all(sql(COLUMNS).and(" ORDER BY id")).await?;
        self.read_all(&rows, readable_routes).await
    }

    /// How every API is called.
    pub async fn identifiers(&mut self) -> Result<Vec<String>, StoreError> {
        let rows = self.executor.all(sql("SELECT identifier FROM api")).await?;
        rows.iter().map(|row| row.text("identifier")).collect()
    }

    /// Every permission that an API declares.
    pub async fn declared_permissions(&mut self) -> Result<PermissionSet, StoreError> {
        let rows = self.executor.all(sql("SELECT name FROM permission")).await?;
        rows.iter().map(|row| row.parse("name")).collect()
    }

    /// Every permission that an API other than this one declares.
    pub async fn permissions_of_others(&mut self, api: Option<ApiId>) -> Result<PermissionSet, StoreError> {
        let query = sql("SELECT name FROM permission WHERE 1 = 1").and_if(" AND api <> ?", api.map(text));
        self.executor.all(query).await?.iter().map(|row| row.parse("name")).collect()
    }

    async fn with_permissions(&mut self, rows: &[Row]) -> Result<Vec<Api>, StoreError> {
        self.read_all(rows, routes).await
    }

    async fn read_all(
        &mut self,
        rows: &[Row],
        routes: fn(&Row) -> Result<Routes, StoreError>,
    ) -> Result<Vec<Api>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids = rows.iter().map(|row| row.text("id")).collect::<Result<Vec<_>, _>>()?;
        let query = sql("SELECT api, name, description FROM permission WHERE api IN ");
        let query = query.and_list(ids.iter().map(text)).and(" ORDER BY api, position");
        let mut declared: HashMap<String, Vec<DeclaredPermission>> = HashMap::new();
        for row in self.executor.all(query).await? {
            let permission =
                DeclaredPermission { name: row.parse("name")?, description: row.text_or_null("description")? };
            declared.entry(row.text("api")?).or_default().push(permission);
        }
        let api = |(row, id)| read(row, declared.remove(&id).unwrap_or_default(), routes(row)?);
        rows.iter().zip(ids).map(api).collect()
    }
}

impl Tx<'_> {
    /// Adds one with its permissions.
    pub async fn insert_api(&mut self, new: &Api) -> Result<(), StoreError> {
        let insert = sql(
            "INSERT INTO api (id, identifier, name, resource_servers, accept_basic, query_parameter, access_token_ttl,
                                  signing_algorithm, access_token_format, origins, route_rules, builtin, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        );
        self.execute(bound(insert, new)?.bind(new.builtin).bind(new.created_at)).await?;
        self.insert_permissions(new).await
    }

    /// Replaces what can change of one. A permission that it declares no more is taken from everybody.
    pub async fn save_api(&mut self, new: &Api) -> Result<(), StoreError> {
        let update = sql("UPDATE api SET identifier = $2, name = $3, resource_servers = $4, accept_basic = $5,
                          query_parameter = $6, access_token_ttl = $7, signing_algorithm = $8, access_token_format = $9,
                          origins = $10, route_rules = $11
                          WHERE id = $1");
        self.execute(bound(update, new)?).await?;
        let kept = new.permissions.iter().map(|permission| permission.name.clone()).collect();
        self.withdraw_permissions(new.id, &kept).await?;
        self.insert_permissions(new).await
    }

    /// Removes one with its permissions, which are taken from everybody.
    pub async fn delete_api(&mut self, id: ApiId) -> Result<(), StoreError> {
        self.withdraw_permissions(id, &PermissionSet::default()).await?;
        self.execute(sql("DELETE FROM api WHERE id = $1").bind(text(id))).await?;
        Ok(())
    }

    /// Locks the APIs that declare these permissions: none is withdrawn meanwhile, and what was withdrawn is known by whoever asks for
    /// [`View::declared_permissions`] after this.
    pub async fn lock_declaring(&mut self, permissions: &[String]) -> Result<(), StoreError> {
        if permissions.is_empty() {
            return Ok(());
        }
        let names = permissions.iter().map(|name| name.as_str().into());
        let query = sql("SELECT id FROM api WHERE id IN (SELECT api FROM permission WHERE name IN ").and_list(names);
        self.to_change(Reach::Instance).executor.all(query.and(") ORDER BY id")).await.map(drop)
    }

    /// Removes an API's declarations. Whoever was given one that is not `kept` loses it: if it stayed assigned, an
    /// API that declares the same name later would find it given already.
    async fn withdraw_permissions(&mut self, api: ApiId, kept: &PermissionSet) -> Result<(), StoreError> {
        let delete = sql("DELETE FROM permission WHERE api = $1 RETURNING name").bind(text(api));
        let rows = self.within(Reach::Instance).executor.all(delete).await?;
        let declared: PermissionSet = rows.iter().map(|row| row.parse("name")).collect::<Result<_, _>>()?;
        let gone = declared.difference(kept);
        if gone.is_empty() {
            return Ok(());
        }
        // Whoever held one of them by whatever way may have a token that says so.
        self.raise_epochs(Narrowed::All).await?;
        // Roles before fleets, as whoever enrols locks them; fleets before assignments: a device that enrols meanwhile has it by one then.
        self.take_from_roles(&gone).await?;
        self.execute(sql("DELETE FROM fleet_grant WHERE permission IN ").and_list(gone.iter().map(text))).await?;
        self.delete_assignments(|all| all.and(" WHERE a.permission IN ").and_list(gone.iter().map(text))).await
    }

    async fn insert_permissions(&mut self, api: &Api) -> Result<(), StoreError> {
        for (position, permission) in (0i64..).zip(&api.permissions) {
            let insert = sql("INSERT INTO permission (name, api, position, description) VALUES ($1, $2, $3, $4)");
            let insert = insert
                .bind(text(&permission.name))
                .bind(text(api.id))
                .bind(position)
                .bind(permission.description.clone());
            self.execute(insert).await?;
        }
        Ok(())
    }
}

/// `$1` to `$11` of the statements that write one.
fn bound(query: Query, new: &Api) -> Result<Query, StoreError> {
    let servers: Vec<String> = new.resource_servers.iter().map(ToString::to_string).collect();
    let rules = serde_json::to_string(new.routes.rules()).map_err(StoreError::damaged)?;
    let query = query
        .bind(text(new.id))
        .bind(new.identifier.as_str())
        .bind(text(&new.name))
        .bind(servers.join(" "))
        .bind(new.also_accepts.basic)
        .bind(new.also_accepts.query_parameter.clone())
        .bind(new.access_tokens.ttl_seconds)
        .bind(text(new.access_tokens.algorithm))
        .bind(new.access_tokens.format.as_str())
        .bind(new.origins.join(" "))
        .bind(rules);
    Ok(query)
}

fn routes(row: &Row) -> Result<Routes, StoreError> {
    let rules = serde_json::from_str(&row.text("route_rules")?).map_err(StoreError::damaged)?;
    Routes::restore(rules).ok_or_else(|| StoreError::damaged("column route_rules"))
}

/// The same, and none that cannot be read: what no rule allows is refused.
fn readable_routes(row: &Row) -> Result<Routes, StoreError> {
    let api = row.text("id")?;
    Ok(routes(row).unwrap_or_else(|error| {
        tracing::error!(%error, api, "the route rules of an API cannot be read; no request has a rule there");
        Routes::default()
    }))
}

fn read(row: &Row, permissions: Vec<DeclaredPermission>, routes: Routes) -> Result<Api, StoreError> {
    let servers = row.text("resource_servers")?;
    Ok(Api {
        id: row.parse("id")?,
        identifier: row.text("identifier")?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
        permissions,
        resource_servers: servers
            .split_whitespace()
            .map(str::parse::<ServiceAccountId>)
            .collect::<Result<_, _>>()
            .map_err(StoreError::damaged)?,
        origins: row.text("origins")?.split_whitespace().map(str::to_owned).collect(),
        also_accepts: AlsoAccepts {
            basic: row.flag("accept_basic")?,
            query_parameter: row.text_or_null("query_parameter")?,
        },
        routes,
        access_tokens: AccessTokens {
            ttl_seconds: row.count("access_token_ttl")?,
            algorithm: row.parse("signing_algorithm")?,
            format: TokenFormat::from_word(&row.text("access_token_format")?)
                .ok_or_else(|| StoreError::damaged("column access_token_format"))?,
        },
        builtin: row.flag("builtin")?,
        created_at: row.time("created_at")?,
    })
}
