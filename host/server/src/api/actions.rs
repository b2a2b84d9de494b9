//! The table of actions. Adding one is adding a file below `actions/` and a line here; what several actions share
//! lies in `shared`.

mod shared;

use futures_util::future::BoxFuture;

use super::Call;
use super::error::{Error, Product};
use super::params::Params;
use super::reply::Answer;

/// One action.
pub(crate) struct Action {
    pub(crate) product: Product,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) run: Run,
}

/// Whether an action changes anything. Replays of those that do are refused even across a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reads,
    Changes,
}

type Run = for<'a> fn(&'a Call<'a>, &'a Params) -> BoxFuture<'a, Result<Answer, Error>>;

macro_rules! actions {
    ($($product:ident $kind:ident $name:literal $module:ident;)*) => {
        $(mod $module;)*

        static TABLE: &[Action] = &[$(Action {
            product: Product::$product,
            name: $name,
            kind: Kind::$kind,
            run: |call, params| Box::pin($module::run(call, params)),
        }),*];
    };
}

actions! {
    Live Changes "AddLiveRecordVodConfig" add_live_record_vod_config;
    Live Changes "UpdateLiveRecordVodConfig" update_live_record_vod_config;
    Live Reads "DescribeLiveRecordVodConfigs" describe_live_record_vod_configs;
    Live Changes "DeleteLiveRecordVodConfig" delete_live_record_vod_config;
    Live Reads "DescribeLiveStreamsOnlineList" describe_live_streams_online_list;
    Live Changes "ForbidLiveStream" forbid_live_stream;
    Live Changes "ResumeLiveStream" resume_live_stream;
    Live Reads "DescribeLiveStreamsBlockList" describe_live_streams_block_list;
    Live Reads "DescribeLiveStreamState" describe_live_stream_state;
    Live Reads "DescribeLiveStreamsPublishList" describe_live_streams_publish_list;
    Live Changes "RealTimeRecordCommand" real_time_record_command;
    Live Changes "SetLiveStreamsNotifyUrlConfig" set_live_streams_notify_url_config;
    Live Reads "DescribeLiveStreamsNotifyUrlConfig" describe_live_streams_notify_url_config;
    Live Changes "DeleteLiveStreamsNotifyUrlConfig" delete_live_streams_notify_url_config;
    Live Reads "DescribeLiveStreamsNotifyRecords" describe_live_streams_notify_records;
    Live Changes "AddLiveRecordNotifyConfig" add_live_record_notify_config;
    Live Changes "UpdateLiveRecordNotifyConfig" update_live_record_notify_config;
    Live Reads "DescribeLiveRecordNotifyConfig" describe_live_record_notify_config;
    Live Changes "DeleteLiveRecordNotifyConfig" delete_live_record_notify_config;
    Live Reads "DescribeLiveRecordNotifyRecords" describe_live_record_notify_records;
    Live Changes "AddLiveDetectNotifyConfig" add_live_detect_notify_config;
    Live Changes "UpdateLiveDetectNotifyConfig" update_live_detect_notify_config;
    Live Reads "DescribeLiveDetectNotifyConfig" describe_live_detect_notify_config;
    Live Changes "DeleteLiveDetectNotifyConfig" delete_live_detect_notify_config;
    Vod Changes "AddTranscodeTemplateGroup" add_transcode_template_group;
    Vod Changes "UpdateTranscodeTemplateGroup" update_transcode_template_group;
    Vod Reads "GetTranscodeTemplateGroup" get_transcode_template_group;
    Vod Reads "ListTranscodeTemplateGroup" list_transcode_template_group;
    Vod Changes "DeleteTranscodeTemplateGroup" delete_transcode_template_group;
    Vod Changes "SetDefaultTranscodeTemplateGroup" set_default_transcode_template_group;
    Vod Changes "SetMessageCallback" set_message_callback;
    Vod Reads "GetMessageCallback" get_message_callback;
    Vod Changes "DeleteMessageCallback" delete_message_callback;
    Vod Reads "GetVideoInfo" get_video_info;
    Vod Reads "GetVideoInfos" get_video_infos;
    Vod Reads "GetVideoList" get_video_list;
    Vod Reads "ListLiveRecordVideo" list_live_record_video;
    Vod Reads "GetMezzanineInfo" get_mezzanine_info;
    Vod Reads "GetPlayInfo" get_play_info;
    Vod Changes "SubmitTranscodeJobs" submit_transcode_jobs;
    Vod Reads "ListTranscodeTask" list_transcode_task;
    Vod Reads "GetTranscodeTask" get_transcode_task;
    Vod Reads "ListSnapshots" list_snapshots;
    Vod Changes "AddEditingProject" add_editing_project;
    Vod Changes "UpdateEditingProject" update_editing_project;
    Vod Reads "GetEditingProject" get_editing_project;
    Vod Reads "SearchEditingProject" search_editing_project;
    Vod Changes "DeleteEditingProject" delete_editing_project;
    Vod Changes "SetEditingProjectMaterials" set_editing_project_materials;
    Vod Changes "AddEditingProjectMaterials" add_editing_project_materials;
    Vod Reads "GetEditingProjectMaterials" get_editing_project_materials;
    Vod Changes "ProduceEditingProjectVideo" produce_editing_project_video;
    Vod Changes "SubmitSnapshotJob" submit_snapshot_job;
    Vod Changes "AddVodTemplate" add_vod_template;
    Vod Reads "GetVodTemplate" get_vod_template;
    Vod Reads "ListVodTemplate" list_vod_template;
    Vod Changes "UpdateVodTemplate" update_vod_template;
    Vod Changes "DeleteVodTemplate" delete_vod_template;
    Vod Changes "DeleteVideo" delete_video;
    Vod Changes "DeleteMezzanines" delete_mezzanines;
    Vod Changes "DeleteStream" delete_stream;
    Vod Reads "SearchMedia" search_media;
    Vod Reads "GetTranscodeSummary" get_transcode_summary;
    Vod Changes "UpdateVideoInfo" update_video_info;
    Vod Changes "UpdateVideoInfos" update_video_infos;
    Vod Changes "SubmitAIJob" submit_ai_job;
    Vod Reads "ListAIJob" list_ai_job;
    Vod Reads "GetMediaDNAResult" get_media_dna_result;
    Vod Changes "SubmitMediaDNADeleteJob" submit_media_dna_delete_job;
    Vod Reads "GetAIVideoTagResult" get_ai_video_tag_result;
    Vod Changes "SubmitAIMediaAuditJob" submit_ai_media_audit_job;
}

