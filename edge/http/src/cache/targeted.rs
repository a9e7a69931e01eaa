//! What CDN-Cache-Control says: directives for caches like this one, in place of Cache-Control (RFC 9213).

use super::directives::{ResponseDirectives, names_fields};
use crate::fields::list_members;
use crate::head::Fields;
use crate::time::DeltaSeconds;
use core::convert::Infallible;
use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser, Version};
use std::borrow::Cow;

/// The target list of RFC 9213 §2.2 has this one field.
const FIELD: &str = "cdn-cache-control";

/// The directives of CDN-Cache-Control; `None` when there is none, or it is empty or no dictionary (RFC 9213 §2.1).
pub(super) fn directives(fields: Fields<'_>) -> Option<ResponseDirectives> {
    read(fields, |members| members.directives)
}

/// Visits each field name that a qualified directive of CDN-Cache-Control has; `None` as in [`directives`].
pub(super) fn each_withheld(fields: Fields<'_>, visit: impl FnMut(&[u8])) -> Option<()> {
    read(fields, |members| {
        let lists = [&members.private, &members.no_cache].into_iter().flatten();
        lists.flat_map(|names| list_members(names.as_bytes())).for_each(visit);
    })
}

/// Parses all lines of the field as one dictionary.
fn read<T>(fields: Fields<'_>, finish: impl FnOnce(&Members<'_>) -> T) -> Option<T> {
    let mut lines = fields.all(FIELD);
    let first = lines.next()?;
    let mut joined = Cow::Borrowed(first);
    // RFC 8941 §4.2: lines are combined before they are parsed, so that an empty one is an error.
    for line in lines {
        let joined = joined.to_mut();
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line);
    }
    // RFC 9213 refers to RFC 8941, whose fields do not get the types that came later (RFC 9651 §2).
    let parser = Parser::new(&joined).with_version(Version::Rfc8941);
    let members = parser.parse_dictionary_with_visitor(Members::default()).ok()?;
    // RFC 9213 §2.1: an empty field is ignored.
    (!members.is_empty()).then(|| finish(&members))
}

/// What the dictionary says, as far as it has been read.
#[derive(Debug, Default)]
struct Members<'a> {
    directives: ResponseDirectives,
    /// Field names of a qualified private.
    private: Option<Cow<'a, str>>,
    /// Field names of a qualified no-cache.
    no_cache: Option<Cow<'a, str>>,
}

/// The value of a member, as far as any directive cares.
#[derive(Debug)]
enum Value<'a> {
    Boolean(bool),
    Integer(i64),
    /// A string or a token.
    Text(Cow<'a, str>),
    Other,
}

impl<'a> Members<'a> {
    fn is_empty(&self) -> bool {
        !self.directives.targeted
    }

    /// Takes a member into account. Of duplicates the last counts (RFC 8941 §3.2), so whatever was set is set anew.
    ///
    /// A value of the wrong type is not consumed (RFC 9213 §2.1): the directive is ignored, unless it is one that
    /// restricts. Then its name is meant, as in Cache-Control.
    fn set(&mut self, key: &KeyRef, value: Value<'a>) {
        let read = &mut self.directives;
        read.targeted = true;
        match key.as_str() {
            "max-age" => read.max_age = value.seconds(),
            "s-maxage" => read.s_maxage = value.seconds(),
            "stale-while-revalidate" => read.stale_while_revalidate = value.seconds(),
            "stale-if-error" => read.stale_if_error = value.seconds(),
            "no-store" => read.no_store = value.is_not_false(),
            "must-revalidate" => read.must_revalidate = value.is_not_false(),
            "proxy-revalidate" => read.proxy_revalidate = value.is_not_false(),
            "no-transform" => read.no_transform = value.is_not_false(),
            "public" => read.public = value.is_true(),
            "immutable" => read.immutable = value.is_true(),
            // Not one that only restricts: beside it no-store is disregarded (RFC 9111 §5.2.2.3).
            "must-understand" => read.must_understand = value.is_true(),
            "no-cache" => (read.no_cache, self.no_cache) = value.qualified(),
            "private" => (read.private, self.private) = value.qualified(),
            _ => {}
        }
    }
}

impl<'a> Value<'a> {
    fn is_true(&self) -> bool {
        matches!(self, Self::Boolean(true))
    }

    fn is_not_false(&self) -> bool {
        !matches!(self, Self::Boolean(false))
    }

    fn seconds(&self) -> Option<DeltaSeconds> {
        let Self::Integer(seconds) = self else { return None };
        // Negative is invalid, so stale (RFC 9111 §4.2.1); too large is the largest (§1.2.2).
        let seconds = (*seconds).clamp(0, i64::from(DeltaSeconds::MAX.0));
        u32::try_from(seconds).ok().map(DeltaSeconds)
    }

    /// Whether the directive is unqualified, and the field names if it is qualified. Unclear ones make it unqualified.
    fn qualified(self) -> (bool, Option<Cow<'a, str>>) {
        match self {
            Self::Boolean(is_set) => (is_set, None),
            Self::Text(names) if names_fields(names.as_bytes()) => (false, Some(names)),
            Self::Text(_) | Self::Integer(_) | Self::Other => (true, None),
        }
    }
}

impl<'a> From<BareItemFromInput<'a>> for Value<'a> {
    fn from(item: BareItemFromInput<'a>) -> Self {
        match item {
            BareItemFromInput::Boolean(boolean) => Self::Boolean(boolean),
            BareItemFromInput::Integer(integer) => Self::Integer(integer.into()),
            BareItemFromInput::Token(token) => Self::Text(Cow::Borrowed(token.as_str())),
            BareItemFromInput::String(Cow::Borrowed(string)) => {
                Self::Text(Cow::Borrowed(string.as_str()))
            }
            BareItemFromInput::String(Cow::Owned(string)) => Self::Text(Cow::Owned(string.into())),
            BareItemFromInput::Decimal(_)
            | BareItemFromInput::ByteSequence(_)
            | BareItemFromInput::Date(_)
            | BareItemFromInput::DisplayString(_) => Self::Other,
        }
    }
}

impl<'a> DictionaryVisitor<'a> for Members<'a> {
    type Out = Self;
    type Error = Infallible;

    fn entry(&mut self, key: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Infallible> {
        Ok(Member { members: self, key })
    }

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

/// A member whose value comes next.
struct Member<'m, 'a> {
    members: &'m mut Members<'a>,
    key: &'a KeyRef,
}

impl<'a> EntryVisitor<'a> for Member<'_, 'a> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Infallible> {
        self.members.set(self.key, Value::Other);
        Ok(Ignored)
    }
}

impl<'a> ItemVisitor<'a> for Member<'_, 'a> {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'a>,
    ) -> Result<impl ParameterVisitor<'a, Out = ()>, Infallible> {
        self.members.set(self.key, item.into());
        // RFC 9213 §2.1: parameters are ignored.
        Ok(Ignored)
    }
}

#[cfg(test)]
mod tests;
