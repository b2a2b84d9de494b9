//! Deletes a template group whole, or some of its templates. Videos keep what was made of them.

use serde_json::json;

use super::shared::groups::{self, GROUP_ID};
use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::{Params, commas};
use crate::api::reply::{Answer, fields};

/// The vendor's limit of templates named in one request.
const MAX_IDS: usize = 10;

const IDS: &str = "TranscodeTemplateIds";

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let id = params.required(GROUP_ID)?;
    let force = params.boolean("ForceDelGroup", false)?;
    let ids = if force { Vec::new() } else { ids(params.required(IDS)?)? };
    let _one_at_a_time = call.context.groups.lock().await;
    let mut group = groups::changeable(call, id).await?;
    groups::check_unlocked(&group)?;
    if force {
        if group.is_default {
            return Err((&error::GROUP_DEFAULT).into());
        }
        call.store().delete_template_group(call.tenant(), id).await?;
        return Ok(fields(json!({ "NonExistTranscodeTemplateIds": [] })));
    }
    let mut templates = groups::templates(call, id).await?;
    let missing: Vec<&String> = ids.iter().filter(|id| !templates.iter().any(|old| old.id.as_str() == **id)).collect();
    let missing = json!({ "NonExistTranscodeTemplateIds": missing });
    templates.retain(|old| !ids.iter().any(|id| id == old.id.as_str()));
    group.modified_at = call.now.0;
    call.store().put_template_group(call.tenant(), &group, &templates).await?;
    Ok(fields(missing))
}

/// The vendor's documentation shows a comma list in one place and a JSON array in another.
fn ids(text: &str) -> Result<Vec<String>, Error> {
    let ids: Vec<String> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|_| Error::invalid(IDS, "it must be a list of ids"))?
    } else {
        commas(text).into_iter().map(str::to_owned).collect()
    };
    if ids.is_empty() || ids.len() > MAX_IDS {
        return Err(Error::invalid(IDS, format!("it must name 1 to {MAX_IDS} templates")));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_in_two_spellings() {
        assert_eq!(ids("a,b").unwrap(), ["a", "b"]);
        assert_eq!(ids(r#"["a","b"]"#).unwrap(), ["a", "b"]);
        for bad in ["[", "[1]", "[]", ",", "a,b,c,d,e,f,g,h,i,j,k"] {
            assert!(ids(bad).is_err(), "{bad}");
        }
    }
}
