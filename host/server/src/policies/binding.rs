//! Which streams a binding covers, and which of several is asked first.

use std::cmp::{Ordering, Reverse};

use reprise_lifecycle::question::{Hook, StreamKey};

use crate::store::bindings::{Binding, Bound};

/// Whether a binding is asked at this hook for this stream. Only a binding of all streams is asked about what has
/// none.
pub(super) fn covers(bound: &Bound, hook: Hook, stream: Option<&StreamKey>) -> bool {
    let texts = stream.map_or(["", "", ""], |stream| [&stream.domain, &stream.app, &stream.name]);
    has_hook(&bound.version.hooks, hook)
        && patterns(&bound.binding).into_iter().zip(texts).all(|(pattern, text)| matches(pattern, text))
}

/// Whether a hook is among those of a version, as the catalogue lists them.
pub(super) fn has_hook(hooks: &str, hook: Hook) -> bool {
    hooks.split(',').any(|name| name == hook.name())
}

/// Which of two bindings is asked first: the larger priority, then the more specific patterns, then the newer
/// activation. Names decide between equals, so that the order is the same every time.
pub(super) fn precedence(a: &Binding, b: &Binding) -> Ordering {
    let key =
        |binding: &Binding| (Reverse(binding.priority), Reverse(specificity(binding)), Reverse(binding.activated_at));
    key(a).cmp(&key(b)).then_with(|| (&a.plugin, &a.name).cmp(&(&b.plugin, &b.name)))
}

/// How much of a stream the patterns name: their characters that stand for themselves.
fn specificity(binding: &Binding) -> usize {
    patterns(binding).into_iter().flat_map(str::chars).filter(|character| *character != '*').count()
}

fn patterns(binding: &Binding) -> [&str; 3] {
    [&binding.domain, &binding.app, &binding.stream]
}

/// Whether `text` is what `pattern` says; `*` stands for any run of characters. Takes time in proportion to the
/// product of both lengths at most, whatever the pattern.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((star_at, star_seen)) = star else { return false };
                star = Some((star_at, star_seen + 1));
                at = star_at + 1;
                seen = star_seen + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(plugin: &str, patterns: &str, priority: i64, activated_at: i64) -> Bound {
        let mut patterns = patterns.split(' ').map(str::to_owned);
        let mut next = || patterns.next().unwrap();
        let binding = Binding {
            plugin: plugin.to_owned(),
            name: "default".to_owned(),
            version: 1,
            settings_revision: 1,
            domain: next(),
            app: next(),
            stream: next(),
            priority,
            failure_policy: "fallback".to_owned(),
            activated_at,
            activated_by: "admin".to_owned(),
        };
        let version = crate::testkit::plugin_version(plugin, "callback");
        Bound { binding, version, settings: "{}".to_owned(), rollout: None }
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let table = [
            ("*", "", true),
            ("*", "cam01", true),
            ("cam*", "cam01", true),
            ("cam*", "ca", false),
            ("*-hd", "a-hd-b-hd", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c2b", false),
            ("cam01", "cam01", true),
            ("cam01", "cam011", false),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} against {text}");
        }
    }

    #[test]
    fn a_binding_covers_by_domain_app_and_stream_and_by_its_hooks() {
        let stream = StreamKey { domain: "push.a".to_owned(), app: "live".to_owned(), name: "cam1".to_owned() };
        let table = [
            ("* * *", true, true),
            ("push.a live cam*", true, false),
            ("push.b * *", false, false),
            ("* studio *", false, false),
            ("* * cam2", false, false),
            ("*.a * *1", true, false),
        ];
        for (patterns, covered, asked_about_none) in table {
            let bound = bound("p", patterns, 0, 0);
            assert_eq!(covers(&bound, Hook::Callback, Some(&stream)), covered, "{patterns}");
            assert_eq!(covers(&bound, Hook::Callback, None), asked_about_none, "{patterns}");
            assert!(!covers(&bound, Hook::ComposeRules, Some(&stream)), "{patterns}");
        }
    }

    /// Plugin, patterns, priority and time of activation.
    type Row<'a> = (&'a str, &'a str, i64, i64);

    #[test]
    fn priority_then_the_more_specific_then_the_newer_is_asked_first() {
        // Bindings by name, in the order in which they are asked.
        let table: [(&str, &[Row<'_>]); 5] = [
            ("priority wins over everything", &[("a", "* * *", 1, 1), ("b", "d live cam1", 0, 9)]),
            ("more literal characters", &[("a", "* * cam1", 0, 1), ("b", "* * cam*", 0, 9), ("c", "* * *", 0, 99)]),
            ("characters of all three patterns count", &[("a", "push.a * *", 0, 1), ("b", "* live *", 0, 2)]),
            ("the newer activation", &[("b", "* live *", 0, 2), ("a", "* live *", 0, 1)]),
            ("names between equals", &[("a", "* * *", 0, 1), ("b", "* * *", 0, 1)]),
        ];
        for (name, expected) in table {
            for turn in 0..expected.len() {
                let mut order: Vec<Binding> = expected
                    .iter()
                    .map(|(plugin, patterns, priority, at)| bound(plugin, patterns, *priority, *at).binding)
                    .collect();
                order.rotate_left(turn);
                order.sort_by(precedence);
                let names: Vec<&str> = order.iter().map(|binding| binding.plugin.as_str()).collect();
                assert_eq!(names, expected.iter().map(|(plugin, ..)| *plugin).collect::<Vec<_>>(), "{name}");
            }
        }
    }
}
