//! One customer with one key, made through the management API: what every other key is a copy of.

use serde_json::{Value as Json, json};

use crate::Result;

/// As in the guide to nginx.
pub(crate) const PERMISSION: &str = "invoices:read";

/// The API's identifier.
pub(crate) const API: &str = "https://api.acme.test";

/// What the management API said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Customer {
    pub(crate) api: String,
    pub(crate) service_account: String,
    pub(crate) key: String,
    pub(crate) token: String,
}

impl Customer {
    /// `post` sends a body to a path as the administrator, and returns what was made.
    pub(crate) fn make(post: impl Fn(&str, &Json) -> Result<Json>) -> Result<Self> {
        let permissions = [PERMISSION, "invoices:write"];
        let declared = permissions.map(|name| json!({ "name": name }));
        let api = json!({ "identifier": API, "name": "Invoices", "permissions": declared });
        let api = text(&post("/v1/apis", &api)?, "id")?;
        let organization = post("/v1/organizations", &json!({ "name": "Acme" }))?;
        let account = json!({
            "organization_id": organization["id"], "name": "billing sync", "permissions": permissions
        });
        let service_account = text(&post("/v1/service-accounts", &account)?, "id")?;
        let key = post("/v1/api-keys", &new_key(&service_account))?;
        Ok(Self { api, service_account, key: text(&key, "id")?, token: text(&key, "token")? })
    }
}

/// The body that makes a key.
pub(crate) fn new_key(service_account: &str) -> Json {
    json!({ "service_account_id": service_account, "name": "nightly export", "permissions": [PERMISSION] })
}

/// The body that asks about a token.
pub(crate) fn question(token: &str) -> Json {
    json!({ "credential": token, "permissions": [PERMISSION] })
}

pub(crate) fn text(answer: &Json, member: &str) -> Result<String> {
    Ok(answer[member].as_str().ok_or_else(|| format!("no {member} in {answer}"))?.to_owned())
}
