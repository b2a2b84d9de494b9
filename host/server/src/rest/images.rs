//! A tenant's images: what editing lays over videos.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::Scope;
use super::error::{Error, ErrorBody};
use super::extract::{Id, Params, body_limit, limit, raw};
use super::form::when;
use super::{Shared, upload_place};
use crate::clock;
use crate::edit::image::{MAX_BYTES, header};
use crate::store::images::ImageRow;

/// Images of one tenant: with the largest size of each, 160 GiB; with the usual one, a hundredth of it.
const MAX_IMAGES: i64 = 10_000;

/// Which images to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// Skip this many.
    offset: Option<u32>,
    /// At most this many, 1 to 1000; 100 if absent.
    limit: Option<u32>,
}

/// An image.
#[derive(Serialize, ToSchema)]
pub(super) struct ImageView {
    /// What timelines name it by.
    image_id: String,
    /// `png` or `jpg`.
    format: String,
    /// Pixels.
    width: i64,
    /// Pixels.
    height: i64,
    bytes: i64,
    created_at: String,
}

/// A page of a tenant's images, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ImageList {
    images: Vec<ImageView>,
    /// How many there are on all pages.
    total: i64,
}

/// The route that takes an image, with the listing beside it.
pub(super) fn uploads() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new().routes(routes!(list, put).layer(body_limit(MAX_BYTES)))
}

/// Lists a tenant's images, newest first.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/images",
    tag = "images",
    params(("tenant" = String, Path, description = "The tenant."), Listing),
    responses((status = 200, body = ImageList), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Params(listing): Params<Listing>,
) -> Result<Json<ImageList>, Error> {
    let offset = i64::from(listing.offset.unwrap_or(0));
    let (total, rows) = shared.store.images(&tenant.name, offset, limit(listing.limit)?).await?;
    Ok(Json(ImageList { images: rows.into_iter().map(ImageView::from).collect(), total }))
}

/// Takes an image: the body is a PNG or JPEG file of at most 16 MiB and 4096 pixels a side.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/images",
    tag = "images",
    params(("tenant" = String, Path, description = "The tenant.")),
    request_body(content = Vec<u8>, description = "The file.", content_type = "application/octet-stream"),
    responses((status = 201, body = ImageView), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    request: Request,
) -> Result<(StatusCode, Json<ImageView>), Error> {
    // The body is read only when there is a place for it, here and on the disk.
    shared.check_disk()?;
    let _place = upload_place(&shared.images, &tenant.name).await?;
    let bytes: Bytes = raw(request).await?;
    let header = header(&bytes).map_err(|error| Error::Invalid(error.to_string()))?;
    let row = ImageRow {
        id: Uuid::new_v4().simple().to_string(),
        format: header.format.extension().to_owned(),
        width: header.width.into(),
        height: header.height.into(),
        bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        created_at: clock::now().0,
    };
    let name = format!("{}.{}", row.id, row.format);
    write(&shared, &tenant.name, &name, Some(bytes)).await?;
    if !shared.store.add_image(&tenant.name, &row, MAX_IMAGES).await? {
        write(&shared, &tenant.name, &name, None).await?;
        return Err(Error::Conflict(format!("a tenant can have {MAX_IMAGES} images")));
    }
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// Removes an image. A production that began with it has its own hold of it.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/images/{image}",
    tag = "images",
    params(
        ("tenant" = String, Path, description = "The tenant."),
        ("image" = String, Path, description = "The image."),
    ),
    responses((status = 204), (status = "default", description = "Why not.", body = ErrorBody)),
)]
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    Scope(tenant): Scope,
    Id(id): Id<String>,
) -> Result<StatusCode, Error> {
    let image = shared.store.image(&tenant.name, &id).await?.ok_or(Error::NotFound("image"))?;
    // The row first: a file without one is only room lost, a row without its file would be an image that fails.
    shared.store.delete_image(&tenant.name, &image.id).await?;
    write(&shared, &tenant.name, &format!("{}.{}", image.id, image.format), None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Writes an image's file, or without bytes removes it, off the async threads.
async fn write(shared: &Arc<Shared>, tenant: &str, name: &str, bytes: Option<Bytes>) -> Result<(), Error> {
    let (shared, tenant, name) = (Arc::clone(shared), tenant.to_owned(), name.to_owned());
    let done = tokio::task::spawn_blocking(move || match bytes {
        Some(bytes) => shared.files.write_image(&tenant, &name, &bytes),
        None => shared.files.remove_image(&tenant, &name),
    });
    let done = done.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    done.map_err(|error| Error::Internal(error.to_string()))
}

impl From<ImageRow> for ImageView {
    fn from(row: ImageRow) -> Self {
        Self {
            image_id: row.id,
            format: row.format,
            width: row.width,
            height: row.height,
            bytes: row.bytes,
            created_at: when(row.created_at),
        }
    }
}
