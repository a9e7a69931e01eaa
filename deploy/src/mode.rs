//! `/mode` of the admin server: whether a GSLB is in backup mode and in static mode, and who says so.

use crate::roles::Board;
use hyper::{Method, StatusCode};
use lastmile_gslb::Switch;

/// Answers a request for `/mode`: how it is, or with POST how it is now. Returns status and text.
pub fn answer(method: &Method, query: &str, board: &Board) -> (StatusCode, String) {
    let switches = match *method {
        Method::GET | Method::HEAD => Ok((None, None)),
        Method::POST => switches(query),
        _ => return (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD or POST\n".to_owned()),
    };
    match switches {
        Err(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")),
        Ok((backup, fixed)) => match board.set_modes(backup, fixed) {
            Ok(modes) => (StatusCode::OK, format!("{modes}\n")),
            Err(why) => (StatusCode::CONFLICT, format!("{why}\n")),
        },
    }
}

/// What `backup=on&static=auto` sets.
fn switches(query: &str) -> Result<(Option<Switch>, Option<Switch>), String> {
    let (mut backup, mut fixed) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let switch = match value {
            "on" => Some(Switch::On),
            "off" => Some(Switch::Off),
            "auto" => Some(Switch::Auto),
            _ => None,
        };
        match (key, switch) {
            ("backup", Some(_)) => backup = switch,
            ("static", Some(_)) => fixed = switch,
            _ => {
                let allowed = "backup=on|off|auto, static=on|off|auto";
                return Err(format!("{pair:?} is not understood; allowed: {allowed}"));
            }
        }
    }
    match (backup, fixed) {
        (None, None) => {
            Err("nothing to set; allowed: backup=on|off|auto, static=on|off|auto".into())
        }
        switches => Ok(switches),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::{Role, Running};
    use lastmile_gslb::{Config, ZoneSource};
    use std::time::Duration;

    #[test]
    fn requests() {
        let board = Board::default();
        let (status, text) = answer(&Method::GET, "", &board);
        assert_eq!((status, text.as_str()), (StatusCode::CONFLICT, "no GSLB runs here\n"));
        let text = include_str!("../../gslb/examples/cdn.toml").to_owned();
        let gslb = lastmile_gslb::start(Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            zone: Some(ZoneSource::Inline { name: "cdn.toml".to_owned(), text }),
            ..Config::default()
        })
        .unwrap();
        board.add(Running { name: "gslb".to_owned(), role: Role::Gslb(Box::new(gslb)) });
        for (method, query, status, expected, why) in [
            (Method::GET, "", 200, "backup off (auto), static off (auto), ", "the start"),
            (Method::POST, "", 400, "nothing to set", "no switch"),
            (Method::POST, "backup=yes", 400, "\"backup=yes\" is not understood", "a bad value"),
            (Method::POST, "static", 400, "\"static\" is not understood", "no value"),
            (Method::POST, "lamp=on", 400, "\"lamp=on\" is not understood", "a bad switch"),
            (Method::POST, "backup=on", 200, "backup on (by request), static off (auto)", "on"),
            (Method::POST, "static=on", 200, "backup on (by request), static on (by", "both"),
            (Method::HEAD, "", 200, "backup on (by request), static on (by request)", "kept"),
            (
                Method::POST,
                "backup=auto&static=off",
                200,
                "backup off (auto), static off (by request)",
                "by the rate, for which this file has no threshold",
            ),
            (Method::DELETE, "", 405, "GET, HEAD or POST", "another method"),
        ] {
            let (found, text) = answer(&method, query, &board);
            assert!(text.starts_with(expected), "{why}: {text}");
            assert_eq!(found.as_u16(), status, "{why}");
        }
        board.stop(Duration::ZERO);
    }
}
