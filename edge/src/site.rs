//! What an operator sets for one site: the requests for some host names.

use ahash::RandomState;
use lastmile_http::cache::key::KeyRules;
use lastmile_http::cache::stale::SiteDefaults;
use lastmile_http::cache::storable::SetCookie;
use std::collections::HashMap;

/// Settings of one site. The default is what the RFCs say and nothing more.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Host names without port, in any case; empty for the site of all hosts that no other site names.
    pub hosts: Vec<String>,
    /// What of a request is in the cache key.
    pub key: KeyRules,
    /// Cache-Control and Pragma of requests count for nothing: a client can't make this cache ask the origin.
    pub ignore_client_directives: bool,
    /// What becomes of responses with Set-Cookie.
    pub set_cookie: SetCookie,
    /// Lifetimes where a response says nothing.
    pub defaults: SiteDefaults,
    /// Requests may switch to another protocol, such as WebSocket, and are tunnelled then (RFC 9110 §7.8).
    pub upgrade: bool,
    /// Cache-Status shows the cache key (RFC 9211 §2.7).
    pub show_key: bool,
}

/// The sites of an edge.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    default: Site,
    named: Vec<Site>,
    by_host: HashMap<Box<[u8]>, usize, RandomState>,
}

impl Sites {
    /// The sites `all`, at most one of them without hosts: the one for all other hosts.
    ///
    /// # Errors
    /// One sentence that names the host that two sites have, or says that two sites have none.
    pub fn new(all: Vec<Site>) -> Result<Self, String> {
        let mut sites = Self::default();
        let mut has_default = false;
        for site in all {
            if site.hosts.is_empty() {
                if core::mem::replace(&mut has_default, true) {
                    return Err("two sites without hosts: only one can be the default".to_owned());
                }
                sites.default = site;
                continue;
            }
            for host in &site.hosts {
                let host: Box<[u8]> = host.to_ascii_lowercase().into_bytes().into();
                if sites.by_host.insert(host.clone(), sites.named.len()).is_some() {
                    let host = String::from_utf8_lossy(&host);
                    return Err(format!("host {host:?} belongs to two sites"));
                }
            }
            sites.named.push(site);
        }
        Ok(sites)
    }

    /// The site of `authority`: `host` or `host:port`, in any case.
    pub(crate) fn of(&self, authority: &[u8]) -> &Site {
        if self.named.is_empty() {
            return &self.default;
        }
        let end = authority.iter().rposition(|&octet| octet == b':' || octet == b']');
        let host = match end {
            Some(colon) if authority[colon] == b':' => &authority[..colon],
            _ => authority,
        };
        let index = self.by_host.get(host).or_else(|| {
            let lower = host.iter().any(u8::is_ascii_uppercase).then(|| host.to_ascii_lowercase());
            lower.and_then(|lower| self.by_host.get(&lower[..]))
        });
        index.map_or(&self.default, |&index| &self.named[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(hosts: &[&str]) -> Site {
        Site { hosts: hosts.iter().map(|&host| host.to_owned()).collect(), ..Site::default() }
    }

    #[test]
    fn a_host_has_one_site() {
        let sites = Sites::new(vec![site(&["A.test", "b.test"]), site(&["[::1]"])]).unwrap();
        for (authority, host, why) in [
            ("a.test", Some("A.test"), "as named"),
            ("A.TEST:8080", Some("A.test"), "any case, any port"),
            ("b.test", Some("A.test"), "the second name"),
            ("[::1]:80", Some("[::1]"), "a literal address with a port"),
            ("[::1]", Some("[::1]"), "and without"),
            ("c.test", None, "the default"),
            ("", None, "HTTP/1.0 without Host"),
        ] {
            let found = sites.of(authority.as_bytes()).hosts.first().map(String::as_str);
            assert_eq!(found, host, "{why}");
        }
    }

    #[test]
    fn sites_that_contradict_each_other_are_refused() {
        let twice = Sites::new(vec![site(&["a.test"]), site(&["A.test"])]).unwrap_err();
        assert!(twice.contains("a.test"), "{twice}");
        assert!(Sites::new(vec![site(&[]), site(&[])]).is_err());
        assert!(Sites::new(vec![site(&[]), site(&["a.test"])]).is_ok());
    }
}
