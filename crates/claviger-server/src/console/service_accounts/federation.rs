//! What a form says of a federated identity: where the workload runs, and the few questions from which that platform's conditions
//! follow. What the conditions must say at least is the rules' to judge.

use askama::Template;
use axum::response::Response;
use claviger_core::{Kind, NewFederation, Preset, ServiceAccount};
use jiff::Timestamp;
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use super::{Head, proof::Extra, terms::platform};
use crate::console::{
    credential::{Place, form::Wrong},
    page::{Frame, page},
    shell::Here,
    trouble::Trouble,
};

/// Which jobs of a repository or project are meant, and the keys of what that is called.
pub(super) const LIMITS: [(&str, &str); 4] = [
    ("branch", "federation-limit-branch"),
    ("environment", "federation-limit-environment"),
    ("tag", "federation-limit-tag"),
    ("any", "federation-limit-any"),
];

/// By which id a platform tells whose jobs they are.
pub(super) fn whose(preset: Option<Preset>) -> &'static [(&'static str, &'static str)] {
    match preset {
        Some(Preset::Gitlab) => {
            &[("project_id", "federation-gitlab-project"), ("namespace_id", "federation-gitlab-group")]
        }
        Some(Preset::Github | Preset::Kubernetes | Preset::Spiffe | Preset::Oidc) | None => {
            &[("repository_id", "federation-github-repository"), ("repository_owner_id", "federation-github-owner")]
        }
    }
}

#[derive(Template)]
#[template(path = "federation_where.html")]
pub(crate) struct WherePage {
    pub(crate) frame: Frame,
    pub(crate) head: Head,
    pub(crate) list: String,
    /// The word of each platform, what it is called, and the key of what is asked there.
    pub(crate) platforms: Vec<(&'static str, String, &'static str)>,
}

/// Asks where the workload runs.
pub(super) async fn choose(place: &Place<'_>, here: &Here, account: &ServiceAccount) -> Result<Response, Trouble> {
    let frame = place.frame().await?;
    let platforms = Preset::ALL.map(|preset| (preset.as_str(), platform(preset, &frame), asks(preset)));
    let head = Head::of(here, account, Some(Kind::Federation));
    Ok(page(&WherePage { head, list: place.list(), platforms: platforms.into(), frame }, []))
}

fn asks(preset: Preset) -> &'static str {
    match preset {
        Preset::Github => "platform-github-asks",
        Preset::Gitlab => "platform-gitlab-asks",
        Preset::Kubernetes => "platform-kubernetes-asks",
        Preset::Spiffe => "platform-spiffe-asks",
        Preset::Oidc => "platform-oidc-asks",
    }
}

/// The federated identity that is asked for.
pub(super) fn body(
    name: String,
    expires_at: Option<Timestamp>,
    extra: &Extra,
    frame: &Frame,
    wrong: &mut Wrong,
) -> Option<NewFederation> {
    let preset = extra.preset()?;
    let mut told = Told { extra, frame, wrong };
    let conditions = match preset {
        Preset::Github => told.of_jobs(&github),
        Preset::Gitlab => told.of_jobs(&gitlab),
        Preset::Kubernetes => told.of_pods(),
        Preset::Spiffe => told.of_spiffe(),
        Preset::Oidc => told.as_typed(),
    };
    let jwks = told.jwks();
    let given = |name: &str| extra.given(name).map(str::to_owned);
    Some(NewFederation {
        name,
        preset: Some(preset),
        issuer: given("issuer"),
        trust_domain: given("trust_domain"),
        audience: given("audience"),
        conditions: to_raw_value(&conditions?).ok()?,
        jwks: jwks?,
        jwks_uri: given("jwks_uri"),
        single_use: Some(!extra.value("single_use").is_empty()),
        expires_at,
    })
}

type Claims = Map<String, Value>;

/// The conditions of a job on GitHub.
fn github(limit: &str, value: &str, claims: &mut Claims) {
    let mut must = |claim: &str, value: String| claims.insert(claim.to_owned(), Value::from(value));
    match limit {
        "branch" => must("ref", format!("refs/heads/{value}")),
        "tag" => must("ref", format!("refs/tags/{value}")),
        "environment" => must("environment", value.to_owned()),
        _ => None,
    };
}

