//! The few drawings of the pages.

use std::fmt;

use askama::filters::HtmlSafe;

/// A drawing, which says nothing that stands not in the text beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Icon {
    Overview,
    Key,
    Token,
    Approval,
    Security,
    Device,
    Organization,
    Members,
    Roles,
    Api,
    Policy,
    Settings,
    Audit,
    Explain,
    Robot,
}

impl Icon {
    fn lines(self) -> &'static str {
        match self {
            Self::Overview => r#"<path d="M3 9.5 10 3l7 6.5V17h-4.5v-4.5h-5V17H3z"/>"#,
            Self::Key => r#"<circle cx="6.5" cy="13.5" r="3.5"/><path d="m9 11 7-7m-2.5 2.5L16 9m-4.5-.5L13 10"/>"#,
            Self::Token => r#"<circle cx="10" cy="6.5" r="3"/><path d="M4 17c.6-3.3 3-5 6-5s5.4 1.7 6 5"/>"#,
            Self::Approval => r#"<circle cx="10" cy="10" r="7"/><path d="m7 10.2 2.2 2.2L13.2 8"/>"#,
            Self::Security => r#"<path d="M10 2.5 16 5v4.5c0 3.8-2.5 6.5-6 8-3.5-1.5-6-4.2-6-8V5z"/>"#,
            Self::Device => r#"<rect x="2.5" y="4" width="15" height="9.5" rx="1.5"/><path d="M7 17h6m-3-3.5V17"/>"#,
            Self::Members => {
                r#"<circle cx="7.5" cy="7" r="2.5"/><path d="M2.5 16c.4-2.9 2.3-4.5 5-4.5s4.6 1.6 5 4.5M12.5 4.7a2.5 2.5 0 0 1 0 4.6m1.5 2.6c2 .5 3.2 1.9 3.5 4.1"/>"#
            }
            Self::Roles => {
                r#"<path d="M3 5.5h9m-9 4.5h6m-6 4.5h5"/><circle cx="14" cy="12" r="3"/><path d="m14 15 0 3"/>"#
            }
            Self::Api => r#"<path d="m6.5 6-4 4 4 4m7-8 4 4-4 4m-2-10-3 12"/>"#,
            Self::Policy => r#"<path d="M5 2.5h7l3 3v12H5zM7.5 9h5m-5 3h5m-5 3h3"/>"#,
            Self::Settings => {
                r#"<path d="M3 6h8m4 0h2M3 14h2m4 0h8"/><circle cx="13" cy="6" r="2"/><circle cx="7" cy="14" r="2"/>"#
            }
            Self::Audit => r#"<path d="M5 2.5h7l3.5 3.5v11.5H5zM12 2.5V6h3.5M8 9.5h4.5M8 12h4.5M8 14.5h3"/>"#,
            Self::Explain => {
                r#"<circle cx="10" cy="10" r="7.5"/><path d="M7.8 7.8A2.3 2.3 0 0 1 10 6.2c1.3 0 2.3.8 2.3 2s-2.3 1.6-2.3 3M10 13.8v.1"/>"#
            }
            Self::Robot => {
                r#"<rect x="3.5" y="7" width="13" height="9.5" rx="2"/><path d="M10 7V3.5M7.5 11v1.5m5-1.5v1.5M1.5 11v2.5m17-2.5v2.5"/>"#
            }
            Self::Organization => {
                r#"<path d="M4 17V4.5A1.5 1.5 0 0 1 5.5 3h5A1.5 1.5 0 0 1 12 4.5V17m0-9h3.5A1.5 1.5 0 0 1 17 9.5V17M2.5 17h15M7 7h2m-2 3.5h2"/>"#
            }
        }
    }
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        write!(
            f,
            r#"<svg class="icon" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{lines}</svg>"#
        )
    }
}

/// It writes nothing but what stands here.
impl HtmlSafe for Icon {}
