//! The typed part table of a world: what later modules keep in it. It knows none of them.

use std::any::{Any, TypeId};

/// One value per type, in the order of first use.
#[derive(Default)]
pub(crate) struct Parts(Vec<(TypeId, Box<dyn Any>)>);

impl Parts {
    /// The part of that type; a new one at its first use.
    pub(crate) fn get<T: Any + Default>(&mut self) -> &mut T {
        let id = TypeId::of::<T>();
        let found = self.0.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
            self.0.push((id, Box::<T>::default()));
            self.0.len() - 1
        });
        self.0[found].1.downcast_mut().expect("a part is found by its type")
    }
}
