//! What two large providers do in ways of their own: whom a token of theirs is from, which addresses they vouch for, and where groups are.

use policy::snapshot::{Flavour, Oidc};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{Error, id_token, userinfo};
use crate::issuer::jwt::text;
use crate::outbound::Outbound;

/// The most pages of groups that are read.
const MAX_PAGES: usize = 50;

/// The issuer that the metadata must name.
#[must_use]
pub fn issuer_of_metadata(settings: &Oidc) -> &str {
    match &settings.flavour {
        Flavour::Microsoft {
            template: Some(template),
            ..
        } => template,
        _ => &settings.issuer,
    }
}

/// The issuer that this token must name: of a tenant's token, that tenant's.
#[must_use]
pub fn issuer_of_token(settings: &Oidc, claims: &Map<String, Value>) -> String {
    match &settings.flavour {
        // Google writes it with or without its scheme.
        Flavour::Google { .. } => {
            let bare = settings.issuer.split_once("://").map_or("", |(_, bare)| bare);
            let named = text(claims, "iss").filter(|named| *named == bare);
            named.unwrap_or(&settings.issuer).to_owned()
        }
        Flavour::Microsoft {
            template: Some(template),
            ..
        } => template.replace("{tenantid}", text(claims, "tid").unwrap_or_default()),
        _ => settings.issuer.clone(),
    }
}

