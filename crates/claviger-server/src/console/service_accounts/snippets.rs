//! What somebody pastes to see a service account at work: a request for a token, with everything filled in but the secret, and what a
//! platform elsewhere wants to hear. The workflow and the pod are those of the guides; a test compares them.

use claviger_core::{Api, Federation, Preset, ServiceAccount};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use crate::{
    app::App,
    console::{credential::Place, page::Frame},
};

/// Something to paste.
pub(crate) struct Snippet {
    /// By which the page's script finds it.
    pub(crate) id: &'static str,
    pub(crate) title: String,
    /// What it is for, or what to do first.
    pub(crate) what: Option<String>,
    pub(crate) text: String,
}

/// Who asks for which token, and where.
pub(crate) struct Asking<'a> {
    pub(crate) url: &'a str,
    /// Where services ask what a token is worth.
    pub(crate) internal: &'a str,
    pub(crate) client_id: String,
    /// Of which API, by its identifier, if there is one of which it holds anything.
    pub(crate) resource: Option<String>,
    /// One permission of it, for a try.
    pub(crate) permission: Option<String>,
}

impl<'a> Asking<'a> {
    /// Of an account that holds `effective`: for the first of the customers' own APIs of which it holds anything.
    pub(crate) fn of(app: &'a App, client_id: String, effective: &[(String, String)], apis: &[Api]) -> Self {
        let (url, internal) = (&app.config.public_url, &app.config.internal_url);
        let held = |name: &str| effective.iter().any(|(one, _)| one == name);
        let found = apis.iter().filter(|api| !api.builtin).find_map(|api| {
            let permission = api.permissions.iter().find(|known| held(known.name.as_str()))?;
            Some((api.identifier.clone(), permission.name.to_string()))
        });
        let (resource, permission) = found.unzip();
        Self { url, internal, client_id, resource, permission }
    }

    /// The lines of a request, with what proves the client among them.
    fn request(&self, proof: &[String]) -> String {
        let mut lines = vec![format!("curl -sS --fail-with-body {}", quoted(&format!("{}/oauth/token", self.url)))];
        lines.extend_from_slice(proof);
        if let Some(resource) = &self.resource {
            lines.push(format!("-d {}", quoted(&format!("resource={resource}"))));
        }
        lines.join(" \\\n  ")
    }

    /// By a client secret.
    pub(crate) fn by_secret(&self) -> String {
        let proof =
            [format!("-u \"{}:$CLIENT_SECRET\"", self.client_id), "-d grant_type=client_credentials".to_owned()];
        self.request(&proof)
    }

    /// By the private key of a public key that is registered.
    pub(crate) fn by_key(&self) -> String {
        let resource = self.resource.as_deref().map(|resource| format!(" \\\n  --resource {}", quoted(resource)));
        format!(
            "export CLAVIGER_URL={}\nclaviger token request --client-id {} --key private-key.pem{}",
            quoted(self.url),
            self.client_id,
            resource.unwrap_or_default()
        )
    }

    /// By a certificate.
    pub(crate) fn by_certificate(&self) -> String {
        let proof = [
            "--cert client.pem --key client.key".to_owned(),
            "-d grant_type=client_credentials".to_owned(),
            format!("-d client_id={}", self.client_id),
        ];
        self.request(&proof)
    }

    /// By what another issuer says, from a file.
    pub(crate) fn by_assertion(&self, file: &str) -> String {
        let proof = [
            "-d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned(),
            format!("-d client_id={}", self.client_id),
            format!("--data-urlencode {}", quoted(&format!("assertion@{file}"))),
        ];
        self.request(&proof)
    }

    /// What such a token is worth, asked where services ask.
    pub(crate) fn verify(&self) -> String {
        let permissions = self.permission.as_deref().map(|one| format!(", \"permissions\": [\"{one}\"]"));
        format!(
            "curl -sS {} \\\n  --json \"{{\\\"credential\\\": \\\"$TOKEN\\\"{}}}\"",
            quoted(&format!("{}/v1/verify", self.internal)),
            permissions.unwrap_or_default().replace('"', "\\\"")
        )
    }

    fn scope(&self) -> String {
        self.permission.as_deref().map(|one| format!(" -d scope={one}")).unwrap_or_default()
    }

