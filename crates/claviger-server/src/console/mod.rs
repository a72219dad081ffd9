//! What people see in a browser: pages in their language, which need no script though they have a little one.
//!
//! A page is a template (`templates/`) with its words in `locales/`; every form in it carries a token (`form.rs`). All
//! answers go through `framed`, which says what browsers must not do with them, and makes a page of what went wrong.

mod admission;
mod again;
mod api_keys;
mod apis;
mod approval;
mod approvals;
mod ask;
mod audit;
mod credential;
mod departure;
mod device;
mod device_request;
mod enrolment;
mod everywhere;
mod explain;
mod first_run;
mod fleets;
mod form;
mod half_way;
mod icon;
mod inside;
mod inventory;
mod invitation;
mod language;
mod link;
mod members;
mod moment;
mod number;
mod organization_settings;
mod organizations;
mod overview;
mod page;
mod pages;
mod passkeys;
mod password_reset;
mod policies;
mod portal;
mod provider;
mod query;
mod roles;
mod second_factor;
mod security;
mod service_accounts;
mod settings;
mod sheet;
mod shell;
mod sign_in;
mod sign_out;
mod snippets;
mod start;
mod tokens;
mod trouble;
mod usage;
mod visit;
mod whom;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use claviger_token::{ApiKeyId, PersonalAccessTokenId};

use crate::{app::App, router::once_settled};
use credential::routes::of_one;
use form::{PortalForm, SessionForm};
use inside::{Inside, InsideForm};
use portal::AtPortal;

pub(crate) use {page::framed, trouble::Trouble};

