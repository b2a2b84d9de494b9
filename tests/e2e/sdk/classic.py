"""The classic generation of the vendor's SDKs, pointed at our endpoint: one class for each request, JSON answers."""

import importlib
import json
import os

from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient

CLIENT = AcsClient(os.environ["KEY_ID"], os.environ["KEY_SECRET"], "cn-shanghai")

PACKAGES = {"live": "aliyunsdklive.request.v20161101", "vod": "aliyunsdkvod.request.v20170321"}


class Refused(Exception):
    """What the server said, with its code."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


def call(product, action, **parameters):
    """Calls an action and gives its answer."""
    module = importlib.import_module(f"{PACKAGES[product]}.{action}Request")
    request = getattr(module, f"{action}Request")()
    for name, value in parameters.items():
        setter = getattr(request, f"set_{name}", None)
        if setter:
            setter(value)
        else:
            # Younger than this generation's class.
            request.add_query_param(name, value)
    request.set_endpoint(os.environ["ENDPOINT"])
    request.set_accept_format("JSON")
    try:
        answer = json.loads(CLIENT.do_action_with_exception(request))
    except ServerException as error:
        raise Refused(error.get_error_code(), error.get_error_msg()) from error
    assert len(answer["RequestId"]) == 36, answer
    return answer
