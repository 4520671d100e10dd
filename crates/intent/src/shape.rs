//! The shape of the TOML files: which keys, of which types, in which range.
//!
//! The JSON Schema that is published for editors is also what a file is held to: [`read`] walks the
//! file's tree along it and reports every difference with its line, then takes out the entries
//! that do not fit, so that the rest of the file is still read and checked. Only those keywords of
//! JSON Schema are understood that our own schemas use.

use core::cmp::Ordering;
use core::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::File;
use crate::names::{is_invisible, shown};
use crate::problem::{Place, Report, list, nearest};

/// Characters of any text in a file: it is shown on screens and in messages.
const TEXT_MAX: usize = 1000;

/// A value with where it is. Ordered as the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    offset: usize,
    /// The value.
    pub(crate) value: T,
}

impl<T> At<T> {
    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        Place::Offset(self.offset)
    }
}

impl<T: Eq> PartialOrd for At<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Eq> Ord for At<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.offset.cmp(&other.offset)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { offset: spanned.span().start, value: spanned.into_inner() })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// The sites of a virtual network, as its file has them.
#[derive(Debug)]
pub(crate) enum SitesShape {
    /// `"all"`: every site of its organisation.
    All,
    /// A list of codes.
    Codes(Vec<At<String>>),
    /// `{ kinds = […] }`: those of the organisation's sites that are of these kinds.
    Kinds(Vec<At<String>>),
}

impl<'de> Deserialize<'de> for SitesShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SitesForms)
    }
}

/// Tells the forms apart by their type. A derived choice of forms would lose where values are.
struct SitesForms;

