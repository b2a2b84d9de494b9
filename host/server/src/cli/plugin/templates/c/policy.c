// Chooses the template group of each recorded part by stream name and picture height.
//
// plugin.h is the contract in C: `wit-bindgen c wit --world plugin` (0.60) makes it and plugin.c from the folder wit.
// Beside the question there are the functions reprise_policy_state_* and reprise_policy_assets_*, if the policy wants
// them.

#include "json.h"
#include "plugin.h"
#include <string.h>

enum { MAX_RULES = 100, USE_DEFAULT = 0, GROUP = 1 };

static const char NO_TRANSCODE[] = "VOD_NO_TRANSCODE";

// Fits if all it names fits.
typedef struct {
  bool has_prefix, has_min_height;
  plugin_string_t prefix, group;
  uint32_t min_height;
} rule;

typedef struct {
  size_t count;
  rule list[MAX_RULES];
} rules;

static bool is(plugin_string_t text, const char *wanted) {
  return text.len == strlen(wanted) && memcmp(text.ptr, wanted, text.len) == 0;
}

static bool same(plugin_string_t one, plugin_string_t other) {
  return one.len == other.len && memcmp(one.ptr, other.ptr, one.len) == 0;
}

static bool begins(plugin_string_t text, plugin_string_t with) {
  return text.len >= with.len && memcmp(text.ptr, with.ptr, with.len) == 0;
}

// Puts texts together. All memory goes with the call.
static void add(plugin_string_t *text, const void *more, size_t length) {
  text->ptr = realloc(text->ptr, text->len + length);
  if (text->ptr == NULL) abort();
  memcpy(text->ptr + text->len, more, length);
  text->len += length;
}

static void add_text(plugin_string_t *text, const char *more) { add(text, more, strlen(more)); }

static void add_number(plugin_string_t *text, uint32_t number) {
  char digits[10], *first = digits + sizeof digits;
  do *--first = '0' + number % 10;
  while ((number /= 10) > 0);
  add(text, first, (size_t)(digits + sizeof digits - first));
}

static void in_rule(plugin_string_t *text, const char *before, size_t number, const char *after) {
  add_text(text, before);
  add_text(text, "rules[");
  add_number(text, (uint32_t)number);
  add_text(text, after);
}

// What settings look like is said in settings.schema.json, which the server has checked; this is what they mean.
static bool parse(const plugin_string_t *settings, rules *found, plugin_string_t *err) {
  json in = json_of(settings);
  bool given = false;
  found->count = 0;
  for (json_open(&in, '{'); json_more(&in, '}');) {
    if (!is(json_key(&in), "rules")) in.ok = false;
    given = true;
    for (json_open(&in, '['); json_more(&in, ']');) {
      if (found->count == MAX_RULES) return add_text(err, "settings: rules: at most 100"), false;
      rule *one = &found->list[found->count];
      *one = (rule){0};
      for (json_open(&in, '{'); json_more(&in, '}');) {
        plugin_string_t key = json_key(&in);
        if (is(key, "prefix")) one->has_prefix = true, one->prefix = json_text(&in);
        else if (is(key, "min_height")) one->has_min_height = true, one->min_height = json_u32(&in);
        else if (is(key, "group")) one->group = json_text(&in);
        else in.ok = false;
      }
      if (in.ok && one->group.len == 0) {
        return in_rule(err, "settings: ", found->count, "].group: must not be empty"), false;
      }
      found->count++;
    }
  }
  if (given && json_done(&in)) return true;
  return add_text(err, given ? "settings: not as in settings.schema.json" : "settings: missing field `rules`"), false;
}

static bool fits(const rule *one, const reprise_policy_types_template_group_question_t *question) {
  const reprise_policy_types_option_video_track_t *video = &question->part.video;
  return (!one->has_prefix || begins(question->origin.stream.name, one->prefix)) &&
         (!one->has_min_height || (video->is_some && video->val.height >= one->min_height));
}

static void in_words(plugin_string_t *text, const rule *one) {
  if (!one->has_prefix && !one->has_min_height) add_text(text, "everything");
  if (one->has_prefix) add(text, one->prefix.ptr, one->prefix.len);
  if (one->has_prefix && one->has_min_height) add_text(text, ", ");
  if (one->has_min_height) add_text(text, "at least "), add_number(text, one->min_height);
}

// The hook: the first rule that fits decides. What is left in `err` with `false` reaches the tenant.
bool exports_reprise_policy_template_group_decide(
    exports_reprise_policy_template_group_template_group_question_t *question, plugin_string_t *settings,
    exports_reprise_policy_template_group_template_group_decision_t *ret, plugin_string_t *err) {
  static rules found;
  plugin_string_t message = {0};
  if (!parse(settings, &found, &message)) return *err = message, false;
  *ret = (exports_reprise_policy_template_group_template_group_decision_t){.reason.is_some = true};
  size_t number = 0;
  while (number < found.count && !fits(&found.list[number], question)) number++;
  if (number == found.count) {
    ret->answer.tag = USE_DEFAULT;
    plugin_string_dup(&ret->reason.val, "no rule fits");
    return true;
  }
  const rule *one = &found.list[number];
  bool known = is(one->group, NO_TRANSCODE);
  for (size_t at = 0; at < question->groups.len && !known; at++) {
    known = same(question->groups.ptr[at].id, one->group) || same(question->groups.ptr[at].name, one->group);
  }
  if (!known) {
    in_rule(&message, "", number, "].group: there is no template group \"");
    add(&message, one->group.ptr, one->group.len);
    add_text(&message, "\"");
    return *err = message, false;
  }
  ret->answer.tag = GROUP;
  ret->answer.val.group = one->group;
  in_rule(&message, "", number, "] fits: ");
  in_words(&message, one);
  ret->reason.val = message;
  return true;
}

// Asked whenever settings change, before they are accepted.
bool exports_reprise_policy_settings_check(plugin_string_t *settings, plugin_string_t *err) {
  static rules found;
  plugin_string_t message = {0};
  return parse(settings, &found, &message) || (*err = message, false);
}
