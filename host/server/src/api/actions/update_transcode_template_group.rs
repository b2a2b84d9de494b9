//! Changes a template group's name and templates, or its lock and nothing else.

use serde_json::json;

use super::shared::groups::{self, GROUP_ID};
use crate::api::Call;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::template::{self, LIST, MAX_NAME_BYTES};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let id = params.required(GROUP_ID)?;
    let lock = params.choice("Locked", &["Enabled", "Disabled"])?;
    let name = params.text("Name", MAX_NAME_BYTES)?;
    let changes = params.get(LIST).map(template::read_list).transpose()?.unwrap_or_default();
    let _one_at_a_time = call.context.groups.lock().await;
    let mut group = groups::changeable(call, id).await?;
    let mut templates = groups::templates(call, id).await?;
    if let Some(lock) = lock {
        group.locked = lock == "Enabled";
    } else {
        groups::check_unlocked(&group)?;
        if let Some(name) = name {
            group.name = name.to_owned();
        }
        for (number, change) in (1..).zip(changes) {
            let wrong = || {
                let member = format!("{LIST}.{number}.TranscodeTemplateId");
                Error::invalid(member, "it must name a template of the group")
            };
            let old = templates.iter_mut().find(|old| Some(old.id.as_str()) == change.id.as_deref());
            let old = old.ok_or_else(wrong)?;
            *old = change.into_changed(old)?;
        }
    }
    group.modified_at = call.now.0;
    call.store().put_template_group(call.tenant(), &group, &templates).await?;
    Ok(fields(json!({ "TranscodeTemplateGroupId": group.id })))
}
