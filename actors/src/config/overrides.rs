//! The values around the stored ones: those that override them, and those that stand in for missing ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde_json::Value;

use super::document::{Document, found, given};
use super::effective::{Override, Stored};
use super::merge::patched;
use super::secrets::PLACEHOLDER;

const PLUGINS: &str = "PluginSettings.Plugins";
const STATES: &str = "PluginSettings.PluginStates";

/// The beginning of the name of a variable for one setting of a plugin. The id of the plugin, an underscore and the key
/// follow.
pub const PLUGIN_VARIABLE: &str = "MM_PLUGINSETTINGS_PLUGINS_";

/// The values around the stored ones. As a map it holds the values that override settings, by path.
#[derive(Clone, Default, PartialEq)]
pub struct Overrides {
    pinned: BTreeMap<String, Override>,
    plugins: Vec<PluginVariable>,
    defaults: Document,
    /// The file of the defaults; empty if there is none.
    defaults_file: String,
}

/// A variable for one setting of a plugin. Its name says which plugin is meant only once the plugins are known.
#[derive(Clone, PartialEq)]
struct PluginVariable {
    /// The id and the key, in upper case and joined by an underscore.
    name: String,
    text: String,
    place: String,
    /// The plugin whose setting it overrode last. The plugin may have been removed since.
    meant: Option<String>,
}

/// A setting of a plugin that a variable overrides.
#[derive(Clone, PartialEq)]
pub(super) struct PluginPin {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) place: String,
}

impl Overrides {
    /// Returns a value without any overrides.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns these overrides with a document whose values stand in for those that are not stored, and its file.
    #[must_use]
    pub fn with_defaults(self, defaults: Document, defaults_file: String) -> Self {
        Self { defaults, defaults_file, ..self }
    }

    /// Returns the file with the value that stands in for one that is not stored.
    pub fn file_of_default(&self, path: &str) -> Option<&str> {
        given(&self.defaults, path).map(|_| self.defaults_file.as_str())
    }

    /// Adds a variable for one setting of a plugin. `name` is the part after [`PLUGIN_VARIABLE`].
    pub fn pin_plugin_setting(&mut self, name: &str, text: String, place: String) {
        self.plugins.push(PluginVariable { name: name.to_uppercase(), text, place, meant: None });
    }

    /// Notes which plugins the variables mean, so that a variable does not mean another one after its plugin was removed.
    pub(super) fn note_plugins(&mut self, document: &Document) {
        for variable in &mut self.plugins {
            if let Ok(Some(PluginPin { id, .. })) = variable.pin(document) {
                variable.meant = Some(id);
            }
        }
    }

    /// Takes over which plugins the variables meant that are still set.
    pub(super) fn remember(&mut self, earlier: &Self) {
        for variable in &mut self.plugins {
            let same = earlier.plugins.iter().find(|known| known.name == variable.name);
            variable.meant = variable.meant.take().or_else(|| same?.meant.clone());
        }
    }

    /// Returns the stored document with the custom defaults beneath it, or `None` if there are neither.
    pub(super) fn beneath(&self, stored: Option<&Stored>) -> Option<Document> {
        let stored = stored.map(|stored| &stored.document);
        if self.defaults.is_empty() {
            return stored.cloned();
        }
        Some(patched(&self.defaults, stored.unwrap_or(&Document::new()), &|_| true))
    }

    /// Returns a sentence for each variable that cannot be used with the plugins of `document`: its name means two
    /// plugins or two keys, or its text is no value of the type that is stored.
    pub fn unclear(&self, document: &Document) -> Vec<String> {
        self.plugins.iter().filter_map(|variable| variable.pin(document).err()).collect()
    }

    /// Returns a sentence for each variable that a change makes unusable, or that would set a setting of another plugin
    /// after it.
    pub(super) fn redirected(&self, before: &Document, after: &Document) -> Vec<String> {
        let sentence = |variable: &PluginVariable| {
            let earlier = variable.pin(before).ok()?;
            match (variable.pin(after), earlier, &variable.meant) {
                (Err(reason), ..) => Some(reason),
                (Ok(Some(now)), Some(earlier), _) if now.id != earlier.id => Some(format!(
                    "{}: it sets {} of the plugin {}, and would set {} of {}",
                    now.place, earlier.key, earlier.id, now.key, now.id
                )),
                (Ok(Some(now)), None, Some(meant)) if now.id != *meant => Some(format!(
                    "{}: it was for the plugin {meant}, which was removed, and would set {} of {}",
                    now.place, now.key, now.id
                )),
                (Ok(_), ..) => None,
            }
        };
        self.plugins.iter().filter_map(sentence).collect()
    }

