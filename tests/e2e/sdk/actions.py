"""Every action that the server claims, once, in an order in which it can be done well: `actions.py GENERATION`. The
server's own table is in ACTIONS; one that has no row here is an error, and so is a row that it does not have."""

import datetime
import importlib
import json
import os
import sys

GENERATION = sys.argv[1]
sdk = importlib.import_module(GENERATION)

NOW = datetime.datetime.now(datetime.timezone.utc)
FORM = "%Y-%m-%dT%H:%M:%SZ"
SPAN = {
    "StartTime": (NOW - datetime.timedelta(hours=1)).strftime(FORM),
    "EndTime": (NOW + datetime.timedelta(hours=1)).strftime(FORM),
}

PLAY = {"DomainName": os.environ["PLAY_DOMAIN"]}
PUSH = {"DomainName": os.environ["PUSH_DOMAIN"]}
NOTIFY = {"NotifyUrl": os.environ["CALLBACK"]}
APP = {"AppName": f"sweep-{GENERATION}"}
STREAM = {**APP, "StreamName": "cam01"}
PUBLISHER = {**PUSH, **STREAM, "LiveStreamType": "publisher"}
KEEP, SPARE = os.environ["KEEP"], os.environ["SPARE"]

TEMPLATE = {
    "TemplateName": "sweep",
    "Definition": "SD",
    "Container": {"Format": "mp4"},
    "Video": {"Codec": "H.264", "Width": "128", "Crf": "45"},
    "Audio": {"Codec": "AAC", "Bitrate": "64", "Samplerate": "44100"},
}
TIMELINE = json.dumps({"VideoTracks": [{"VideoTrackClips": [{"MediaId": KEEP, "In": 0, "Out": 1}]}]})
SNAPSHOT = json.dumps(
    {
        "SnapshotType": "NormalSnapshot",
        "SnapshotConfig": {"FrameType": "normal", "Count": "1", "Interval": "1", "SpecifiedOffsetTime": "0"},
    }
)

# What later rows take from the answers of earlier ones.
given = {}


def take(name, *path):
    def taken(answer):
        for step in path:
            answer = answer[step]
        given[name] = answer

    return taken


def later(name):
    return lambda: given[name]


