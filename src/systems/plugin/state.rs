//! What an executor wants to be handed again: a free map, stored between calls exactly as it was returned last. Separate
//! because it is copied in and out, so that no call can change what another is handed.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// An executor's own state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomState(BTreeMap<String, Value>);

impl CustomState {
    /// Nothing.
    pub fn new() -> CustomState {
        CustomState::default()
    }

    /// With this under that name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> CustomState {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The state that a typed one is stored as: an object's fields are its entries.
    ///
    /// # Errors
    /// It is no object, or nothing that JSON can hold.
    pub fn of<T: Serialize>(state: &T) -> Result<CustomState, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(state)?)
    }

    /// The state as a typed one.
    ///
    /// # Errors
    /// It is another type's.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let object = self.0.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        serde_json::from_value(Value::Object(object))
    }

    /// What is under a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number that tells states apart: equal ones have equal ones in every run.
    pub fn fingerprint(state: Option<&CustomState>) -> u64 {
        let Some(state) = state else { return 0 };
        let bytes = serde_json::to_vec(state).expect("a map of JSON values is JSON");
        crate::choice::hash_bytes(&bytes)
    }
}
