//! Databases of countries, cities and AS numbers as the map: made here, asked by `dig`.

#![allow(clippy::unwrap_used)] // Clippy's exception for tests does not reach what they call.

mod mmdb;

use lastmile_gslb::{Config, ZoneSource, check, start};
use mmdb::{Database, Value};
use std::process::Command;
use std::time::Duration;

const ZONE: &str = r#"
[[zone]]
name = "cdn.test"
records = "@ SOA ns.cdn.test. admin.cdn.test. 1 3600 600 86400 30\n@ NS ns.cdn.test.\n"
[[region]]
name = "rest"
[[region]]
name = "eu"
[[region]]
name = "berlin"
prefixes = ["192.0.2.0/28"]
[[region]]
name = "us-west"
[[region]]
name = "isp"
[[edge]]
name = "rest"
region = "rest"
addresses = ["192.0.2.1"]
[[edge]]
name = "eu"
region = "eu"
addresses = ["192.0.2.2"]
[[edge]]
name = "berlin"
region = "berlin"
addresses = ["192.0.2.3"]
[[edge]]
name = "us-west"
region = "us-west"
addresses = ["192.0.2.4"]
[[edge]]
name = "isp"
region = "isp"
addresses = ["192.0.2.5"]
[[steer]]
name = "www.cdn.test"
default_region = "rest"
"#;

const IMPORTS: &str = r#"
[[import]]
file = "city.mmdb"
rules = [
    { within_km = 100, of = [52.5, 13.4], region = "berlin" },
    { country = ["DE", "AT"], region = "eu" },
    { continent = ["EU"], region = "eu" },
    { subdivision = ["US-CA", "US-OR"], region = "us-west" },
    { country = ["US"], city = ["Reno"], region = "us-west" },
]
[[import]]
file = "asn.mmdb"
rules = [{ asn = [64500], region = "isp" }]
"#;

fn place(continent: &'static str, country: &'static str, part: &'static str) -> Value {
    let code = |key, code| Value::Map(vec![(key, Value::Text(code))]);
    Value::Map(vec![
        ("continent", code("code", continent)),
        ("country", code("iso_code", country)),
        ("subdivisions", Value::Array(vec![code("iso_code", part)])),
    ])
}

fn city(country: &'static str, name: &'static str, latitude: f64, longitude: f64) -> Value {
    let names = Value::Map(vec![("de", Value::Text("?")), ("en", Value::Text(name))]);
    let location = vec![
        ("latitude", Value::Double(latitude)),
        ("longitude", Value::Double(longitude)),
        ("time_zone", Value::Text("a text of more than twenty-eight octets")),
    ];
    Value::Map(vec![
        ("city", Value::Map(vec![("names", names)])),
        ("country", Value::Map(vec![("iso_code", Value::Text(country))])),
        ("location", Value::Map(location)),
    ])
}

fn cities() -> Database {
    let mut database = Database::new();
    database.add("10.0.0.0/9", &place("EU", "DE", "BY"));
    database.add("10.128.0.0/9", &place("EU", "AT", "9"));
    database.add("11.0.0.0/16", &city("DE", "Potsdam", 52.4, 13.06));
    database.add("11.1.0.0/16", &place("NA", "US", "CA"));
    database.add("11.2.0.0/16", &place("NA", "US", "NY"));
    database.add("11.3.0.0/16", &city("US", "Reno", 39.5, -119.8));
    database.add("192.0.2.0/24", &place("EU", "FR", "IDF"));
    database.add("2001:db8::/32", &place("EU", "FR", "IDF"));
    database.alias("2002::/16");
    database
}

fn numbers() -> Database {
    let mut database = Database::new();
    let number = |number| Value::Map(vec![("autonomous_system_number", Value::Number(number))]);
    database.add("10.1.0.0/16", &number(64500));
    database.add("10.2.0.0/16", &number(64501));
    database.add("2001:db8:1::/48", &number(64500));
    database
}

/// A configuration with this zone file in `folder`.
fn config(folder: &tempfile::TempDir, text: &str) -> Config {
    let path = folder.path().join("cdn.toml");
    std::fs::write(&path, text).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    Config { listen, zone: Some(ZoneSource::File(path)), ..Config::default() }
}

