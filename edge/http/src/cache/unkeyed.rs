//! Request fields by which one client could change what is stored for all.
//!
//! Frameworks read them in place of Host, target, method or address, no cache has them in its key, and responses do not
//! name them in Vary. An origin that is never sent them can't be made to write them into a response that is stored.
//!
//! Collected from J. Kettle, "Practical Web Cache Poisoning" (2018) and "Web Cache Entanglement" (2020), the names that
//! its tool Param Miner tries, H. V. Nguyen et al., "Your Cache Has Fallen" (2019, CPDoS), and what frameworks' manuals
//! say.
//!
//! X-Forwarded-For is not among them: the edge itself says there who asked. Neither are fields that clients use as
//! their specifications intend (Accept-Language, Cookie, Origin, ...): who answers those names them in Vary.
//!
//! RFC 9110 §5.1 has a proxy forward fields that it does not know unless it is configured to block them: this is that
//! configuration, and it is for fetches whose responses may be stored only.

use crate::fields::eq_ignore_case;

/// All whose names begin so are dropped, but for X-Forwarded-For: servers and frameworks make up new ones.
const FORWARDED_PREFIX: &[u8] = b"x-forwarded-";

/// Names in lower case with `-` for `_`, in order, and what those who read them take the value for.
const DROPPED: &[(&str, &str)] = &[
    ("base-url", "the host in links"),
    ("cf-connecting-ip", "the client: behind Cloudflare"),
    ("cf-ipcountry", "the client's country: behind Cloudflare"),
    ("cf-visitor", "the scheme: behind Cloudflare"),
    ("client-ip", "the client: PHP libraries"),
    ("cloudfront-forwarded-proto", "the scheme: behind CloudFront"),
    ("cloudfront-is-desktop-viewer", "the device: behind CloudFront"),
    ("cloudfront-is-mobile-viewer", "the device: behind CloudFront"),
    ("cloudfront-is-smarttv-viewer", "the device: behind CloudFront"),
    ("cloudfront-is-tablet-viewer", "the device: behind CloudFront"),
    ("cloudfront-viewer-country", "the client's country: behind CloudFront"),
    ("destination", "another target: WebDAV (RFC 4918 §10.3), which no GET has"),
    ("device-stock-ua", "User-Agent: detection of mobile devices"),
    ("fastly-client-ip", "the client: behind Fastly"),
    ("fastly-ssl", "the scheme: behind Fastly"),
    ("forwarded", "host, scheme and client (RFC 7239)"),
    ("forwarded-for", "the client: PHP libraries"),
    ("forwarded-host", "the host: before RFC 7239"),
    ("forwarded-proto", "the scheme: before RFC 7239"),
    ("front-end-https", "the scheme: behind Microsoft's proxies"),
    ("http-host", "the host: becomes HTTP_HTTP_HOST"),
    ("http-method-override", "the method: without the X-"),
    ("https", "the scheme: PHP behind some proxies"),
    ("method-override", "the method: without the X-"),
    ("path-info", "the target: gunicorn takes it from proxies"),
    ("profile", "the device: W3C CC/PP, as X-Wap-Profile"),
    ("proxy", "the proxy that the origin uses: becomes HTTP_PROXY (CVE-2016-5385)"),
    ("proxy-host", "the host"),
    ("proxy-url", "the target"),
    ("request-uri", "the target: becomes HTTP_REQUEST_URI"),
    ("script-name", "the path before the application: gunicorn takes it from proxies"),
    ("surrogate-capability", "what this cache can do: the origin would send ESI, unassembled"),
    ("translate", "whether IIS gives the source (f)"),
    ("true-client-ip", "the client: behind Akamai"),
    ("uri", "the target"),
    ("url", "the target"),
    ("wap-profile", "the device: as X-Wap-Profile"),
    ("x-accel-mapping", "where files are: Rack::Sendfile (CVE-2025-61780)"),
    ("x-appengine-city", "the client's city: behind App Engine"),
    ("x-appengine-country", "the client's country: behind App Engine"),
    ("x-appengine-region", "the client's region: behind App Engine"),
    ("x-arr-ssl", "the scheme: behind IIS Application Request Routing"),
    ("x-att-deviceid", "the device: AT&T"),
    ("x-backend-host", "the host"),
    ("x-bolt-phone-ua", "User-Agent: detection of mobile devices"),
    ("x-client-ip", "the client"),
    ("x-client-scheme", "the scheme"),
    ("x-cluster-client-ip", "the client: behind Riverbed and Rackspace"),
    ("x-country-code", "the client's country"),
    ("x-device-user-agent", "User-Agent: detection of mobile devices"),
    ("x-envoy-original-host", "the host: Envoy"),
    ("x-envoy-original-path", "the target: Envoy"),
    ("x-forward-for", "the client: a misspelling that is read"),
    ("x-forward-proto", "the scheme: a misspelling that is read"),
    ("x-forwarded", "host, scheme and client: before RFC 7239"),
    ("x-geo-country", "the client's country"),
    ("x-geoip-country", "the client's country"),
    ("x-host", "the host"),
    ("x-http-destinationurl", "the target"),
    ("x-http-host-override", "the host"),
    ("x-http-method", "the method: Microsoft"),
    ("x-http-method-override", "the method: Google, Rails, Symfony; a GET brings what DELETE says"),
    ("x-http-path-override", "the target"),
    ("x-https", "the scheme"),
    ("x-invoke-output", "the page that is rendered: Next.js inside"),
    ("x-invoke-path", "the page that is rendered: Next.js inside"),
    ("x-invoke-query", "the query: Next.js inside"),
    ("x-invoke-status", "the page of an error: Next.js inside"),
    ("x-matched-path", "the target: Next.js on Vercel"),
    ("x-method-override", "the method"),
    ("x-middleware-prefetch", "an empty page: Next.js (CVE-2023-46298)"),
    ("x-middleware-subrequest", "whether middleware is passed by: Next.js (CVE-2025-29927)"),
    ("x-now-route-matches", "the page that is rendered: Next.js on Vercel (CVE-2024-46982)"),
    ("x-operamini-phone", "the device: Opera Mini"),
    ("x-operamini-phone-ua", "User-Agent: Opera Mini"),
    ("x-original-forwarded-for", "the client: ingress-nginx"),
    ("x-original-host", "the host"),
    ("x-original-method", "the method: forward authentication"),
    ("x-original-proto", "the scheme: ASP.NET"),
    ("x-original-uri", "the target: forward authentication"),
    ("x-original-url", "the target: IIS rewriting, Symfony and Zend (CVE-2018-14773)"),
    ("x-original-user-agent", "User-Agent: detection of mobile devices"),
    ("x-originating-ip", "the client"),
    ("x-proto", "the scheme"),
    ("x-proxy-url", "the target"),
    ("x-real-ip", "the client: behind nginx"),
    ("x-real-scheme", "the scheme: behind nginx"),
    ("x-remote-addr", "the client"),
    ("x-remote-ip", "the client"),
    ("x-request-uri", "the target"),
    ("x-requested-host", "the host"),
    ("x-rewrite-uri", "the target"),
    ("x-rewrite-url", "the target: IIS rewriting, Symfony and Zend (CVE-2018-14773)"),
    ("x-scheme", "the scheme: behind ingress-nginx"),
    ("x-script-name", "the path before the application: WSGI"),
    ("x-sendfile-type", "the field for files: Rack::Sendfile (CVE-2025-61780)"),
    ("x-server-name", "the host"),
    ("x-skyfire-phone", "the device: Skyfire"),
    ("x-ssl", "the scheme"),
    ("x-ucbrowser-device-ua", "User-Agent: UC Browser"),
    ("x-url-scheme", "the scheme: behind Perl's and Ruby's servers"),
    ("x-wap-profile", "the device: W3C CC/PP, which some servers fetch from there"),
    ("x-wap-profile-diff", "the device: changes to X-Wap-Profile"),
];