/// The same on GitLab, where a tag can have the name of a branch.
fn gitlab(limit: &str, value: &str, claims: &mut Claims) {
    let mut must = |claim: &str, value: &str| claims.insert(claim.to_owned(), Value::from(value));
    match limit {
        "branch" | "tag" => {
            if value != "*" {
                must("ref", value);
            }
            must("ref_type", limit);
            must("ref_protected", "true");
        }
        "environment" => {
            must("environment", value);
        }
        _ => {}
    }
}

/// Reads what was typed, and tells what is wrong where it was.
struct Told<'a> {
    extra: &'a Extra,
    frame: &'a Frame,
    wrong: &'a mut Wrong,
}

impl Told<'_> {
    fn tell<T>(&mut self, field: &'static str, key: &str) -> Option<T> {
        self.wrong.fields.push((field, self.frame.text(key)));
        None
    }

    fn of_jobs(&mut self, limited: &dyn Fn(&str, &str, &mut Claims)) -> Option<Claims> {
        let (known, whose_id) = (whose(self.extra.preset()), self.extra.given("whose_id").unwrap_or_default());
        let chosen = known.iter().find(|(claim, _)| *claim == self.extra.value("whose")).or(known.first());
        let (claim, _) = chosen?;
        let mut claims = Claims::new();
        if whose_id.is_empty() || !whose_id.bytes().all(|byte| byte.is_ascii_digit()) {
            self.tell::<()>("whose_id", "federation-id-wrong");
        }
        claims.insert((*claim).to_owned(), Value::from(whose_id));
        let (limit, value) = (self.extra.value("limit"), self.extra.given("limit_value"));
        match (limit, value) {
            ("any", None) => {}
            ("any", Some(_)) => return self.tell("limit_value", "federation-limit-unused"),
            ("tag", None) => limited("tag", "*", &mut claims),
            ("branch" | "environment" | "tag", Some(value)) => limited(limit, value, &mut claims),
            _ => return self.tell("limit_value", "federation-limit-wrong"),
        }
        Some(claims)
    }

    fn of_pods(&mut self) -> Option<Claims> {
        let Some(namespace) = self.extra.given("namespace") else {
            return self.tell("namespace", "federation-namespace-wrong");
        };
        if self.extra.given("issuer").is_none() {
            self.tell::<()>("issuer", "federation-issuer-wrong");
        }
        let (claim, value) = match self.extra.given("workload") {
            Some(account) => ("sub", format!("system:serviceaccount:{namespace}:{account}")),
            None => ("/kubernetes.io/namespace", namespace.to_owned()),
        };
        Some([(claim.to_owned(), Value::from(value))].into_iter().collect())
    }

    fn of_spiffe(&mut self) -> Option<Claims> {
        let Some(domain) = self.extra.given("trust_domain") else {
            return self.tell("trust_domain", "federation-domain-wrong");
        };
        let Some(path) = self.extra.given("path") else { return self.tell("path", "federation-path-wrong") };
        let subject = format!("spiffe://{domain}/{}", path.trim_start_matches('/'));
        Some([("sub".to_owned(), Value::from(subject))].into_iter().collect())
    }

    /// Each line is a claim and what it must be; one that is there several times may be either.
    fn as_typed(&mut self) -> Option<Claims> {
        let mut claims: Map<String, Value> = Map::new();
        for line in self.extra.value("conditions").lines().map(str::trim).filter(|line| !line.is_empty()) {
            let Some((claim, value)) = line.split_once('=') else {
                return self.tell("conditions", "federation-conditions-wrong");
            };
            let (claim, value) = (claim.trim(), Value::from(value.trim()));
            match claims.get_mut(claim) {
                None => drop(claims.insert(claim.to_owned(), value)),
                Some(Value::Array(several)) => several.push(value),
                Some(one) => *one = Value::Array(vec![one.take(), value]),
            }
        }
        if claims.is_empty() { self.tell("conditions", "federation-conditions-wrong") } else { Some(claims) }
    }

    fn jwks(&mut self) -> Option<Option<Box<RawValue>>> {
        let Some(text) = self.extra.given("material") else { return Some(None) };
        match serde_json::from_str(text) {
            Ok(jwks) => Some(Some(jwks)),
            Err(_) => self.tell("material", "federation-jwks-wrong"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::console::language::Language;

    fn asked(fields: &[(&'static str, &str)]) -> Result<NewFederation, &'static str> {
        let (frame, mut wrong) = (Frame::sample(Language::English, None), Wrong::default());
        let body = body("ci".to_owned(), None, &Extra::with(fields), &frame, &mut wrong);
        match wrong.fields.first() {
            Some((field, _)) => Err(field),
            None => Ok(body.unwrap()),
        }
    }

    #[test]
    fn conditions_follow_from_a_few_questions() {
        let check = |fields: &[(&'static str, &str)], expected: Value| {
            let conditions: Value = serde_json::from_str(asked(fields).unwrap().conditions.get()).unwrap();
            assert_eq!(conditions, expected, "{fields:?}");
        };
        let on = |preset| [("preset", preset), ("whose_id", "74")];
        let with = |preset, more: &[(&'static str, &'static str)]| [on(preset).as_slice(), more].concat();
        check(
            &with("github", &[("limit", "branch"), ("limit_value", " main ")]),
            json!({ "repository_id": "74", "ref": "refs/heads/main" }),
        );
        check(
            &with("github", &[("whose", "repository_owner_id"), ("limit", "tag")]),
            json!({ "repository_owner_id": "74", "ref": "refs/tags/*" }),
        );
        check(&with("github", &[("limit", "any")]), json!({ "repository_id": "74" }));
        check(
            &with("gitlab", &[("limit", "branch"), ("limit_value", "main")]),
            json!({ "project_id": "74", "ref": "main", "ref_type": "branch", "ref_protected": "true" }),
        );
        check(
            &with("gitlab", &[("whose", "namespace_id"), ("limit", "environment"), ("limit_value", "production")]),
            json!({ "namespace_id": "74", "environment": "production" }),
        );
        let cluster = [("preset", "kubernetes"), ("issuer", "https://k.test"), ("namespace", "prod")];
        check(&cluster, json!({ "/kubernetes.io/namespace": "prod" }));
        check(
            &[cluster.as_slice(), &[("workload", "deploy")]].concat(),
            json!({ "sub": "system:serviceaccount:prod:deploy" }),
        );
        check(
            &[("preset", "spiffe"), ("trust_domain", "prod.acme.test"), ("path", "/ns/a")],
            json!({ "sub": "spiffe://prod.acme.test/ns/a" }),
        );
        check(
            &[("preset", "oidc"), ("conditions", "sub = a=b\r\n\r\naud_id=1\nsub=c\nsub=d")],
            json!({ "sub": ["a=b", "c", "d"], "aud_id": "1" }),
        );
    }

    #[test]
    fn what_is_missing_is_told_at_its_field() {
        let check = |fields: &[(&'static str, &str)], field: &str| {
            assert_eq!(asked(fields).unwrap_err(), field, "{fields:?}");
        };
        check(&[("preset", "github"), ("whose_id", "acme/site"), ("limit", "any")], "whose_id");
        check(&[("preset", "github"), ("whose_id", "7"), ("limit", "branch")], "limit_value");
        check(&[("preset", "github"), ("whose_id", "7"), ("limit", "any"), ("limit_value", "main")], "limit_value");
        check(&[("preset", "github"), ("whose_id", "7")], "limit_value");
        check(&[("preset", "kubernetes"), ("issuer", "https://k.test")], "namespace");
        check(&[("preset", "kubernetes"), ("namespace", "prod")], "issuer");
        check(&[("preset", "spiffe"), ("path", "x")], "trust_domain");
        check(&[("preset", "spiffe"), ("trust_domain", "x")], "path");
        check(&[("preset", "oidc")], "conditions");
        check(&[("preset", "oidc"), ("conditions", "sub")], "conditions");
        check(&[("preset", "oidc"), ("conditions", "sub=x"), ("material", "{")], "material");
    }
}
