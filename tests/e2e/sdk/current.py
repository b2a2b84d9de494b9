"""The current generation of the vendor's SDKs, pointed at our endpoint: one typed class for each request and answer."""

import os

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


PRODUCTS = {"live": (Live(config()), live_models), "vod": (Vod(config()), vod_models)}


class Refused(Exception):
    """What the server said, with its code."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


def call(product, action, **parameters):
    """Calls an action and gives what the SDK's own classes made of the answer."""
    client, models = PRODUCTS[product]
    request = getattr(models, f"{action}Request")().from_map(parameters)
    lost = set(parameters) - set(request.to_map())
    assert not lost, f"the SDK's {action} has no {lost}"
    # The SDK's own underscores follow no one rule: submit_aijob.
    method = next(name for name in dir(client) if name.replace("_", "") == action.lower())
    try:
        response = getattr(client, method)(request)
    except Exception as error:
        code = getattr(error, "code", None)
        if not isinstance(code, str):
            raise
        raise Refused(code, getattr(error, "message", error)) from error
    answer = response.body.to_map()
    assert len(answer["RequestId"]) == 36, answer
    return answer
