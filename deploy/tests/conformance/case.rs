//! The language of the tables: a case is a row of requests for one path, each with what the upstream would answer and
//! what must come of it.
//!
//! In fields, targets and contents `{path}` is the path of the case, and `{now-60}` and the like are dates (`moment`).
//! What the upstream sends has a Date of its own, unless the fields have one or the line `-Date`, and a
//! Content-Length, unless they have it or a Transfer-Encoding.

use std::time::Duration;

/// Requests for one path.
pub(crate) struct Case {
    /// Unique; the path is `/` and this.
    pub(crate) name: String,
    /// The section that says so.
    pub(crate) citation: String,
    pub(crate) why: String,
    pub(crate) steps: Vec<Step>,
    /// From this step on the upstream takes no connections; such cases have an edge for themselves.
    pub(crate) refused_from: Option<usize>,
}

/// A case without steps.
pub(crate) fn case(name: impl Into<String>, citation: impl Into<String>, why: &str) -> Case {
    Case {
        name: name.into(),
        citation: citation.into(),
        why: why.to_owned(),
        steps: Vec::new(),
        refused_from: None,
    }
}

impl Case {
    pub(crate) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// All further steps find the upstream gone.
    pub(crate) fn upstream_gone(mut self) -> Self {
        self.refused_from = Some(self.steps.len());
        self
    }
}

/// A request, what the upstream would answer, and what is expected.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) host: &'static str,
    pub(crate) fields: Vec<String>,
    pub(crate) content: Option<&'static str>,
    pub(crate) pause: Duration,
    pub(crate) answer: Answer,
    /// What it answers when it is asked again in this step.
    pub(crate) further: Option<Answer>,
    pub(crate) checks: Vec<Check>,
    /// Whether the request is repeated until all is as expected: for what happens behind an answer.
    pub(crate) repeats: bool,
}

/// What the upstream does when it is asked.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<String>,
    /// `None` for one that no other step of any case has.
    pub(crate) content: Option<String>,
    /// Statuses and fields of interim responses before it.
    pub(crate) interim: Vec<(u16, Vec<String>)>,
    pub(crate) manner: Manner,
}

/// How an answer is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Whole.
    Whole,
    /// In chunks.
    Chunked,
    /// In chunks, with the trailer field `X-Trailer: 1`.
    Trailers,
    /// With a status line of HTTP/1.0.
    Old,
    /// In chunks, and closed before the last one.
    ChunkedWithoutEnd,
    /// With neither length nor chunks, ended by the close.
    UntilClose,
    /// With octets missing at the end.
    Cut,
    /// Closed without an answer.
    Close,
    /// Reset without an answer.
    Reset,
    /// Whole, after more than two seconds.
    Late,
    /// Nothing, with the connection open.
    Silence,
    /// Request fields and target are the content.
    Echo,
}

