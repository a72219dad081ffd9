//! How a gateway or a service asks Claviger, with the reader's own addresses filled in: on the page of a first key, and wherever somebody
//! tries out a credential.
//!
//! The texts are those of the guides, cut out of them: tests run the guides, so that what stands here is what works. The room must not
//! know a secret: where one belongs there is a placeholder.

use claviger_core::Api;

use crate::app::App;

/// The values of the guides' example.
mod example {
    pub(super) const PUBLIC: &str = "http://127.0.0.1:7420";
    pub(super) const INTERNAL: &str = "http://127.0.0.1:7421";
    pub(super) const INTERNAL_HOST: &str = "127.0.0.1:7421";
    pub(super) const INTERNAL_VARIABLE: &str = "$INTERNAL_URL";
    /// As Envoy writes it.
    pub(super) const INTERNAL_SOCKET: &str = "address: 127.0.0.1, port_value: 7421";
    pub(super) const PERMISSION: &str = "invoices:read";
    pub(super) const AUDIENCES: [&str; 2] = ["https://api.acme.test", "https://invoices.example"];
    pub(super) const CREDENTIAL: &str = "$KEY";
}

/// The reader's own.
pub(crate) struct Values<'a> {
    /// The instance's address for clients: its `public_url`.
    pub(crate) public: &'a str,
    /// Where services ask.
    pub(crate) internal: &'a str,
    /// What a request takes.
    pub(crate) permission: &'a str,
    /// The identifier of the API.
    pub(crate) audience: &'a str,
    /// What stands in the place of the credential, such as `$KEY`.
    pub(crate) credential: &'a str,
}

/// What `snippets.html` shows.
pub(crate) struct Snippets {
    /// The command that asks about a credential, before it and after it.
    pub(crate) ask: (String, String),
    pub(crate) tools: Vec<Tool>,
    /// Whether the internal listener wants a token, which the texts leave out.
    pub(crate) wants_token: bool,
}

/// One way to ask.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// The guide that says the rest.
    pub(crate) guide: &'static str,
    pub(crate) files: Vec<File>,
}

/// A text to copy.
pub(crate) struct File {
    /// Where it goes.
    pub(crate) name: &'static str,
    pub(crate) text: String,
    /// Its element's id.
    pub(crate) id: String,
}

/// A text as it stands in a guide: from the line that begins with the first to before the one that begins with the second.
struct Cut {
    name: &'static str,
    from: &'static str,
    to: &'static str,
}

/// A guide and what is cut out of it.
struct Source {
    tool: &'static str,
    guide: &'static str,
    text: &'static str,
    cuts: &'static [Cut],
}

const fn cut(name: &'static str, from: &'static str, to: &'static str) -> Cut {
    Cut { name, from, to }
}

/// The end of a block.
const FENCE: &str = "```";

/// In the order in which they are offered; the first asks by hand.
static SOURCES: [Source; 9] = [
    Source {
        tool: "curl",
        guide: "docs/api-keys.md",
        text: include_str!("../../../../docs/api-keys.md"),
        cuts: &[cut("", "curl -sS --fail-with-body \"$INTERNAL_URL/v1/verify\"", FENCE)],
    },
    Source {
        tool: "nginx",
        guide: "docs/gateways/nginx.md",
        text: include_str!("../../../../docs/gateways/nginx.md"),
        cuts: &[cut("nginx.conf: http", "    upstream claviger {", "    # Your API: here")],
    },
    Source {
        tool: "Caddy",
        guide: "docs/gateways/caddy.md",
        text: include_str!("../../../../docs/gateways/caddy.md"),
        cuts: &[cut("Caddyfile", "# The public side.", "# Your API: here")],
    },
    Source {
        tool: "HAProxy",
        guide: "docs/gateways/haproxy.md",
        text: include_str!("../../../../docs/gateways/haproxy.md"),
        cuts: &[
            cut("claviger.lua", "-- Asks Claviger about the request", FENCE),
            cut("haproxy.cfg", "global", "# Your API: here"),
        ],
    },
    Source {
        tool: "Traefik",
        guide: "docs/gateways/traefik.md",
        text: include_str!("../../../../docs/gateways/traefik.md"),
        cuts: &[cut("dynamic.toml", "[http.routers.api]", FENCE)],
    },
    Source {
        tool: "Envoy",
        guide: "docs/gateways/envoy.md",
        text: include_str!("../../../../docs/gateways/envoy.md"),
        cuts: &[
            cut(
                "envoy.yaml: http_filters",
                "                  - name: claviger.request",
                "                  - name: envoy",
            ),
            cut("envoy.yaml: clusters", "    - name: claviger", FENCE),
        ],
    },
    Source {
        tool: "Rust",
        guide: "docs/verifying/rust.md",
        text: include_str!("../../../../docs/verifying/rust.md"),
        cuts: &[cut("src/main.rs", "use axum::", FENCE)],
    },
    Source {
        tool: "Node",
        guide: "docs/verifying/node.md",
        text: include_str!("../../../../docs/verifying/node.md"),
        cuts: &[cut("service.mjs", "import { Claviger, identityOf }", FENCE)],
    },
    Source {
        tool: "Python",
        guide: "docs/verifying/python.md",
        text: include_str!("../../../../docs/verifying/python.md"),
        cuts: &[cut("service.py", "from typing import", FENCE)],
    },
];

