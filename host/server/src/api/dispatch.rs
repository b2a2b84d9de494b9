//! One request from socket to answer. The order of the checks is the vendor's, so that a request that is wrong in
//! several ways is told the code its client expects: method, form, action and version, key, time, nonce,
//! signature, then what the action itself asks for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Method, Request};
use secrecy::ExposeSecret;

use super::actions::{self, Action, Kind};
use super::envelope::{Envelope, Preview};
use super::error::Error;
use super::params::Params;
use super::reply::{self, Answer, Format};
use super::{Call, Context, replay, times};

pub(super) async fn handle(State(context): State<Arc<Context>>, request: Request<Body>) -> Response {
    let request_id = reply::request_id();
    let (parts, body) = request.into_parts();
    let preview = Preview::of(&parts);
    let mut format = preview.format;
    match answer(&context, parts, body, &mut format).await {
        Ok((action, answer)) => reply::success(format, action.name, &request_id, answer),
        Err(error) => {
            log(&request_id, &error);
            reply::failure(format, &request_id, &preview.host, &error)
        }
    }
}

async fn answer(
    context: &Context,
    parts: http::request::Parts,
    body: Body,
    format: &mut Format,
) -> Result<(&'static Action, Answer), Error> {
    if parts.method != Method::GET && parts.method != Method::POST {
        return Err(Error::UnsupportedMethod);
    }
    let _slot = context.slots.try_acquire().map_err(|_| Error::Busy)?;
    let envelope = Envelope::read(parts, body).await?;
    *format = envelope.format()?;
    let action = actions::find(envelope.version()?, envelope.action()?)?;

    let now = context.now();
    let key_id = envelope.access_key_id()?.to_owned();
    let key = context.store.access_key(&key_id).await?.ok_or(Error::UnknownAccessKey)?;
    if !key.active {
        return Err(Error::InactiveAccessKey);
    }
    let at = times::parse(envelope.timestamp()?).ok_or(Error::TimestampFormat)?;
    replay::check_clock(at, now)?;
    let nonce = envelope.nonce()?.to_owned();
    replay::check_nonce(&nonce)?;
    if context.guard.is_used(&key_id, &nonce) {
        return Err(Error::NonceUsed);
    }
    envelope.verify(key.secret.expose_secret())?;
    // Only a request that is what it says it is may spend the key's rate and use up the nonce.
    context.guard.admit(&key_id, &nonce, now)?;
    if action.kind == Kind::Changes {
        let forget_before = now.plus_ms(-replay::NONCE_LIFE_MS);
        if !context.store.note_nonce(&key_id, &nonce, now, forget_before).await? {
            return Err(Error::NonceUsed);
        }
    }

    let call = Call { context, tenant: &key.tenant, now };
    let params = Params::new(action.product, envelope.into_params());
    let answer = (action.run)(&call, &params).await?;
    Ok((action, answer))
}

/// Errors that are ours are logged here, once; the others are the client's own affair.
fn log(request_id: &str, error: &Error) {
    if let Error::Internal(source) = error {
        tracing::error!(request.id = request_id, error = %source, "an API request failed");
    } else {
        tracing::debug!(request.id = request_id, code = error.code(), "an API request was refused");
    }
}
