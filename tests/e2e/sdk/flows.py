"""The four flows as a tenant's program drives them. `flows.py GENERATION setup` makes the rules, `finish` does what
is left to the tenant once the streams have been pushed, and sees that everything plays."""

import importlib
import json
import os
import sys
import time

GENERATION = sys.argv[1]
sdk = importlib.import_module(GENERATION)
PLAY_DOMAIN = os.environ["PLAY_DOMAIN"]
NO_TRANSCODE = "VOD_NO_TRANSCODE"
PATIENCE_S = 120

# The same quality in the words of templates, and in those of playback.
DEFINITION, PLAYED = "LD", "FD"


def template(definition, form, width):
    return {
        "TemplateName": f"{GENERATION} 流畅 {definition}",
        "Definition": definition,
        "Container": {"Format": form},
        "Video": {"Codec": "H.264", "Width": str(width), "Crf": "40", "Preset": "veryfast"},
        "Audio": {"Codec": "AAC", "Bitrate": "64", "Samplerate": "44100"},
    }


def group():
    templates = json.dumps([template(DEFINITION, "mp4", 128)])
    made = sdk.call("vod", "AddTranscodeTemplateGroup", Name=f"{GENERATION} group", TranscodeTemplateList=templates)
    made = made["TranscodeTemplateGroupId"]
    assert len(made) == 32, made
    read = sdk.call("vod", "GetTranscodeTemplateGroup", TranscodeTemplateGroupId=made)["TranscodeTemplateGroup"]
    assert json.loads(read["TranscodeTemplateList"][0]["Video"])["Codec"] == "H.264", read
    return made


def app(flow):
    return f"{GENERATION}{flow}"


def setup():
    made = group()
    sdk.call("vod", "SetMessageCallback", CallbackType="HTTP", CallbackURL=os.environ["CALLBACK"], EventTypeList="ALL")
    composing = {"AutoCompose": "ON", "DelayTime": 1}
    rules = {
        1: {"VodTranscodeGroupId": made},
        2: {"VodTranscodeGroupId": NO_TRANSCODE},
        3: {"VodTranscodeGroupId": made, "ComposeVodTranscodeGroupId": made, **composing},
        4: {"VodTranscodeGroupId": NO_TRANSCODE, "ComposeVodTranscodeGroupId": NO_TRANSCODE, **composing},
    }
    for flow, rule in rules.items():
        rule = {"DomainName": PLAY_DOMAIN, "AppName": app(flow), "CycleDuration": 2, "DelayTime": 1, **rule}
        sdk.call("live", "AddLiveRecordVodConfig", **rule)
        try:
            sdk.call("live", "AddLiveRecordVodConfig", **rule)
        except sdk.Refused as refused:
            assert refused.code == "ConfigAlreadyExists", refused
        else:
            raise AssertionError("a second config of the same key must be refused")
        listed = sdk.call("live", "DescribeLiveRecordVodConfigs", DomainName=PLAY_DOMAIN, AppName=app(flow))
        configs = listed["LiveRecordVodConfigs"]["LiveRecordVodConfig"]
        assert [config["AppName"] for config in configs] == [app(flow)], configs


def parts(flow):
    """The recorded parts of a flow, as the action made for this scenario lists them."""
    listed = sdk.call("vod", "ListLiveRecordVideo", AppName=app(flow), DomainName=PLAY_DOMAIN, StreamName="cam01")
    videos = [record["Video"] for record in listed["LiveRecordVideoList"]["LiveRecordVideo"]]
    return [video["VideoId"] for video in videos]


def plays(video, definitions):
    """The video is normal, and has streams of just these definitions, each with a plain URL."""
    info = sdk.call("vod", "GetPlayInfo", VideoId=video)
    assert info["VideoBase"]["Status"] == "Normal", info
    streams = info["PlayInfoList"]["PlayInfo"]
    assert {stream["Definition"] for stream in streams} == set(definitions), streams
    assert all(stream["PlayURL"].startswith("http://") for stream in streams), streams
    shown = sdk.call("vod", "GetVideoInfo", VideoId=video)["Video"]
    assert shown["Status"] == "Normal" and shown["VideoId"] == video, shown


def transcoded(video, made):
    """Transcodes by hand, and waits."""
    session = f"{GENERATION}-{video}"
    submission = {"VideoId": video, "TemplateGroupId": made, "Priority": "7", "SessionId": session}
    submitted = sdk.call("vod", "SubmitTranscodeJobs", **submission)
    assert len(submitted["TranscodeJobs"]["TranscodeJob"]) == 1, submitted
    try:
        sdk.call("vod", "SubmitTranscodeJobs", **submission)
    except sdk.Refused:
        pass
    else:
        raise AssertionError("the same session must be refused")
    until = time.monotonic() + PATIENCE_S
    while True:
        task = sdk.call("vod", "GetTranscodeTask", TranscodeTaskId=submitted["TranscodeTaskId"])["TranscodeTask"]
        if task["TaskStatus"] == "CompleteAllSucc":
            return
        assert "Fail" not in task["TaskStatus"] and time.monotonic() < until, task
        time.sleep(0.2)


def finish():
    # As receivers learn them: the composed videos from their events.
    wholes = json.loads(os.environ["COMPOSED"])
    made = group()
    for flow in (1, 2, 3, 4):
        recorded = parts(flow)
        whole = wholes.get(app(flow))
        if whole:
            # Whether the vendor's listing of parts has it is not documented.
            recorded = [video for video in recorded if video != whole]
        assert len(recorded) >= 2, f"flow {flow}: {recorded}"
        for video in recorded:
            plays(video, [PLAYED] if flow in (1, 3) else ["OD"])
        if flow == 2:
            transcoded(recorded[0], made)
            plays(recorded[0], ["OD", PLAYED])
        if flow == 3:
            plays(whole, [PLAYED])
        if flow == 4:
            plays(whole, ["OD"])
            transcoded(whole, made)
            plays(whole, ["OD", PLAYED])


{"setup": setup, "finish": finish}[sys.argv[2]]()
