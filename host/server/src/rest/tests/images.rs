//! Images: taken for what they are, kept whole, seen by their owner alone.

use axum::http::Method;

use super::{ADMIN, Desk, code, token_of};
use crate::testkit::{Answered, ask};

const PATH: &str = "/v1/tenants/acme/images";

fn png(width: u32, height: u32, more: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(vec![0; more]);
    bytes
}

async fn put(desk: &Desk, token: &str, bytes: Vec<u8>) -> Answered {
    let bearer = format!("Bearer {token}");
    ask(&desk.router, Method::PUT, PATH, &[("authorization", &bearer)], bytes).await
}

#[tokio::test]
async fn an_image_is_kept_and_listed() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let bytes = png(640, 360, 100);
    let answered = put(&desk, &token_of("acme"), bytes.clone()).await;
    assert_eq!(answered.status, 201, "{answered:?}");
    let image = answered.json();
    let id = image["image_id"].as_str().unwrap();
    assert_eq!((&image["format"], &image["width"], &image["bytes"]), (&"png".into(), &640.into(), &bytes.len().into()));
    let kept = desk.world.dir.path().join(format!("images/acme/{id}.png"));
    assert_eq!(std::fs::read(&kept).unwrap(), bytes);
    let listed = desk.get(PATH).await;
    assert_eq!((&listed["total"], &listed["images"][0]), (&1.into(), &image));

    desk.world.tenant("umbrella").await;
    let foreign = format!("/v1/tenants/umbrella/images/{id}");
    let gone = async |token: &str, path: &str| desk.as_token(token, Method::DELETE, path, "").await.status.as_u16();
    let own = format!("{PATH}/{id}");
    for (token, path) in [(token_of("umbrella"), &own), (token_of("umbrella"), &foreign), (token_of("acme"), &foreign)]
    {
        assert_eq!(gone(&token, path).await, 404, "{path}");
    }
    assert!(kept.exists());
    assert_eq!((gone(&token_of("acme"), &own).await, gone(&token_of("acme"), &own).await), (204, 404));
    assert!(!kept.exists());
    assert_eq!(desk.get(PATH).await["total"], 0);
}

#[tokio::test]
async fn what_is_no_image_or_too_large_is_refused() {
    let desk = Desk::new().await;
    for tenant in ["acme", "umbrella"] {
        desk.world.tenant(tenant).await;
    }
    let table: [(Vec<u8>, u16, &str); 5] = [
        (Vec::new(), 400, "invalid"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), 400, "invalid"),
        (png(4097, 1, 0), 400, "invalid"),
        (png(1, 0, 0), 400, "invalid"),
        (png(640, 360, 16 << 20), 413, "too_large"),
    ];
    for (bytes, status, expected) in table {
        let len = bytes.len();
        let answered = put(&desk, ADMIN, bytes).await;
        assert_eq!((answered.status.as_u16(), code(&answered).as_str()), (status, expected), "{len} bytes");
    }
    let answered = put(&desk, &token_of("umbrella"), png(8, 8, 0)).await;
    assert_eq!(answered.status, 404, "another's tenant is not there");
    assert_eq!(desk.get(PATH).await["total"], 0);
}
