//! Template groups and message callbacks.

use serde_json::{Value, json};

use super::Api;
use super::client::{Ask, VOD, refusal};

const ADD: &str = "AddTranscodeTemplateGroup";
const UPDATE: &str = "UpdateTranscodeTemplateGroup";
const GET: &str = "GetTranscodeTemplateGroup";
const LIST: &str = "ListTranscodeTemplateGroup";
const DELETE: &str = "DeleteTranscodeTemplateGroup";
const ID: &str = "TranscodeTemplateGroupId";
const TEMPLATES: &str = "TranscodeTemplateList";

const SD: &str = r#"[{"TemplateName":"sd","Definition":"SD","Container":{"Format":"m3u8"},
    "Video":{"Codec":"H.264","Bitrate":"900","Width":"960"},"Audio":{"Codec":"AAC","Bitrate":"64"}}]"#;

async fn add(api: &Api, name: &str) -> String {
    let answer = api.good(VOD, ADD, &[("Name", name), (TEMPLATES, SD)]).await;
    answer[ID].as_str().unwrap().to_owned()
}

async fn group(api: &Api, id: &str) -> Value {
    api.good(VOD, GET, &[(ID, id)]).await["TranscodeTemplateGroup"].clone()
}

#[tokio::test]
async fn a_group_lives_from_add_to_delete() {
    let api = Api::new().await;
    let id = add(&api, "sd").await;
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    let shown = group(&api, &id).await;
    let template = shown["TranscodeTemplateList"][0].clone();
    let template_id = template["TranscodeTemplateId"].as_str().unwrap();
    assert_eq!(
        shown,
        json!({
            "TranscodeTemplateGroupId": id, "Name": "sd", "AppId": "app-1000000", "IsDefault": "NotDefault",
            "Locked": "Disabled", "CreationTime": "2027-01-01T00:00:00Z", "ModifyTime": "2027-01-01T00:00:00Z",
            "TranscodeTemplateList": [ {
                "TranscodeTemplateId": template_id, "TemplateName": "sd", "Type": "Normal", "Definition": "SD",
                "Video": "{\"Bitrate\":\"900\",\"Codec\":\"H.264\",\"Width\":\"960\"}",
                "Audio": "{\"Bitrate\":\"64\",\"Codec\":\"AAC\"}", "Container": "{\"Format\":\"m3u8\"}",
                "WatermarkIds": []
            } ]
        })
    );

    api.good(VOD, ADD, &[(ID, &id), (TEMPLATES, SD)]).await;
    let change = format!(r#"[{{"TranscodeTemplateId":"{template_id}","Container":{{"Format":"mp4"}}}}]"#);
    api.good(VOD, UPDATE, &[(ID, &id), ("Name", "renamed"), (TEMPLATES, &change)]).await;
    let shown = group(&api, &id).await;
    assert_eq!(shown["Name"], "renamed");
    assert_eq!(shown["TranscodeTemplateList"].as_array().unwrap().len(), 2);
    assert_eq!(shown["TranscodeTemplateList"][0]["Container"], "{\"Format\":\"mp4\"}");

    let ids = format!("{template_id},0123");
    let answer = api.good(VOD, DELETE, &[(ID, &id), ("TranscodeTemplateIds", &ids)]).await;
    assert_eq!(answer, json!({"NonExistTranscodeTemplateIds": ["0123"]}));
    assert_eq!(group(&api, &id).await["TranscodeTemplateList"].as_array().unwrap().len(), 1);
    api.good(VOD, DELETE, &[(ID, &id), ("ForceDelGroup", "True")]).await;
    assert_eq!(api.bad(VOD, GET, &[(ID, &id)]).await, (404, "InvalidTranscodeTemplateGroup.NotFound".to_owned()));
}

#[tokio::test]
async fn locks_defaults_and_the_built_in_group_are_kept() {
    let api = Api::new().await;
    let id = add(&api, "a").await;
    let refused = async |action: &str, params: &[(&str, &str)]| api.bad(VOD, action, params).await.1;

    api.good(VOD, UPDATE, &[(ID, &id), ("Locked", "Enabled"), ("Name", "ignored")]).await;
    assert_eq!((&group(&api, &id).await["Locked"], &group(&api, &id).await["Name"]), (&json!("Enabled"), &json!("a")));
    let locked = "Forbidden.LockedTemplateGroup";
    assert_eq!(refused(UPDATE, &[(ID, &id), ("Name", "b")]).await, locked);
    assert_eq!(refused(ADD, &[(ID, &id), (TEMPLATES, SD)]).await, locked);
    assert_eq!(refused(DELETE, &[(ID, &id), ("ForceDelGroup", "true")]).await, locked);
    api.good(VOD, UPDATE, &[(ID, &id), ("Locked", "Disabled")]).await;

    let defaults = async || {
        let list = api.good(VOD, LIST, &[]).await;
        let list = list["TranscodeTemplateGroupList"].as_array().unwrap().clone();
        list.iter().map(|group| group["IsDefault"] == "Default").collect::<Vec<_>>()
    };
    assert_eq!(defaults().await, [true, false], "the built-in group is first");
    api.good(VOD, "SetDefaultTranscodeTemplateGroup", &[(ID, &id)]).await;
    assert_eq!(defaults().await, [false, true]);
    assert_eq!(refused(DELETE, &[(ID, &id), ("ForceDelGroup", "true")]).await, "Forbidden.DefaultTemplateGroup");
    api.good(VOD, "SetDefaultTranscodeTemplateGroup", &[(ID, "VOD_NO_TRANSCODE")]).await;
    assert_eq!(defaults().await, [true, false]);

    let built_in = (ID, "VOD_NO_TRANSCODE");
    assert_eq!(group(&api, "VOD_NO_TRANSCODE").await["TranscodeTemplateList"], json!([]));
    let special = "Forbidden.SpecialTemplateGroup";
    assert_eq!(refused(ADD, &[built_in, (TEMPLATES, SD)]).await, special);
    assert_eq!(refused(UPDATE, &[built_in, ("Name", "x")]).await, special);
    assert_eq!(refused(DELETE, &[built_in, ("ForceDelGroup", "true")]).await, special);
}

#[tokio::test]
async fn groups_are_counted_and_belong_to_their_tenant() {
    let api = Api::new().await;
    let refused = async |action: &str, params: &[(&str, &str)]| api.bad(VOD, action, params).await.1;
    assert_eq!(refused(ADD, &[(TEMPLATES, SD)]).await, "MissingParameter");
    assert_eq!(refused(ADD, &[("Name", "x"), (ID, "y")]).await, "InvalidParameter");
    assert_eq!(refused(ADD, &[("Name", "x"), (TEMPLATES, "no json")]).await, "InvalidParameter");
    let id = add(&api, "g").await;
    assert_eq!(refused(UPDATE, &[(ID, &id), (TEMPLATES, SD)]).await, "InvalidParameter", "an id is needed");
    assert_eq!(refused(DELETE, &[(ID, &id)]).await, "MissingParameter");

    let one = SD.trim_start_matches('[').trim_end_matches(']');
    let many = format!("[{}]", vec![one; 20].join(","));
    assert_eq!(refused(ADD, &[(ID, &id), (TEMPLATES, &many)]).await, "TranscodeTemplateExceededMax");
    for _ in 1..20 {
        add(&api, "g").await;
    }
    assert_eq!(refused(ADD, &[("Name", "one too many")]).await, "TrasncodeTemplateGroupExceededMax");

    let foreign = Ask { tenant: "umbrella", ..api.ask(VOD, GET, &[(ID, &id)]) };
    assert_eq!(refusal(&api.v3(&foreign).await).1, "InvalidTranscodeTemplateGroup.NotFound");
}

#[tokio::test]
async fn a_callback_is_set_shown_replaced_and_removed() {
    let api = Api::new().await;
    let (set, get) = ("SetMessageCallback", "GetMessageCallback");
    assert_eq!(
        api.good(VOD, get, &[]).await["MessageCallback"],
        json!({"AppId": "app-1000000", "EventTypeList": "", "AuthSwitch": "off"})
    );
    let full = [
        ("CallbackType", "HTTP"),
        ("CallbackURL", "https://hooks.example.com/vod"),
        ("EventTypeList", "FileUploadComplete,TranscodeComplete"),
        ("AuthSwitch", "on"),
        ("AuthKey", "Abc123Xyz789"),
        ("AppId", "app-1000000"),
    ];
    assert_eq!(api.good(VOD, set, &full).await, json!({}));
    assert_eq!(
        api.good(VOD, get, &[("AppId", "app-1000000")]).await["MessageCallback"],
        json!({
            "AppId": "app-1000000", "CallbackType": "HTTP", "CallbackURL": "https://hooks.example.com/vod",
            "EventTypeList": "FileUploadComplete,TranscodeComplete", "AuthSwitch": "on", "AuthKey": "Abc123Xyz789",
            "MnsEndpoint": "", "MnsQueueName": ""
        })
    );
    let url = ("CallbackURL", "http://127.0.0.1:9000/hook");
    api.good(VOD, set, &[url, ("EventTypeList", "ALL")]).await;
    let shown = api.good(VOD, get, &[]).await["MessageCallback"].clone();
    assert_eq!((&shown["AuthSwitch"], &shown["AuthKey"]), (&json!("off"), &json!("")));

    let table: &[(&[(&str, &str)], &str)] = &[
        (&[], "MissingParameter"),
        (&[("CallbackURL", "http://10.0.0.1/")], "InvalidParameter"),
        (&[url, ("AuthSwitch", "on")], "MissingParameter"),
        (&[url, ("AuthKey", "weak")], "InvalidParameter"),
        (&[url, ("AppId", "app-2")], "InvalidParameter"),
        (&[url, ("CallbackType", "MQ")], "InvalidParameter"),
        (&[("CallbackType", "MNS")], "MissingParameter"),
        (&[("CallbackType", "MNS"), ("MnsEndpoint", "e"), ("MnsQueueName", "q")], "UnsupportedOperation"),
    ];
    for (params, code) in table {
        assert_eq!(api.bad(VOD, set, params).await.1, *code, "{params:?}");
    }
    api.good(VOD, "DeleteMessageCallback", &[]).await;
    assert_eq!(api.good(VOD, get, &[]).await["MessageCallback"]["EventTypeList"], "");
}