impl<'a> Values<'a> {
    /// Those of this instance, for what is asked of a key.
    pub(crate) fn of(app: &'a App, permission: &'a str, audience: &'a str) -> Self {
        Self {
            public: &app.config.public_url,
            internal: &app.config.internal_url,
            permission,
            audience,
            credential: example::CREDENTIAL,
        }
    }

    /// A text of the example with these values. What could end a string or a word where it is pasted stays the example's.
    fn filled_in(&self, text: &str) -> String {
        let host = self.internal.split_once("://").map_or(self.internal, |(_, host)| host);
        let mut pairs = vec![
            (example::INTERNAL, self.internal),
            (example::INTERNAL_VARIABLE, self.internal),
            (example::INTERNAL_HOST, host),
            (example::PUBLIC, self.public),
            (example::PERMISSION, self.permission),
        ];
        pairs.extend(example::AUDIENCES.map(|audience| (audience, self.audience)));
        pairs.retain(|(_, value)| is_plain(value));
        let socket = host.rsplit_once(':').filter(|_| is_plain(host)).map(|(name, port)| {
            // A name would have to be looked up.
            let name = if name == "localhost" { "127.0.0.1" } else { name.trim_matches(['[', ']']) };
            format!("address: {name}, port_value: {port}")
        });
        pairs.extend(socket.as_deref().map(|socket| (example::INTERNAL_SOCKET, socket)));
        pairs.push((example::CREDENTIAL, self.credential));
        replaced(text, &pairs)
    }

    /// The command that asks about a credential, before it and after it.
    fn ask(&self) -> (String, String) {
        const MARK: &str = "CREDENTIAL";
        let marked = Values { credential: MARK, ..*self };
        let text = SOURCES[0].cuts.iter().filter_map(|cut| cut.of(SOURCES[0].text)).collect::<String>();
        let text = marked.filled_in(&text);
        text.split_once(MARK).map(|(before, after)| (before.to_owned(), after.to_owned())).unwrap_or_default()
    }
}

impl Snippets {
    pub(crate) fn of(app: &App, values: &Values<'_>) -> Self {
        Self { ask: values.ask(), tools: tools(values), wants_token: app.config.internal_token.is_some() }
    }

    /// For the first of what a credential may do that one of these APIs declares; nothing if there is none.
    pub(crate) fn for_any(app: &App, apis: &[Api], permissions: &[String]) -> Option<Self> {
        let (audience, permission) = declared(apis, permissions.iter().map(String::as_str))?;
        Some(Self::of(app, &Values::of(app, permission, audience)))
    }

    #[cfg(test)]
    pub(crate) fn sample(text: &str) -> Self {
        let file = |id: &str| File { name: "file", text: text.to_owned(), id: id.to_owned() };
        let files = vec![file("snippet-0-0"), file("snippet-0-1")];
        let ask = (text.to_owned(), text.to_owned());
        Self { ask, tools: vec![Tool { name: "tool", guide: "docs/guide.md", files }], wants_token: true }
    }
}

/// The first of these permissions that an API other than Claviger's own declares, behind that API's identifier.
pub(crate) fn declared<'a>(
    apis: &'a [Api],
    permissions: impl IntoIterator<Item = &'a str>,
) -> Option<(&'a str, &'a str)> {
    let declares = |api: &&Api, permission: &str| {
        !api.builtin && api.permissions.iter().any(|known| known.name.as_str() == permission)
    };
    permissions.into_iter().find_map(|permission| {
        let api = apis.iter().find(|api| declares(api, permission))?;
        Some((api.identifier.as_str(), permission))
    })
}

fn tools(values: &Values<'_>) -> Vec<Tool> {
    let tool = |(number, source): (usize, &Source)| {
        let file = |(part, cut): (usize, &Cut)| {
            let text = values.filled_in(&cut.of(source.text)?);
            Some(File { name: cut.name, text, id: format!("snippet-{number}-{part}") })
        };
        let files = source.cuts.iter().enumerate().filter_map(file).collect();
        Tool { name: source.tool, guide: source.guide, files }
    };
    SOURCES.iter().enumerate().map(tool).collect()
}

