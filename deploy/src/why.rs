//! `lastmile gslb why`: which answer a client gets, and why, by files or by what a running GSLB knows.

use crate::cli::WhyFlags;
use crate::failure::Failure;
use crate::node::say;
use lastmile_gslb::{Config, Explanation, Question, ZoneSource, explain_files};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long the admin server may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// What it may say.
const ANSWER_OCTETS_MAX: u64 = 16 << 20;

/// Prints the explanation.
///
/// # Errors
/// [`Failure::Misused`] for a name, a client or a file that is wrong; [`Failure::Failed`] when the running GSLB does
/// not answer.
pub fn run(flags: &WhyFlags) -> Result<(), Failure> {
    let resolver = flags.resolver.map(|address| address.to_string());
    let question = Question {
        name: flags.name.clone(),
        is_resolver: resolver.is_some(),
        client: resolver.or_else(|| flags.client.clone()).unwrap_or_default(),
        v6: flags.rtype == "AAAA",
    };
    if let Some(admin) = flags.admin {
        say(ask(admin, &question, flags.json)?.trim_end());
        return Ok(());
    }
    let config = Config {
        zone: flags.zone.clone().map(ZoneSource::File),
        map: flags.map.clone(),
        ..Config::default()
    };
    let explanation = explain_files(&config, &question);
    let explanation = explanation.map_err(|error| Failure::Misused(error.to_string()))?;
    match flags.json {
        true => say(json(&explanation).trim_end()),
        false => say(explanation.to_string().trim_end()),
    }
    Ok(())
}

/// The explanation as one line of JSON.
#[must_use]
pub fn json(explanation: &Explanation) -> String {
    format!("{}\n", serde_json::json!(explanation))
}

/// What `/why?QUERY` asks, and whether it wants JSON.
///
/// # Errors
/// What is missing or not understood.
pub fn question(query: &str) -> Result<(Question, bool), String> {
    let (mut name, mut client, mut v6, mut is_json) = (None, None, false, false);
    let mut is_resolver = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        match (key, value.as_str()) {
            ("name", _) => name = Some(value),
            ("client" | "resolver", _) => {
                is_resolver = key == "resolver";
                client = Some(value);
            }
            ("type", "A") => v6 = false,
            ("type", "AAAA") => v6 = true,
            ("format", "json") => is_json = true,
            ("format", "text") => is_json = false,
            _ => {
                let allowed = "name, client or resolver, type=A|AAAA, format=text|json";
                return Err(format!("{pair:?} is not understood; allowed: {allowed}"));
            }
        }
    }
    let name = name.ok_or("name is missing")?;
    let client = client.ok_or("client is missing")?;
    Ok((Question { name, client, is_resolver, v6 }, is_json))
}

/// Asks the admin server.
fn ask(admin: SocketAddr, question: &Question, is_json: bool) -> Result<String, Failure> {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (name, client) = (encode(&question.name), encode(&question.client));
    let rtype = if question.v6 { "AAAA" } else { "A" };
    let format = if is_json { "json" } else { "text" };
    let who = if question.is_resolver { "resolver" } else { "client" };
    let target = format!("/why?name={name}&{who}={client}&type={rtype}&format={format}");
    let exchange = || -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&admin, ANSWER_TIME_MAX)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
        // HTTP/1.0: the answer ends with the connection.
        write!(stream, "GET {target} HTTP/1.0\r\nHost: {admin}\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(ANSWER_OCTETS_MAX).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let failed = |why: &str| Failure::Failed(format!("gslb why: {admin}: {why}"));
    let answer = exchange().map_err(|error| failed(&error.to_string()))?;
    let (head, content) = answer.split_once("\r\n\r\n").ok_or_else(|| failed("no HTTP"))?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(content.to_owned()),
        Some("400") => Err(Failure::Misused(content.trim_end().to_owned())),
        _ => Err(failed(head.lines().next().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        let read = question("name=www.a.test&client=2001%3Adb8%3A%3A%2F32&type=AAAA&format=json");
        let (name, client) = ("www.a.test".to_owned(), "2001:db8::/32".to_owned());
        let asked = Question { name, client, is_resolver: false, v6: true };
        assert_eq!(read, Ok((asked.clone(), true)));
        let client = "192.0.2.53".to_owned();
        let asked = Question { client, is_resolver: true, v6: false, ..asked };
        assert_eq!(question("name=www.a.test&resolver=192.0.2.53"), Ok((asked, false)));
        for (query, why) in [
            ("", "name is missing"),
            ("name=a", "client is missing"),
            ("name=a&client=b&type=MX", "\"type=MX\" is not understood"),
            ("name=a&colour=b", "\"colour=b\" is not understood"),
        ] {
            assert!(question(query).unwrap_err().starts_with(why), "{query}");
        }
    }
}