    /// Returns a sentence for each variable that names no plugin of `document`, and therefore has no effect.
    pub fn unknown_plugins(&self, document: &Document) -> Vec<String> {
        let is_unknown = |variable: &&PluginVariable| matches!(variable.pin(document), Ok(None));
        let unknown = self.plugins.iter().filter(is_unknown);
        unknown.map(|one| format!("{}: no known plugin has this name, so it has no effect", one.place)).collect()
    }

    /// Returns the id of the plugin, the key and the place of each setting of a plugin that a variable overrides.
    pub fn pinned_plugin_settings(&self, document: &Document) -> impl Iterator<Item = (String, String, String)> {
        self.plugin_pins(document).into_iter().map(|PluginPin { id, key, place, .. }| (id, key, place))
    }

    /// Returns the settings of plugins that variables override, for the plugins of `document`.
    pub(super) fn plugin_pins(&self, document: &Document) -> Vec<PluginPin> {
        self.plugins.iter().filter_map(|variable| variable.pin(document).ok().flatten()).collect()
    }

    /// Puts the placeholder in place of each setting of a plugin that a variable overrides, except for switches. Values
    /// are in variables so that they are not in the configuration, and their keys do not say if they are secret.
    pub(super) fn mask_plugins(&self, document: &mut Document) {
        for PluginPin { id, key, .. } in self.plugin_pins(document) {
            mask_plugin(document, &id, &key);
        }
    }

    /// Sets the overridden settings of plugins.
    pub(super) fn override_plugins(&self, document: &mut Document) {
        for PluginPin { id, key, value, .. } in self.plugin_pins(document) {
            if let Some(plugin) = plugin_of(document, &id) {
                plugin.insert(key, value);
            }
        }
    }

    /// Sets the overridden settings of plugins to their values in `before`, so that no overriding value is stored.
    pub(super) fn restore_plugins(&self, document: &mut Document, before: &Document) {
        for PluginPin { id, key, .. } in self.plugin_pins(document) {
            let stored = plugins(before, PLUGINS).and_then(|plugins| plugins.get(&id));
            let value = stored.and_then(|plugin| plugin.get(&key)).cloned();
            let Some(plugin) = plugin_of(document, &id) else { continue };
            match value {
                Some(value) => drop(plugin.insert(key, value)),
                None => drop(plugin.remove(&key)),
            }
            let is_made_here = plugin.is_empty() && stored.is_none();
            if is_made_here && let Some(Value::Object(plugins)) = found(document, PLUGINS) {
                plugins.remove(&id);
            }
        }
    }
}

impl PluginVariable {
    /// Returns the setting that this variable overrides; `None` if no plugin has this name.
    ///
    /// The plugin with the longest id counts. A key that the plugin does not have is taken in lower case, as plugins
    /// store their keys.
    fn pin(&self, document: &Document) -> Result<Option<PluginPin>, String> {
        let ids: BTreeSet<&String> =
            [PLUGINS, STATES].into_iter().filter_map(|path| plugins(document, path)).flat_map(Document::keys).collect();
        let key_for =
            |id: &str| self.name.strip_prefix(&as_variable(id))?.strip_prefix('_').filter(|key| !key.is_empty());
        let meant = ids.into_iter().filter_map(|id| Some((id, key_for(id)?)));
        let longest = longest(meant, |(_, key)| std::cmp::Reverse(key.len()));
        let (id, key) = match longest.as_slice() {
            [] => return Ok(None),
            [one] => *one,
            [(one, _), (other, _), ..] => return Err(self.ambiguous("plugins", one, other)),
        };
        let entry = plugins(document, PLUGINS).and_then(|plugins| plugins.get(id)).and_then(Value::as_object);
        let alike: Vec<(&String, &Value)> =
            entry.into_iter().flatten().filter(|(known, _)| as_variable(known) == key).collect();
        let (key, current) = match alike.as_slice() {
            [] => (key.to_lowercase(), None),
            [(known, value)] => ((*known).clone(), Some(*value)),
            [(one, _), (other, _), ..] => return Err(self.ambiguous("keys", one, other)),
        };
        let value = self.value(current)?;
        Ok(Some(PluginPin { id: id.clone(), key, value, place: self.place.clone() }))
    }

