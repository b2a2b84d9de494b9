//! What the actions about running streams share: domains, streams, receivers of notices, and their records.

use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::rules::name;
use crate::api::error::{self, Error};
use crate::api::names::record_result;
use crate::api::params::Params;
use crate::api::{Call, times};
use crate::delivery::notice::has_room;
use crate::delivery::target::{Host, Target};
use crate::ingest::control::Refused;
use crate::ingest::publishers::OrderRefused;
use crate::store::live_notices::{NoticeFilter, NoticeRow, Side};

/// Room that a receiver's URL must leave for what is added to it.
const ADDED_BYTES: usize = 1024;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// The tenant's push domain, if that is what `domain` is.
pub(crate) fn own_push_domain<'a>(call: &'a Call<'_>, domain: &str) -> Result<&'a str, Error> {
    let own = call.tenant.push_domain.as_str();
    if domain.eq_ignore_ascii_case(own) { Ok(own) } else { Err((&error::DOMAIN_NOT_FOUND).into()) }
}

/// Whether `domain` is one of the tenant's two.
pub(crate) fn check_either_domain(call: &Call<'_>, domain: &str) -> Result<(), Error> {
    super::rules::own_domain(call, domain).map(drop).or_else(|_| own_push_domain(call, domain).map(drop))
}

/// The stream that `AppName` and `StreamName` name, under the tenant's push domain.
pub(crate) fn stream(call: &Call<'_>, params: &Params) -> Result<StreamKey, Error> {
    Ok(StreamKey {
        domain: call.tenant.push_domain.clone(),
        app: name("AppName", params.required("AppName")?)?.to_owned(),
        name: name("StreamName", params.required("StreamName")?)?.to_owned(),
    })
}

/// A URL of a receiver. One that will never be called is refused now, while somebody is looking.
pub(crate) fn receiver<'a>(call: &Call<'_>, params: &'a Params, param: &str) -> Result<Option<&'a str>, Error> {
    let Some(url) = params.get(param) else { return Ok(None) };
    let invalid = |reason: String| Error::invalid(param, reason);
    if !has_room(url, ADDED_BYTES) {
        return Err(invalid("it is too long".to_owned()));
    }
    let target = Target::parse(url).map_err(|error| invalid(error.to_string()))?;
    if let Host::Address(address) = target.host {
        call.context.settings.callback_guard.check(address).map_err(|refused| invalid(refused.to_string()))?;
    }
    Ok(Some(url))
}

/// `NotifyAuthKey`: so many letters and digits, and mandatory where requests are to be signed.
pub(crate) fn auth_key(params: &Params, auth: bool, most: usize) -> Result<Option<SecretString>, Error> {
    let Some(key) = params.get("NotifyAuthKey") else {
        return if auth { Err(Error::MissingLive("NotifyAuthKey".to_owned())) } else { Ok(None) };
    };
    let fits = (16..=most).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits {
        Ok(Some(SecretString::from(key)))
    } else {
        Err(Error::invalid("NotifyAuthKey", format!("it must be 16 to {most} letters and digits")))
    }
}

/// A key as its owner is shown it.
pub(crate) fn shown_key(key: Option<&SecretString>) -> String {
    key.map(|key| key.expose_secret().to_owned()).unwrap_or_default()
}

/// `StartTime` and `EndTime`, at most `days` apart.
pub(crate) fn span(params: &Params, days: i64) -> Result<(Timestamp, Timestamp), Error> {
    let time = |name: &str| params.time(name)?.ok_or_else(|| Error::MissingLive(name.to_owned()));
    let (from, to) = (time("StartTime")?, time("EndTime")?);
    if to < from || to.ms_since(from) > days.unsigned_abs() * DAY_MS.unsigned_abs() {
        return Err(Error::invalid("EndTime", format!("it must be after StartTime, by at most {days} days")));
    }
    Ok((from, to))
}

/// Which notices a listing is asked for.
pub(crate) fn notices_wanted<'a>(params: &'a Params, side: Side) -> Result<NoticeFilter<'a>, Error> {
    let (from, to) = span(params, 7)?;
    let status = params.choice("Status", &["success", "failed"])?;
    Ok(NoticeFilter {
        side,
        from,
        to,
        app: params.get("AppName"),
        stream: params.get("StreamName"),
        delivered: status.map(|status| status == "success"),
    })
}

/// A notice as both listings show it.
pub(crate) fn show_notice(row: &NoticeRow) -> Value {
    json!({
        "DomainName": row.domain,
        "AppName": row.app,
        "StreamName": row.stream,
        "NotifyType": row.kind,
        "NotifyTime": times::format(Timestamp(row.tried_at)),
        "NotifyUrl": row.url,
        "NotifyHeader": row.headers,
        "NotifyContent": row.content,
        "NotifyResponse": row.response,
        "NotifyResult": record_result(row.delivered),
        "Description": row.detail,
    })
}

/// The vendor's error for what cannot be done to a stream.
pub(crate) fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Offline => (&error::STREAM_OFFLINE).into(),
        Refused::NoRule => (&error::RULE_NOT_FOUND).into(),
        Refused::TooManyBans => (&error::BANS_EXCEEDED).into(),
        Refused::Order(OrderRefused::Started) => (&error::TASK_STARTED).into(),
        Refused::Order(OrderRefused::NotNow(why)) => Error::VendorText(&error::ILLEGAL_OPERATION, format!("{why}.")),
        Refused::Order(failed @ OrderRefused::Failed(_)) => Error::Internal(Box::new(failed)),
        Refused::Store(error) => error.into(),
    }
}
