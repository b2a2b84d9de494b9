//! May this publisher record? The push domain names the tenant, its key signs the URL, a record config says what
//! becomes of the stream, and the disk must have room. Only then is the driver asked for a place.

use std::net::IpAddr;

use reprise_lifecycle::id::GroupId;
use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::record::{Opening, RecordRules};
use reprise_media::rtmp::{PublishRequest, RefusalCode};
use secrecy::ExposeSecret;

use super::Ingest;
use crate::clock;
use crate::driver::{Joined, PublishRefused};
use crate::store::record_configs::RecordConfig;
use crate::store::record_settings::RecordSettings;
use crate::store::tenants::Tenant;
use crate::url_auth;

/// Arguments of the push URL that are ours and no policy's business.
const OWN_ARGUMENTS: [&str; 2] = ["auth_key", "vhost"];

/// Why a publisher is refused, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: RefusalCode,
    pub(super) description: String,
}

impl Refusal {
    fn denied(description: impl Into<String>) -> Self {
        Self { code: RefusalCode::Denied, description: description.into() }
    }

    fn failed(description: impl Into<String>) -> Self {
        Self { code: RefusalCode::Failed, description: description.into() }
    }
}

/// A place for the publisher, or why it gets none.
pub(super) async fn authorise(ingest: &Ingest, request: &PublishRequest, client: IpAddr) -> Result<Joined, Refusal> {
    let domain = push_domain(request)
        .ok_or_else(|| Refusal::denied("no push domain: name one in the URL's host, or add ?vhost=DOMAIN"))?;
    let tenant = ingest.store.tenant_of_push_domain(&domain).await.map_err(unavailable)?;
    let tenant = tenant.ok_or_else(|| Refusal::denied(format!("the push domain {domain} is not known here")))?;
    if tenant.push_auth {
        verify(ingest, &tenant, request).await?;
    }
    let config = ingest
        .store
        .record_config_for(&tenant.name, &tenant.play_domain, &request.app, &request.stream)
        .await
        .map_err(unavailable)?;
    let config = config.ok_or_else(|| {
        Refusal::denied(format!(
            "no record config covers {}/{}: add one with AddLiveRecordVodConfig first, nothing would be recorded",
            request.app, request.stream
        ))
    })?;
    check_disk(ingest)?;
    let settings = ingest.store.record_settings(&tenant.name, &config).await.map_err(unavailable)?;
    let opening = opening(&tenant, domain, request, &config, settings);
    ingest.driver.publish(opening, client.to_string()).await.map_err(|refused| match refused {
        PublishRefused::AlreadyLive => {
            Refusal { code: RefusalCode::BadName, description: "the stream is already live".to_owned() }
        }
        PublishRefused::TooMany | PublishRefused::Unavailable => Refusal::failed(refused.to_string()),
    })
}

/// The host of the push URL; where that is an address, the `vhost` argument.
fn push_domain(request: &PublishRequest) -> Option<String> {
    let host = request.host().filter(|host| host != "localhost" && host.parse::<IpAddr>().is_err());
    host.or_else(|| request.argument("vhost").map(str::to_ascii_lowercase))
}

async fn verify(ingest: &Ingest, tenant: &Tenant, request: &PublishRequest) -> Result<(), Refusal> {
    let keys = ingest.store.tenant_keys(&tenant.name).await.map_err(unavailable)?;
    let keys = keys.ok_or_else(|| Refusal::denied("the tenant is gone"))?;
    let path = format!("/{}/{}", request.app, request.stream);
    url_auth::verify(
        &path,
        request.argument("auth_key"),
        &[keys.push_key.expose_secret()],
        tenant.auth_validity_s,
        clock::now().0.div_euclid(1000),
    )
    .map_err(|denied| Refusal::denied(denied.to_string()))
}

fn check_disk(ingest: &Ingest) -> Result<(), Refusal> {
    let free = ingest.files.free_bytes().map_err(|error| {
        tracing::error!(error = %error, "the free disk space cannot be read");
        Refusal::failed("the server cannot record now")
    })?;
    if free < ingest.limits.disk_reserve_mib.saturating_mul(1 << 20) {
        tracing::error!(free_bytes = free, "a publisher was refused: free disk space is below the reserve");
        return Err(Refusal::failed("the server's disk is below its reserve"));
    }
    Ok(())
}

fn opening(
    tenant: &Tenant,
    domain: String,
    request: &PublishRequest,
    config: &RecordConfig,
    settings: RecordSettings,
) -> Opening {
    let ms = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    let own = |name: &str| OWN_ARGUMENTS.contains(&name);
    Opening {
        tenant: tenant.id(),
        stream: StreamKey { domain, app: request.app.clone(), name: request.stream.clone() },
        play_domain: tenant.play_domain.clone(),
        push_args: request.query.iter().filter(|(name, _)| !own(name)).cloned().collect(),
        rules: RecordRules {
            cycle_ms: ms(config.cycle_s),
            break_ms: ms(config.delay_s),
            group: GroupId::new(config.group_id.clone()),
            auto_compose: config.auto_compose,
            compose_group: config.compose_group_id.clone().map(GroupId::new),
            gaps: settings.gaps,
            analyse: settings.analyse,
            retention_days: settings.retention_days,
        },
    }
}

fn unavailable(error: crate::store::Error) -> Refusal {
    tracing::error!(error = %error, "the catalogue cannot be read; a publisher is refused");
    Refusal::failed("the server cannot record now")
}
