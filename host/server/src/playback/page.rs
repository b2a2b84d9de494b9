//! A plain page that plays one video with what the browser has: no script, nothing from elsewhere.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = "body{margin:2rem auto;max-width:60rem;padding:0 1rem;font:1rem/1.5 sans-serif}\
                     video{width:100%;max-height:75vh;background:#000}";

/// What a browser may choose from, best first.
pub(super) struct Choice {
    /// Relative to the page, signed if need be.
    pub(super) url: String,
    pub(super) media_type: &'static str,
    /// What the link says.
    pub(super) label: String,
}

/// The page.
pub(super) fn page(title: &str, poster: Option<&str>, choices: &[Choice]) -> String {
    let title = escape(title);
    let poster = poster.map(|url| format!(" poster=\"{}\"", escape(url))).unwrap_or_default();
    let (mut sources, mut links) = (String::new(), String::new());
    for choice in choices {
        let (url, label) = (escape(&choice.url), escape(&choice.label));
        // Writing to a string does not fail.
        let _ = writeln!(sources, "<source src=\"{url}\" type=\"{}\">", choice.media_type);
        let _ = writeln!(links, "<li><a href=\"{url}\">{label}</a></li>");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <h1>{title}</h1>\n<video controls playsinline{poster}>\n{sources}</video>\n<ul>\n{links}</ul>\n</html>\n"
    )
}

/// Nothing but this server's media, this page's style, and no script at all.
pub(super) fn policy() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; media-src 'self'; connect-src 'self'; img-src 'self'; style-src 'sha256-{style}'; \
         base-uri 'none'; form-action 'none'"
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_text_stays_text() {
        let choice = Choice { url: "a?x=1&y".to_owned(), media_type: "video/mp4", label: "\"<b>'".to_owned() };
        let page = page("</title><script>alert(1)</script>", Some("c.jpg\" onload=\"x"), &[choice]);
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("onload=\"x"), "{page}");
        assert!(page.contains("&lt;/title&gt;&lt;script&gt;") && page.contains("a?x=1&amp;y"), "{page}");
    }

    #[test]
    fn the_policy_allows_this_style_and_no_script() {
        let policy = policy();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("script-src"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
