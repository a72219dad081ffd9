//! `claviger service-account secret`: by which a service account proves itself as an OAuth client.

use clap::{Args, Subcommand};
use claviger_token::Secret as Plaintext;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    body::{Body, Expiry},
    client::{Output, Service},
    client_credential::{self, Delete, List, Members, One, Revoke, Update, of, path},
    credential::{Generation, Overlap, fate_of_old},
    failure::Failure,
    noun::{self, Noun},
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make one; it goes to stdout, this once
    Create(Create),
    /// List those of a service account, newest first
    List(List),
    /// Show one; never the secret itself
    Show(One),
    /// Change name or end of one, stop it or let it work again
    Update(Update),
    /// Give one a new secret; it goes to stdout, this once
    Roll {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        overlap: Overlap,
    },
    /// End one, for good
    Revoke(Revoke),
    /// End one and take it out of the lists
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// sa_…: also the client_id
    account: String,
    /// How you will recognize it
    #[arg(long)]
    name: String,
    #[command(flatten)]
    expiry: Expiry,
}

/// What the tables need of one.
#[derive(Debug, Deserialize)]
struct ClientSecret {
    #[serde(flatten)]
    members: Members,
    generations: Vec<Generation>,
    client_secret: Option<String>,
}

pub(crate) fn run(service: &Service, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(create) => {
            let (account, body) = create.body()?;
            issued(service, &service.post(&path::<ClientSecret>(&account), &body)?, "The client secret was made")
        }
        Command::List(List { account, paging }) => {
            noun::list_at::<ClientSecret>(service, &path::<ClientSecret>(&account), &paging, &[])
        }
        Command::Show(one) => noun::shown::<ClientSecret>(service, &service.get(&of::<ClientSecret>(&one), &[])?),
        Command::Update(update) => client_credential::update::<ClientSecret>(service, update),
        Command::Roll { one, overlap } => {
            let answer = service.post(&[of::<ClientSecret>(&one).as_slice(), &["roll"]].concat(), &overlap.body())?;
            issued(service, &answer, "The client secret was rolled")?;
            if service.output == Output::Table {
                output::note(&fate_of_old(&noun::understood::<ClientSecret>(&answer)?.generations));
            }
            Ok(())
        }
        Command::Revoke(revoke) => client_credential::revoke::<ClientSecret>(service, revoke),
        Command::Delete(delete) => client_credential::delete::<ClientSecret>(service, delete),
    }
}

impl Create {
    fn body(self) -> Result<(String, Json), Failure> {
        let body = Body::new().with("name", Some(self.name)).with("expires_at", self.expiry.at()?);
        Ok((self.account, body.json()))
    }
}

/// The secret alone to stdout, what it belongs to beside it. `done` says what happened.
fn issued(service: &Service, answer: &str, done: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let mut made: ClientSecret = noun::understood(answer)?;
    let secret = made.client_secret.take().map(Plaintext::new);
    output::secret(&secret.ok_or_else(|| Failure::new("the answer holds no secret"))?)?;
    let made = noun::detailed(made);
    output::note(&format!("{made}\n\n{done}. Keep the secret now: it is not shown again."));
    Ok(())
}

impl Noun for ClientSecret {
    const PATH: &'static str = "secrets";
    const COMMAND: &'static str = "service-account secret";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "STATUS", "HINT", "EXPIRES", "LAST USED"];

    fn row(self) -> Vec<String> {
        let hint = self.generations.first().map(|generation| generation.hint.clone());
        self.members.row(hint.unwrap_or_default())
    }

    fn details(self) -> Vec<(&'static str, String)> {
        let mut rows = self.members.details();
        rows.extend(self.generations.into_iter().map(|generation| ("secret", generation.shown())));
        rows
    }
}
