//! Style sheet and script of the page, and the policy that lets a browser run
//! these and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

/// The style sheet.
pub(super) const STYLE: &str = include_str!("style.css");
/// Sorting and filtering. Nothing on the page needs it to be read.
pub(super) const SCRIPT: &str = include_str!("script.js");

/// The content security policy (W3C CSP Level 3): no request of any kind, and no
/// style or script but the two above, which it names by their hashes (section
/// 6.7.3.3). `data:` images are allowed for the empty icon, without which
/// browsers ask the server of the page for one.
pub(super) fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_stay_inside_their_elements() {
        for text in [STYLE, SCRIPT] {
            // Either would end the element or begin another kind of content.
            assert!(!text.contains("</") && !text.contains("<!--") && !text.contains('\r'));
            assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("url("));
        }
    }

    #[test]
    fn the_policy_allows_nothing_else() {
        let policy = policy();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(policy.matches("'sha256-").count(), 2);
    }
}
