//! URLs in answers: signed when the tenant's play domain has URL authentication on.

use reprise_lifecycle::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::api::Call;
use crate::api::error::Error;
use crate::api::urls::{MediaUrls, Signer};
use crate::store::tenants::Tenant;
use crate::url_auth::{Terms, timestamp_for};

/// What a client may choose about the URLs in its answer.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    /// How long they live, in seconds. Absent: as long as the domain says.
    pub(crate) life_s: Option<i64>,
    pub(crate) rand: String,
    pub(crate) uid: String,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { life_s: None, rand: "0".to_owned(), uid: "0".to_owned() }
    }
}

impl Wishes {
    /// URLs that live this long.
    pub(crate) fn living(life_s: i64) -> Self {
        Self { life_s: Some(life_s), ..Self::default() }
    }
}

/// Makes the URLs of one answer.
pub(crate) struct Links<'a> {
    urls: &'a MediaUrls,
    signing: Option<Signing>,
}

struct Signing {
    key: SecretString,
    timestamp_s: i64,
    wishes: Wishes,
}

impl<'a> Links<'a> {
    /// Links for this tenant and moment.
    pub(crate) async fn new(call: &Call<'a>, wishes: Wishes) -> Result<Self, Error> {
        let urls = &call.context.urls;
        if !call.tenant.url_auth {
            return Ok(Self { urls, signing: None });
        }
        let keys = call.store().tenant_keys(call.tenant()).await?;
        let keys = keys.ok_or_else(|| Error::Internal("the tenant of a request is gone".into()))?;
        Ok(Self {
            urls,
            signing: Some(Signing {
                key: keys.play_key,
                timestamp_s: timestamp(call.tenant, call.now, wishes.life_s),
                wishes,
            }),
        })
    }

    /// The URL of a video's file.
    pub(crate) fn to(&self, video: &str, file: &str) -> String {
        let signer = self.signing.as_ref().map(|signing| Signer {
            key: signing.key.expose_secret(),
            terms: Terms { timestamp_s: signing.timestamp_s, rand: &signing.wishes.rand, uid: &signing.wishes.uid },
        });
        self.urls.signed(video, file, signer)
    }

    /// The URL of a video's file as it is before signing.
    pub(crate) fn unsigned(&self, video: &str, file: &str) -> String {
        self.urls.file(video, file)
    }

    /// The host media plays from; the vendor's storage location.
    pub(crate) fn host(&self) -> &str {
        self.urls.host()
    }
}

/// The timestamp of a URL made now. The server adds the domain's validity when it judges the URL, so that much is
/// taken off: what is promised is exact.
fn timestamp(tenant: &Tenant, now: Timestamp, life_s: Option<i64>) -> i64 {
    let now_s = now.0.div_euclid(1000);
    timestamp_for(now_s, life_s.unwrap_or(tenant.auth_validity_s), tenant.auth_validity_s)
}
