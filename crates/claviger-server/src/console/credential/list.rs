//! The rows of a list of credentials.

use claviger_core::Credential;
use claviger_store::StoreError;
use claviger_token::Environment;
use jiff::Timestamp;

use super::{
    Place,
    shown::{Badge, Names, begins, over},
};
use crate::console::{moment::Moment, page::Frame};

/// A row.
pub(crate) struct Listed {
    /// Its page, if that is theirs to see.
    pub(crate) path: Option<String>,
    pub(crate) name: String,
    pub(crate) begins: String,
    /// Whose, or where.
    pub(crate) owner: String,
    pub(crate) badge: Badge,
    pub(crate) is_test: bool,
    /// Whether a secret that was rolled away still works.
    pub(crate) rolling: bool,
    pub(crate) used: Option<Moment>,
    pub(crate) ends: Option<Moment>,
    pub(crate) made: Moment,
}

/// Credentials as rows; of one's own tokens, `owner` says where each acts.
pub(crate) async fn rows(
    place: &Place<'_>,
    found: &[Credential],
    owner: impl Fn(&Credential) -> Option<String>,
    now: Timestamp,
    frame: &Frame,
) -> Result<Vec<Listed>, StoreError> {
    let names = Names::known(place, found.iter().map(|one| one.principal).collect()).await?;
    let moment = |time| Moment::new(frame.language(), time, now);
    let looks = place.looks();
    let row = |one: &Credential| Listed {
        path: looks.then(|| place.path(one.id)),
        name: one.name.to_string(),
        begins: one.secrets.first().map(|secret| begins(one, secret, &place.app.config.brand)).unwrap_or_default(),
        owner: owner(one).unwrap_or_else(|| names.of_principal(one.principal)),
        badge: Badge::of_credential(one, now, frame),
        is_test: one.environment == Environment::Test,
        rolling: one.is_rolling(now) && one.revocation.is_none(),
        used: one.last_used().map(|last| moment(last.at)),
        ends: over(one).or(one.expires_at).map(moment),
        made: moment(one.created_at),
    };
    Ok(found.iter().map(row).collect())
}
