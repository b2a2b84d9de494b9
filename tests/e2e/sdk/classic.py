"""The classic generation of the vendor's SDKs against our endpoint: `setup APP`, then `play VIDEO_ID`."""

import json
import os
import sys

from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdklive.request.v20161101.AddLiveRecordVodConfigRequest import AddLiveRecordVodConfigRequest
from aliyunsdkvod.request.v20170321.AddTranscodeTemplateGroupRequest import AddTranscodeTemplateGroupRequest
from aliyunsdkvod.request.v20170321.GetPlayInfoRequest import GetPlayInfoRequest

client = AcsClient(os.environ["KEY_ID"], os.environ["KEY_SECRET"], "cn-shanghai")

TEMPLATES = [
    {
        "TemplateName": "classic",
        "Definition": "SD",
        "Container": {"Format": "m3u8"},
        "Video": {"Codec": "H.264", "Width": "128", "Crf": "30"},
        "Audio": {"Codec": "AAC", "Bitrate": "64", "Samplerate": "44100"},
    }
]


def call(request):
    request.set_endpoint(os.environ["ENDPOINT"])
    request.set_accept_format("JSON")
    return json.loads(client.do_action_with_exception(request))


def setup(app):
    add = AddTranscodeTemplateGroupRequest()
    add.set_Name("classic group")
    add.set_TranscodeTemplateList(json.dumps(TEMPLATES))
    group = call(add)["TranscodeTemplateGroupId"]
    config = AddLiveRecordVodConfigRequest()
    config.set_DomainName(os.environ["PLAY_DOMAIN"])
    config.set_AppName(app)
    config.set_VodTranscodeGroupId(group)
    config.set_CycleDuration(300)
    config.add_query_param("DelayTime", 1)
    call(config)
    try:
        call(config)
    except ServerException as error:
        assert "ConfigAlreadyExists" in error.get_error_code(), error
    else:
        raise AssertionError("a second config of the same key must be refused")


def play(video):
    request = GetPlayInfoRequest()
    request.set_VideoId(video)
    info = call(request)
    assert info["VideoBase"]["Status"] == "Normal", info
    assert info["PlayInfoList"]["PlayInfo"], info


{"setup": setup, "play": play}[sys.argv[1]](sys.argv[2])
