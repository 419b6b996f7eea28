//! Keeps track of how far a list in order of creation was handed over.

use std::collections::HashSet;

use crate::decode::Page;

/// The times of creation of a page's objects, in milliseconds and in ascending order. For a list in descending order
/// they are negated. `None` if the objects are in another order, or one of them has no such time.
pub(super) fn times(page: &Page, descending: bool) -> Option<Vec<i64>> {
    let time = |object| page.created_at(object).map(|at| if descending { at.saturating_neg() } else { at });
    let times: Vec<i64> = (0..page.len()).map(time).collect::<Option<_>>()?;
    times.is_sorted().then_some(times)
}

/// The index of the first object that was created in the same moment as the last one.
pub(super) fn last_moment(times: &[i64]) -> usize {
    times.partition_point(|time| Some(time) < times.last())
}

/// The moment up to which all objects were handed over, and which objects of this moment itself were.
///
/// Clerk may return the objects of one moment in a different order each time. So the next page begins before that
/// moment and shows all of its objects, and the ids tell which of them are new. No other object can be handed over
/// twice, and none is skipped, whatever is created and deleted meanwhile.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    /// The moment, as [`times`] counts: negated in a list in descending order. `None` before the first page.
    pub(super) at: Option<i64>,
    /// The ids of the objects of that moment that were handed over.
    pub(super) ids: HashSet<String>,
    /// All objects of that moment were handed over.
    pub(super) is_complete: bool,
}

impl Frontier {
    /// Whether no object is missing between those handed over and the end of a page with these times of creation.
    pub(super) fn is_contiguous(&self, times: &[i64]) -> bool {
        match (times.first(), self.at) {
            (Some(first), Some(at)) => *first < at || (self.is_complete && *first == at),
            _ => false,
        }
    }

    /// Keeps only the objects of a page that were not handed over before, and counts them as handed over from now on.
    /// Returns how many they are.
    pub(super) fn retain_new(&mut self, page: &mut Page, times: &[i64]) -> usize {
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
            .map_err(|error| error.problem)
            .unwrap()
    }

    fn hand_over(frontier: &mut Frontier, objects: &[(&str, i64)]) -> (bool, Vec<String>) {
        let mut page = page(objects);
        let times = times(&page, false).unwrap();
        let is_contiguous = frontier.is_contiguous(&times);
        frontier.retain_new(&mut page, &times);
        (is_contiguous, (0..page.len()).map(|object| page.id(object).into_owned()).collect())
    }

    #[test]
    fn objects_of_one_moment_are_distinguished_by_id() {
        let mut frontier = Frontier::default();
        assert_eq!(hand_over(&mut frontier, &[("a", 1), ("b", 2), ("c", 2)]).1, ["a", "b", "c"]);
        assert_eq!(hand_over(&mut frontier, &[("a", 1), ("c", 2), ("d", 2), ("b", 2)]), (true, vec!["d".to_owned()]));
        assert_eq!(hand_over(&mut frontier, &[("e", 2), ("f", 3)]), (false, vec!["e".to_owned(), "f".to_owned()]));
        assert_eq!(hand_over(&mut frontier, &[("x", 0), ("b", 2)]), (true, vec![]), "what comes late with an old time");
    }

    #[test]
    fn times_ascend_in_both_orders() {
        let objects = [("a", 3), ("b", 3), ("c", -1)];
        assert_eq!(times(&page(&objects), true), Some(vec![-3, -3, 1]));
        assert_eq!(times(&page(&objects), false), None);
        assert_eq!((last_moment(&[1, 2, 2]), last_moment(&[2, 2]), last_moment(&[])), (1, 0, 0));
    }
}
