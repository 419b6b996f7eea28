//! How far a list in order of creation was handed over.

use std::collections::HashSet;

use crate::decode::Page;

/// When the objects of a page were created, in milliseconds that never fall from one to the next: counted backwards
/// where the newest come first. None if they are in another order, or one of them does not say.
pub(super) fn times(page: &Page, descending: bool) -> Option<Vec<i64>> {
    let time = |object| page.created_at(object).map(|at| if descending { at.saturating_neg() } else { at });
    let times: Vec<i64> = (0..page.len()).map(time).collect::<Option<_>>()?;
    times.is_sorted().then_some(times)
}

/// The index of the first of those that were created at the same moment as the last.
pub(super) fn last_moment(times: &[i64]) -> usize {
    times.partition_point(|time| Some(time) < times.last())
}

/// The moment up to which all was handed over, and what was handed over of it.
///
/// The order of objects of one moment is not relied on: Clerk may give them in another order each time. So what
/// follows is read from a place before that moment, of which a page then shows all there is, and the ids tell what of
/// it is new. Nothing else can come twice, and nothing is skipped, whatever is created and deleted meanwhile.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    /// As [`times`] counts.
    pub(super) at: Option<i64>,
    pub(super) ids: HashSet<String>,
    /// Nothing of that moment is missing.
    pub(super) is_whole: bool,
}

impl Frontier {
    /// Whether a page leaves nothing out between what was handed over and its end.
    pub(super) fn joins(&self, times: &[i64]) -> bool {
        match (times.first(), self.at) {
            (Some(first), Some(at)) => *first < at || (self.is_whole && *first == at),
            _ => false,
        }
    }

    /// Leaves in a page what was not handed over before; it is from now on. How much that is.
    pub(super) fn take(&mut self, page: &mut Page, times: &[i64]) -> usize {
        let is_new = |page: &Page, object: usize| match self.at {
            Some(at) if times[object] == at => !self.ids.contains(&*page.id(object)),
            at => at < Some(times[object]),
        };
        let new: Vec<bool> = (0..page.len()).map(|object| is_new(page, object)).collect();
        if let Some(last) = times.last().filter(|last| self.at <= Some(**last)) {
            if self.at < Some(*last) {
                *self = Frontier { at: Some(*last), ..Frontier::default() };
            }
            self.ids.extend((last_moment(times)..page.len()).map(|object| page.id(object).into_owned()));
        }
        page.retain(|_, object| new[object]);
        page.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::object;
    use crate::decode::Projection;

    fn page(objects: &[(&str, i64)]) -> Page {
        let objects = objects.iter().map(|(id, at)| format!(r#"{{"id":"{id}","created_at":{at}}}"#));
        let json = format!("[{}]", objects.collect::<Vec<_>>().join(","));
        Page::list(json.into_bytes(), &Projection::new(object("users").unwrap(), &[]))
            .map_err(|wrong| wrong.problem)
            .unwrap()
    }

    fn take(frontier: &mut Frontier, objects: &[(&str, i64)]) -> (bool, Vec<String>) {
        let mut page = page(objects);
        let times = times(&page, false).unwrap();
        let joins = frontier.joins(&times);
        frontier.take(&mut page, &times);
        (joins, (0..page.len()).map(|object| page.id(object).into_owned()).collect())
    }

    #[test]
    fn a_moment_is_told_by_its_ids() {
        let mut frontier = Frontier::default();
        assert_eq!(take(&mut frontier, &[("a", 1), ("b", 2), ("c", 2)]).1, ["a", "b", "c"]);
        assert_eq!(take(&mut frontier, &[("a", 1), ("c", 2), ("d", 2), ("b", 2)]), (true, vec!["d".to_owned()]));
        assert_eq!(take(&mut frontier, &[("e", 2), ("f", 3)]), (false, vec!["e".to_owned(), "f".to_owned()]));
        assert_eq!(take(&mut frontier, &[("x", 0), ("b", 2)]), (true, vec![]), "what comes late with an old time");
    }

    #[test]
    fn times_grow_whichever_way() {
        let objects = [("a", 3), ("b", 3), ("c", -1)];
        assert_eq!(times(&page(&objects), true), Some(vec![-3, -3, 1]));
        assert_eq!(times(&page(&objects), false), None);
        assert_eq!((last_moment(&[1, 2, 2]), last_moment(&[2, 2]), last_moment(&[])), (1, 0, 0));
    }
}