/// Fields that clients send whose names with `_` are dropped: CGI and what came of it call both `HTTP_USER_AGENT` (RFC
/// 3875 §4.1.18), while Vary, conditions and framing are about the one with `-`.
const MIMICKED: &[&str] = &[
    "cache-control",
    "early-data",
    "keep-alive",
    "max-forwards",
    "proxy-authorization",
    "proxy-connection",
    "save-data",
    "transfer-encoding",
    "upgrade-insecure-requests",
    "user-agent",
    "x-forwarded-for",
    "x-requested-with",
];

/// The same for all whose names begin so.
const MIMICKED_PREFIXES: [&[u8]; 5] =
    [b"accept-", b"access-control-", b"content-", b"if-", b"sec-"];

/// Whether the request field `name`, in any case and with `-` or `_`, is not forwarded when the response may be stored.
///
/// For fields that the site has in its key this does not hold: they can't change what others get.
#[must_use]
pub fn is_dropped(name: &[u8]) -> bool {
    if eq_ignore_case(name, b"x-forwarded-for") {
        return false;
    }
    let is_listed = DROPPED.binary_search_by(|(known, _)| known.bytes().cmp(folded(name))).is_ok();
    is_listed || begins(name, FORWARDED_PREFIX) || (name.contains(&b'_') && is_mimicked(name))
}

