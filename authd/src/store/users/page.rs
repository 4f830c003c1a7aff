//! Which users does an admin's list show?

use crate::store::sql::sql;
use crate::store::{Error, Store, User};

/// How many users [`Store::users_page`] returns at most.
const PAGE: i64 = 30;

/// By what a page of users is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By the time when the account was made.
    #[default]
    CreatedAt,
    /// By the time of the last sign-in; who never did comes first.
    LastSignInAt,
    /// By name, in any case.
    Name,
    /// By e-mail address.
    Email,
    /// By the role's word.
    Role,
}

/// Which end of an [`Order`] comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The smallest or oldest first.
    #[default]
    Ascending,
    /// The largest or newest first.
    Descending,
}

/// Which page of which users.
#[derive(Clone, Debug, Default)]
pub struct UserQuery {
    /// Only users whose name or address has this in it; empty is everyone.
    pub text: String,
    /// By what they are sorted.
    pub order: Order,
    /// Which end comes first.
    pub direction: Direction,
    /// From 1; 0 is taken as 1.
    pub page: u32,
}

/// Up to 30 users, and how many match in all.
#[derive(Clone, Debug)]
pub struct UserPage {
    /// In the order that was asked for.
    pub users: Vec<User>,
    /// How many match on all pages together.
    pub total: u64,
}

/// A query over the users that match the patterns `$1` (as given) and `$2` (in lower case).
macro_rules! matching {
    ($select:literal $(, $rest:literal)*) => {
        concat!(
            $select,
            " FROM users WHERE (name LIKE $1 ESCAPE '\\' OR LOWER(name) LIKE $2 ESCAPE '\\'",
            " OR email LIKE $2 ESCAPE '\\')"
            $(, $rest)*
        )
    };
}

impl Store {
    /// One page of the users that match.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn users_page(&self, query: &UserQuery) -> Result<UserPage, Error> {
        // SQLite folds ASCII only, hence the text as it was given and in lower case.
        let (given, lower) = (containing(&query.text), containing(&query.text.to_lowercase()));
        let total: i64 = sql(matching!("SELECT COUNT(*)"))
            .bind(&given)
            .bind(&lower)
            .fetch_one(&self.readers)
            .await?;
        let users = sql(page_sql(query.order, query.direction))
            .bind(given)
            .bind(lower)
            .bind(PAGE)
            .bind(i64::from(query.page.max(1) - 1) * PAGE)
            .fetch_all(&self.readers)
            .await?;
        Ok(UserPage {
            users,
            total: total.unsigned_abs(),
        })
    }
}

/// A `LIKE` pattern for what has the text in it, with nothing in the text meaning anything else.
fn containing(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{text}%")
}

/// Every sorted page is a text of its own: nothing that a caller says becomes SQL.
fn page_sql(order: Order, direction: Direction) -> &'static str {
    macro_rules! sorted {
        ($by:literal) => {
            match direction {
                Direction::Ascending => {
                    matching!("SELECT *", " ORDER BY ", $by, ", id LIMIT $3 OFFSET $4")
                }
                Direction::Descending => matching!("SELECT *", " ORDER BY ", $by, " DESC, id DESC LIMIT $3 OFFSET $4"),
            }
        };
    }
    match order {
        Order::CreatedAt => sorted!("created_at"),
        Order::LastSignInAt => sorted!("COALESCE(last_sign_in_at, 0)"),
        Order::Name => sorted!("LOWER(name)"),
        Order::Email => sorted!("email"),
        Order::Role => sorted!("role"),
    }
}
