"""plugins/template-by-stream in Python: the same answers, reasons and errors, word for word."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import (
    TemplateGroupAnswer_Group,
    TemplateGroupAnswer_UseDefault,
    TemplateGroupDecision,
    TemplateGroupQuestion,
)

NO_TRANSCODE = "VOD_NO_TRANSCODE"
MAX_U32 = 0xFFFF_FFFF


class TemplateGroup(exports.TemplateGroup):
    def decide(self, question: TemplateGroupQuestion, settings: str) -> TemplateGroupDecision:
        for number, rule in enumerate(parse(settings)):
            if fits(rule, question):
                break
        else:
            return TemplateGroupDecision(TemplateGroupAnswer_UseDefault(), "no rule fits")
        group = rule["group"]
        if group != NO_TRANSCODE and not any(group in (choice.id, choice.name) for choice in question.groups):
            raise Err(f"rules[{number}].group: there is no template group {quoted(group)}")
        return TemplateGroupDecision(TemplateGroupAnswer_Group(group), f"rules[{number}] fits: {in_words(rule)}")


class Settings(exports.Settings):
    def check(self, settings: str) -> None:
        parse(settings)


def fits(rule: dict, question: TemplateGroupQuestion) -> bool:
    stream, video = question.origin.stream, question.part.video
    app, name, least, most = (rule.get(field) for field in ("app", "stream", "min_height", "max_height"))
    return (
        (app is None or glob(app, stream.app))
        and (name is None or glob(name, stream.name))
        and (least is None or (video is not None and video.height >= least))
        and (most is None or (video is not None and video.height <= most))
    )


def in_words(rule: dict) -> str:
    forms = {"app": "app {}", "stream": "{}", "min_height": "at least {}", "max_height": "at most {}"}
    words = [form.format(rule[field]) for field, form in forms.items() if rule.get(field) is not None]
    return ", ".join(words) if words else "everything"


def glob(pattern: str, text: str) -> bool:
    """Whether the whole text matches: `*` is any text, `?` one character. On a mismatch only the last `*` takes one
    character more."""
    p = t = 0
    retry = None
    while p < len(pattern) or t < len(text):
        if pattern[p : p + 1] == "*":
            p += 1
            retry = (p, t)
        elif p < len(pattern) and t < len(text) and pattern[p] in ("?", text[t]):
            p, t = p + 1, t + 1
        elif retry is not None and retry[1] < len(text):
            retry = (retry[0], retry[1] + 1)
            p, t = retry
        else:
            return False
    return True


def parse(text: str) -> list[dict]:
    """Reads and checks settings. Fields are looked at in the order in which they stand, as a reader that reads once
    does."""
    try:
        settings = json.loads(text.strip() or "{}", parse_constant=no_constant)
    except ValueError as error:
        raise Err(f"settings: {error}") from error
    rules = struct("", settings, "TemplateByStream", {"rules": rule_list}, ["rules"])["rules"]
    for number, rule in enumerate(rules):
        least, most = rule.get("min_height"), rule.get("max_height")
        if rule["group"] == "":
            raise Err(f"settings: rules[{number}].group: must not be empty")
        if least is not None and most is not None and least > most:
            raise Err(f"settings: rules[{number}]: min_height {least} is above max_height {most}")
    return rules


def no_constant(name: str):
    """NaN and the infinities, which Python would read, are no JSON."""
    raise ValueError(f"{name} is no JSON")


def rule_list(path: str, value) -> list[dict]:
    if not isinstance(value, list):
        raise wrong_type(path, value, "a sequence")
    return [struct(f"{path}[{number}]", rule, "Rule", RULE, ["group"]) for number, rule in enumerate(value)]


def struct(path: str, value, name: str, fields: dict, required: list[str]) -> dict:
    if not isinstance(value, dict):
        raise wrong_type(path, value, f"struct {name}")
    read = {}
    for field, inner in value.items():
        at = f"{path}.{field}" if path else field
        if field not in fields:
            names = [f"`{one}`" for one in fields]
            expected = names[0] if len(names) == 1 else f"one of {', '.join(names)}"
            raise located(at, f"unknown field `{field}`, expected {expected}")
        read[field] = fields[field](at, inner)
    for field in required:
        if field not in read:
            raise located(path, f"missing field `{field}`")
    return read


def optional(read):
    return lambda path, value: None if value is None else read(path, value)


def string(path: str, value) -> str:
    if not isinstance(value, str):
        raise wrong_type(path, value, "a string")
    return value


def u32(path: str, value) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(path, value, "u32")
    if not 0 <= value <= MAX_U32:
        raise located(path, f"invalid value: integer `{value}`, expected u32")
    return value


RULE = {
    "app": optional(string),
    "stream": optional(string),
    "min_height": optional(u32),
    "max_height": optional(u32),
    "group": string,
}


def wrong_type(path: str, value, expected: str) -> Err:
    return located(path, f"invalid type: {kind(value)}, expected {expected}")


def located(path: str, problem: str) -> Err:
    return Err(f"settings: {path}: {problem}" if path else f"settings: {problem}")


def kind(value) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "sequence"
    if isinstance(value, dict):
        return "map"
    if isinstance(value, str):
        return f"string {quoted(value)}"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    return f"integer `{value}`" if isinstance(value, int) else f"floating point `{value}`"


def quoted(text: str) -> str:
    """A text between quotation marks, with what cannot be printed written out."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}

    def written(char: str) -> str:
        plain = 0x20 <= ord(char) != 0x7F
        return escapes.get(char) or (char if plain else f"\\u{{{ord(char):x}}}")

    return f'"{"".join(map(written, text))}"'
