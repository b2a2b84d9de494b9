//! Whose token a request carries, and what it may touch. It stands before every route, those that do not exist too: a
//! path is for the admin alone unless it lies below a tenant, and below a tenant for that tenant and the admin. What lies
//! below a video's id alone is for its owner and the admin; whose it is the handlers see by asking for the tenant's own.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Shared;
use super::error::Error;
use super::names::is_tenant_name;
use crate::store::tenants::Tenant;
use crate::store::{self, Store};

/// The one path that needs no token: what the API looks like is no secret, and tools fetch it without one.
pub(super) const DOCUMENT_PATH: &str = "/v1/openapi.json";

/// Every tenant's paths begin with this and its name.
const TENANT_PATHS: &str = "/v1/tenants/";

/// A video's id is one of all tenants'. What lies below it is its owner's, without the owner's name.
const VIDEO_PATHS: &str = "/v1/videos/";

/// Who asks.
#[derive(Clone, Debug)]
enum Caller {
    Admin,
    Tenant(Tenant, String),
}

/// The tenant a request is about, as [`guard`] allowed it.
#[derive(Clone, Debug)]
pub(super) struct Scope(pub(super) Tenant);

/// The proof that the admin asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admin(());

/// Who asks, as the log of changes names them: `admin`, or `key:` and the id of a tenant's access key.
#[derive(Clone, Debug)]
pub(super) struct Actor(pub(super) String);

/// What an actor that has an access key begins with.
const KEY_ACTOR: &str = "key:";

impl Actor {
    /// Whether a request about this tenant would still be let through: what goes on for long asks again and again, because
    /// the key may be switched off and the tenant removed meanwhile. The admin's token stays what it is.
    pub(super) async fn may_still(&self, store: &Store, tenant: &str) -> store::Result<bool> {
        Ok(match self.0.strip_prefix(KEY_ACTOR) {
            Some(key) => store.access_key(key).await?.is_some_and(|key| key.active && key.tenant.name == tenant),
            None => store.tenant(tenant).await?.is_some(),
        })
    }
}

/// Lets a request through with its [`Scope`], its [`Actor`] and, for the admin, [`Admin`]; or refuses it.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    if request.uri().path() == DOCUMENT_PATH {
        return Ok(next.run(request).await);
    }
    let caller = authenticate(&shared, request.headers()).await?;
    match (tenant_of(request.uri().path()), &caller) {
        (None, Caller::Admin) => {
            if let Some(video) = video_of(request.uri().path()) {
                let video = shared.store.video_for_playback(video).await?.ok_or(Error::NotFound("video"))?;
                let owner = shared.store.tenant(&video.tenant).await?.ok_or(Error::NotFound("video"))?;
                request.extensions_mut().insert(Scope(owner));
            }
        }
        (None, Caller::Tenant(own, _)) if video_of(request.uri().path()).is_some() => {
            request.extensions_mut().insert(Scope(own.clone()));
        }
        (None, Caller::Tenant(..)) => return Err(Error::Forbidden),
        (Some(name), Caller::Tenant(own, _)) if name == own.name => {
            request.extensions_mut().insert(Scope(own.clone()));
        }
        // Whether another tenant exists is not told.
        (Some(_), Caller::Tenant(..)) => return Err(Error::NotFound("tenant")),
        (Some(name), Caller::Admin) => {
            let known = if is_tenant_name(name) { shared.store.tenant(name).await? } else { None };
            let tenant = known.ok_or(Error::NotFound("tenant"))?;
            request.extensions_mut().insert(Scope(tenant));
        }
    }
    let actor = match caller {
        Caller::Admin => {
            request.extensions_mut().insert(Admin(()));
            "admin".to_owned()
        }
        Caller::Tenant(_, key) => format!("{KEY_ACTOR}{key}"),
    };
    request.extensions_mut().insert(Actor(actor));
    let mut response = next.run(request).await;
    // Answers are for who asked, and some hold a secret that is shown once.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The tenant's name in a path, as it stands there. Names need no percent-encoding, so one that has it is nobody's.
fn tenant_of(path: &str) -> Option<&str> {
    let below = path.strip_prefix(TENANT_PATHS)?;
    let name = below.split('/').next()?;
    (!name.is_empty()).then_some(name)
}

/// The video's id in a path that begins with it. Ids need no percent-encoding either.
fn video_of(path: &str) -> Option<&str> {
    let id = path.strip_prefix(VIDEO_PATHS)?.split('/').next()?;
    (!id.is_empty()).then_some(id)
}

async fn authenticate(shared: &Shared, headers: &HeaderMap) -> Result<Caller, Error> {
    let token = bearer(headers).ok_or(Error::Unauthenticated)?;
    if same(token, &shared.admin_token) {
        return Ok(Caller::Admin);
    }
    let (id, secret) = token.split_once('.').ok_or(Error::Unauthenticated)?;
    let key = shared.store.access_key(id).await?;
    // An unknown key takes as long as a known one with a wrong secret.
    let held = key.as_ref().map_or_else(|| SecretString::from(""), |key| key.secret.clone());
    let fits = same(secret, &held);
    match key.filter(|key| key.active && fits) {
        Some(key) => Ok(Caller::Tenant(key.tenant, id.to_owned())),
        None => Err(Error::Unauthenticated),
    }
}

/// RFC 6750 section 2.1. Two headers are none: which of them a proxy judged by is not known.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).into_iter();
    let (one, None) = (all.next()?, all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Compares digests, so that neither the place of a difference nor the length shows in the time taken.
fn same(given: &str, held: &SecretString) -> bool {
    let held = held.expose_secret();
    let equal: bool = Sha256::digest(given).ct_eq(&Sha256::digest(held)).into();
    equal && !held.is_empty()
}

impl<S: Sync> FromRequestParts<S> for Scope {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts.extensions.get().cloned().ok_or_else(|| Error::Internal("a route without its tenant".to_owned()))
    }
}

impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts.extensions.get().cloned().ok_or_else(|| Error::Internal("a route without who asks".to_owned()))
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts.extensions.get().copied().ok_or(Error::Forbidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_below_a_tenant_or_it_is_not() {
        for (path, name) in [
            ("/v1/tenants/acme", Some("acme")),
            ("/v1/tenants/acme/", Some("acme")),
            ("/v1/tenants/acme/videos/v1", Some("acme")),
            ("/v1/tenants/%61cme/videos", Some("%61cme")),
            ("/v1/tenants/..", Some("..")),
            ("/v1/tenants", None),
            ("/v1/tenants/", None),
            ("/v1/tenants//acme", None),
            ("/v1/TENANTS/acme", None),
            ("/v1/other/acme", None),
        ] {
            assert_eq!(tenant_of(path), name, "{path}");
        }
    }

    #[test]
    fn one_bearer_token_is_read() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        for (values, token) in [
            (vec!["Bearer abc"], Some("abc")),
            (vec!["bearer abc"], Some("abc")),
            (vec!["Bearer  abc "], Some("abc")),
            (vec!["Bearer "], None),
            (vec!["Bearer"], None),
            (vec!["Basic abc"], None),
            (vec!["Bearer abc", "Bearer abc"], None),
            (vec![], None),
        ] {
            assert_eq!(read(&values).as_deref(), token, "{values:?}");
        }
    }

    #[test]
    fn an_empty_secret_fits_nothing() {
        assert!(same("a", &SecretString::from("a")));
        assert!(!same("a", &SecretString::from("b")));
        assert!(!same("", &SecretString::from("")));
    }
}
