// plugins/template-by-stream in JavaScript: the same answers, reasons and errors, word for word.

const NO_TRANSCODE = "VOD_NO_TRANSCODE";
const MAX_U32 = 0xffff_ffff;

export const templateGroup = {
  decide(question, text) {
    const { rules } = parse(text);
    const number = rules.findIndex((rule) => fits(rule, question));
    if (number < 0) return { answer: { tag: "use-default" }, reason: "no rule fits" };
    const { group } = rules[number];
    if (group !== NO_TRANSCODE && !question.groups.some(({ id, name }) => id === group || name === group)) {
      throw `rules[${number}].group: there is no template group ${quoted(group)}`;
    }
    return { answer: { tag: "group", val: group }, reason: `rules[${number}] fits: ${inWords(rules[number])}` };
  },
};

export const settings = {
  check(text) {
    parse(text);
  },
};

function fits(rule, { origin, part }) {
  const height = part.video?.height;
  return (
    (rule.app == null || glob(rule.app, origin.stream.app)) &&
    (rule.stream == null || glob(rule.stream, origin.stream.name)) &&
    (rule.min_height == null || (height != null && height >= rule.min_height)) &&
    (rule.max_height == null || (height != null && height <= rule.max_height))
  );
}

function inWords(rule) {
  const words = [];
  if (rule.app != null) words.push(`app ${rule.app}`);
  if (rule.stream != null) words.push(rule.stream);
  if (rule.min_height != null) words.push(`at least ${rule.min_height}`);
  if (rule.max_height != null) words.push(`at most ${rule.max_height}`);
  return words.length > 0 ? words.join(", ") : "everything";
}

// Whether the whole text matches: `*` is any text, `?` one character. On a mismatch only the last `*` takes one
// character more.
function glob(pattern, text) {
  const [wanted, found] = [Array.from(pattern), Array.from(text)];
  let [p, t] = [0, 0];
  let retry = null;
  while (p < wanted.length || t < found.length) {
    if (wanted[p] === "*") {
      retry = [++p, t];
    } else if (p < wanted.length && t < found.length && (wanted[p] === "?" || wanted[p] === found[t])) {
      p++;
      t++;
    } else if (retry != null && retry[1] < found.length) {
      retry[1]++;
      [p, t] = retry;
    } else {
      return false;
    }
  }
  return true;
}

// Reads and checks settings. Fields are looked at in the order in which they stand, as a reader that reads once does.
function parse(text) {
  let settings;
  try {
    settings = JSON.parse(text.trim() || "{}");
  } catch (error) {
    throw `settings: ${error.message}`;
  }
  const rules = struct("", settings, "TemplateByStream", {
    rules: (path, value) => {
      if (!Array.isArray(value)) throw wrongType(path, value, "a sequence");
      return value.map((rule, number) => struct(`${path}[${number}]`, rule, "Rule", RULE));
    },
  }, ["rules"]).rules;
  rules.forEach(({ group, min_height: min, max_height: max }, number) => {
    if (group === "") throw `settings: rules[${number}].group: must not be empty`;
    if (min != null && max != null && min > max) {
      throw `settings: rules[${number}]: min_height ${min} is above max_height ${max}`;
    }
  });
  return { rules };
}

const optional = (read) => (path, value) => (value === null ? null : read(path, value));

const RULE = {
  app: optional(string),
  stream: optional(string),
  min_height: optional(u32),
  max_height: optional(u32),
  group: string,
};

function struct(path, value, name, fields, required = ["group"]) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw wrongType(path, value, `struct ${name}`);
  }
  const read = {};
  for (const [field, inner] of Object.entries(value)) {
    const at = path === "" ? field : `${path}.${field}`;
    if (!Object.hasOwn(fields, field)) {
      const names = Object.keys(fields).map((one) => `\`${one}\``);
      const expected = names.length === 1 ? names[0] : `one of ${names.join(", ")}`;
      throw located(at, `unknown field \`${field}\`, expected ${expected}`);
    }
    read[field] = fields[field](at, inner);
  }
  for (const field of required) {
    if (!Object.hasOwn(read, field)) throw located(path, `missing field \`${field}\``);
  }
  return read;
}

function string(path, value) {
  if (typeof value !== "string") throw wrongType(path, value, "a string");
  return value;
}

function u32(path, value) {
  if (!Number.isInteger(value)) throw wrongType(path, value, "u32");
  if (value < 0 || value > MAX_U32) throw located(path, `invalid value: integer \`${value}\`, expected u32`);
  return value;
}

function wrongType(path, value, expected) {
  return located(path, `invalid type: ${kind(value)}, expected ${expected}`);
}

function located(path, problem) {
  return path === "" ? `settings: ${problem}` : `settings: ${path}: ${problem}`;
}

function kind(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "sequence";
  if (typeof value === "object") return "map";
  if (typeof value === "string") return `string ${quoted(value)}`;
  if (typeof value === "boolean") return `boolean \`${value}\``;
  return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``;
}

// A text between quotation marks, with what cannot be printed written out.
function quoted(text) {
  const escapes = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0" };
  const written = (char) => {
    const code = char.codePointAt(0);
    return escapes[char] ?? (code < 0x20 || code === 0x7f ? `\\u{${code.toString(16)}}` : char);
  };
  return `"${Array.from(text, written).join("")}"`;
}