# Product, action, parameters, what to take from the answer, the code with which it is refused if it is.
ROWS = [
    ("live", "AddLiveRecordVodConfig", {**PLAY, **APP, "VodTranscodeGroupId": "VOD_NO_TRANSCODE"}),
    ("live", "UpdateLiveRecordVodConfig", {**PLAY, **APP, "VodTranscodeGroupId": "VOD_NO_TRANSCODE", "CycleDuration": 600}),
    ("live", "DescribeLiveRecordVodConfigs", {**PLAY, **APP}),
    ("live", "AddLiveRecordNotifyConfig", {**PLAY, **NOTIFY, "NeedStatusNotify": True}),
    ("live", "UpdateLiveRecordNotifyConfig", {**PLAY, **NOTIFY}),
    ("live", "DescribeLiveRecordNotifyConfig", PLAY),
    ("live", "DescribeLiveRecordNotifyRecords", {**PLAY, **SPAN, "PageNumber": 1, "PageSize": 10}),
    ("live", "DeleteLiveRecordNotifyConfig", PLAY),
    ("live", "AddLiveDetectNotifyConfig", {**PLAY, **NOTIFY}),
    ("live", "UpdateLiveDetectNotifyConfig", {**PLAY, **NOTIFY}),
    ("live", "DescribeLiveDetectNotifyConfig", PLAY),
    ("live", "DeleteLiveDetectNotifyConfig", PLAY),
    ("live", "SetLiveStreamsNotifyUrlConfig", {**PUSH, **NOTIFY}),
    ("live", "DescribeLiveStreamsNotifyUrlConfig", PUSH),
    ("live", "DescribeLiveStreamsNotifyRecords", {**PUSH, **SPAN}),
    ("live", "DeleteLiveStreamsNotifyUrlConfig", PUSH),
    ("live", "ForbidLiveStream", PUBLISHER),
    ("live", "DescribeLiveStreamsBlockList", PLAY),
    ("live", "ResumeLiveStream", PUBLISHER),
    ("live", "DescribeLiveStreamState", {**PLAY, **STREAM}),
    ("live", "DescribeLiveStreamsPublishList", {**PLAY, **SPAN}),
    ("live", "DescribeLiveStreamsOnlineList", PLAY),
    ("live", "RealTimeRecordCommand", {**PLAY, **STREAM, "Command": "start"}, None, "InvalidStream.NotFound"),
    ("live", "DeleteLiveRecordVodConfig", {**PLAY, **APP}),
    (
        "vod",
        "AddTranscodeTemplateGroup",
        {"Name": "sweep", "TranscodeTemplateList": json.dumps([TEMPLATE])},
        take("group", "TranscodeTemplateGroupId"),
    ),
    ("vod", "AddTranscodeTemplateGroup", {"Name": "default"}, take("default", "TranscodeTemplateGroupId")),
    ("vod", "UpdateTranscodeTemplateGroup", {"TranscodeTemplateGroupId": later("group"), "Name": "swept"}),
    ("vod", "GetTranscodeTemplateGroup", {"TranscodeTemplateGroupId": later("group")}),
    ("vod", "ListTranscodeTemplateGroup", {}),
    ("vod", "SetDefaultTranscodeTemplateGroup", {"TranscodeTemplateGroupId": later("default")}),
    (
        "vod",
        "SetMessageCallback",
        {"CallbackType": "HTTP", "CallbackURL": os.environ["CALLBACK"], "EventTypeList": "ALL"},
    ),
    ("vod", "GetMessageCallback", {}),
    ("vod", "GetVideoInfo", {"VideoId": KEEP}),
    ("vod", "GetVideoInfos", {"VideoIds": f"{KEEP},{SPARE}"}),
    ("vod", "GetVideoList", {"PageSize": 5}),
    ("vod", "ListLiveRecordVideo", PLAY),
    ("vod", "GetMezzanineInfo", {"VideoId": KEEP}),
    ("vod", "UpdateVideoInfo", {"VideoId": KEEP, "Title": "决赛", "Tags": "live,final"}),
    ("vod", "UpdateVideoInfos", {"UpdateContent": json.dumps([{"VideoId": KEEP, "Description": "swept"}])}),
    ("vod", "SearchMedia", {"Match": "Title = '决赛'", "Fields": "Title,Tags"}),
    (
        "vod",
        "SubmitTranscodeJobs",
        {"VideoId": KEEP, "TemplateGroupId": later("group")},
        take("task", "TranscodeTaskId"),
    ),
    ("vod", "GetTranscodeTask", {"TranscodeTaskId": later("task")}),
    ("vod", "ListTranscodeTask", {"VideoId": KEEP}),
    ("vod", "GetTranscodeSummary", {"VideoIds": KEEP}),
    ("vod", "SubmitSnapshotJob", {"VideoId": KEEP, "Count": 1, "Interval": 1}),
    ("vod", "ListSnapshots", {"VideoId": KEEP}),
    (
        "vod",
        "AddVodTemplate",
        {"Name": "sweep", "TemplateType": "Snapshot", "TemplateConfig": SNAPSHOT},
        take("template", "VodTemplateId"),
    ),
    ("vod", "UpdateVodTemplate", {"VodTemplateId": later("template"), "Name": "swept"}),
    ("vod", "GetVodTemplate", {"VodTemplateId": later("template")}),
    ("vod", "ListVodTemplate", {"TemplateType": "Snapshot"}),
    ("vod", "DeleteVodTemplate", {"VodTemplateId": later("template")}),
    ("vod", "AddEditingProject", {"Title": "sweep", "Timeline": TIMELINE}, take("project", "Project", "ProjectId")),
    ("vod", "UpdateEditingProject", {"ProjectId": later("project"), "Title": "swept"}),
    ("vod", "GetEditingProject", {"ProjectId": later("project")}),
    ("vod", "SearchEditingProject", {"Title": "swept"}),
    ("vod", "SetEditingProjectMaterials", {"ProjectId": later("project"), "MaterialIds": KEEP}),
    ("vod", "AddEditingProjectMaterials", {"ProjectId": later("project"), "MaterialIds": SPARE}),
    ("vod", "GetEditingProjectMaterials", {"ProjectId": later("project")}),
    ("vod", "ProduceEditingProjectVideo", {"ProjectId": later("project")}),
    ("vod", "DeleteEditingProject", {"ProjectIds": later("project")}),
    ("vod", "SubmitAIJob", {"MediaId": KEEP, "Types": "AIMediaDNA"}, take("job", "AIJobList", "AIJob", 0, "JobId")),
    ("vod", "ListAIJob", {"JobIds": later("job")}),
    ("vod", "GetMediaDNAResult", {"MediaId": KEEP}),
    ("vod", "SubmitMediaDNADeleteJob", {"MediaId": KEEP}),
    ("vod", "GetAIVideoTagResult", {"MediaId": KEEP}, None, "OperationDenied"),
    ("vod", "SubmitAIMediaAuditJob", {"MediaId": KEEP}, None, "OperationDenied"),
    ("vod", "GetPlayInfo", {"VideoId": SPARE}, take("stream", "PlayInfoList", "PlayInfo", 0, "JobId")),
    ("vod", "DeleteStream", {"VideoId": SPARE, "JobIds": later("stream")}),
    ("vod", "DeleteMezzanines", {"VideoIds": SPARE, "Force": True}),
    ("vod", "DeleteVideo", {"VideoIds": SPARE}),
    ("vod", "DeleteTranscodeTemplateGroup", {"TranscodeTemplateGroupId": later("group"), "ForceDelGroup": "true"}),
    ("vod", "DeleteMessageCallback", {}),
]

claimed = set(os.environ["ACTIONS"].split(","))
known = {f"{product}:{action}" for product, action, *_ in ROWS}
assert claimed == known, f"without a row: {claimed - known}; not claimed: {known - claimed}"
for product, action, parameters, *rest in ROWS:
    take_from, refused_with = (rest + [None, None])[:2]
    filled = {name: value() if callable(value) else value for name, value in parameters.items()}
    try:
        answer = sdk.call(product, action, **filled)
    except sdk.Refused as refused:
        assert refused.code == refused_with, f"{action}: {refused}"
        continue
    except Exception as error:
        raise AssertionError(f"{action}: {error!r}") from error
    assert refused_with is None, f"{action} must be refused with {refused_with}"
    if take_from:
        take_from(answer)
