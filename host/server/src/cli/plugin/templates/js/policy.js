// Chooses the template group of each recorded part by stream name and picture height.
//
// Everything outside functions runs once, when the component is built; each call then starts from that same snapshot.
// Numbers of 64 bits (sizes, times) are BigInts. What is thrown as a text reaches the tenant.
//
// Beside the question there are, if the policy wants them:
//
//   import { get, keys, set, delete as remove } from "reprise:policy/state@0.2.0";
//   import { read, paths } from "reprise:policy/assets@0.2.0";

import { log } from "reprise:policy/log@0.2.0";

const NO_TRANSCODE = "VOD_NO_TRANSCODE";

// The hook: the first rule that fits decides.
export const templateGroup = {
  decide: explained((question, text) => {
    const { rules } = parse(text);
    const number = rules.findIndex((rule) => fits(rule, question));
    if (number < 0) return { answer: { tag: "use-default" }, reason: "no rule fits" };
    const { group } = rules[number];
    if (group !== NO_TRANSCODE && !question.groups.some(({ id, name }) => id === group || name === group)) {
      throw `rules[${number}].group: there is no template group ${JSON.stringify(group)}`;
    }
    return { answer: { tag: "group", val: group }, reason: `rules[${number}] fits: ${inWords(rules[number])}` };
  }),
};

// Asked whenever settings change, before they are accepted.
export const settings = { check: explained((text) => void parse(text)) };

function fits({ prefix, min_height: least }, { origin, part }) {
  return (
    (prefix == null || origin.stream.name.startsWith(prefix)) &&
    (least == null || (part.video != null && part.video.height >= least))
  );
}

function inWords({ prefix, min_height: least }) {
  const words = [prefix, least == null ? null : `at least ${least}`].filter((word) => word != null);
  return words.join(", ") || "everything";
}

// What settings look like is said in settings.schema.json, which the server has checked; this is what they mean.
function parse(text) {
  let settings;
  try {
    settings = JSON.parse(text.trim() || "{}");
  } catch (error) {
    throw `settings: ${error.message}`;
  }
  if (!Array.isArray(settings?.rules)) throw "settings: missing field `rules`";
  settings.rules.forEach((rule, number) => {
    if (!rule?.group) throw `settings: rules[${number}].group: must not be empty`;
  });
  return settings;
}

// A mistake in the code ends the call; this leaves where it was in the decision's log.
function explained(call) {
  return (...args) => {
    try {
      return call(...args);
    } catch (error) {
      if (error instanceof Error) log("warn", `${error.name}: ${error.message}\n${error.stack}`);
      throw error;
    }
  };
}
