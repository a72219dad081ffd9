//! One API: how tokens for it are made, what can be permitted on it, and which requests take what.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{DeclaredPermission, Reach, RouteRule, TokenFormat, permission};
use claviger_token::{ApiId, PrincipalId};

use super::{LIST, find, list::life, path_of};
use crate::{
    app::App,
    console::{
        approval::named,
        everywhere::Everywhere,
        first_run,
        inside::Which,
        page::{Frame, page},
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "api.html")]
pub(crate) struct ApiPage {
    pub(crate) frame: Frame,
    pub(crate) list: &'static str,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) identifier: String,
    pub(crate) builtin: bool,
    pub(crate) format: String,
    pub(crate) life: String,
    /// What signs its tokens, if they are signed.
    pub(crate) algorithm: Option<&'static str>,
    pub(crate) origins: Vec<String>,
    pub(crate) accepts: Vec<String>,
    /// The service accounts that serve it: names and ids.
    pub(crate) servers: Vec<(String, String)>,
    pub(crate) permissions: Vec<Declared>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) changes: bool,
    /// A rule that could be made of what it declares, as the command line takes it.
    pub(crate) example: String,
    /// The page that says how to ask about a credential for it.
    pub(crate) how_to_ask: Option<String>,
}

/// A permission, as it stands in an address, as it is, and what it allows.
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) what: String,
}

/// What requests take.
pub(crate) struct Rule {
    pub(crate) methods: String,
    pub(crate) path: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) object: Option<String>,
    /// Whether the API itself keeps to the objects of a credential.
    pub(crate) filters: bool,
}

/// `GET /apis/{id}`.
pub(crate) async fn show(State(app): State<App>, Which(id): Which<ApiId>, at: Everywhere) -> Result<Response, Trouble> {
    let api = find(&app, &at, id).await?;
    let servers: Vec<PrincipalId> = api.resource_servers.iter().map(|id| PrincipalId::from(*id)).collect();
    let names = app.store.within(Reach::Instance).principal_names(&servers).await?;
    let frame = at.place(&app).frame().await?;
    let tokens = api.access_tokens;
    let (format, algorithm) = match tokens.format {
        TokenFormat::Jwt => ("api-format-jwt", Some(tokens.algorithm.as_str())),
        TokenFormat::Opaque => ("api-format-opaque", None),
    };
    let basic = api.also_accepts.basic.then(|| frame.text("api-accepts-basic"));
    let query = api.also_accepts.query_parameter.as_ref();
    let query = query.map(|name| frame.text_with("api-accepts-query", "name", name));
    let declared = |one: &DeclaredPermission| Declared {
        name: one.name.to_string(),
        what: one.description.clone().unwrap_or_default(),
    };
    let rule = |rule: &RouteRule| Rule {
        methods: rule.methods.join(", "),
        path: rule.path.clone(),
        permissions: rule.permissions.iter().map(ToString::to_string).collect(),
        object: rule.object.clone(),
        filters: rule.filters_objects,
    };
    let changes = !api.builtin && at.may(permission::APIS_WRITE);
    let first = api.permissions.first().map(|known| known.name.as_str());
    let shown = ApiPage {
        list: LIST,
        path: path_of(id),
        name: api.name.to_string(),
        id: id.to_string(),
        builtin: api.builtin,
        format: frame.text(format),
        life: life(&frame, tokens.ttl_seconds),
        algorithm,
        origins: api.answers_on(),
        accepts: basic.into_iter().chain(query).collect(),
        servers: servers.iter().map(|id| (named(&names, *id), id.to_string())).collect(),
        permissions: api.permissions.iter().map(declared).collect(),
        rules: api.routes.rules().iter().map(rule).collect(),
        changes,
        example: example(first),
        how_to_ask: first.filter(|_| changes).map(first_run::how_to_ask_for),
        identifier: api.identifier,
        frame,
    };
    Ok(page(&shown, []))
}

/// A request to what a permission begins with; to something that wants none where none is declared.
fn example(permission: Option<&str>) -> String {
    let Some(permission) = permission else { return "GET /status -".to_owned() };
    let noun = permission.split([':', '/', '.']).next().unwrap_or_default();
    format!("GET /{noun} {permission}")
}

#[cfg(test)]
mod tests {
    use claviger_core::{FieldErrors, Routes};
    use claviger_token::PermissionSet;

    use super::*;

    #[test]
    fn an_example_of_a_rule_is_one_that_the_api_could_have() {
        let check = |declared: Option<&str>, expected: &str| {
            let text = example(declared);
            assert_eq!(text, expected);
            let parts: Vec<&str> = text.split(' ').collect();
            let [method, path, permission] = parts[..] else { panic!("{text}") };
            let rule = RouteRule {
                methods: vec![method.to_owned()],
                path: path.to_owned(),
                permissions: declared.map(|_| permission.parse().unwrap()).into_iter().collect(),
                object: None,
                filters_objects: false,
            };
            let (mut errors, set) = (
                FieldErrors::default(),
                declared.map(|name| name.parse().unwrap()).into_iter().collect::<PermissionSet>(),
            );
            Routes::read(vec![rule], &set, &mut errors);
            assert!(errors.finish().is_ok(), "{text}");
        };
        check(Some("orders:read"), "GET /orders orders:read");
        check(Some("a.b/c:d"), "GET /a a.b/c:d");
        check(None, "GET /status -");
    }
}
