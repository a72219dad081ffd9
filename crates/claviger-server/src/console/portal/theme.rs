//! `/portal/theme/…`: a product's colour as a stylesheet, since no page carries a style of its own.
//!
//! It is made from the address alone, which names a colour and nothing else: whoever asks is not looked at, and browsers may keep it.

use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use claviger_core::Color;

use crate::console::page::{asset, version};

const WHITE: Color = Color::new(255, 255, 255);
const BLACK: Color = Color::new(0, 0, 0);

/// What text and links of the product's colour stand on: surface, ground and what is sunken, as `console.css` has them.
const LIGHT: [Color; 3] = [WHITE, Color::new(0xf7, 0xf8, 0xfa), Color::new(0xf1, 0xf3, 0xf6)];
const DARK: [Color; 3] = [Color::new(0x16, 0x19, 0x1f), Color::new(0x0f, 0x11, 0x15), Color::new(0x1d, 0x21, 0x29)];

/// The path of a colour's stylesheet, which changes with what is in it.
pub(crate) fn path(color: Color) -> String {
    format!("/portal/theme/{}.css?v={}", &color.to_string()[1..], version(&css(color)))
}

/// `GET /portal/theme/{file}`: `3550cb.css`.
pub(crate) async fn stylesheet(Path(file): Path<String>) -> Response {
    let color = file.strip_suffix(".css").and_then(|digits| Color::parse(&format!("#{digits}")).ok());
    match color {
        Some(color) => asset("text/css; charset=utf-8", css(color)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The colour as it is above the page, and shades of it that can be read where text is, in light and in dark.
fn css(own: Color) -> String {
    let shades = |accent: Color, away: Color, ground: Color, on: &str| {
        let (strong, soft) = (accent.mixed(away, 25), accent.mixed(ground, 88));
        format!("--accent: {accent}; --accent-strong: {strong}; --accent-soft: {soft}; --on-accent: {on};")
    };
    let light = shades(own.readable_on(&LIGHT, BLACK), BLACK, WHITE, "#ffffff");
    let dark = shades(own.readable_on(&DARK, WHITE), WHITE, DARK[0], "#0d1117");
    format!(":root {{ --product: {own}; {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a variable, in light and in dark.
    fn variables(css: &str, name: &str) -> Vec<Color> {
        let variable = format!("--{name}: ");
        let values = css.split(&variable).skip(1);
        values.map(|rest| Color::parse(rest.split(';').next().unwrap()).unwrap()).collect()
    }

    #[test]
    fn whatever_the_colour_is_links_and_buttons_can_be_read() {
        for own in ["#000000", "#ffffff", "#ffff00", "#777777", "#ff0000", "#00ff88", "#1a1a80", "#f6a5c0"] {
            let css = css(Color::parse(own).unwrap());
            let [accents, strong, on] = ["accent", "accent-strong", "on-accent"].map(|name| variables(&css, name));
            for (index, grounds) in [LIGHT, DARK].into_iter().enumerate() {
                for accent in [accents[index], strong[index]] {
                    let least = grounds.iter().map(|ground| accent.contrast(*ground)).fold(f64::MAX, f64::min);
                    assert!(least >= 4.5 && accent.contrast(on[index]) >= 4.5, "{own}: {css}");
                }
            }
        }
    }

    #[test]
    fn the_grounds_are_those_of_the_stylesheet() {
        let console = include_str!("../../../assets/console.css");
        for (index, grounds) in [LIGHT, DARK].into_iter().enumerate() {
            for (name, ground) in ["surface", "ground", "sunken"].into_iter().zip(grounds) {
                assert_eq!(variables(console, name)[index], ground, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn an_address_names_a_colour_or_nothing() {
        let status = async |file: &str| stylesheet(Path(file.to_owned())).await.status();
        assert_eq!(status("3550cb.css").await, StatusCode::OK);
        for odd in ["", "3550cb", "red.css", "3550c;.css", "#3550cb.css", "..css"] {
            assert_eq!(status(odd).await, StatusCode::NOT_FOUND, "{odd}");
        }
        assert!(path(Color::new(0, 16, 255)).starts_with("/portal/theme/0010ff.css?v="));
    }
}