/// Checks what is particular, and says of the address whether the provider vouches for it.
///
/// # Errors
/// The account belongs to no organisation or tenant whose people sign in here.
pub fn check(settings: &Oidc, claims: &mut Map<String, Value>) -> Result<(), id_token::Error> {
    match &settings.flavour {
        Flavour::Plain => Ok(()),
        Flavour::Google { hosted_domains } => {
            let domain = text(claims, "hd").map(str::to_lowercase);
            let allowed = |domain: &String| hosted_domains.contains(domain);
            if !hosted_domains.is_empty() && !domain.as_ref().is_some_and(allowed) {
                return Err(id_token::Error::Organization);
            }
            let is_gmail = text(claims, "email").is_some_and(|email| email.ends_with("@gmail.com"));
            let vouched = claims.get("email_verified") == Some(&Value::Bool(true)) && (domain.is_some() || is_gmail);
            claims.insert("email_verified".to_owned(), Value::Bool(vouched));
            Ok(())
        }
        Flavour::Microsoft { template, tenants, .. } => {
            let tenant = text(claims, "tid").ok_or(id_token::Error::Claim("tid"))?;
            let allowed = template.is_none() || tenants.iter().any(|one| one == "*" || one == tenant);
            if !allowed {
                return Err(id_token::Error::Organization);
            }
            let owned = claims.get("xms_edov") == Some(&Value::Bool(true));
            claims.insert(
                "email_verified".to_owned(),
                Value::Bool(owned && claims.contains_key("email")),
            );
            Ok(())
        }
    }
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Entry>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

/// Whether the groups are too many for the token, which says so instead of naming them.
#[must_use]
pub fn has_groups_elsewhere(claims: &Map<String, Value>) -> bool {
    let elsewhere = claims
        .get("_claim_names")
        .is_some_and(|names| names.get("groups").is_some());
    let has = |name: &str| matches!(claims.get(name), Some(Value::Bool(true))) || text(claims, name) == Some("true");
    elsewhere || has("hasgroups")
}

/// Fetches groups that were too many for the token. Where that fails, nobody is taken to be in none.
///
/// # Errors
/// They cannot be had.
pub async fn add_groups(
    settings: &Oidc,
    outbound: &Outbound,
    token: &SecretString,
    claims: &mut Map<String, Value>,
) -> Result<(), Error> {
    let Flavour::Microsoft { graph, .. } = &settings.flavour else {
        return Ok(());
    };
    if !has_groups_elsewhere(claims) {
        return Ok(());
    }
    let first = format!("{graph}/v1.0/me/transitiveMemberOf/microsoft.graph.group?$select=id&$top=999");
    let mut next = Some(Url::parse(&first).map_err(|_| userinfo::Error::Answer(0))?);
    let (origin, mut groups) = (next.as_ref().map(Url::origin), Vec::new());
    for _ in 0..MAX_PAGES {
        let Some(url) = next else {
            claims.remove("_claim_names");
            claims.remove("_claim_sources");
            claims.insert("groups".to_owned(), Value::Array(groups));
            return Ok(());
        };
        let page: Page = userinfo::ask(outbound, &url, token).await?;
        groups.extend(page.value.into_iter().map(|entry| Value::String(entry.id)));
        // The token goes nowhere else, whatever the page says.
        let followed = |text: String| Url::parse(&text).ok().filter(|url| Some(url.origin()) == origin);
        next = match page.next {
            None => None,
            Some(text) => Some(followed(text).ok_or(userinfo::Error::Answer(0))?),
        };
    }
    Err(userinfo::Error::Answer(0).into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use policy::snapshot::{Authentication, Client, ClientProof};

    fn settings(issuer: &str, flavour: Flavour) -> Oidc {
        Oidc {
            issuer: issuer.to_owned(),
            client: Client::Registered {
                id: "authd".to_owned(),
                proof: ClientProof::None,
            },
            scopes: Vec::new(),
            authorize_parameters: Vec::new(),
            id_token_algorithms: Vec::new(),
            authentication: Authentication::default(),
            userinfo: crds::UserInfo::Never,
            outbound: policy::snapshot::Outbound::default(),
            flavour,
        }
    }

    fn checked(settings: &Oidc, claims: &Value) -> Result<Value, id_token::Error> {
        let mut claims = claims.as_object().unwrap().clone();
        check(settings, &mut claims).map(|()| claims["email_verified"].clone())
    }

    #[test]
    #[expect(
        clippy::too_many_lines,
        reason = "a story is told in one piece, and a table is as long as its rows"
    )]
    fn b32_where_a_domain_is_asked_for_the_claim_counts_and_not_the_address() {
        let domains = |domains: &[&str]| {
            let hosted_domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
            settings("https://accounts.google.com", Flavour::Google { hosted_domains })
        };
        let (one, any) = (domains(&["example.com"]), domains(&[]));
        let person =
            |email: &str, hd: Value, verified: Value| json!({"email": email, "hd": hd, "email_verified": verified});
        let outside = Err(id_token::Error::Organization);
        for (row, settings, claims, expected) in [
            (
                "control",
                &one,
                person("a@example.com", json!("example.com"), json!(true)),
                Ok(json!(true)),
            ),
            (
                "B32 missing",
                &one,
                person("a@example.com", json!(null), json!(true)),
                outside.clone(),
            ),
            (
                "B32 other",
                &one,
                person("a@example.com", json!("evil.example"), json!(true)),
                outside.clone(),
            ),
            (
                "B32 list",
                &one,
                person("a@example.com", json!(["example.com"]), json!(true)),
                outside,
            ),
            (
                "gmail",
                &any,
                person("a@gmail.com", json!(null), json!(true)),
                Ok(json!(true)),
            ),
            (
                "unverified",
                &any,
                person("a@gmail.com", json!(null), json!(false)),
                Ok(json!(false)),
            ),
            (
                "not its authority",
                &any,
                person("a@yahoo.example", json!(null), json!(true)),
                Ok(json!(false)),
            ),
        ] {
            assert_eq!(checked(settings, &claims), expected, "{row}");
        }
        for (named, expected) in [
            ("accounts.google.com", "accounts.google.com"),
            ("https://accounts.google.com", "https://accounts.google.com"),
            ("http://accounts.google.com", "https://accounts.google.com"),
        ] {
            let claims = json!({"iss": named});
            assert_eq!(issuer_of_token(&any, claims.as_object().unwrap()), expected, "{named}");
        }
    }

    #[test]
    fn b31_k01_a_tenant_is_named_and_its_addresses_are_its_own_word() {
        let microsoft = |template: Option<&str>, tenants: &[&str]| {
            let flavour = Flavour::Microsoft {
                template: template.map(str::to_owned),
                tenants: tenants.iter().map(|tenant| (*tenant).to_owned()).collect(),
                graph: "https://graph.example.com".to_owned(),
            };
            settings("https://login.example.com/common/v2.0", flavour)
        };
        let template = Some("https://login.example.com/{tenantid}/v2.0");
        let (some, all) = (microsoft(template, &["t-1"]), microsoft(template, &["*"]));
        let of = |tenant: Value, edov: Value| json!({"tid": tenant, "email": "a@example.com", "email_verified": true, "xms_edov": edov});
        for (row, settings, claims, expected) in [
            ("control", &some, of(json!("t-1"), json!(true)), Ok(json!(true))),
            (
                "B31 other",
                &some,
                of(json!("t-2"), json!(true)),
                Err(id_token::Error::Organization),
            ),
            (
                "B31 absent",
                &some,
                of(json!(null), json!(true)),
                Err(id_token::Error::Claim("tid")),
            ),
            ("B31 all", &all, of(json!("t-2"), json!(true)), Ok(json!(true))),
            ("K01 absent", &all, of(json!("t-2"), json!(null)), Ok(json!(false))),
            ("K01 text", &all, of(json!("t-2"), json!("true")), Ok(json!(false))),
            ("K01 one", &all, of(json!("t-2"), json!(1)), Ok(json!(false))),
        ] {
            assert_eq!(checked(settings, &claims), expected, "{row}");
        }
        let claims = json!({"tid": "t-1", "iss": "https://sts.windows.net/t-1/"});
        let expected = "https://login.example.com/t-1/v2.0";
        assert_eq!(
            issuer_of_token(&some, claims.as_object().unwrap()),
            expected,
            "B31 v1 issuer"
        );
        assert_eq!(Some(issuer_of_metadata(&some)), template);
    }
}