    /// The workflow of a repository on GitHub.
    pub(crate) fn github(&self, issuer_audience: &str, branch: Option<&str>, environment: Option<&str>) -> String {
        let on = match branch {
            Some(branch) => format!("on:\n  push:\n    branches: [{}]\n", Value::from(branch)),
            None => "on: workflow_dispatch\n".to_owned(),
        };
        let environment = environment.map(|name| format!("    environment: {}\n", Value::from(name)));
        format!(
            r#"{on}permissions:
  id-token: write
  contents: read
jobs:
  deploy:
    runs-on: ubuntu-latest
{}    env:
      CLAVIGER_URL: {}
      CLIENT_ID: {}
    steps:
      - name: Get a token
        run: |
          member() {{ sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }}
          ASSERTION=$(curl -sS --fail-with-body -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \
            "$ACTIONS_ID_TOKEN_REQUEST_URL&audience={issuer_audience}") || {{ echo "$ASSERTION"; exit 1; }}
          ANSWER=$(curl -sS --fail-with-body "$CLAVIGER_URL/oauth/token" \
            -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d "client_id=${{CLIENT_ID:?}}" \
            -d "assertion=$(echo "$ASSERTION" | member value)"{}) || {{ echo "$ANSWER"; exit 1; }}
          TOKEN=$(echo "$ANSWER" | member access_token)
          echo "::add-mask::$TOKEN"
          echo "TOKEN=$TOKEN" >> "$GITHUB_ENV"
"#,
            environment.unwrap_or_default(),
            self.url,
            self.client_id,
            self.scope(),
        )
    }

    /// The job of a pipeline on GitLab.
    fn gitlab(&self, audience: &str) -> String {
        format!(
            r#"deploy:
  id_tokens:
    ASSERTION:
      aud: {}
  script:
    - |
      TOKEN=$(curl -sS --fail-with-body {} \
        -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d client_id={} \
        -d "assertion=$ASSERTION"{} | sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p')
"#,
            Value::from(audience),
            quoted(&format!("{}/oauth/token", self.url)),
            self.client_id,
            self.scope(),
        )
    }

    /// What a pod has to say to get a token for us from its cluster.
    fn pod(&self, audience: &str, account: &str, namespace: &str) -> String {
        format!(
            r#"apiVersion: v1
kind: Pod
metadata:
  name: deploy
  namespace: {}
spec:
  serviceAccountName: {}
  containers:
    - name: deploy
      image: IMAGE
      env:
        - name: CLAVIGER_URL
          value: {}
        - name: ACCOUNT
          value: {}
      volumeMounts:
        - name: claviger
          mountPath: /var/run/secrets/claviger
          readOnly: true
  volumes:
    - name: claviger
      projected:
        sources:
          - serviceAccountToken:
              path: token
              audience: {}
              expirationSeconds: 3600
"#,
            Value::from(namespace),
            Value::from(account),
            self.url,
            self.client_id,
            audience,
        )
    }
}

/// Of an account as a whole: a token by a client secret, which is what most begin with, and what it is worth.
pub(super) fn of_account(
    place: &Place<'_>,
    account: &ServiceAccount,
    effective: &[(String, String)],
    apis: &[Api],
    frame: &Frame,
) -> Vec<Snippet> {
    let asking = Asking::of(place.app, account.id.to_string(), effective, apis);
    vec![
        Snippet {
            id: "request",
            title: frame.text("snippet-request"),
            what: Some(frame.text("snippet-request-what")),
            text: asking.by_secret(),
        },
        Snippet {
            id: "verify",
            title: frame.text("snippet-verify"),
            what: Some(frame.text("snippet-verify-what")),
            text: asking.verify(),
        },
    ]
}

/// What the platform of a federated identity wants to hear.
pub(super) fn of_federation(federation: &Federation, asking: &Asking<'_>, frame: &Frame) -> Vec<Snippet> {
    let audience = federation.audience.as_deref().unwrap_or(asking.url);
    let one = |claim: &str| {
        let wanted = federation.conditions.to_json();
        wanted[claim].as_str().filter(|value| !value.contains('*')).map(str::to_owned)
    };
    let curl = |file: &str| Snippet {
        id: "request",
        title: frame.text("snippet-request"),
        what: Some(frame.text("snippet-assertion-what")),
        text: asking.by_assertion(file),
    };
    match federation.preset {
        Preset::Github => {
            let branch = one("ref").and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned));
            // It stands in an address and in a command: nothing of it may be read as part of either.
            let own = federation.audience.as_deref().map(|own| byte_serialize(own.as_bytes()).collect::<String>());
            vec![Snippet {
                id: "workflow",
                title: frame.text("snippet-github"),
                what: Some(frame.text("snippet-github-what")),
                text: asking.github(
                    own.as_deref().unwrap_or("$CLAVIGER_URL"),
                    branch.as_deref(),
                    one("environment").as_deref(),
                ),
            }]
        }
        Preset::Gitlab => vec![Snippet {
            id: "workflow",
            title: frame.text("snippet-gitlab"),
            what: None,
            text: asking.gitlab(audience),
        }],
        Preset::Kubernetes => {
            let subject = one("sub").unwrap_or_default();
            let named = subject.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
            let namespace = one("/kubernetes.io/namespace").unwrap_or_else(|| "default".to_owned());
            let (namespace, account) = named.unwrap_or((namespace.as_str(), "default"));
            let pod = Snippet {
                id: "workflow",
                title: frame.text("snippet-pod"),
                what: Some(frame.text("snippet-pod-what")),
                text: asking.pod(audience, account, namespace),
            };
            vec![pod, curl("/var/run/secrets/claviger/token")]
        }
        Preset::Spiffe | Preset::Oidc => vec![curl("assertion.jwt")],
    }
}