/// What is expected.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// The upstream was not asked in this step.
    NotAsked,
    /// It was.
    Asked,
    /// It was asked, or will be while nobody waits for it.
    AskedBehind,
    /// Status and content are those of the answer of this step, counted from 1.
    Of(usize),
    /// Instead of the status of the answer.
    Status(u16),
    /// Instead of the content of the answer.
    Content(String),
    /// A part of the content.
    ContentHas(String),
    /// Something that the content has not.
    ContentLacks(String),
    /// The value of a field, with those of several lines joined by commas.
    Field(&'static str, String),
    /// A part of a field's value.
    FieldHas(&'static str, String),
    /// Something that a field's value has not.
    FieldLacks(&'static str, String),
    /// A field that there is not.
    NoField(&'static str),
    /// A field, whatever its value.
    AnyField(&'static str),
    /// Age.
    AgeAtLeast(u64),
    /// Age, with much room for a machine that is slow.
    AgeAtMost(u64),
    /// The value of a field of the request that the upstream has received.
    Received(&'static str, String),
    /// A field that it has not received.
    NotReceived(&'static str),
    /// The request line that it has received.
    ReceivedLine(String),
    /// An interim response with this status came before.
    Interim(u16),
    /// None came.
    NoInterim,
    /// The content is cut short, and can be seen to be.
    CutShort,
}

fn owned<const N: usize>(lines: [&str; N]) -> Vec<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}

/// A request with this method.
pub(crate) fn method(method: &'static str) -> Step {
    Step {
        method,
        target: "{path}".to_owned(),
        host: "www.customer.test",
        fields: Vec::new(),
        content: None,
        pause: Duration::ZERO,
        answer: ok([]),
        further: None,
        checks: Vec::new(),
        repeats: false,
    }
}

pub(crate) fn get() -> Step {
    method("GET")
}

pub(crate) fn head() -> Step {
    method("HEAD")
}

/// The request.
impl Step {
    /// For the path of the case with this behind it.
    pub(crate) fn at(mut self, suffix: &str) -> Self {
        self.target = format!("{{path}}{suffix}");
        self
    }

    /// For this target, which has `{path}` in it.
    pub(crate) fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    pub(crate) fn host(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    /// With these field lines.
    pub(crate) fn with<const N: usize>(mut self, lines: [&str; N]) -> Self {
        self.fields.extend(owned(lines));
        self
    }

    pub(crate) fn content(mut self, content: &'static str) -> Self {
        self.content = Some(content);
        self
    }

    /// After a pause.
    pub(crate) fn after_ms(mut self, milliseconds: u64) -> Self {
        self.pause = Duration::from_millis(milliseconds);
        self
    }

    /// What the upstream would answer.
    pub(crate) fn answer(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    /// What it would answer to a second question, instead of the same again, or at once to one without Range if the
    /// first answer is a part.
    pub(crate) fn further(mut self, answer: Answer) -> Self {
        self.further = Some(answer);
        self
    }
}

/// What is expected of it.
impl Step {
    pub(crate) fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// The answer of an earlier step, counted from 1, without a question to the upstream.
    pub(crate) fn hit(self, step: usize) -> Self {
        self.check(Check::NotAsked).check(Check::Of(step))
    }

    /// This step's own answer.
    pub(crate) fn miss(self) -> Self {
        self.check(Check::Asked).check(Check::Of(0))
    }

    /// The answer of an earlier step, after a question to the upstream.
    pub(crate) fn confirmed(self, step: usize) -> Self {
        self.check(Check::Asked).check(Check::Of(step))
    }

    /// No answer of the upstream: a response of the cache itself.
    pub(crate) fn own(self, status: u16) -> Self {
        self.check(Check::Status(status)).check(Check::AnyField("cache-status"))
    }

    pub(crate) fn status(self, status: u16) -> Self {
        self.check(Check::Status(status))
    }

    pub(crate) fn shows(self, content: &str) -> Self {
        self.check(Check::Content(content.to_owned()))
    }

    pub(crate) fn has(self, name: &'static str, value: &str) -> Self {
        self.check(Check::Field(name, value.to_owned()))
    }

    pub(crate) fn says(self, name: &'static str, part: &str) -> Self {
        self.check(Check::FieldHas(name, part.to_owned()))
    }

    /// The content has this in it.
    pub(crate) fn contains(self, part: &str) -> Self {
        self.check(Check::ContentHas(part.to_owned()))
    }

    /// Without a word to the upstream, whatever comes.
    pub(crate) fn not_asked(self) -> Self {
        self.check(Check::NotAsked)
    }

    pub(crate) fn asked(self) -> Self {
        self.check(Check::Asked)
    }

    pub(crate) fn lacks(self, name: &'static str) -> Self {
        self.check(Check::NoField(name))
    }

    pub(crate) fn received(self, name: &'static str, value: &str) -> Self {
        self.check(Check::Received(name, value.to_owned()))
    }

    pub(crate) fn not_received(self, name: &'static str) -> Self {
        self.check(Check::NotReceived(name))
    }

    /// Repeated until it is so.
    pub(crate) fn eventually(mut self) -> Self {
        self.repeats = true;
        self
    }
}

pub(crate) fn answer<const N: usize>(status: u16, fields: [&str; N]) -> Answer {
    Answer {
        status,
        fields: owned(fields),
        content: None,
        interim: Vec::new(),
        manner: Manner::Whole,
    }
}

pub(crate) fn ok<const N: usize>(fields: [&str; N]) -> Answer {
    answer(200, fields)
}

/// 304
pub(crate) fn not_modified<const N: usize>(fields: [&str; N]) -> Answer {
    answer(304, fields)
}

/// None, in this manner.
pub(crate) fn fails(manner: Manner) -> Answer {
    ok([]).sent(manner)
}

impl Answer {
    /// With the lines that a table has.
    pub(crate) fn lines(mut self, lines: &[&str]) -> Self {
        self.fields.extend(lines.iter().map(|&line| line.to_owned()));
        self
    }

    pub(crate) fn content(mut self, content: &str) -> Self {
        self.content = Some(content.to_owned());
        self
    }

    pub(crate) fn sent(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    pub(crate) fn interim<const N: usize>(mut self, status: u16, fields: [&str; N]) -> Self {
        self.interim.push((status, owned(fields)));
        self
    }
}

/// Whether a second request is answered from the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// As the first one was.
    Hit,
    /// The upstream is asked, and its answer, which is another one, is given.
    Asked,
}

/// The same request twice: what the first answer, with this status and these fields, means for the second.
pub(crate) fn twice(
    (name, citation, why): (String, &str, &str),
    status: u16,
    fields: &[&str],
    reuse: Reuse,
) -> Case {
    let first = answer(status, []).lines(fields);
    let second = get().answer(answer(status, []).lines(fields));
    case(name, citation, why).step(get().answer(first).miss()).step(match reuse {
        Reuse::Hit => second.hit(1).says("cache-status", "; hit"),
        Reuse::Asked => second.miss().says("cache-status", "; fwd="),
    })
}