/// The pages.
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(start::show))
        // Signing in and out
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-in/second-factor", get(second_factor::show).post(second_factor::submit))
        .route("/sign-in/again", get(again::show).post(again::submit))
        .route("/sign-in/oidc", post(provider::depart))
        .route("/sign-in/oidc/again", post(provider::depart_again))
        .route("/sign-in/oidc/callback", get(provider::arrive))
        .route("/sign-in/link", get(link::show).post(link::submit))
        .route("/password-reset", get(password_reset::show).post(password_reset::submit))
        .route("/invitation", get(invitation::show).post(invitation::submit))
        .route("/invitation/accept", post(invitation::accept))
        .route("/sign-out", post(sign_out::submit))
        // An organization
        .route("/organizations", get(organizations::show))
        .route("/organizations/{organization}", get(overview::show))
        .route("/organizations/{organization}/api-keys", get(api_keys::list::show))
        .route("/organizations/{organization}/api-keys/new", get(api_keys::new::show).post(api_keys::new::submit))
        .merge(of_one::<ApiKeyId, Inside, InsideForm>("/organizations/{organization}/api-keys"))
        // How much an organization's credentials are used
        .route("/organizations/{organization}/unused-permissions", get(usage::unused::show))
        // Who belongs to an organization
        .route("/organizations/{organization}/members", get(members::list::show))
        .route("/organizations/{organization}/members/invitations", get(members::invitations::show))
        .route(
            "/organizations/{organization}/members/invitations/new",
            get(members::invitation::ask).post(members::invitation::submit),
        )
        .route("/organizations/{organization}/members/invitations/{id}", get(members::invitation::show))
        .route(
            "/organizations/{organization}/members/invitations/{id}/withdraw",
            get(members::invitation::ask_to_withdraw).post(members::invitation::withdraw),
        )
        .route("/organizations/{organization}/members/{id}", get(members::detail::show))
        .route(
            "/organizations/{organization}/members/{id}/edit",
            get(members::change::show).post(members::change::submit),
        )
        .route(
            "/organizations/{organization}/members/{id}/remove",
            get(members::remove::show).post(members::remove::submit),
        )
        // What can be given there
        .route("/organizations/{organization}/roles", get(roles::list::show))
        .route("/organizations/{organization}/roles/new", get(roles::change::ask).post(roles::change::make))
        .route("/organizations/{organization}/roles/{id}", get(roles::detail::show))
        .route("/organizations/{organization}/roles/{id}/edit", get(roles::change::show).post(roles::change::submit))
        .route("/organizations/{organization}/roles/{id}/delete", get(roles::delete::show).post(roles::delete::submit))
        // The organization itself, and its rules
        .route("/organizations/-/new", get(organization_settings::new::ask).post(organization_settings::new::make))
        .route("/organizations/{organization}/settings", get(organization_settings::detail::show))
        .route(
            "/organizations/{organization}/settings/edit",
            get(organization_settings::change::show).post(organization_settings::change::submit),
        )
        .route(
            "/organizations/{organization}/settings/disable",
            get(organization_settings::end::ask_to_disable).post(organization_settings::end::disable),
        )
        .route("/organizations/{organization}/settings/enable", post(organization_settings::end::enable))
        .route(
            "/organizations/{organization}/settings/delete",
            get(organization_settings::end::ask_to_delete).post(organization_settings::end::delete),
        )
        .route("/organizations/{organization}/policy", get(policies::detail::show))
        .route("/organizations/{organization}/policy/edit", get(policies::change::show).post(policies::change::submit))
        // What can be permitted at all
        .route("/apis", get(apis::list::show))
        .route("/apis/new", get(apis::change::ask).post(apis::change::make))
        .route("/apis/{id}", get(apis::detail::show))
        .route("/apis/{id}/edit", get(apis::change::show).post(apis::change::submit))
        .route("/apis/{id}/delete", get(apis::delete::show).post(apis::delete::submit))
        .route("/apis/{id}/permissions/new", get(apis::permission::ask).post(apis::permission::declare))
        .route("/apis/{id}/permissions/edit", get(apis::permission::show).post(apis::permission::describe))
        .route("/apis/{id}/permissions/retire", get(apis::permission::ask_to_retire).post(apis::permission::retire))
        // What happened
        .route("/audit", get(audit::list::show))
        .route("/audit/export.csv", get(audit::export::csv))
        .route("/audit/export.jsonl", get(audit::export::json_lines))
        .route("/audit/chain", get(audit::chain::show).post(audit::chain::prove))
        .route("/audit/{id}", get(audit::event::show))
        .route("/organizations/{organization}/audit", get(audit::list::show))
        .route("/organizations/{organization}/audit/export.csv", get(audit::export::csv))
        .route("/organizations/{organization}/audit/export.jsonl", get(audit::export::json_lines))
        .route("/organizations/{organization}/audit/chain", get(audit::chain::show).post(audit::chain::prove))
        .route("/organizations/{organization}/audit/{id}", get(audit::event::show))
        .route("/organizations/{organization}/explain", get(explain::show).post(explain::explain))
        // The tokens of its members
        .route("/organizations/{organization}/tokens", get(inventory::list::show))
        .route("/organizations/{organization}/members/{id}/tokens", get(inventory::list::show_of_member))
        .route("/organizations/{organization}/tokens/revoke", get(inventory::bulk::show).post(inventory::bulk::submit))
        .route("/organizations/{organization}/tokens/{id}", get(inventory::show))
        .route("/organizations/{organization}/tokens/{id}/disable", post(inventory::disable))
        .route("/organizations/{organization}/tokens/{id}/enable", post(inventory::enable))
        .route(
            "/organizations/{organization}/tokens/{id}/revoke",
            get(inventory::ask_to_revoke).post(inventory::revoke),
        )
        // Its service accounts
        .route("/organizations/{organization}/service-accounts", get(service_accounts::list::show))
        .route(
            "/organizations/{organization}/service-accounts/new",
            get(service_accounts::new::show).post(service_accounts::new::submit),
        )
        .route("/organizations/{organization}/service-accounts/{account}", get(service_accounts::detail::show))
        .route(
            "/organizations/{organization}/service-accounts/{account}/edit",
            get(service_accounts::edit::show).post(service_accounts::edit::save),
        )
        .route(
            "/organizations/{organization}/service-accounts/{account}/disable",
            post(service_accounts::standing::disable),
        )
        .route(
            "/organizations/{organization}/service-accounts/{account}/enable",
            post(service_accounts::standing::enable),
        )
        .route(
            "/organizations/{organization}/service-accounts/{account}/delete",
            get(service_accounts::standing::ask_to_delete).post(service_accounts::standing::delete),
        )
        .merge(service_accounts::clients::routes())
        // Its devices
        .merge(fleets::routes())
        // One's own tokens
        .route("/account/tokens", get(tokens::list))
        .route("/account/tokens/new", get(tokens::new::show).post(tokens::new::submit))
        .merge(of_one::<PersonalAccessTokenId, tokens::AtOwn, SessionForm>("/account/tokens"))
        // One's own account
        .route("/account/security", get(security::show))
        .route("/account/security/password", post(security::change_password))
        .route("/account/security/sessions", post(security::end_session))
        .route("/account/security/authenticator", get(enrolment::show).post(enrolment::enable))
        .route("/account/security/authenticator/remove", post(enrolment::disable))
        .route("/account/security/recovery-codes", post(enrolment::make_recovery_codes))
        // One's passkeys
        .route("/account/security/passkeys/new", get(passkeys::new::show).post(passkeys::new::submit))
        .route("/account/security/passkeys/{id}", get(passkeys::one::show).post(passkeys::one::rename))
        .route("/account/security/passkeys/{id}/remove", get(passkeys::one::ask_to_remove).post(passkeys::one::remove))
        .route("/sign-in/passkey", get(sign_in::show).post(passkeys::prove::submit))
        .route("/sign-in/again/passkey", get(again::show).post(passkeys::prove::again))
        // What waits for one
        .route("/approvals", get(approvals::show))
        .route("/approvals/{id}", get(approval::show))
        .route("/approvals/{id}/approve", post(approval::approve))
        .route("/approvals/{id}/deny", post(approval::deny))
        // What a device asks for
        .route("/device", get(device_request::show).post(device_request::submit))
        .route("/device/approve", post(device_request::approve))
        .route("/device/deny", post(device_request::deny))
        .route("/language", get(language::choose))
        .merge(at_portal(app))
        // The first minutes of an instance
        .route("/first-run", get(first_run::show).post(first_run::make_administrator))
        .route("/first-run/api", get(first_run::ask_for_api).post(first_run::declare_api))
        .route("/first-run/key", get(first_run::ask_for_key).post(first_run::make_key))
        .route("/first-run/done", get(first_run::done))
        // The instance itself
        .route("/settings", get(settings::show))
        .route("/settings/signing-keys/rotate", get(settings::ask_to_rotate).post(settings::rotate))
        .route("/settings/signing-keys/replace", get(settings::ask_to_replace).post(settings::replace))
        .layer(from_fn(once_settled::<Trouble>))
        .layer(from_fn_with_state(app.clone(), framed))
        // Outside of the frame: they are no pages, and may be kept.
        .route("/assets/console.css", get(page::stylesheet))
        .route("/assets/console.js", get(page::script))
        .route("/assets/passkey.js", get(page::passkey_script))
        .route("/portal/theme/{file}", get(portal::theme::stylesheet))
}

/// The pages of a product's users at their own tokens.
fn at_portal(app: &App) -> Router<App> {
    use portal::{enter, leave, tokens};
    Router::new()
        .route("/portal", get(tokens::list))
        .route("/portal/enter", get(enter))
        .route("/portal/leave", post(leave))
        .route("/portal/new", get(tokens::ask_for_new).post(tokens::make))
        .merge(of_one::<PersonalAccessTokenId, AtPortal, PortalForm>("/portal"))
        .layer(from_fn_with_state(app.clone(), portal::stand))
}

#[cfg(test)]
mod tests;