/// A text as a shell takes it, whatever is in it.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(url: &str) -> Asking<'_> {
        Asking {
            url,
            internal: "http://127.0.0.1:7421",
            client_id: "sa_1".to_owned(),
            resource: Some("https://billing.acme.test".to_owned()),
            permission: Some("billing:read".to_owned()),
        }
    }

    /// The block of a guide that begins with this fence and has this line in it.
    fn block(guide: &str, line: &str) -> String {
        let path = format!("{}/../../docs/{guide}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        blocks.into_iter().find(|block| block.contains(line)).unwrap().to_owned()
    }

    #[test]
    fn a_text_is_one_word_of_a_shell() {
        assert_eq!(quoted("https://keys.acme.test/oauth/token"), "https://keys.acme.test/oauth/token");
        assert_eq!(quoted("resource=https://a.test/?a=1&b=$(x)"), "'resource=https://a.test/?a=1&b=$(x)'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn the_workflow_is_the_one_of_the_guide_with_everything_filled_in() {
        let guide = block("github-actions.md", "id-token: write");
        let expected = guide
            .replace("branches: [main]", "branches: [\"main\"]")
            .replace("${{ vars.CLAVIGER_URL }}", "https://keys.acme.test")
            .replace("${{ vars.CLAVIGER_CLIENT_ID }}", "sa_1");
        assert_eq!(asking("https://keys.acme.test").github("$CLAVIGER_URL", Some("main"), None), expected);
        let other = asking("https://keys.acme.test").github("$CLAVIGER_URL", None, Some("production"));
        assert!(other.starts_with("on: workflow_dispatch\n") && other.contains("    environment: \"production\"\n"));
    }

    #[test]
    fn the_pod_is_the_one_of_the_guide_with_everything_filled_in() {
        let guide = block("kubernetes.md", "kind: Pod");
        let expected = guide
            .replace("namespace: prod", "namespace: \"prod\"")
            .replace("serviceAccountName: deploy", "serviceAccountName: \"deploy\"")
            .replace("image: acme/deploy", "image: IMAGE")
            .replace("value: sa_…", "value: sa_1");
        let url = "https://keys.acme.test";
        assert_eq!(asking(url).pod(url, "deploy", "prod"), expected);
    }

    #[test]
    fn a_request_says_who_asks_and_for_what() {
        let secret = asking("https://keys.acme.test").by_secret();
        assert_eq!(
            secret,
            "curl -sS --fail-with-body https://keys.acme.test/oauth/token \\\n  -u \"sa_1:$CLIENT_SECRET\" \\\n  \
             -d grant_type=client_credentials \\\n  -d resource=https://billing.acme.test"
        );
        let bare = Asking { resource: None, permission: None, ..asking("http://x") };
        assert!(bare.by_certificate().ends_with("-d client_id=sa_1"));
        assert!(bare.by_assertion("a b").contains("'assertion@a b'"));
        assert_eq!(
            bare.verify(),
            "curl -sS http://127.0.0.1:7421/v1/verify \\\n  --json \"{\\\"credential\\\": \\\"$TOKEN\\\"}\""
        );
    }
}