    fn ambiguous(&self, what: &str, one: &str, other: &str) -> String {
        format!("{}: the name is ambiguous, because it means both of the {what} {one} and {other}", self.place)
    }

    /// Returns the text as a value of the type that is stored. Without a stored value, JSON is read as JSON and any other
    /// text is a text; so a number as a text stands in quotes.
    fn value(&self, current: Option<&Value>) -> Result<Value, String> {
        let parsed = || serde_json::from_str::<Value>(&self.text).ok();
        let of_type = |is_right: fn(&Value) -> bool, wanted: &str| {
            parsed().filter(is_right).ok_or_else(|| format!("{}: it must be {wanted}", self.place))
        };
        match current {
            Some(Value::String(_)) => Ok(Value::from(self.text.as_str())),
            Some(Value::Bool(_)) => of_type(Value::is_boolean, "true or false"),
            Some(Value::Number(_)) => of_type(Value::is_number, "a number"),
            Some(Value::Array(_)) => of_type(Value::is_array, "a list in JSON"),
            Some(Value::Object(_)) => of_type(Value::is_object, "an object in JSON"),
            Some(Value::Null) | None => Ok(parsed().unwrap_or_else(|| Value::from(self.text.as_str()))),
        }
    }
}

/// Puts the placeholder in place of one setting of a plugin, except for a switch.
pub fn mask_plugin(document: &mut Document, id: &str, key: &str) {
    let plugin = found(document, PLUGINS).and_then(|plugins| plugins.get_mut(id));
    let value = plugin.and_then(|plugin| plugin.get_mut(key));
    if let Some(value) = value.filter(|value| !value.is_null() && !value.is_boolean()) {
        *value = Value::from(PLACEHOLDER);
    }
}

/// Returns the elements with the greatest value of `size`.
fn longest<T: Copy, S: Ord>(elements: impl Iterator<Item = T>, size: impl Fn(&T) -> S) -> Vec<T> {
    let all: Vec<T> = elements.collect();
    let Some(greatest) = all.iter().map(&size).max() else { return Vec::new() };
    all.into_iter().filter(|element| size(element) == greatest).collect()
}

/// Returns a name as it stands in a variable: in upper case, with underscores for dots and hyphens.
fn as_variable(name: &str) -> String {
    name.to_uppercase().replace(['.', '-'], "_")
}

fn plugins<'a>(document: &'a Document, path: &str) -> Option<&'a Document> {
    given(document, path).and_then(Value::as_object)
}

/// Returns the settings of a plugin, which are created if there are none.
fn plugin_of<'a>(document: &'a mut Document, id: &str) -> Option<&'a mut Document> {
    let plugins = found(document, PLUGINS)?;
    if plugins.is_null() {
        *plugins = Value::Object(Document::new());
    }
    let plugin = plugins.as_object_mut()?.entry(id).or_insert(Value::Null);
    if !plugin.is_object() {
        *plugin = Value::Object(Document::new());
    }
    plugin.as_object_mut()
}

impl Deref for Overrides {
    type Target = BTreeMap<String, Override>;

    fn deref(&self) -> &Self::Target {
        &self.pinned
    }
}

impl DerefMut for Overrides {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.pinned
    }
}

impl FromIterator<(String, Override)> for Overrides {
    fn from_iter<I: IntoIterator<Item = (String, Override)>>(pinned: I) -> Self {
        Self { pinned: pinned.into_iter().collect(), ..Self::default() }
    }
}

impl<const N: usize> From<[(String, Override); N]> for Overrides {
    fn from(pinned: [(String, Override); N]) -> Self {
        pinned.into_iter().collect()
    }
}

impl<'a> IntoIterator for &'a Overrides {
    type Item = (&'a String, &'a Override);
    type IntoIter = std::collections::btree_map::Iter<'a, String, Override>;

    fn into_iter(self) -> Self::IntoIter {
        self.pinned.iter()
    }
}

impl fmt::Debug for Overrides {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The texts of variables for plugins and the custom defaults may be secrets.
        formatter.debug_map().entries(&self.pinned).finish()
    }
}

#[cfg(test)]
mod tests;
