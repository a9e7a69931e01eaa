//! What an operator has set for one of the sites: a seed decides.

use crate::world::World;
use lastmile_edge::site::{Site, Sites};
use lastmile_http::cache::key::{KeyRules, QueryRule};
use lastmile_http::cache::stale::SiteDefaults;
use lastmile_http::cache::storable::SetCookie;
use lastmile_http::time::DeltaSeconds;

/// The host whose site has settings. All others have the default.
pub const TUNED: &str = "tuned.test";

/// Settings as the oracle reads them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub ignores_clients: bool,
    pub error_lifetime: u64,
    pub while_revalidate: u64,
    pub if_error: u64,
    pub withholds_cookies: bool,
    /// The parameter `utm` is in no key.
    pub drops_utm: bool,
    /// X-Group is in the key.
    pub groups: bool,
    pub shows_key: bool,
}

impl Settings {
    pub fn random(world: &World) -> Self {
        let seconds = |max: u64| if world.chance(500) { 1 + world.random(max) } else { 0 };
        Self {
            ignores_clients: world.chance(300),
            error_lifetime: seconds(10),
            while_revalidate: seconds(20),
            if_error: seconds(60),
            withholds_cookies: world.chance(500),
            drops_utm: world.chance(500),
            groups: world.chance(500),
            shows_key: world.chance(200),
        }
    }

    /// Those that hold for a host.
    pub fn of(&self, host: &str) -> Self {
        if host == TUNED { *self } else { Self::default() }
    }

    pub fn sites(&self) -> Sites {
        let seconds = |seconds: u64| DeltaSeconds(seconds as u32);
        let query =
            if self.drops_utm { QueryRule::Except(vec!["utm".into()]) } else { QueryRule::All };
        let fields = if self.groups { vec!["x-group".into()] } else { Vec::new() };
        let key = KeyRules { query, fields, ..KeyRules::default() };
        let set_cookie =
            if self.withholds_cookies { SetCookie::Withhold } else { SetCookie::Store };
        let defaults = SiteDefaults {
            stale_while_revalidate: seconds(self.while_revalidate),
            stale_if_error: seconds(self.if_error),
            error_lifetime: seconds(self.error_lifetime),
        };
        let site = Site {
            hosts: vec![TUNED.into()],
            key,
            ignore_client_directives: self.ignores_clients,
            set_cookie,
            defaults,
            show_key: self.shows_key,
            ..Site::default()
        };
        Sites::new(vec![site]).unwrap()
    }
}
