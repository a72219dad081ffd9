//! What an OpenAPI document (3.0 to 3.2) says of an API's permissions and routes. What it says that has no place in a rule is
//! remarked upon, never dropped in silence. The room must not know what the service has already.

mod keys;

use std::collections::{BTreeMap, BTreeSet};

use claviger_core::{DeclaredPermission, RouteRule};
use claviger_token::Permission;
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use self::keys::DistinctKeys;
use crate::{
    failure::Failure,
    route_rule::{refused, shape},
};

/// Of the document, in bytes.
pub(crate) const LARGEST: u64 = 4 << 20;
/// Of a description, in characters.
const LONGEST: usize = 500;

const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];
const OBJECT: &str = "x-claviger-object";
const FILTERS: &str = "x-claviger-filters-objects";

/// The object of every path that has these parameters.
#[derive(Debug, Clone)]
pub(crate) struct ObjectOfPaths {
    object: String,
    parameters: Vec<String>,
}

/// What a document says.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) title: Option<String>,
    /// The address of its first server, if that is a whole one.
    pub(crate) identifier: Option<String>,
    pub(crate) permissions: Vec<DeclaredPermission>,
    /// One for each method of each path.
    pub(crate) rules: Vec<RouteRule>,
    /// What has no place in these, and what became of it.
    pub(crate) remarks: Vec<String>,
    /// Whether some of that was not understood, so that the document may say more than this.
    pub(crate) is_partly_unread: bool,
}

#[derive(Deserialize)]
struct Document {
    openapi: Option<String>,
    info: Option<Info>,
    servers: Option<Vec<Server>>,
    security: Option<Vec<Requirement>>,
    paths: Option<BTreeMap<String, Json>>,
    components: Option<Components>,
}

#[derive(Deserialize)]
struct Info {
    title: Option<String>,
}

#[derive(Deserialize)]
struct Server {
    url: String,
    variables: Option<BTreeMap<String, Variable>>,
}

#[derive(Deserialize)]
struct Variable {
    default: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    security_schemes: Option<BTreeMap<String, Scheme>>,
}

#[derive(Deserialize)]
struct Scheme {
    #[serde(rename = "type")]
    kind: Option<String>,
    flows: Option<BTreeMap<String, Json>>,
}

/// All of these schemes, with the scopes of each.
type Requirement = BTreeMap<String, Vec<String>>;

impl ObjectOfPaths {
    /// `TYPE=ID`, as in `app={appId}` or `repo={owner}/{name}`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "an object is TYPE={PARAMETER}, such as app={appId} or repo={owner}/{name}";
        let (kind, id) = text.split_once('=').ok_or(WANTED)?;
        let parameters = names(id);
        if kind.is_empty() || parameters.is_empty() {
            return Err(WANTED);
        }
        Ok(Self { object: format!("{kind}:{id}"), parameters: parameters.into_iter().map(str::to_owned).collect() })
    }
}

/// The parameters of a path or of an object.
fn names(text: &str) -> Vec<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

/// Reads a document, in YAML or JSON. `prefix` stands before each path instead of what the first server says.
pub(crate) fn read(text: &str, objects: &[ObjectOfPaths], prefix: Option<&str>) -> Result<Described, Failure> {
    let document: Document = match text.trim_start().starts_with('{') {
        true => {
            serde_json::from_str::<DistinctKeys>(text).map_err(|error| unreadable(&error))?;
            serde_json::from_str(text).map_err(|error| unreadable(&error))?
        }
        // Refuses a key that is there twice by itself.
        false => serde_saphyr::from_str(text).map_err(|error| unreadable(&error))?,
    };
    match document.openapi.as_deref() {
        Some(version) if version.starts_with("3.") => {}
        Some(version) => {
            return Err(Failure::new(format!("the document is of OpenAPI {version}; 3.0 to 3.2 are understood")));
        }
        None => return Err(Failure::new("the document does not say `openapi: 3.…`; is it an OpenAPI document?")),
    }
    let mut servers = document.servers.unwrap_or_default().into_iter().map(Server::address);
    let server = servers.next();
    let (identifier, base) = server.as_deref().map_or((None, String::new()), placed);
    let schemes = document.components.and_then(|components| components.security_schemes).unwrap_or_default();
    let mut reading = Reading {
        prefix: prefix.unwrap_or(&base).trim_end_matches('/').to_owned(),
        usual: document.security.unwrap_or_default(),
        objects,
        schemes,
        permissions: BTreeMap::new(),
        rules: Vec::new(),
        remarks: Vec::new(),
        is_partly_unread: false,
    };
    for other in servers {
        reading.remark("servers", format!("{other} is passed over; identifier and prefix are of the first server"));
    }
    reading.declare_scopes();
    for (path, item) in document.paths.unwrap_or_default() {
        // Members of that name are extensions (section 4.9).
        if !path.starts_with("x-") {
            reading.read_path(&path, &item);
        }
    }
    reading.drop_twins();
    let Reading { permissions, rules, remarks, is_partly_unread, .. } = reading;
    let permissions = permissions.into_iter().map(|(name, description)| DeclaredPermission { name, description });
    let title = document.info.and_then(|info| info.title);
    Ok(Described { title, identifier, permissions: permissions.collect(), rules, remarks, is_partly_unread })
}