#[test]
fn dig_gets_the_edge_of_the_country_the_city_or_the_provider() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("city.mmdb"), cities().octets()).unwrap();
    std::fs::write(folder.path().join("asn.mmdb"), numbers().octets()).unwrap();
    let map = folder.path().join("map.csv");
    std::fs::write(&map, "11.1.128.0/17,rest\n10.1.5.0/24,berlin\n").unwrap();
    let config = Config { map: Some(map), ..config(&folder, &format!("{ZONE}{IMPORTS}")) };
    let summary = check(&config).unwrap();
    assert_eq!(summary.prefixes, 6 + 2 + 2 + 1, "10.0.0.0/8 is one");
    let server = start(config).unwrap();
    for (subnet, address, scope, why) in [
        ("10.9.0.0/16", "192.0.2.2", "/13", "the country; Germany and Austria are one prefix"),
        ("10.200.0.0/16", "192.0.2.2", "/9", "so the scope is short"),
        ("10.1.0.0/24", "192.0.2.5", "/22", "the provider, whose database comes later"),
        ("10.2.0.0/24", "192.0.2.2", "/15", "another provider, for which there is no rule"),
        ("10.1.5.0/24", "192.0.2.3", "/24", "the CSV is above all databases"),
        ("11.0.0.0/24", "192.0.2.3", "/16", "a city within 100 km: the first rule counts"),
        ("11.1.0.0/24", "192.0.2.4", "/17", "the subdivision"),
        ("11.1.200.0/24", "192.0.2.1", "/17", "a shorter prefix of the CSV, within it"),
        ("11.2.0.0/24", "192.0.2.1", "/16", "no rule: the default region"),
        ("11.3.0.0/24", "192.0.2.4", "/16", "the city"),
        ("192.0.2.7/32", "192.0.2.3", "/28", "the zone file is above databases too"),
        ("192.0.2.77/32", "192.0.2.2", "/26", "beside it the database counts"),
        ("2001:db8::/48", "192.0.2.2", "/48", "IPv6"),
        ("2001:db8:1::/48", "192.0.2.5", "/48", "the provider's"),
        ("2002:a00::/40", "192.0.2.1", "/15", "6to4: no network of its own"),
    ] {
        let output = Command::new("dig")
            .args(["@127.0.0.1", "-p", &server.address().port().to_string()])
            .args(["+tries=3", "+time=5", "+noall", "+comments", "+answer", "www.cdn.test"])
            .arg(format!("+subnet={subnet}"))
            .env("HOME", "/nonexistent")
            .output()
            .expect("these tests need `dig`: apt-get install bind9-dnsutils");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(&format!("\t{address}\n")), "{subnet}: {why}: {text}");
        assert!(text.contains(&format!("CLIENT-SUBNET: {subnet}{scope}\n")), "{why}: {text}");
    }
    server.stop(Duration::ZERO);
}

#[test]
fn what_is_wrong_with_a_rule_or_a_database_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let octets = cities().octets();
    for (name, octets) in [
        ("city.mmdb", &octets[..]),
        ("short.mmdb", &octets[..octets.len() - 40]),
        ("text.mmdb", b"10.0.0.0/8,eu\n"),
    ] {
        std::fs::write(folder.path().join(name), octets).unwrap();
    }
    let mut odd = Database::new();
    odd.add("10.0.0.0/8", &Value::Map(vec![("country", Value::Text("DE"))]));
    std::fs::write(folder.path().join("odd.mmdb"), odd.octets()).unwrap();
    let line = ZONE.lines().count() + 3;
    for (file, rules, expected, why) in [
        ("city.mmdb", "", "import.file: \"city.mmdb\" has no `rules`".to_owned(), "no rules"),
        (
            "city.mmdb",
            "{ country = [\"DE\"], region = \"europe\" }",
            format!(
                "cdn.toml:{line}: import.rules.region: \"europe\" is not a region; allowed: rest, eu"
            ),
            "an unknown region",
        ),
        (
            "city.mmdb",
            "{ country = [\"Germany\"], region = \"eu\" }",
            format!("cdn.toml:{line}: import.rules.country: \"Germany\" is not a code"),
            "a name instead of a code",
        ),
        ("city.mmdb", "{ continent = [\"EUR\"], region = \"eu\" }", "allowed: AF, AN".into(), ""),
        ("city.mmdb", "{ subdivision = [\"CA\"], region = \"eu\" }", "such as US-CA".into(), ""),
        ("city.mmdb", "{ asn = [0], region = \"eu\" }", "asn: 0 is not allowed".into(), ""),
        ("city.mmdb", "{ region = \"eu\" }", "\"eu\" has no condition".into(), "for all"),
        ("city.mmdb", "{ within_km = 5, region = \"eu\" }", "5.0 needs `of`".into(), "a half"),
        ("city.mmdb", "{ of = [1, 2], region = \"eu\" }", "needs `within_km`".into(), "a half"),
        (
            "city.mmdb",
            "{ within_km = 0, of = [1, 2], region = \"eu\" }",
            "within_km: 0.0 is not allowed; allowed: above 0".into(),
            "no distance",
        ),
        (
            "city.mmdb",
            "{ within_km = 5, of = [91, 2], region = \"eu\" }",
            "of: [91.0, 2.0] is not [latitude, longitude]".into(),
            "beyond the pole",
        ),
        ("city.mmdb", "{ town = [\"A\"], region = \"eu\" }", "unknown field `town`".into(), ""),
        (
            "city.mmdb",
            "{ asn = [64500], region = \"isp\" }",
            "import.file: \"city.mmdb\" has no network that a rule is for".into(),
            "a database that knows nothing of it",
        ),
        (
            "none.mmdb",
            "{ asn = [1], region = \"isp\" }",
            "none.mmdb: cannot read".into(),
            "no file",
        ),
        (
            "text.mmdb",
            "{ asn = [1], region = \"isp\" }",
            "text.mmdb: is no MaxMind DB".into(),
            "CSV",
        ),
        (
            "short.mmdb",
            "{ asn = [1], region = \"isp\" }",
            "short.mmdb: is no MaxMind DB".into(),
            "cut",
        ),
        ("odd.mmdb", "{ country = [\"DE\"], region = \"eu\" }", "odd.mmdb: is no".into(), "layout"),
    ] {
        let text = format!("{ZONE}[[import]]\nfile = \"{file}\"\nrules = [{rules}]\n");
        let error = check(&config(&folder, &text)).unwrap_err().to_string();
        assert!(error.contains(&expected), "{why}: {error}");
    }
}
