"""Chooses the template group of each recorded part by stream name and picture height.

Everything outside functions runs once, when the component is built; each call then starts from that same snapshot.
What is raised as `Err("…")` reaches the tenant. Beside the question there are `wit_world.imports.state` and
`wit_world.imports.assets`, if the policy wants them.
"""

import json
import traceback
from functools import wraps

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import log
from wit_world.imports.types import (
    TemplateGroupAnswer_Group,
    TemplateGroupAnswer_UseDefault,
    TemplateGroupDecision,
    TemplateGroupQuestion,
)

NO_TRANSCODE = "VOD_NO_TRANSCODE"


def explained(call):
    """A mistake in the code ends the call; this leaves where it was in the decision's log."""

    @wraps(call)
    def inner(*args):
        try:
            return call(*args)
        except Err:
            raise
        except Exception:
            log.log(log.Level.WARN, traceback.format_exc())
            raise

    return inner


class TemplateGroup(exports.TemplateGroup):
    """The hook: the first rule that fits decides."""

    @explained
    def decide(self, question: TemplateGroupQuestion, settings: str) -> TemplateGroupDecision:
        for number, rule in enumerate(parse(settings)["rules"]):
            if fits(rule, question):
                break
        else:
            return TemplateGroupDecision(TemplateGroupAnswer_UseDefault(), "no rule fits")
        group = rule["group"]
        if group != NO_TRANSCODE and not any(group in (choice.id, choice.name) for choice in question.groups):
            raise Err(f"rules[{number}].group: there is no template group {json.dumps(group, ensure_ascii=False)}")
        return TemplateGroupDecision(TemplateGroupAnswer_Group(group), f"rules[{number}] fits: {in_words(rule)}")


class Settings(exports.Settings):
    """Asked whenever settings change, before they are accepted."""

    @explained
    def check(self, settings: str) -> None:
        parse(settings)


def fits(rule: dict, question: TemplateGroupQuestion) -> bool:
    prefix, least, video = rule.get("prefix"), rule.get("min_height"), question.part.video
    return (prefix is None or question.origin.stream.name.startswith(prefix)) and (
        least is None or (video is not None and video.height >= least)
    )


def in_words(rule: dict) -> str:
    prefix, least = rule.get("prefix"), rule.get("min_height")
    words = [prefix, None if least is None else f"at least {least}"]
    return ", ".join(word for word in words if word is not None) or "everything"


def parse(text: str) -> dict:
    """What settings look like is said in settings.schema.json, which the server has checked; this is what they mean."""
    try:
        settings = json.loads(text.strip() or "{}")
    except ValueError as error:
        raise Err(f"settings: {error}") from error
    rules = settings.get("rules") if isinstance(settings, dict) else None
    if not isinstance(rules, list):
        raise Err("settings: missing field `rules`")
    for number, rule in enumerate(rules):
        if not isinstance(rule, dict) or not rule.get("group"):
            raise Err(f"settings: rules[{number}].group: must not be empty")
    return settings
