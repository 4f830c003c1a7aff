//! Which groups does a provider put somebody into? Those that it names and that may be joined, and those that are left alone.

use policy::Said;
use policy::snapshot::{Granted, Provider};
use uuid::Uuid;

use super::Error;
use crate::app::App;

/// The longest name of a group, in bytes.
const MAX_GROUP: usize = 256;

/// The groups that the provider puts them into; `None`: those stay what they were.
pub(in crate::login) async fn groups(
    app: &App,
    provider: &Provider,
    said: &Said,
    user: Uuid,
) -> Result<Option<Vec<String>>, Error> {
    let Some(sync) = &provider.groups else {
        return Ok(Some(Vec::new()));
    };
    let named = match (&said.groups, sync.on_absent) {
        (Some(named), _) => named.as_slice(),
        (None, crds::OnAbsent::Leave) => &[],
        (None, crds::OnAbsent::Keep) => return Ok(None),
        (None, crds::OnAbsent::Deny) => return Err(Error::ClaimAbsent),
    };
    let known = if sync.create {
        Vec::new()
    } else {
        app.store.known_groups(named).await?
    };
    let granted = |group: &str| {
        let is_it = |granted: &Granted| matches!(granted, Granted::Group(name) if name == group);
        provider.grants.iter().any(|grant| is_it(&grant.granted))
    };
    let fits = |group: &&String| {
        let is_name = !group.is_empty() && group.len() <= MAX_GROUP && !group.contains(char::is_control);
        is_name && !sync.ignores(group) && (sync.create || known.contains(group) || granted(group))
    };
    let mut joined: Vec<String> = named.iter().filter(fits).cloned().collect();
    let before = app.store.memberships_of(user).await?;
    let left_alone = before
        .into_iter()
        .filter(|row| row.source == provider.name && sync.ignores(&row.group));
    joined.extend(left_alone.map(|row| row.group));
    joined.sort();
    joined.dedup();
    Ok(Some(joined))
}
