//! Accounts, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use uuid::Uuid;

use super::Answer;
use super::answers::{Listed, Page};
use super::body::Body;
use super::caller::Admin;
use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::error::ApiError;
use crate::store::{Direction, Order, Role, User, UserQuery};

/// What to list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    query: String,
    order_by: String,
    direction: String,
    page: Option<u32>,
}

/// `GET /api/v1/users/`: 30 a page.
///
/// # Errors
/// The caller is no administrator.
pub async fn list(State(app): State<Arc<App>>, Admin(_): Admin, Query(query): Query<ListQuery>) -> Answer<Json<Page>> {
    if query.query.len() > 256 {
        return Err(ApiError::invalid("`query` is longer than 256 bytes"));
    }
    let order = match query.order_by.as_str() {
        "" | "created_at" => Order::CreatedAt,
        "email" => Order::Email,
        "name" => Order::Name,
        "role" => Order::Role,
        _ => return Err(ApiError::invalid("`order_by` is one of created_at, email, name, role")),
    };
    let direction = match query.direction.as_str() {
        "" | "asc" => Direction::Ascending,
        "desc" => Direction::Descending,
        _ => return Err(ApiError::invalid("`direction` is asc or desc")),
    };
    let query = UserQuery {
        text: query.query,
        order,
        direction,
        page: query.page.unwrap_or(1).max(1),
    };
    let page = app.store.users_page(&query).await?;
    Ok(Json(Page {
        users: page.users.iter().map(Into::into).collect(),
        total: page.total,
    }))
}

/// What an administrator may change of an account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    role: Option<String>,
    disabled: Option<bool>,
}

/// `POST /api/v1/users/{id}/update`: role, or whether the account is kept out. Every session of the account ends.
///
/// # Errors
/// The role is none, or it is the primary administrator's or the last one's account.
pub async fn update(
    State(app): State<Arc<App>>,
    Admin(admin): Admin,
    Path(id): Path<Uuid>,
    Body(body): Body<UpdateUser>,
) -> Answer<Json<Listed>> {
    let role = body
        .role
        .as_deref()
        .map(str::parse::<Role>)
        .transpose()
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    protect_primary(&app, admin.signed_in.id(), id).await?;
    let now = app.now();
    if let Some(role) = role {
        let ended = app.store.change_role(id, role, now).await?;
        app.end(id, &ended);
        record(&app, &admin.signed_in.user, id, Kind::RoleChanged);
    }
    match body.disabled {
        Some(true) => {
            let ended = app.store.disable_user(id, now).await?;
            app.end(id, &ended);
            record(&app, &admin.signed_in.user, id, Kind::UserDisabled);
        }
        Some(false) => {
            for key in app.store.enable_user(id, now).await? {
                app.personal_keys.learn(key);
            }
            app.account_changed(id);
            record(&app, &admin.signed_in.user, id, Kind::UserEnabled);
        }
        None => {}
    }
    Ok(Json(Listed::from(&known(&app, id).await?)))
}

/// The account with the id.
pub(super) async fn known(app: &App, id: Uuid) -> Answer<User> {
    let user = app.store.user_by_id(id).await?;
    user.ok_or_else(|| ApiError::not_found("there is no such account"))
}

/// `DELETE /api/v1/users/{id}`.
///
/// # Errors
/// It is one's own account, the primary administrator's, or the last administrator's.
pub async fn delete(State(app): State<Arc<App>>, Admin(admin): Admin, Path(id): Path<Uuid>) -> Answer<Json<bool>> {
    if id == admin.signed_in.id() {
        return Err(ApiError::forbidden("own_account", "nobody deletes their own account"));
    }
    protect_primary(&app, admin.signed_in.id(), id).await?;
    let ended = app.store.delete_user(id, app.now()).await?;
    app.end(id, &ended);
    record(&app, &admin.signed_in.user, id, Kind::UserDeleted);
    Ok(Json(true))
}

/// The oldest administrator's account is changed by nobody else.
pub(super) async fn protect_primary(app: &App, actor: Uuid, subject: Uuid) -> Answer<()> {
    let primary = app.store.oldest_admin().await?;
    if primary.is_some_and(|primary| primary.id == subject && primary.id != actor) {
        return Err(ApiError::forbidden(
            "primary_admin",
            "only the primary administrator changes this account",
        ));
    }
    Ok(())
}

fn record(app: &App, actor: &User, subject: Uuid, kind: Kind) {
    app.audit.record(Event {
        actor_id: Some(actor.id),
        actor_email: Some(actor.email.clone()),
        subject_id: Some(subject.to_string()),
        ..Event::new(app.now(), kind, Outcome::Success)
    });
}
