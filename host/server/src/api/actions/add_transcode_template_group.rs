//! Creates a template group, or adds templates to one.

use serde_json::json;

use super::shared::groups::{self, GROUP_ID, MAX_GROUPS};
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::template::{LIST, MAX_NAME_BYTES, MAX_TEMPLATES};
use crate::store::template_groups::TemplateGroup;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let name = params.text("Name", MAX_NAME_BYTES)?;
    let new = groups::new_templates(params.get(LIST))?;
    let _one_at_a_time = call.context.groups.lock().await;
    let (mut group, mut templates) = match (name, params.get(GROUP_ID)) {
        (None, None) => return Err(Error::missing(error::Product::Vod, "Name")),
        (Some(_), Some(_)) => return Err(Error::invalid(GROUP_ID, "give it or Name, not both")),
        (Some(name), None) => (created(call, name).await?, Vec::new()),
        (None, Some(id)) => {
            let group = groups::changeable(call, id).await?;
            groups::check_unlocked(&group)?;
            let templates = groups::templates(call, id).await?;
            (group, templates)
        }
    };
    templates.extend(new);
    if templates.len() > MAX_TEMPLATES {
        return Err((&error::TEMPLATES_EXCEEDED).into());
    }
    group.modified_at = call.now.0;
    call.store().put_template_group(call.tenant(), &group, &templates).await?;
    Ok(fields(json!({ "TranscodeTemplateGroupId": group.id })))
}

async fn created(call: &Call<'_>, name: &str) -> Result<TemplateGroup, Error> {
    if call.store().template_groups(call.tenant()).await?.len() >= MAX_GROUPS {
        return Err((&error::GROUPS_EXCEEDED).into());
    }
    Ok(TemplateGroup {
        id: groups::new_id(),
        name: name.to_owned(),
        is_default: false,
        locked: false,
        created_at: call.now.0,
        modified_at: call.now.0,
    })
}
