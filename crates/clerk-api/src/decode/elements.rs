//! The elements of an array in each object, where these are the rows of a table.

use super::objects::{FALSE, Objects, Span, TRUE, parse};
use super::projection::{ElementProjection, ID};

/// The elements of a page's objects.
pub(super) struct Rows {
    pub(super) width: usize,
    pub(super) spans: Vec<Option<Span>>,
    /// The object that contains each row.
    pub(super) owners: Vec<usize>,
}

impl Rows {
    /// Keeps the rows of the objects that are kept, which are counted from 0 from then on.
    pub(super) fn retain(&mut self, is_kept: &[bool]) {
        let mut slot = 0;
        self.spans.retain(|_| {
            slot += 1;
            is_kept[self.owners[(slot - 1) / self.width]]
        });
        let kept_before = |owner: usize| is_kept[..owner].iter().filter(|is_kept| **is_kept).count();
        let renumbered: Vec<usize> = (0..is_kept.len()).map(kept_before).collect();
        self.owners.retain(|owner| is_kept[*owner]);
        self.owners.iter_mut().for_each(|owner| *owner = renumbered[*owner]);
    }
}

impl ElementProjection {
    /// The rows of objects, each of which has `width` spans.
    pub(super) fn rows(&self, body: &str, width: usize, objects: &[Option<Span>]) -> Result<Rows, serde_json::Error> {
        let mut rows = Rows { width: self.element.width, spans: Vec::new(), owners: Vec::new() };
        for (owner, object) in objects.chunks(width).enumerate() {
            let Some(list) = object[self.list] else { continue };
            let first = rows.spans.len();
            parse(list.of(body), Objects { body, projection: &self.element, spans: &mut rows.spans })?;
            for row in rows.spans[first..].chunks_mut(rows.width) {
                for (slot, owned) in &self.owned {
                    row[*slot] = object[*owned];
                }
                for (slot, id) in &self.primary {
                    let is_same = row[ID].zip(object[*id]).is_some_and(|(row, id)| row.of(body) == id.of(body));
                    row[*slot] = Some(if is_same { TRUE } else { FALSE });
                }
                rows.owners.push(owner);
            }
        }
        Ok(rows)
    }
}
