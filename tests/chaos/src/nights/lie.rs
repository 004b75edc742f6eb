//! What the core says that is not so.

use core_sim::{Endpoint, Fault, FaultKind, ListShape};
use rand::RngExt;
use serde_json::{Map, json};

use super::Model;

impl Model {
    /// Shapes of the list that are no lies, and half of the time one that is. Ends with the faults.
    pub(super) fn lie(&mut self) -> Option<Fault> {
        let (shape, projection) = (self.chance(30), self.chance(30));
        let page_cap = self.chance(30).then(|| self.random.random_range(5..40));
        let page_shift = if self.chance(20) { self.random.random_range(1..5) } else { 0 };
        self.system.core.set(|settings| {
            settings.list_shape = if shape { ListShape::Pagination } else { ListShape::Array };
            settings.projection = projection;
            settings.page_cap = page_cap;
            settings.page_shift = page_shift;
        });
        if self.chance(50) {
            return None;
        }
        let everywhere = Fault::everywhere;
        let rewritten = |set: serde_json::Value| FaultKind::Rewritten {
            set: set.as_object().cloned().unwrap_or_default(),
            remove: Vec::new(),
        };
        let status = |status| FaultKind::Status { status, retry_after: None };
        let fault = match self.random.random_range(0..9) {
            0 => everywhere(FaultKind::ShortList { rows: self.random.random_range(0..50) }),
            1 => everywhere(FaultKind::Shuffled),
            2 => everywhere(FaultKind::WrongChurch { as_church_id: None }),
            3 => {
                everywhere(FaultKind::WrongChurch { as_church_id: None }).of_member(self.someone())
            }
            4 => everywhere(FaultKind::Rewritten {
                set: Map::new(),
                remove: vec!["is_active".to_owned()],
            }),
            5 => everywhere(rewritten(json!({"is_deleted": true, "is_active": false})))
                .at(Endpoint::Member),
            6 => everywhere(rewritten(json!({"is_active": false}))).at(Endpoint::Member),
            7 => everywhere(status(404)).at(Endpoint::Member),
            _ => everywhere(status(403)).at(Endpoint::Member).of_member(self.someone()),
        };
        self.system.core.add_fault(fault.clone());
        Some(fault)
    }

    /// A member of the core.
    pub(super) fn someone(&mut self) -> String {
        let members = self.members();
        let place = self.random.random_range(0..members.len().max(1));
        members.into_iter().nth(place).map_or_else(|| "nobody".to_owned(), |(id, _)| id)
    }
}