fn unreadable(error: &dyn std::error::Error) -> Failure {
    Failure::because("the document cannot be read", error)
}

impl Server {
    /// With the usual values of its variables.
    fn address(self) -> String {
        let variables = self.variables.unwrap_or_default();
        variables.iter().fold(self.url, |url, (name, variable)| url.replace(&format!("{{{name}}}"), &variable.default))
    }
}

/// The identifier that an address makes, and the path below which everything stands.
fn placed(address: &str) -> (Option<String>, String) {
    match Url::parse(address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            (Some(address.trim_end_matches('/').to_owned()), url.path().to_owned())
        }
        _ if address.starts_with('/') => (None, address.to_owned()),
        _ => (None, String::new()),
    }
}

struct Reading<'a> {
    prefix: String,
    /// What every operation asks for that says nothing of its own.
    usual: Vec<Requirement>,
    objects: &'a [ObjectOfPaths],
    schemes: BTreeMap<String, Scheme>,
    permissions: BTreeMap<Permission, Option<String>>,
    rules: Vec<RouteRule>,
    remarks: Vec<String>,
    is_partly_unread: bool,
}

impl Reading<'_> {
    fn remark(&mut self, at: &str, text: impl std::fmt::Display) {
        self.remarks.push(format!("{at}: {text}"));
    }

    /// A remark upon what may say more than is understood.
    fn leave_unread(&mut self, at: &str, text: impl std::fmt::Display) {
        self.is_partly_unread = true;
        self.remark(at, text);
    }

    /// Of rules for the same requests nobody but the author knows which is meant.
    fn drop_twins(&mut self) {
        let mut same: BTreeMap<(String, Vec<String>), Vec<RouteRule>> = BTreeMap::new();
        for rule in std::mem::take(&mut self.rules) {
            same.entry((shape(&rule.path), rule.methods.clone())).or_default().push(rule);
        }
        for ((_, methods), rules) in same {
            match <[RouteRule; 1]>::try_from(rules) {
                Ok([rule]) => self.rules.push(rule),
                Err(twins) => {
                    let paths = twins.iter().map(|rule| rule.path.as_str()).collect::<Vec<_>>().join(" and ");
                    let text = "they differ by case or names of parameters only; no rule is made of any of them";
                    self.leave_unread(&format!("{} {paths}", methods.join(",")), text);
                }
            }
        }
    }

    fn declare_scopes(&mut self) {
        let schemes = std::mem::take(&mut self.schemes);
        for (name, scheme) in &schemes {
            let at = format!("security scheme {name}");
            if scheme.kind.is_none() {
                self.leave_unread(
                    &at,
                    "it has no type here (a $ref is not followed); its scopes count where operations name them",
                );
            }
            for flow in scheme.flows.iter().flat_map(BTreeMap::values) {
                for (scope, description) in flow["scopes"].as_object().into_iter().flatten() {
                    self.declare(&at, scope, description.as_str());
                }
            }
        }
        self.schemes = schemes;
    }

    fn declare(&mut self, at: &str, scope: &str, description: Option<&str>) -> Option<Permission> {
        let permission: Permission = match scope.parse() {
            Ok(permission) => permission,
            Err(error) => {
                self.leave_unread(at, format!("the scope {scope:?} cannot be a permission: {error}"));
                return None;
            }
        };
        let line = description.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let line = line.filter(|line| !line.is_empty() && !line.contains(char::is_control));
        if line.as_ref().is_some_and(|line| line.chars().count() > LONGEST) {
            self.remark(at, format!("the description of {scope} is cut after {LONGEST} characters"));
        }
        let line = line.map(|line| line.chars().take(LONGEST).collect());
        let kept = self.permissions.entry(permission.clone()).or_default();
        *kept = kept.take().or(line);
        Some(permission)
    }

    fn read_path(&mut self, path: &str, item: &Json) {
        let Some(members) = item.as_object() else {
            return self.leave_unread(path, "it is no path item; no rule is made");
        };
        if !path.starts_with('/') {
            return self.leave_unread(path, "a path begins with `/`; no rule is made");
        }
        for (name, operation) in members {
            match name.as_str() {
                "parameters" | "summary" | "description" => {}
                "servers" => {
                    self.remark(path, "servers of its own are passed over; the prefix is that of the document");
                }
                "$ref" => self.leave_unread(path, "a $ref is not followed; what stands there has no rule"),
                "additionalOperations" => {
                    let Some(operations) = operation.as_object() else {
                        self.leave_unread(path, "`additionalOperations` are not understood; no rule is made of them");
                        continue;
                    };
                    for (method, operation) in operations {
                        self.read_operation(path, method, item, operation);
                    }
                }
                method if METHODS.contains(&method) => {
                    self.read_operation(path, &method.to_ascii_uppercase(), item, operation);
                }
                extension if extension.starts_with("x-") => {}
                other => self.leave_unread(path, format!("`{other}` is not understood; no rule is made of it")),
            }
        }
    }

    fn read_operation(&mut self, path: &str, method: &str, item: &Json, operation: &Json) {
        let at = format!("{method} {path}");
        if !operation.is_object() {
            return self.leave_unread(&at, "it is no operation; no rule is made");
        }
        if operation.get("servers").is_some() {
            self.remark(&at, "servers of its own are passed over; the prefix is that of the document");
        }
        let alternatives = match operation.get("security") {
            None => Ok(self.usual.clone()),
            Some(own) => serde_json::from_value::<Vec<Requirement>>(own.clone()),
        };
        let Ok(alternatives) = alternatives else {
            return self.leave_unread(&at, "`security` is not understood; no rule is made");
        };
        let Some(permissions) = self.asked(&at, &alternatives) else { return };
        let said = |name: &str| operation.get(name).or_else(|| item.get(name));
        let object = match said(OBJECT) {
            Some(Json::String(object)) => Some(object.clone()),
            Some(Json::Null | Json::Bool(false)) => None,
            Some(_) => {
                return self.leave_unread(&at, format!("{OBJECT} is a text such as \"app:{{id}}\"; no rule is made"));
            }
            None => self.object_of(path),
        };
        let filters_objects = match said(FILTERS) {
            Some(Json::Bool(filters)) => *filters,
            None => false,
            Some(_) => return self.leave_unread(&at, format!("{FILTERS} is true or false; no rule is made")),
        };
        let path = format!("{}{path}", self.prefix);
        let rule = RouteRule { methods: vec![method.to_owned()], path, permissions, object, filters_objects };
        let declared = rule.permissions.iter().cloned().collect();
        match refused(vec![rule.clone()], &declared) {
            None => self.rules.push(rule),
            Some(problem) => self.leave_unread(&at, format!("{problem}; no rule is made")),
        }
    }

    /// What a rule asks for; none if it cannot, and then there is no rule.
    fn asked(&mut self, at: &str, alternatives: &[Requirement]) -> Option<Vec<Permission>> {
        if alternatives.iter().any(BTreeMap::is_empty) || alternatives.is_empty() {
            let text = "it needs no credential; no rule is made, so let the gateway pass it without asking";
            self.remark(at, text);
            return None;
        }
        let mut sets: Vec<BTreeSet<String>> = Vec::new();
        let mut has_bare = false;
        for requirement in alternatives {
            let scopes = self.scopes(at, requirement);
            has_bare |= scopes.is_empty();
            if !scopes.is_empty() && !sets.contains(&scopes) {
                sets.push(scopes);
            }
        }
        let Some(first) = sets.first() else {
            self.remark(at, "it asks for no scope; whatever credential is for this API passes");
            return Some(Vec::new());
        };
        let named = first.iter().cloned().collect::<Vec<_>>().join(" ");
        if sets.len() > 1 {
            self.remark(at, format!("of several sets of scopes that would do, the rule asks for the first: {named}"));
        }
        if has_bare {
            self.remark(at, format!("one way to ask has no scope; the rule asks for {named} in any case"));
        }
        let declared: Vec<Option<Permission>> = first.iter().map(|scope| self.declare(at, scope, None)).collect();
        let permissions: Option<Vec<Permission>> = declared.into_iter().collect();
        if permissions.is_none() {
            self.remark(at, "no rule is made");
        }
        permissions
    }

    fn scopes(&mut self, at: &str, requirement: &Requirement) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for (scheme, scopes) in requirement {
            let kind = self.schemes.get(scheme).map(|scheme| scheme.kind.clone());
            match kind.as_ref().map(|kind| kind.as_deref()) {
                Some(Some("http" | "apiKey" | "mutualTLS")) if scopes.is_empty() => {}
                Some(Some("http" | "apiKey" | "mutualTLS")) => {
                    self.remark(at, format!("the roles of {scheme} are asked for as permissions"));
                    all.extend(scopes.iter().cloned());
                }
                Some(_) => all.extend(scopes.iter().cloned()),
                None => {
                    self.leave_unread(
                        at,
                        format!("there is no security scheme {scheme}; its scopes are asked for all the same"),
                    );
                    all.extend(scopes.iter().cloned());
                }
            }
        }
        all
    }

    fn object_of(&self, path: &str) -> Option<String> {
        let has = names(path);
        let fits = |one: &&ObjectOfPaths| one.parameters.iter().all(|name| has.contains(&name.as_str()));
        self.objects.iter().find(fits).map(|one| one.object.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Apps, version: "1" }
servers:
  - url: https://{host}/v1/
    variables: { host: { default: api.acme.test } }
  - url: https://b.test
security:
  - oauth: [apps:read]
paths:
  x-internal: 7
  /apps:
    parameters: []
    get:
      x-claviger-filters-objects: true
      responses: { 200: { description: ok } }
    post: { security: [{ oauth: [apps:write], }] }
  /apps/{appId}:
    x-owner: team
    get: {}
    delete: { security: [{ oauth: [apps:write, "apps:read"] }] }
    put: { security: [{ oauth: [apps:write] }, { key: [] }, { oauth: [apps:admin] }] }
  /apps/{appId}/tables/{tableId}: { get: { x-claviger-object: "table:{tableId}" }, patch: { x-claviger-object: null } }
  /health: { get: { security: [] }, head: { security: [{}, { oauth: [apps:read] }] } }
  /me: { get: { security: [{ key: [] }] } }
  /apps/{appId}:run: { post: {} }
  /odd: { $ref: "./odd.yaml", servers: [], fetch: {}, additionalOperations: 7, get: { security: [{ oauth: ["apps read"] }] } }
  /bad: { get: { security: 7 }, put: { x-claviger-object: [1] }, post: { x-claviger-object: "app:{nope}" }, head: null, patch: 7 }
  none: { get: {} }
  /twins/{a}: { get: {} }
  /twins/{b}: { get: { security: [{ oauth: [apps:write] }] }, post: {} }
  /Cased: { get: {} }
  /cased: { get: { security: [{ oauth: [apps:write] }] } }
components:
  securitySchemes:
    key: { type: apiKey, in: header, name: X-API-Key }
    oauth:
      type: oauth2
      flows:
        clientCredentials:
          tokenUrl: https://a.test
          scopes: { "apps:read": "See\n  apps", "apps:write": "", "apps:unused": Nothing yet }
"#;

    fn told(described: &Described) -> Vec<String> {
        let told = |rule: &RouteRule| {
            let names = rule.permissions.iter().map(Permission::as_str).collect::<Vec<_>>().join(",");
            let object = rule.object.as_deref().unwrap_or(if rule.filters_objects { "*" } else { "-" });
            format!("{} {} [{names}] {object}", rule.methods.join(","), rule.path)
        };
        described.rules.iter().map(told).collect()
    }

    #[test]
    fn what_has_a_place_is_taken_and_the_rest_is_remarked_upon() {
        let objects = [ObjectOfPaths::parse("app={appId}").unwrap()];
        let described = read(DOCUMENT, &objects, None).unwrap();
        assert_eq!(described.title.as_deref(), Some("Apps"));
        assert_eq!(described.identifier.as_deref(), Some("https://api.acme.test/v1"));
        let declared = described.permissions.iter().map(|one| (one.name.as_str(), one.description.as_deref()));
        assert_eq!(
            declared.collect::<Vec<_>>(),
            [("apps:read", Some("See apps")), ("apps:unused", Some("Nothing yet")), ("apps:write", None)]
        );
        let expected = [
            "GET /v1/apps [apps:read] *",
            "POST /v1/apps [apps:write] -",
            "DELETE /v1/apps/{appId} [apps:read,apps:write] app:{appId}",
            "GET /v1/apps/{appId} [apps:read] app:{appId}",
            "PUT /v1/apps/{appId} [apps:write] app:{appId}",
            "GET /v1/apps/{appId}/tables/{tableId} [apps:read] table:{tableId}",
            "PATCH /v1/apps/{appId}/tables/{tableId} [apps:read] -",
            "GET /v1/me [] -",
            "POST /v1/twins/{b} [apps:read] -",
        ];
        assert_eq!(told(&described), expected);
        assert!(described.is_partly_unread);
        let remarks = described.remarks.join("\n");
        for expected in [
            "PUT /apps/{appId}: of several sets",
            "PUT /apps/{appId}: one way to ask has no scope",
            "GET /health: it needs no credential",
            "HEAD /health: it needs no credential",
            "GET /me: it asks for no scope",
            "POST /apps/{appId}:run: a parameter is a whole segment",
            "/odd: a $ref is not followed",
            "/odd: servers of its own",
            "/odd: `fetch` is not understood",
            "GET /odd: the scope \"apps read\" cannot be a permission",
            "GET /bad: `security` is not understood",
            "PUT /bad: x-claviger-object is a text",
            "POST /bad: the object names a parameter that the path does not have",
            "HEAD /bad: it is no operation",
            "PATCH /bad: it is no operation",
            "none: a path begins with `/`",
            "GET /v1/twins/{a} and /v1/twins/{b}: they differ by case or names of parameters only",
            "GET /v1/Cased and /v1/cased: they differ by case",
            "/odd: `additionalOperations` are not understood",
            "servers: https://b.test is passed over",
        ] {
            assert!(remarks.contains(expected), "{expected}: {remarks}");
        }
    }

    #[test]
    fn the_prefix_is_that_of_the_first_server_unless_another_is_given() {
        let check = |server: &str, prefix: Option<&str>, identifier: Option<&str>, path: &str| {
            let text = format!(
                r#"{{"openapi":"3.0.3","servers":[{{"url":"{server}"}}],"security":[{{"k":["a"]}}],"paths":{{"/x":{{"get":{{}}}}}}}}"#
            );
            let described = read(&text, &[], prefix).unwrap();
            assert_eq!((described.identifier.as_deref(), described.rules[0].path.as_str()), (identifier, path));
        };
        check("https://a.test/v1", None, Some("https://a.test/v1"), "/v1/x");
        check("https://a.test/", None, Some("https://a.test"), "/x");
        check("/v2", None, None, "/v2/x");
        check("v2", None, None, "/x");
        check("https://a.test/v1", Some(""), Some("https://a.test/v1"), "/x");
        check("https://a.test/v1", Some("/w/"), Some("https://a.test/v1"), "/w/x");
    }

    #[test]
    fn what_is_no_document_is_refused_in_one_line() {
        let check = |text: &str, expected: &str| {
            let failure = read(text, &[], None).unwrap_err().to_string();
            assert!(failure.contains(expected), "{failure}");
        };
        check("", "");
        check("swagger: '2.0'", "does not say `openapi");
        check("openapi: '2.0'", "OpenAPI 2.0");
        check("{\"openapi\":", "cannot be read");
        check("openapi: [", "cannot be read");
        check("openapi: 3.1.0\nopenapi: 3.1.0", "cannot be read");
        check("openapi: 3.1.0\npaths: { /a: { get: {}, get: {} } }", "cannot be read");
        check(r#"{"openapi":"3.1.0","paths":{"/a":{"get":{},"get":{}}}}"#, "cannot be read");
        check(r#"{"openapi":"3.1.0","paths":{"/a":{},"/\u0061":{}}}"#, "cannot be read");
        check(&format!("openapi: 3.1.0\na: {}", "[".repeat(100_000)), "cannot be read");
        let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)).collect();
        check(&format!("openapi: 3.1.0\na0: &a0 [x]\n{bomb}paths: {{ x-a: *a29 }}"), "cannot be read");
    }

    #[test]
    fn an_object_names_parameters() {
        let one = ObjectOfPaths::parse("repo={owner}/{name}").unwrap();
        assert_eq!(
            (one.object.as_str(), one.parameters),
            ("repo:{owner}/{name}", vec!["owner".to_owned(), "name".to_owned()])
        );
        for bad in ["", "app", "app=", "app=x", "={id}"] {
            assert!(ObjectOfPaths::parse(bad).is_err(), "{bad}");
        }
    }
}
