"""The current generation of the vendor's SDKs against our endpoint: `setup APP`, then `play VIDEO_ID`."""

import json
import os
import sys

from alibabacloud_live20161101 import models as live_models
from alibabacloud_live20161101.client import Client as Live
from alibabacloud_tea_openapi import utils_models
from alibabacloud_vod20170321 import models as vod_models
from alibabacloud_vod20170321.client import Client as Vod


def config():
    return utils_models.Config(
        access_key_id=os.environ["KEY_ID"],
        access_key_secret=os.environ["KEY_SECRET"],
        endpoint=os.environ["ENDPOINT"],
        protocol="HTTP",
        region_id="cn-shanghai",
    )


TEMPLATES = [
    {
        "TemplateName": "current 流畅",
        "Definition": "LD",
        "Container": {"Format": "mp4"},
        "Video": {"Codec": "H.264", "Width": "128", "Bitrate": "100"},
        "Audio": {"Codec": "AAC", "Bitrate": "64", "Samplerate": "44100"},
    }
]


def setup(app):
    vod, live = Vod(config()), Live(config())
    made = vod.add_transcode_template_group(
        vod_models.AddTranscodeTemplateGroupRequest(
            name="current group", transcode_template_list=json.dumps(TEMPLATES)
        )
    )
    group = made.body.transcode_template_group_id
    assert len(group) == 32, group
    live.add_live_record_vod_config(
        live_models.AddLiveRecordVodConfigRequest(
            domain_name=os.environ["PLAY_DOMAIN"],
            app_name=app,
            vod_transcode_group_id=group,
            cycle_duration=300,
            delay_time=1,
        )
    )
    listed = live.describe_live_record_vod_configs(
        live_models.DescribeLiveRecordVodConfigsRequest(
            domain_name=os.environ["PLAY_DOMAIN"], app_name=app
        )
    )
    configs = listed.body.live_record_vod_configs.live_record_vod_config
    assert [c.app_name for c in configs] == [app], configs
    read = vod.get_transcode_template_group(
        vod_models.GetTranscodeTemplateGroupRequest(transcode_template_group_id=group)
    )
    templates = read.body.transcode_template_group.transcode_template_list
    assert json.loads(templates[0].video)["Codec"] == "H.264", templates


def play(video):
    vod = Vod(config())
    info = vod.get_play_info(vod_models.GetPlayInfoRequest(video_id=video))
    assert info.body.video_base.status == "Normal", info.body
    streams = info.body.play_info_list.play_info
    assert streams and all(s.play_url.startswith("http://") for s in streams), streams
    video_info = vod.get_video_info(vod_models.GetVideoInfoRequest(video_id=video))
    assert video_info.body.video.status == "Normal", video_info.body


{"setup": setup, "play": play}[sys.argv[1]](sys.argv[2])