fn is_mimicked(name: &[u8]) -> bool {
    MIMICKED_PREFIXES.iter().any(|prefix| begins(name, prefix))
        || MIMICKED.iter().any(|known| known.bytes().eq(folded(name)))
}

fn begins(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && folded(&name[..prefix.len()]).eq(prefix.iter().copied())
}

/// RFC 3875 §4.1.18 says `_` for `-` and upper case for lower: this is the way back.
fn folded(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().map(|octet| if *octet == b'_' { b'-' } else { octet.to_ascii_lowercase() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::is_token;
    use proptest::prelude::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(DROPPED.is_sorted_by(|(one, _), (next, _)| one < next));
        for (name, why) in DROPPED {
            let is_folded = folded(name.as_bytes()).eq(name.bytes());
            assert!(is_token(name.as_bytes()) && is_folded, "{name}");
            assert!(!why.is_empty(), "{name}");
            assert!(is_dropped(name.as_bytes()), "{name}: {why}");
        }
    }

    #[test]
    fn fields() {
        for (name, expected, why) in [
            ("x-forwarded-host", true, "links and redirections to the attacker's host"),
            ("X-Forwarded-Scheme", true, "redirections to itself"),
            ("X-FORWARDED-SSL", true, "any case"),
            ("X-Forwarded-Whatever", true, "any with the prefix"),
            ("X_Forwarded_Host", true, "the same to CGI"),
            ("X-Forwarded_Host", true, "the same to CGI"),
            ("X-Forwarded", true, "without a suffix"),
            ("X-Forwarded-For", false, "the edge's own"),
            ("x-forwarded-for", false, "in any case"),
            ("X_Forwarded_For", true, "beside the edge's own"),
            ("X-Forwarded-Forr", true, "another name"),
            ("Forwarded", true, "RFC 7239"),
            ("X-Original-URL", true, "another target than the key's"),
            ("X-Rewrite-URL", true, "another target than the key's"),
            ("X-HTTP-Method-Override", true, "another method than the request's"),
            ("X_HTTP_Method_Override", true, "the same to CGI"),
            ("Front-End-Https", true, "another scheme"),
            ("Destination", true, "another target"),
            ("Proxy", true, "the origin's proxy"),
            ("Host", false, "the key has it"),
            ("Accept-Language", false, "Vary names it"),
            ("Accept_Language", true, "Vary does not name it"),
            ("User_Agent", true, "Vary does not name it"),
            ("Content_Length", true, "framing does not know it"),
            ("Transfer_Encoding", true, "framing does not know it"),
            ("If_None_Match", true, "a condition that is none of ours"),
            ("User-Agent", false, "Vary names it"),
            ("Cookie", false, "Vary or the site names it"),
            ("Authorization", false, "decides on storing by itself (RFC 9111 §3.5)"),
            ("Origin", false, "Vary names it"),
            ("Referer", false, "as its specification intends"),
            ("Range", false, "understood"),
            ("Via", false, "the edge's own"),
            ("CDN-Loop", false, "must not be removed (RFC 8586 §2)"),
            ("X-Request-Id", false, "changes nothing"),
            ("x_custom", false, "unknown fields are forwarded (RFC 9110 §5.1)"),
            ("x-hosts", false, "another name"),
            ("", false, "no name"),
            ("_", false, "no name of ours"),
        ] {
            assert_eq!(is_dropped(name.as_bytes()), expected, "{name}: {why}");
        }
    }

    proptest! {
        #[test]
        fn spelling_does_not_matter(name in "[a-z_-]{0,20}", index: prop::sample::Index) {
            let known = DROPPED[index.index(DROPPED.len())].0;
            prop_assert!(is_dropped(known.replace('-', "_").to_uppercase().as_bytes()));
            prop_assert_eq!(
                is_dropped(name.as_bytes()),
                is_dropped(name.to_uppercase().as_bytes())
            );
        }

        #[test]
        fn arbitrary_octets_never_panic(name: Vec<u8>) {
            let _ = is_dropped(&name);
        }
    }
}
