//! Links: what they are like both ways, or one way, and what they become over time.

use super::Wrong;
use super::fields::{Field, Fields};
use super::place::{HostSettings, check_name, host};
use crate::wan::link::{Burst, Change, Conditions};
use crate::wan::topology::LinkSettings;
use std::time::Duration;

/// Links of a scene, each with two devices.
const LINKS_MAX: usize = 64;

/// Scripts and changes of a link: each packet is compared with each.
const ENTRIES_MAX: usize = 64;

/// Delays and times of changes: beyond that a measurement would take all day.
const TIME_MAX: Duration = Duration::from_secs(600);

/// All links.
pub(super) fn links(
    field: Option<&Field<'_>>,
    hosts: &[HostSettings],
) -> Result<Vec<LinkSettings>, Wrong> {
    let Some(field) = field else { return Ok(Vec::new()) };
    let named = field.named()?;
    if named.len() > LINKS_MAX {
        return Err(field.wrong(&format!("at most {LINKS_MAX} links")));
    }
    named.iter().map(|(name, field)| link(name, field, hosts)).collect()
}

fn link(name: &str, field: &Field<'_>, hosts: &[HostSettings]) -> Result<LinkSettings, Wrong> {
    check_name(name, field)?;
    let fields = field.fields()?;
    let ends = ends(&fields.need("ends", "[\"client\", \"origin\"]")?, hosts)?;
    let both = conditions(&fields, Conditions::default())?;
    let changes = changes_in(&fields)?;
    let way = |key| -> Result<Conditions, Wrong> {
        let (mut way, mut changes) = (both.clone(), changes.clone());
        if let Some(field) = fields.get(key) {
            let fields = field.fields()?;
            way = conditions(&fields, way)?;
            let own = changes_in(&fields)?;
            if !own.is_empty() {
                changes = own;
            }
            fields.end()?;
        }
        way.changes = later(&changes, &way)?;
        Ok(way)
    };
    let (forth, back) = (way("forth")?, way("back")?);
    fields.end()?;
    Ok(LinkSettings { name: name.to_owned(), ends, forth, back })
}

fn ends(field: &Field<'_>, hosts: &[HostSettings]) -> Result<[String; 2], Wrong> {
    match field.list(2)?.as_slice() {
        [a, b] => {
            let ends = [host(a, hosts)?, host(b, hosts)?];
            match ends[0] == ends[1] {
                true => Err(b.wrong("another host than the first one")),
                false => Ok(ends),
            }
        }
        _ => Err(field.wrong("the names of two hosts")),
    }
}

/// `base` with what `fields` say.
fn conditions(fields: &Fields<'_>, base: Conditions) -> Result<Conditions, Wrong> {
    let mut it = base;
    let (rtt, delay) = (fields.get("rtt"), fields.get("delay"));
    match (rtt, delay) {
        (Some(_), Some(delay)) => return Err(delay.wrong("either rtt or delay")),
        (Some(rtt), None) => it.delay = rtt.duration(TIME_MAX)? / 2,
        (None, Some(delay)) => it.delay = delay.duration(TIME_MAX)?,
        (None, None) => {}
    }
    if let Some(field) = fields.get("jitter") {
        it.jitter = field.duration(TIME_MAX)?;
    }
    if let Some(field) = fields.get("reorder") {
        it.reorder = field.flag()?;
    }
    if let Some(field) = fields.get("rate") {
        it.rate = Some(field.parsed()?);
    }
    if let Some(field) = fields.get("queue") {
        it.queue = field.parsed()?;
    }
    if let Some(field) = fields.get("loss") {
        it.loss = field.parsed()?;
    }
    if let Some(field) = fields.get("duplicate") {
        it.duplicate = field.parsed()?;
    }
    if let Some(field) = fields.get("burst") {
        let fields = field.fields()?;
        it.burst = Some(Burst {
            enter: fields.need("enter", "\"1%\"")?.parsed()?,
            leave: fields.need("leave", "\"25%\"")?.parsed()?,
            loss: fields.need("loss", "\"70%\"")?.parsed()?,
        });
        fields.end()?;
    }
    if let Some(field) = fields.get("drop") {
        it.drops = field.list(ENTRIES_MAX)?.iter().map(Field::parsed).collect::<Result<_, _>>()?;
    }
    Ok(it)
}

fn changes_in<'a>(fields: &Fields<'a>) -> Result<Vec<Field<'a>>, Wrong> {
    fields.get("change").map_or(Ok(Vec::new()), |field| field.list(ENTRIES_MAX))
}

/// Each change on top of those before it.
fn later(changes: &[Field<'_>], way: &Conditions) -> Result<Vec<Change>, Wrong> {
    let mut all: Vec<Change> = Vec::new();
    for field in changes {
        let fields = field.fields()?;
        let at_field = fields.need("at", "\"2s\"")?;
        let at = at_field.duration(TIME_MAX)?;
        if all.last().is_some_and(|before| before.at >= at) {
            return Err(at_field.wrong("a time after that of the change before"));
        }
        let before = all.last().map_or(way, |before| &before.conditions);
        let conditions = conditions(&fields, before.clone())?;
        fields.end()?;
        all.push(Change { at, conditions });
    }
    Ok(all)
}
