//! What users may do where they belong, in storage: one question for all of it.

use claviger_core::{Standing, default_ceiling};
use claviger_token::{OrganizationId, PermissionSet, UserId};

use crate::{
    Store,
    assignment::given,
    error::StoreError,
    sql::{sql, text},
};

impl Store {
    /// What a user holds, in each of their organizations that counts and in which they hold anything.
    pub async fn standings_of(&self, user: UserId) -> Result<Vec<Standing>, StoreError> {
        let query = sql(
            "SELECT m.organization, o.ceiling, a.organization AS scope, a.permission, r.permissions AS role_permissions
             FROM membership m
             JOIN organization o ON o.id = m.organization
             JOIN assignment a ON a.principal = m.person AND (a.organization = m.organization OR a.organization IS NULL)
             LEFT JOIN role r ON r.id = a.role
             WHERE m.person = $1 AND o.disabled_at IS NULL AND o.deleted_at IS NULL
             ORDER BY m.organization",
        );
        let mut standings: Vec<Standing> = Vec::new();
        for row in self.read().all(query.bind(text(user))).await? {
            let organization: OrganizationId = row.parse("organization")?;
            let given = given(&row)?;
            let everywhere = row.text_or_null("scope")?.is_none();
            if standings.last().is_none_or(|last| last.organization != organization) {
                standings.push(Standing {
                    organization,
                    ceiling: row.mask_or_null("ceiling")?.unwrap_or_else(default_ceiling),
                    held: PermissionSet::default(),
                    held_everywhere: PermissionSet::default(),
                });
            }
            let Some(standing) = standings.last_mut() else { continue };
            standing.held = standing.held.union(&given);
            if everywhere {
                standing.held_everywhere = standing.held_everywhere.union(&given);
            }
        }
        Ok(standings)
    }
}