/// The versions of the products' APIs.
const VERSIONS: [(Product, &str); 2] = [(Product::Live, "2016-11-01"), (Product::Vod, "2017-03-21")];

/// The version of the API that has this action; no name is in both.
pub(crate) fn version_of(name: &str) -> Option<&'static str> {
    let action = TABLE.iter().find(|action| action.name == name)?;
    VERSIONS.iter().find(|(product, _)| *product == action.product).map(|(_, version)| *version)
}

/// The action of this name in this version of the API.
///
/// # Errors
/// [`Error::UnknownVersion`] or [`Error::UnknownAction`].
pub(crate) fn find(version: &str, name: &str) -> Result<&'static Action, Error> {
    let product = VERSIONS.iter().find(|(_, known)| *known == version).map(|(product, _)| *product);
    let product = product.ok_or(Error::UnknownVersion)?;
    let found = TABLE.iter().find(|action| action.product == product && action.name == name);
    found.ok_or(Error::UnknownAction)
}

/// Every action that is there: the product in lower case, and the action's name.
pub fn claimed() -> impl Iterator<Item = (&'static str, &'static str)> {
    let product = |action: &Action| match action.product {
        Product::Live => "live",
        Product::Vod => "vod",
    };
    TABLE.iter().map(move |action| (product(action), action.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_belong_to_their_product() {
        for action in TABLE {
            let version = version_of(action.name).unwrap();
            assert_eq!(find(version, action.name).unwrap().product, action.product, "{}", action.name);
        }
        assert_eq!(find("2017-03-21", "GetPlayInfo").unwrap().kind, Kind::Reads);
        assert_eq!(find("2016-11-01", "AddLiveRecordVodConfig").unwrap().kind, Kind::Changes);
        assert!(matches!(find("2016-11-01", "GetPlayInfo"), Err(Error::UnknownAction)));
        assert!(matches!(find("2017-03-21", "getplayinfo"), Err(Error::UnknownAction)));
        assert!(matches!(find("2014-11-11", "GetPlayInfo"), Err(Error::UnknownVersion)));
    }

    #[test]
    fn no_name_is_there_twice_and_reads_look_like_reads() {
        for (index, action) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|other| other.name != action.name), "{}", action.name);
            let reads = ["Get", "List", "Describe", "Search"].iter().any(|verb| action.name.starts_with(verb));
            assert_eq!(reads, action.kind == Kind::Reads, "{}", action.name);
        }
    }

    /// The table in README: a row for each subject, its actions in code quotes under their product.
    #[test]
    fn the_readme_names_exactly_the_actions_that_are_there() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
        let (_, section) = readme.split_once("\n## The vendor's actions\n").expect("the section is there");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
        let mut named = Vec::new();
        for row in rows {
            let (head, actions) = row[2..].split_once(" | ").expect("two columns");
            let product = head.split(':').next().unwrap_or_default().to_lowercase();
            named.extend(actions.split('`').skip(1).step_by(2).map(|name| (product.clone(), name.to_owned())));
        }
        let mut there: Vec<(String, String)> =
            claimed().map(|(product, name)| (product.to_owned(), name.to_owned())).collect();
        named.sort();
        there.sort();
        let lacking: Vec<_> = there.iter().filter(|action| !named.contains(action)).collect();
        let strange: Vec<_> = named.iter().filter(|action| !there.contains(action)).collect();
        assert!(lacking.is_empty() && strange.is_empty(), "README lacks {lacking:?} and has {strange:?} too many");
        assert_eq!(named, there, "none is named twice");
    }
}
