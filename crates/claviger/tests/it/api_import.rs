//! `claviger api import`, against a running service.

use std::fs;

use serde_json::json;

use crate::server::{Done, Instance, Server, done_reading};

const DOCUMENT: &str = r#"
openapi: 3.0.3
info: { title: Apps, version: "1" }
servers: [{ url: https://apps.acme.test/v1 }]
security: [{ oauth: [apps.read] }]
paths:
  /apps: { get: {}, post: { security: [{ oauth: [apps.write] }] } }
  /apps/{appId}: { get: {} }
  /health: { get: { security: [] } }
components:
  securitySchemes:
    oauth: { type: oauth2, flows: { clientCredentials: { tokenUrl: x, scopes: { apps.read: See apps, apps.write: Change apps } } } }
"#;

struct Import {
    instance: Instance,
    server: Server,
    admin: String,
}

impl Import {
    fn new() -> Self {
        let instance = Instance::new();
        let server = instance.serve(&["--dev"]);
        let (admin, _) = server.keys();
        Self { instance, server, admin }
    }

    fn run(&self, document: &str, arguments: &[&str]) -> Done {
        fs::write(self.instance.path().join("apps.yaml"), document).unwrap();
        let arguments = [&["api", "import", "apps.yaml", "--object=app={appId}"], arguments].concat();
        self.server.user(&self.instance, &self.admin, &arguments)
    }

    fn changes(&self, document: &str, arguments: &[&str]) -> Vec<String> {
        let told = self.run(document, &[&["--dry-run", "--output=json"], arguments].concat());
        assert_eq!(told.code, Some(0), "{told:?}");
        let told = told.json();
        let told = told["changes"].as_array().unwrap().iter();
        told.map(|one| format!("{} {}", one["change"].as_str().unwrap(), one["name"].as_str().unwrap())).collect()
    }
}

#[test]
fn an_api_comes_of_its_document_and_again_nothing() {
    let import = Import::new();
    let all = [
        "add https://apps.acme.test/v1",
        "add apps.read",
        "add apps.write",
        "add GET /v1/apps",
        "add POST /v1/apps",
        "add GET /v1/apps/{appId}",
    ];
    assert_eq!(import.changes(DOCUMENT, &[]), all);
    let shown = import.run(DOCUMENT, &["--dry-run"]);
    assert!(shown.stdout.contains("apps.read app:{appId}") && shown.stdout.contains("See apps"), "{shown:?}");
    assert!(shown.stderr.contains("warning: GET /health: it needs no credential"), "{shown:?}");
    assert_eq!(import.changes(DOCUMENT, &[]), all, "a dry run did something");

    let made = import.run(DOCUMENT, &["--output=json"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let made = made.json();
    assert_eq!((&made["name"], &made["identifier"]), (&json!("Apps"), &json!("https://apps.acme.test/v1")));
    assert_eq!(made["route_rules"].as_array().unwrap().len(), 3);
    assert_eq!(import.changes(DOCUMENT, &["--prune"]), Vec::<String>::new());
    let again = import.run(DOCUMENT, &[]);
    assert!(again.code == Some(0) && again.stderr.contains("Nothing changes"), "{again:?}");

    // JSON says the same as YAML, and so does stdin.
    let as_json = serde_json::to_string(&serde_saphyr::from_str::<serde_json::Value>(DOCUMENT).unwrap()).unwrap();
    assert_eq!(import.changes(&as_json, &["--prune"]), Vec::<String>::new());
    let mut piped = import.instance.claviger(&["api", "import", "-", "--object=app={appId}", "--dry-run"]);
    piped.env("CLAVIGER_URL", &import.server.public).env("CLAVIGER_TOKEN", &import.admin);
    assert!(done_reading(&mut piped, DOCUMENT).stderr.contains("Nothing would change"));
}

#[test]
fn what_went_from_the_document_goes_only_when_that_is_meant() {
    let import = Import::new();
    assert_eq!(import.run(DOCUMENT, &[]).code, Some(0));
    let less = DOCUMENT
        .replace(", post: { security: [{ oauth: [apps.write] }] }", "")
        .replace(", apps.write: Change apps", "");
    assert_eq!(import.changes(&less, &[]), Vec::<String>::new());
    assert_eq!(import.changes(&less, &["--prune"]), ["remove apps.write", "remove POST /v1/apps"]);
    let unasked = import.run(&less, &["--prune"]);
    assert!(unasked.code == Some(2) && unasked.stderr.contains("--yes"), "{unasked:?}");
    assert_eq!(import.changes(DOCUMENT, &[]), Vec::<String>::new());
    let pruned = import.run(&less, &["--prune", "--yes", "--output=json"]).json();
    assert_eq!(
        (pruned["permissions"].as_array().unwrap().len(), pruned["route_rules"].as_array().unwrap().len()),
        (1, 2)
    );
}

#[test]
fn no_permission_goes_while_something_was_not_understood() {
    let import = Import::new();
    assert_eq!(import.run(DOCUMENT, &[]).code, Some(0));
    let elsewhere = DOCUMENT
        .replace("get: {}, post: { security: [{ oauth: [apps.write] }] }", "$ref: ./apps.yaml")
        .replace(", apps.write: Change apps", "");
    for arguments in [&["--prune", "--yes"][..], &["--prune", "--dry-run"]] {
        let refused = import.run(&elsewhere, arguments);
        assert!(refused.code == Some(1) && refused.stderr.contains("was not understood"), "{refused:?}");
    }
    assert_eq!(import.changes(DOCUMENT, &["--prune"]), Vec::<String>::new());
    assert_eq!(import.run(&elsewhere, &[]).code, Some(0));
}

#[test]
fn what_cannot_be_read_is_refused_in_one_line() {
    let import = Import::new();
    assert!(import.run("paths: {}", &[]).refused().contains("openapi: 3."));
    assert!(import.run("{", &[]).refused().contains("cannot be read"));
    assert!(import.run(&"#".repeat((4 << 20) + 1), &[]).refused().contains("more than 4 MiB"));
    let nowhere = import.run(&DOCUMENT.replace("https://apps.acme.test/v1", "/v1"), &[]);
    assert!(nowhere.code == Some(2) && nowhere.stderr.contains("--identifier"), "{nowhere:?}");
    let missing = import.server.user(&import.instance, &import.admin, &["api", "import", "none.yaml"]);
    assert!(missing.refused().contains("cannot read none.yaml"));
    // What the service refuses is told as it is everywhere.
    let taken = DOCUMENT.replace("apps.read", "invoices:read");
    let refused = import.run(&taken, &[]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("another API declares invoices:read already"),
        "{refused:?}"
    );
}