impl Cut {
    /// The lines themselves, as far to the left as they go.
    fn of(&self, guide: &str) -> Option<String> {
        let mut lines = guide.lines().skip_while(|line| !line.starts_with(self.from)).peekable();
        let first = *lines.peek()?;
        let indent = first.len() - first.trim_start().len();
        let lines = lines.take_while(|line| !line.starts_with(self.to) || line.starts_with(self.from));
        let lines: Vec<&str> = lines.map(|line| line.get(indent..).unwrap_or_else(|| line.trim_start())).collect();
        Some(lines.join("\n").trim_end().to_owned())
    }
}

/// All of them at once, so that nothing is looked for in what was filled in; of two that begin alike, the longer one first.
fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let found = pairs.iter().filter(|(from, _)| rest.starts_with(from)).max_by_key(|(from, _)| from.len());
        let after = match found {
            Some((from, to)) => {
                done.push_str(to);
                from.len()
            }
            None => {
                let next = rest.chars().next().map_or(1, char::len_utf8);
                done.push_str(&rest[..next]);
                next
            }
        };
        rest = &rest[after..];
    }
    done
}

/// Whether a value means itself in a shell, a configuration and a program alike.
fn is_plain(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/._-~[]+@=,".contains(&byte);
    !value.is_empty() && value.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<'a>(public: &'a str, internal: &'a str) -> Values<'a> {
        Values {
            public,
            internal,
            permission: "orders:write",
            audience: "https://api.orders.test",
            credential: "$TOKEN",
        }
    }

    #[test]
    fn what_is_shown_is_what_a_guide_says_but_for_the_readers_values() {
        let as_in_the_guide = |audience| Values {
            public: example::PUBLIC,
            internal: example::INTERNAL,
            permission: example::PERMISSION,
            audience,
            credential: example::CREDENTIAL,
        };
        for source in &SOURCES {
            for cut in source.cuts {
                let text = cut.of(source.text).unwrap_or_else(|| panic!("no {} in {}", cut.from, source.guide));
                assert!(text.lines().count() > 1, "{}: {text}", source.guide);
                // Line by line, as far to the left as they go, they stand together in one block of the guide.
                let left = |text: &str| text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
                let blocks = source.text.split(FENCE).skip(1).step_by(2).map(left);
                assert!(blocks.into_iter().any(|block| block.contains(&left(&text))), "{}: {text}", source.guide);
                let audience = example::AUDIENCES.into_iter().find(|audience| text.contains(audience));
                let filled_in = as_in_the_guide(audience.unwrap_or(example::AUDIENCES[0])).filled_in(&text);
                let address = |text: &str| text.replace(example::INTERNAL_VARIABLE, example::INTERNAL);
                assert_eq!(address(&filled_in), address(&text), "{}", source.guide);
            }
        }
    }

    #[test]
    fn every_text_has_the_readers_values_and_none_of_the_example() {
        for tool in tools(&values("https://keys.test/a", "http://10.0.0.1:99")) {
            assert!(!tool.files.is_empty(), "{}", tool.name);
            let all: String = tool.files.iter().map(|file| file.text.as_str()).collect();
            let examples = [
                example::PUBLIC,
                example::INTERNAL_HOST,
                example::INTERNAL_VARIABLE,
                example::INTERNAL_SOCKET,
                example::PERMISSION,
                example::CREDENTIAL,
            ];
            for value in examples.into_iter().chain(example::AUDIENCES) {
                assert!(!all.contains(value), "{value} in {}: {all}", tool.name);
            }
            assert!(all.contains("orders:write") && all.contains("10.0.0.1:99"), "{}: {all}", tool.name);
        }
    }

    #[test]
    fn the_command_that_asks_leaves_a_place_for_the_credential() {
        let (before, after) = values("https://keys.test", "http://localhost:7421").ask();
        assert!(before.starts_with("curl -sS --fail-with-body \"http://localhost:7421/v1/verify\""), "{before}");
        assert!(before.ends_with("{ \\\"credential\\\": \\\"") && after.contains("orders:write"), "{before}…{after}");
    }

    #[test]
    fn a_value_that_would_end_a_string_stays_the_example() {
        for evil in ["https://x.test/'; rm -rf", "https://x.test/$(id)", "https://x.test/`id`", "a\"b", ""] {
            let filled_in = Values { audience: evil, ..values("https://a.test", "http://b.test:1") }
                .filled_in("audience: 'https://api.acme.test'");
            assert_eq!(filled_in, "audience: 'https://api.acme.test'", "{evil}");
        }
    }
}
