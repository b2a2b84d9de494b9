//! Template groups as the VOD actions look them up and show them.

use reprise_lifecycle::id::{GroupId, NO_TRANSCODE, TemplateId};
use reprise_lifecycle::record::Template;
use reprise_lifecycle::time::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::api::error::{self, Error};
use crate::api::reply::{Answer, fields};
use crate::api::{Call, names, template, times};
use crate::store::template_groups::TemplateGroup;

/// The parameter that names a group.
pub(crate) const GROUP_ID: &str = "TranscodeTemplateGroupId";

/// The vendor's limit of groups of one account, the built-in one not counted.
pub(crate) const MAX_GROUPS: usize = 20;

/// Whether the tenant may use this group.
pub(crate) async fn check_exists(call: &Call<'_>, id: &GroupId) -> Result<(), Error> {
    if !id.is_no_transcode() {
        find(call, id.as_str()).await?;
    }
    Ok(())
}

/// One of the tenant's own groups. The built-in group is not found here.
async fn find(call: &Call<'_>, id: &str) -> Result<TemplateGroup, Error> {
    let group = call.store().template_group(call.tenant(), id).await?;
    group.ok_or_else(|| (&error::GROUP_NOT_FOUND).into())
}

/// A group that is to be changed: one of the tenant's own.
pub(crate) async fn changeable(call: &Call<'_>, id: &str) -> Result<TemplateGroup, Error> {
    if id == NO_TRANSCODE {
        return Err((&error::GROUP_SPECIAL).into());
    }
    find(call, id).await
}

/// A group that is to be shown: one of the tenant's own or the built-in one.
pub(crate) async fn showable(call: &Call<'_>, id: &str) -> Result<TemplateGroup, Error> {
    if id == NO_TRANSCODE {
        let groups = call.store().template_groups(call.tenant()).await?;
        return Ok(built_in(call, &groups));
    }
    find(call, id).await
}

/// The built-in group beside the tenant's own: the default one unless the tenant chose another.
pub(crate) fn built_in(call: &Call<'_>, own: &[TemplateGroup]) -> TemplateGroup {
    TemplateGroup {
        id: NO_TRANSCODE.to_owned(),
        name: "No Transcoding".to_owned(),
        is_default: !own.iter().any(|group| group.is_default),
        locked: false,
        created_at: call.tenant.created_at,
        modified_at: call.tenant.created_at,
    }
}

/// A group that is locked takes no change but of the lock.
pub(crate) fn check_unlocked(group: &TemplateGroup) -> Result<(), Error> {
    if group.locked {
        return Err((&error::GROUP_LOCKED).into());
    }
    Ok(())
}

/// A group's templates in their order.
pub(crate) async fn templates(call: &Call<'_>, group: &str) -> Result<Vec<Template>, Error> {
    Ok(call.store().templates(call.tenant(), &GroupId::new(group)).await?)
}

/// New templates from a request's list, each with a new id.
pub(crate) fn new_templates(list: Option<&str>) -> Result<Vec<Template>, Error> {
    let Some(list) = list else {
        return Ok(Vec::new());
    };
    let given = template::read_list(list)?;
    given.into_iter().map(|given| given.into_new(TemplateId::new(new_id()))).collect()
}

/// A group's header.
pub(crate) fn show(group: &TemplateGroup) -> Answer {
    fields(json!({
        "TranscodeTemplateGroupId": group.id,
        "Name": group.name,
        "AppId": names::DEFAULT_APP_ID,
        "IsDefault": if group.is_default { "Default" } else { "NotDefault" },
        "Locked": if group.locked { "Enabled" } else { "Disabled" },
        "CreationTime": times::format(Timestamp(group.created_at)),
        "ModifyTime": times::format(Timestamp(group.modified_at)),
    }))
}

/// A new id as the vendor's look: 32 lower-case hex characters.
pub(crate) fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}
