//! What a client asks for: an address in the lab and the octets of a GET.

use crate::wan::error::WanError;
use crate::wan::lab::Lab;
use crate::wan::scenario::Url;
use std::net::SocketAddr;

/// A request that is made again and again.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the server is.
    pub address: SocketAddr,
    /// The head, which is all of it.
    pub octets: Vec<u8>,
}

impl Request {
    /// A GET of `url`. Its Host is the one of the URL, without the port, unless `fields` have another.
    ///
    /// # Errors
    /// A host that the lab has not.
    pub fn new(lab: &Lab, url: &Url, fields: &[(String, String)]) -> Result<Self, WanError> {
        let address = SocketAddr::from((lab.host(&url.host)?.address, url.port));
        Ok(Self { address, octets: head(url, fields).into_bytes() })
    }
}

fn head(url: &Url, fields: &[(String, String)]) -> String {
    let mut head = format!("GET {} HTTP/1.1\r\n", url.target);
    // RFC 9110 §7.2: there is one in each request. The name alone: ports are a matter of the lab, not of the site.
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {}\r\n", url.host));
    }
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let url = Url { host: "edge".to_owned(), port: 8080, target: "/a?b".to_owned() };
        assert_eq!(head(&url, &[]), "GET /a?b HTTP/1.1\r\nHost: edge\r\n\r\n");
        let fields = [("host".to_owned(), "www.customer.test".to_owned())];
        assert_eq!(head(&url, &fields), "GET /a?b HTTP/1.1\r\nhost: www.customer.test\r\n\r\n");
    }
}
