//! Runs in which every step counts.

use super::Site;
use crate::ask::{Answer, Ask};
use crate::catalogue::CATALOGUE;
use crate::client::Reading;
use crate::origin::Health;
use std::rc::Rc;

/// How the origin may be when it is not well.
const UNWELL: [Health; 4] =
    [Health::Erring(500), Health::Erring(503), Health::Refusing, Health::Silent];

impl Site {
    fn expect(&self, is_true: bool, what: &str, answer: Option<&Answer>) {
        if !is_true {
            let brief = answer.map_or_else(|| "no answer".to_owned(), Answer::brief);
            self.world.violation(format_args!("{what}: {brief}"));
        }
    }

    /// Requests that are refused, one after the other.
    pub(super) fn talk_nonsense(self: &Rc<Self>) {
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            for _ in 0..8 {
                let ask = site.choice().nonsense();
                site.ask(100, &ask).await;
            }
        });
    }

    /// Spells in which the origin is not well.
    pub(super) fn flap(self: &Rc<Self>) {
        let site = Rc::clone(self);
        self.world.spawn("weather", async move {
            for _ in 0..1 + site.world.random(3) {
                site.world.sleep_ms(site.world.random(12_000)).await;
                site.origin.set_health(*site.world.pick(&UNWELL));
                site.world.sleep_ms(site.world.random(15_000)).await;
                site.origin.set_health(Health::Well);
            }
        });
    }

    /// All ask for the same at the same time, each in his own spelling, and once more while it is fresh: the origin is
    /// asked once.
    pub(super) fn together(self: &Rc<Self>) {
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            let fresh = |path: &&str| {
                ["/page", "/picture", "/closing", "/dripping", "/empty", "/coded"].contains(path)
            };
            let paths: Vec<_> = CATALOGUE.iter().map(|r| r.path).filter(fresh).collect();
            let path = *site.world.pick(&paths);
            for _ in 0..2 {
                for number in 0..4 + site.world.random(16) as u8 {
                    let each = Rc::clone(&site);
                    site.world.spawn("client", async move {
                        let spelled = [
                            path.to_owned(),
                            format!("{path}?"),
                            format!("/%{:x}{}", path.as_bytes()[1], &path[2..]),
                        ];
                        let coding = *each.world.pick(&["br, gzip", "gzip,br", "GZIP;q=1.0, br"]);
                        let host = *each.world.pick(&["site.test", "SITE.test:80"]);
                        let spelling: &String = each.world.pick(&spelled);
                        let ask = Ask::get(spelling);
                        let ask = Ask { host, ..ask.with("Accept-Encoding", coding) };
                        each.ask(number, &ask).await;
                    });
                }
                site.world.sleep_ms(4_000).await;
            }
            let (fetches, _) = site.origin.asked(path);
            if fetches != 1 {
                site.world.violation(format_args!("{fetches} fetches of {path}"));
            }
        });
    }

    /// Many ask for what is stale and may be used meanwhile: all get it at once, and the origin is asked once.
    pub(super) fn crowd(self: &Rc<Self>) {
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            let path = "/reviving";
            site.ask(0, &Ask::get(path)).await;
            site.world.sleep_ms(12_000).await;
            let (_, before) = site.origin.asked(path);
            for number in 0..4 + site.world.random(16) as u8 {
                let each = Rc::clone(&site);
                site.world.spawn("client", async move {
                    let answer = each.ask(number, &Ask::get(path)).await;
                    let is_meanwhile = answer.as_ref().is_some_and(|answer| {
                        answer.is_hit() || answer.any_cache_says("stale-while-revalidate")
                    });
                    each.expect(is_meanwhile, "had to wait", answer.as_ref());
                });
            }
            site.world.sleep_ms(1_500).await;
            let asked = site.origin.asked(path).1 - before;
            if asked > 1 {
                site.world.violation(format_args!("{asked} validations of {path}"));
            }
            // Nobody gets what was made before he asked, where each use needs the origin.
            for number in 0..20 {
                let each = Rc::clone(&site);
                site.world.spawn("client", async move {
                    each.world.sleep_ms(each.world.random(800)).await;
                    each.ask(number, &Ask::get("/asked")).await;
                });
            }
        });
    }

    /// The origin is not well: what may be used instead of an error, and for how long.
    pub(super) fn fail(self: &Rc<Self>) {
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            let paths = ["/lasting", "/must", "/small"];
            for path in paths {
                let answer = site.ask(0, &Ask::get(path)).await;
                site.expect(answer.is_some(), "first", None);
            }
            site.world.sleep_ms(25_000).await;
            site.origin.set_health(*site.world.pick(&UNWELL));
            for path in paths {
                let answer = site.ask(0, &Ask::get(path)).await;
                let status = answer.as_ref().map_or(0, |answer| answer.status);
                let is_stale =
                    answer.as_ref().is_some_and(|answer| answer.any_cache_says("stale-if-error"));
                if path == "/lasting" {
                    site.expect(
                        status == 200 && is_stale,
                        "not instead of an error",
                        answer.as_ref(),
                    );
                } else {
                    site.expect(status >= 500, "no error", answer.as_ref());
                }
            }
            // What the request allows counts as what the response does, but not against what the response forbids.
            for (path, allowed) in [("/small", true), ("/must", false)] {
                let ask = Ask::get(path).with("Cache-Control", "stale-if-error=1000");
                let answer = site.ask(0, &ask).await;
                let status = answer.as_ref().map_or(0, |answer| answer.status);
                let is_right = if allowed { status == 200 } else { status >= 500 };
                site.expect(is_right, "stale-if-error of the request", answer.as_ref());
            }
            site.world.sleep_ms(700_000).await;
            let answer = site.ask(0, &Ask::get("/lasting")).await;
            let status = answer.as_ref().map_or(0, |answer| answer.status);
            site.expect(status >= 500, "stale for ever", answer.as_ref());
            site.origin.set_health(Health::Well);
            site.world.sleep_ms(110_000).await;
            site.ask(0, &Ask::get("/lasting")).await;
            site.world.sleep_ms(3_000).await;
            site.origin.set_health(Health::Erring(503));
            site.ask(0, &Ask::get("/lasting")).await;
            site.origin.set_health(Health::Well);
            site.ask_while_content_is_left().await;
            site.world.sleep_ms(10_000).await;
            for path in paths {
                let answer = site.ask(0, &Ask::get(path)).await;
                let is_new = answer.as_ref().is_some_and(|answer| {
                    answer.status == 200
                        && answer.made_ms().is_some_and(|made_ms| made_ms >= answer.asked_ms)
                });
                site.expect(is_new, "not new though the origin is well", answer.as_ref());
            }
        });
    }

    /// Content that somebody did not want is still on its way: nobody else may get it for a response.
    async fn ask_while_content_is_left(&self) {
        for _ in 0..12 {
            self.world.sleep_ms(self.world.random(60)).await;
            let answer = self.ask(1, &Ask::get("/unstored")).await;
            let is_right = answer.as_ref().is_some_and(|answer| answer.status == 200);
            self.expect(is_right, "what was left on a connection", answer.as_ref());
        }
    }

    /// What was asked for before a change, and comes after it, is not what others get then.
    async fn change_what_arrives(self: &Rc<Self>) {
        let path = "/dripping";
        for number in 20..26 {
            let each = Rc::clone(self);
            self.world.spawn("client", async move {
                each.ask(number, &Ask::get(path).with("Cache-Control", "no-cache")).await;
            });
            self.world.sleep_ms(self.world.random(900)).await;
            let changed_ms = self.world.now_ms();
            let answer = self.ask(0, &Ask::new("DELETE", path)).await;
            self.expect(answer.is_some_and(|answer| answer.status < 300), "no change", None);
            self.world.sleep_ms(3_000).await;
            let answer = self.ask(0, &Ask::get(path)).await;
            let made_ms = answer.as_ref().and_then(Answer::made_ms);
            let is_new = made_ms.is_some_and(|made_ms| made_ms >= changed_ms);
            self.expect(is_new, "made before a change", answer.as_ref());
        }
    }

    /// What a change names is invalidated, and nothing else.
    pub(super) fn change(self: &Rc<Self>) {
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            for coding in ["gzip", "br", "gzip;q=0.5", "gzip, br;q=0.5", "br;q=0.7"] {
                site.ask(0, &Ask::get("/coded").with("Accept-Encoding", coding)).await;
            }
            let asks = [Ask::get("/x/../dripping")];
            site.visit(0, &asks, Reading::Leaves(5_000)).await;
            site.ask_while_content_is_left().await;
            site.change_what_arrives().await;
            let (named, other) = ("/picture-2", "/picture-3");
            let before = [site.ask(0, &Ask::get(named)).await, site.ask(0, &Ask::get(other)).await];
            let (field, invalidates) = *site.world.pick(&[
                ("Location: /picture-2", true),
                ("Content-Location: http://site.test/picture-2", true),
                ("Location: ./x/../picture-2", true),
                ("Location: http://other.test/picture-2", false),
                ("Location: http://site.test:8080/picture-2", false),
                ("Link: </picture-2>", false),
            ]);
            let ask = Ask { content: Some(vec![7; 100]), ..Ask::new("POST", "/small") };
            let ask = ask.with("X-Answer", field).with("Expect", "100-continue");
            let answer = site.ask(0, &ask).await;
            site.expect(answer.is_some_and(|answer| answer.status == 200), field, None);
            let after = [site.ask(0, &Ask::get(named)).await, site.ask(0, &Ask::get(other)).await];
            for (index, is_invalid) in [(0, invalidates), (1, false)] {
                let made = |answer: &Option<Answer>| answer.as_ref().and_then(Answer::made_ms);
                let is_same = made(&before[index]) == made(&after[index]);
                site.expect(is_same != is_invalid, field, after[index].as_ref());
            }
        });
    }

    /// One client changes something again and again while others ask for it, in ways that are answered by fetches of
    /// their own.
    pub(super) fn race(self: &Rc<Self>) {
        let path = *self.world.pick(&["/small", "/picture", "/coded", "/weak", "/parts", "/asked"]);
        for number in 0..2 + self.world.random(5) as u8 {
            let site = Rc::clone(self);
            self.world.spawn("client", async move {
                for _ in 0..6 + site.world.random(6) {
                    site.world.sleep_ms(site.world.random(1_500)).await;
                    let ask = Ask::get(path);
                    let ranges = ["bytes=0-99", "bytes=50-149", "bytes=100-199", "bytes=0-199"];
                    let ask = match site.world.random(8) {
                        _ if path == "/parts" => {
                            site.world.sleep_ms(site.world.random(4_000)).await;
                            ask.with("Range", *site.world.pick(&ranges))
                        }
                        0 => ask.with("Cache-Control", "no-cache"),
                        1 => ask.with("Cache-Control", "max-age=0"),
                        2 => ask.with("Cache-Control", "max-age=1"),
                        3 => ask.with("Range", "bytes=10-99"),
                        4 => ask.with("Range", "bytes=100-199"),
                        5 => Ask { method: "HEAD", ..ask },
                        _ => ask,
                    };
                    site.ask(number, &ask).await;
                }
            });
        }
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            // Who may not repeat a request should not meet an origin that closes without a word.
            let changes = if site.manners.closes == 0 { 6 } else { 0 };
            for _ in 0..changes {
                site.world.sleep_ms(site.world.random(2_000)).await;
                site.ask(200, &Ask::new("DELETE", path)).await;
            }
        });
    }

    /// More than the store holds, for a client that keeps up and one that does not.
    pub(super) fn flood(self: &Rc<Self>) {
        let site = Rc::clone(self);
        self.world.spawn("client", async move {
            let ask = Ask::get("/movie");
            let [eager, slow] = site.client(0).two_at_once(&ask, &ask, Reading::Slow).await;
            eager.iter().for_each(|answer| site.judge(&ask, answer, Reading::Eager));
            // One that falls out of the window is cut off, and notices.
            slow.iter().for_each(|answer| site.judge(&ask, answer, Reading::Leaves(u64::MAX)));
        });
    }
}
