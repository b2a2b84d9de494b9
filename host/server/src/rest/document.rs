//! The routes and the document that describes them: one list, so that neither can be without the other.

use std::sync::{Arc, OnceLock};

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    Shared, backtests, bindings, broadcasts, changes, components, decisions, deliveries, events, images, limits,
    plugins, quotas, record_configs, rollouts, settings, signing, state, streams, tasks, tenants, trials, versions,
    videos, why,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Reprise",
        version = "1",
        description = "What the vendor-compatible API has no words for: tenants, broadcasts, decisions, deliveries, \
                       plugins. The admin's token may do everything; a tenant's token is its access key's id and \
                       secret with a dot between them, and sees that tenant's paths alone. Things of others are not \
                       there. Every error is `{\"error\":{\"code\",\"message\"}}`; times are RFC 3339 in UTC."
    ),
    security(("token" = [])),
    modifiers(&Token),
    components(schemas(super::error::ErrorBody)),
)]
struct Base;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// Every route with its description.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(Base::openapi())
        .routes(routes!(openapi))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::show, tenants::change, tenants::delete))
        .routes(routes!(record_configs::list))
        .routes(routes!(record_configs::show, record_configs::change))
        .routes(routes!(broadcasts::list))
        .routes(routes!(broadcasts::show))
        .routes(routes!(streams::list))
        .routes(routes!(streams::kick))
        .routes(routes!(videos::list))
        .routes(routes!(videos::show))
        .routes(routes!(tasks::cancel))
        .routes(routes!(decisions::list))
        .routes(routes!(decisions::show))
        .routes(routes!(decisions::tail::tail))
        .routes(routes!(why::of_tenant))
        .routes(routes!(why::of_video))
        .routes(routes!(changes::list))
        .routes(routes!(changes::list_all))
        .routes(routes!(events::list))
        .routes(routes!(events::show))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::show))
        .routes(routes!(deliveries::redeliver))
        .routes(routes!(deliveries::redeliver_many))
        .routes(routes!(plugins::list))
        .merge(plugins::uploads())
        .routes(routes!(versions::list))
        .routes(routes!(versions::show, versions::delete))
        .routes(routes!(versions::component))
        .routes(routes!(components::show, components::put))
        .routes(routes!(signing::list))
        .routes(routes!(signing::show, signing::put, signing::revoke))
        .merge(images::uploads())
        .routes(routes!(images::delete))
        .routes(routes!(bindings::activate))
        .routes(routes!(bindings::deactivate))
        .routes(routes!(rollouts::shadow))
        .routes(routes!(rollouts::canary))
        .routes(routes!(rollouts::list_all, rollouts::start_fleet))
        .routes(routes!(rollouts::list))
        .routes(routes!(rollouts::show, rollouts::change))
        .routes(routes!(rollouts::promote))
        .routes(routes!(rollouts::stop))
        .routes(routes!(rollouts::differences))
        .routes(routes!(backtests::list, backtests::begin))
        .routes(routes!(backtests::show))
        .routes(routes!(backtests::stop))
        .routes(routes!(backtests::differences))
        .routes(routes!(bindings::roll_back))
        .routes(routes!(bindings::list))
        .routes(routes!(bindings::list_all))
        .routes(routes!(settings::show, settings::put))
        .routes(routes!(settings::history))
        .routes(routes!(state::show, state::clear))
        .routes(routes!(limits::show, limits::put))
        .routes(routes!(limits::show_plugin, limits::put_plugin))
        .routes(routes!(quotas::show, quotas::put))
        .merge(trials::routes())
}

/// The OpenAPI document of everything under `/v1`.
pub fn document() -> OpenApi {
    routes().into_openapi()
}

/// This document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "document",
    security(()),
    responses((status = 200, description = "This document.", body = serde_json::Value)),
)]
async fn openapi() -> impl IntoResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| serde_json::to_string(&document()).unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, no-cache")], text.as_str())
}