impl<'de> Visitor<'de> for SitesForms {
    type Value = SitesShape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`\"all\"`, a list of codes, or `{ kinds = [...] }`")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SitesShape, E> {
        Ok(SitesShape::All)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SitesShape, A::Error> {
        let mut codes = Vec::new();
        while let Some(code) = seq.next_element()? {
            codes.push(code);
        }
        Ok(SitesShape::Codes(codes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SitesShape, A::Error> {
        let mut kinds = Vec::new();
        while map.next_key::<String>()?.is_some() {
            // The file was held to the schema: `kinds` is the only key.
            kinds = map.next_value()?;
        }
        Ok(SitesShape::Kinds(kinds))
    }
}

impl JsonSchema for SitesShape {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sites".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "Every site of the organisation, a list of codes, or the organisation's sites of some kinds.",
            "anyOf": [
                { "type": "string", "enum": ["all"] },
                { "type": "array", "minItems": 1, "items": { "type": "string" } },
                {
                    "type": "object",
                    "properties": {
                        "kinds": { "type": "array", "minItems": 1, "items": { "type": "string" } }
                    },
                    "required": ["kinds"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// The JSON Schema of `network.toml`.
#[must_use]
pub fn schema_network() -> Value {
    schema::<crate::network::NetworkFile>()
}

/// The JSON Schema of `services.toml`.
#[must_use]
pub fn schema_services() -> Value {
    schema::<crate::services::ServicesFile>()
}

/// The JSON Schema of a file. TOML has no null: what may be left out is not nullable, and its
/// default is in its description.
fn schema<T: JsonSchema>() -> Value {
    let mut schema = schemars::schema_for!(T).to_value();
    remove_null(&mut schema);
    schema
}

fn remove_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.remove("default");
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(forms)) = object.get_mut("anyOf") {
                forms.retain(|form| form.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = forms.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.values_mut().for_each(remove_null);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A TOML file as far as it could be read.
pub(crate) struct Read<T> {
    /// Its content without the entries that do not fit.
    pub(crate) content: T,
    /// Top-level keys under which something is missing because it did not fit.
    pub(crate) damaged: Vec<String>,
}

impl<T> Read<T> {
    /// Whether everything under a top-level key could be read.
    pub(crate) fn is_complete(&self, key: &str) -> bool {
        !self.damaged.iter().any(|damaged| damaged == key)
    }
}

/// Reads a TOML file; nothing where it is not even TOML.
pub(crate) fn read<T: DeserializeOwned>(
    report: &mut Report<'_>,
    file: &File,
    schema: &Value,
) -> Option<Read<T>> {
    let (mut document, errors) = DeTable::parse_recoverable(&file.text);
    for error in &errors {
        let place = error.span().map_or(Place::File, |span| Place::Offset(span.start));
        report.error(place, one_line(error.message()));
    }
    if !errors.is_empty() {
        return None;
    }
    normalise_table(document.get_mut());
    let damaged = Shape { root: schema }.prune(report, document.get_mut());
    match T::deserialize(toml::de::Deserializer::from(document)) {
        Ok(content) => Some(Read { content, damaged }),
        Err(error) => {
            let place = error.span().map_or(Place::File, |span| Place::Offset(span.start));
            report.error(place, one_line(error.message()));
            None
        }
    }
}

/// A parser's message as one line that can be shown.
pub(crate) fn one_line(message: &str) -> String {
    let words: Vec<_> = message.lines().map(shown).collect();
    words.join("; ")
}

/// Dates may be written with quotes or without.
fn normalise(value: &mut Spanned<DeValue<'_>>) {
    match value.get_mut() {
        DeValue::Datetime(datetime) => {
            let text = datetime.to_string();
            *value.get_mut() = DeValue::String(text.into());
        }
        DeValue::Array(values) => values.iter_mut().for_each(normalise),
        DeValue::Table(table) => normalise_table(table),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {}
    }
}

fn normalise_table(table: &mut DeTable<'_>) {
    for (_, value) in table.iter_mut() {
        normalise(value);
    }
}

/// A schema and what its references lead to.
struct Shape<'s> {
    root: &'s Value,
}

impl<'s> Shape<'s> {
    /// Follows a reference into the schema's definitions.
    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|path| self.root.pointer(path.trim_start_matches('#')));
        target.unwrap_or(schema)
    }

    /// Reports what does not fit, takes it out, and names the top-level keys it was under.
    fn prune(&self, report: &mut Report<'_>, table: &mut DeTable<'_>) -> Vec<String> {
        self.keys(report, "", Place::File, table, self.root);
        let mut damaged = Vec::new();
        let root = self.root;
        for (key, mut value) in core::mem::take(table) {
            let name = key.get_ref().as_ref();
            let Some(schema) = root.get("properties").and_then(|known| known.get(name)) else {
                continue;
            };
            let before = report.count();
            let keep = self.prune_entries(report, name, &mut value, self.resolve(schema));
            if report.count() > before {
                damaged.push(name.to_owned());
            }
            if keep {
                table.insert(key, value);
            }
        }
        damaged
    }

    /// Under one top-level key: takes out entries of a list or map, or says that all of it must go.
    fn prune_entries(
        &self,
        report: &mut Report<'_>,
        name: &str,
        value: &mut Spanned<DeValue<'_>>,
        schema: &'s Value,
    ) -> bool {
        if let DeValue::Array(values) = value.get_ref()
            && !count_fits(values.len(), schema)
        {
            let message = has_entries(name, values.len());
            let place = Place::Offset(value.span().start);
            report.error(place, message).allow(self.allowed(schema));
            return false;
        }
        let mut fits = |path: &str, value: &Spanned<DeValue<'_>>, schema| {
            let before = report.count();
            self.check(report, path, value, schema);
            report.count() == before
        };
        let members = schema.get("additionalProperties").filter(|members| members.is_object());
        match (value.get_mut(), schema.get("items"), members) {
            (DeValue::Array(values), Some(items), _) => {
                let none = core::iter::empty().collect();
                let all = core::mem::replace(values, none).into_iter();
                *values = all.filter(|value| fits(name, value, items)).collect();
                true
            }
            (DeValue::Table(table), _, Some(members)) => {
                let all = core::mem::take(table).into_iter();
                let path = |key: &str| format!("{name}.{key}");
                *table =
                    all.filter(|(key, value)| fits(&path(key.get_ref()), value, members)).collect();
                true
            }
            _ => fits(name, value, schema),
        }
    }

    /// Reports where a value differs from a schema.
    fn check(
        &self,
        report: &mut Report<'_>,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        schema: &'s Value,
    ) {
        let schema = self.resolve(schema);
        let place = Place::Offset(value.span().start);
        let forms = schema.get("anyOf").and_then(Value::as_array);
        let form = forms.and_then(|forms| forms.iter().find(|form| type_fits(value, form)));
        let schema = form.unwrap_or(schema);
        if forms.is_some() && form.is_none() || !type_fits(value, schema) {
            let message = format!("`{}` is {}", shown(path), article(value.get_ref().type_str()));
            report.error(place, message).allow(self.allowed(schema));
            return;
        }
        match value.get_ref() {
            DeValue::Table(table) => self.table(report, path, place, table, schema),
            DeValue::Array(values) => {
                if !count_fits(values.len(), schema) {
                    let message = has_entries(path, values.len());
                    report.error(place, message).allow(self.allowed(schema));
                }
                for value in values.iter() {
                    if let Some(items) = schema.get("items") {
                        self.check(report, path, value, items);
                    }
                }
            }
            DeValue::String(text) => self.text(report, path, place, text, schema),
            DeValue::Integer(_) | DeValue::Float(_) => {
                if !range_fits(value.get_ref(), schema) {
                    let message = format!("`{}` is out of range", shown(path));
                    report.error(place, message).allow(self.allowed(schema));
                }
            }
            DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
    }

    fn text(
        &self,
        report: &mut Report<'_>,
        path: &str,
        place: Place,
        text: &str,
        schema: &'s Value,
    ) {
        let path = shown(path);
        if text.chars().any(is_invisible) {
            let message = format!("`{path}` has a control character in it: `{}`", shown(text));
            report.error(place, message);
        }
        if text.chars().count() > TEXT_MAX {
            let message = format!("`{path}` is longer than {TEXT_MAX} characters");
            report.error(place, message);
        }
        if text.trim().is_empty() {
            report.error(place, format!("`{path}` is empty"));
        }
        let words = words(schema);
        if !words.is_empty() && !words.contains(&text) {
            report.unknown(place, &format!("`{path}`"), &shown(text), words.into_iter());
        }
    }

    fn table(
        &self,
        report: &mut Report<'_>,
        path: &str,
        place: Place,
        table: &DeTable<'_>,
        schema: &'s Value,
    ) {
        self.keys(report, path, place, table, schema);
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let known = schema.get("properties").and_then(|known| known.get(name));
            let members = schema.get("additionalProperties").filter(|other| other.is_object());
            if let Some(schema) = known.or(members) {
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                self.check(report, &path, value, schema);
            }
        }
    }

    /// Reports keys that do not exist, and keys that must be there and are not.
    fn keys(
        &self,
        report: &mut Report<'_>,
        path: &str,
        place: Place,
        table: &DeTable<'_>,
        schema: &'s Value,
    ) {
        let known = schema.get("properties").and_then(Value::as_object);
        let names = || known.into_iter().flatten().map(|(name, _)| name.as_str());
        let closed = schema.get("additionalProperties").is_some_and(|other| other == false);
        let prefix = if path.is_empty() { String::new() } else { format!(" in `{}`", shown(path)) };
        let mut meant = Vec::new();
        for (key, _) in table {
            let (name, place) = (key.get_ref().as_ref(), Place::Offset(key.span().start));
            if name.chars().any(is_invisible) {
                let message = format!("a key has a control character in it: `{}`", shown(name));
                report.error(place, message);
            } else if closed && !names().any(|known| known == name) {
                report.unknown(place, &format!("key{prefix}"), &shown(name), names());
                meant.extend(nearest(&shown(name), names()));
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !table.iter().any(|(key, _)| key.get_ref() == name) && !meant.contains(&name) {
                let schema = known.and_then(|known| known.get(name)).unwrap_or(schema);
                let message = format!("missing key `{name}`{prefix}");
                report.error(place, message).allow(self.allowed(schema));
            }
        }
    }

    /// What a schema allows, in words.
    fn allowed(&self, schema: &'s Value) -> String {
        let schema = self.resolve(schema);
        if let Some(forms) = schema.get("anyOf").and_then(Value::as_array) {
            let forms: Vec<_> = forms.iter().map(|form| self.allowed(form)).collect();
            return forms.join(", or ");
        }
        let words = words(schema);
        if !words.is_empty() {
            return list(words.into_iter());
        }
        let mut text = article(match type_of(schema) {
            "object" => "table",
            other => other,
        });
        let bound = |key: &str| schema.get(key).map(ToString::to_string);
        if let (Some(least), Some(most)) = (bound("minimum"), bound("maximum")) {
            text.push_str(&format!(", {least} to {most}"));
        }
        if let Some(items) = schema.get("items") {
            text.push_str(&format!(" of which each is {}", self.allowed(items)));
        }
        match (bound("minItems"), bound("maxItems")) {
            (Some(least), Some(most)) if least == most => {
                text.push_str(&format!(", {least} of them"))
            }
            (Some(least), Some(most)) => text.push_str(&format!(", {least} to {most} of them")),
            (Some(least), None) => text.push_str(&format!(", {least} at least")),
            (None, Some(most)) => text.push_str(&format!(", {most} at most")),
            (None, None) => {}
        }
        text
    }
}

/// The words that a schema allows; none where it allows any.
fn words(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array);
    let documented = schema.get("oneOf").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let documented =
        documented.into_iter().flatten().filter_map(|form| form.get("const")?.as_str());
    listed.chain(documented).collect()
}

fn type_of(schema: &Value) -> &str {
    let named = schema.get("type").and_then(Value::as_str);
    named.unwrap_or(if schema.get("oneOf").is_some() { "string" } else { "value" })
}

fn type_fits(value: &Spanned<DeValue<'_>>, schema: &Value) -> bool {
    match type_of(schema) {
        "object" => value.get_ref().is_table(),
        "array" => value.get_ref().is_array(),
        "string" => value.get_ref().is_str(),
        "boolean" => value.get_ref().is_bool(),
        "integer" => value.get_ref().is_integer(),
        "number" => value.get_ref().is_integer() || value.get_ref().is_float(),
        _ => true,
    }
}

fn range_fits(value: &DeValue<'_>, schema: &Value) -> bool {
    let number = match value {
        DeValue::Integer(digits) => {
            i64::from_str_radix(digits.as_str(), digits.radix()).ok().map(|n| n.to_string())
        }
        DeValue::Float(digits) => Some(digits.as_str().to_owned()),
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => None,
    };
    let Some(number) = number.and_then(|number| number.parse::<f64>().ok()) else {
        return false;
    };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    number.is_finite()
        && bound("minimum").is_none_or(|least| number >= least)
        && bound("maximum").is_none_or(|most| number <= most)
}

fn count_fits(count: usize, schema: &Value) -> bool {
    let bound = |key: &str| {
        schema.get(key).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok())
    };
    bound("minItems").is_none_or(|least| count >= least)
        && bound("maxItems").is_none_or(|most| count <= most)
}

fn has_entries(path: &str, count: usize) -> String {
    format!("`{}` has {count} entr{}", shown(path), if count == 1 { "y" } else { "ies" })
}

/// `a string`, `an array`.
pub(crate) fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{schema_network, schema_services};

    const KEYWORDS: [&str; 18] = [
        "$ref",
        "$defs",
        "$schema",
        "title",
        "description",
        "type",
        "format",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "enum",
        "oneOf",
        "anyOf",
    ];

    fn walk(schema: &Value, path: &str) {
        let Some(object) = schema.as_object() else { return };
        for (key, value) in object {
            let path = format!("{path}/{key}");
            match key.as_str() {
                "properties" | "$defs" => {
                    for (name, value) in value.as_object().unwrap() {
                        walk(value, &format!("{path}/{name}"));
                    }
                }
                "items" | "additionalProperties" => walk(value, &path),
                "anyOf" => value.as_array().unwrap().iter().for_each(|form| walk(form, &path)),
                "oneOf" => {
                    assert!(value.as_array().unwrap().iter().all(|form| form["const"].is_string()));
                }
                other => assert!(KEYWORDS.contains(&other), "{path}"),
            }
        }
        if object.get("type").is_some_and(|name| name == "integer" || name == "number") {
            assert!(object.contains_key("minimum"), "{path}");
            assert!(object.contains_key("maximum"), "{path}");
        }
        if object.contains_key("properties") {
            assert_eq!(object["additionalProperties"], false, "{path}");
        }
    }

    #[test]
    fn schemas_use_only_what_files_are_held_to() {
        walk(&schema_network(), "network");
        walk(&schema_services(), "services");
    }
}
