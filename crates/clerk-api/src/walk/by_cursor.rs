//! Lists with `starting_after`, in ascending order of creation.
//!
//! One cursor reads one page after the other. To read side by side, the time between the oldest and the newest
//! object is cut into ranges, and every range has a cursor of its own. Whether Clerk's `created_at_after` and
//! `…_before` include their bounds does not matter: each range asks for one millisecond more on either side and
//! drops what is not its own.

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::range::Range;
use super::shares::{Shares, Taken};
use super::{Mark, Stop, Tail};
use crate::error::Error;
use crate::page::Page;
use crate::read::{Filters, Ordered, Out, Walk};
use crate::request::Request;

pub(super) async fn walk(
    walk: &Walk,
    path: &str,
    count: &str,
    mut filters: Filters,
    order: Option<Ordered>,
    out: &Out,
) -> Result<(), Stop> {
    let range = Range::take(&mut filters);
    let descending = order.is_some_and(|order| order.descending);
    let list = List { walk, path, count, filters, descending };
    let list = &list;
    let mut cursor = Cursor::new(range);
    loop {
        let limit = if cursor.tail.ids.is_empty() { walk.first_page } else { walk.page_size };
        let mut page = list.page_after(&mut cursor, limit).await?;
        page.retain(|page, object| range.holds(page.created_at(object)));
        if !descending {
            page.set_mark(covered(range, None, &cursor, cursor.ended));
        }
        out.send(page).await?;
        if cursor.ended {
            return Ok(());
        }
        out.wanted().await;
        if order.is_none() {
            break;
        }
    }
    let shares = list.shares(cursor).await?;
    let readers = (0..walk.concurrency()).map(|_| Box::pin(list.pages(&shares)));
    let mut pages = stream::iter(readers).flatten_unordered(None);
    while let Some(page) = pages.try_next().await? {
        out.send(page).await?;
    }
    Ok(())
}

/// What is read of a range with the page before the cursor, which began behind `before`. Of the moment in which the
/// page ended there may be more.
fn covered(range: Range, before: Option<i64>, cursor: &Cursor, ended: bool) -> Option<Mark> {
    let last = if ended { range.last } else { Some(cursor.tail.created_at?.saturating_sub(1)) };
    Some(Mark::Covered { first: before.or(range.first), last })
}

/// A place in one range.
pub(super) struct Cursor {
    pub(super) range: Range,
    pub(super) tail: Tail,
    ended: bool,
}

impl Cursor {
    pub(super) fn new(range: Range) -> Self {
        Cursor { range, tail: Tail::default(), ended: false }
    }
}

pub(super) struct List<'w> {
    pub(super) walk: &'w Walk,
    pub(super) path: &'w str,
    pub(super) count: &'w str,
    pub(super) filters: Filters,
    descending: bool,
}

impl List<'_> {
    /// What one of several readers reads: one share after the other, until nothing is left to take over.
    fn pages(&self, shares: &Shares) -> impl Stream<Item = Result<Page, Error>> {
        stream::try_unfold(None::<Taken>, move |reading| async move {
            let Some(mut taken) = reading.or_else(|| shares.take()) else { return Ok(None) };
            taken.cursor.range = shares.range(&taken);
            let before = taken.cursor.tail.created_at;
            let mut page = self.page_after(&mut taken.cursor, self.walk.page_size).await?;
            // Another reader may have taken over the later part while the page was on its way.
            let range = shares.range(&taken);
            page.retain(|page, object| range.holds(page.created_at(object)));
            let ended = taken.cursor.ended || range.last.is_some_and(|last| taken.cursor.tail.created_at > Some(last));
            page.set_mark(covered(range, before, &taken.cursor, ended));
            shares.note(&taken, page.len(), ended);
            Ok(Some((page, (!ended).then_some(taken))))
        })
    }

    /// The page that follows a cursor; the cursor is moved behind it. It may hold what lies just beside the range.
    async fn page_after(&self, cursor: &mut Cursor, limit: u32) -> Result<Page, Error> {
        let mut range = cursor.range;
        let mut after = cursor.tail.last_id();
        let mut page = loop {
            let page = self.page(range, after, limit).await;
            // A cursor whose object was deleted since leads nowhere. Any other refusal stands.
            let (Some(id), Ok(0) | Err(Error::Refused { .. })) = (after, page.as_ref().map(Page::len)) else {
                break page?;
            };
            if !self.is_gone(id).await? {
                break page?;
            }
            let left = self.last_left(&cursor.tail).await?;
            if left == after {
                // A count that lags behind said so.
                break page?;
            }
            after = left;
            if after.is_none() {
                // All of the page before is gone: the rest begins at the last one's time of creation.
                match self.descending {
                    true => range.last = cursor.tail.created_at,
                    false => range.first = cursor.tail.created_at,
                }
            }
        };
        // Behind an earlier object may stand one that was imported since with an old time.
        let since = cursor.tail.created_at.filter(|_| after == cursor.tail.last_id());
        self.check_order(cursor, since, &page)?;
        cursor.ended = page.received() < limit as usize;
        if after.is_none() && !cursor.tail.ids.is_empty() {
            let tail = std::mem::take(&mut cursor.tail);
            let new: Vec<bool> = (0..page.len()).map(|object| tail.is_before(&page, object, self.descending)).collect();
            cursor.tail = tail.after(&page);
            page.retain(|_, object| new[object]);
        } else {
            cursor.tail = std::mem::take(&mut cursor.tail).after(&page);
        }
        Ok(page)
    }

    async fn page(&self, range: Range, after: Option<&str>, limit: u32) -> Result<Page, Error> {
        let order = Ordered { parameter: "created_at", descending: self.descending };
        let request = Request::new(self.path).params(&self.filters).param("order_by", order).param("limit", limit);
        self.walk.page(&range.narrow(request).maybe("starting_after", after)).await
    }

    /// A page must go on where the one before ended; one that does not would repeat or miss objects.
    fn check_order(&self, cursor: &Cursor, since: Option<i64>, page: &Page) -> Result<(), Error> {
        let problem = if cursor.tail.last_known(page).is_some() {
            "a page repeats objects of the one before"
        } else if (0..page.len()).any(|object| !cursor.range.wider().holds(page.created_at(object))) {
            "a page has objects that were created at another time than asked for"
        } else if (0..page.len())
            .map(|object| page.created_at(object))
            .try_fold(since, |before, at| {
                let in_order = before.is_none() || if self.descending { at <= before } else { before <= at };
                in_order.then_some(at)
            })
            .is_none()
        {
            "they are not in order of creation"
        } else {
            return Ok(());
        };
        Err(Error::Inconsistent { problem: problem.to_owned(), request: Request::new(self.path) })
    }

    async fn is_gone(&self, id: &str) -> Result<bool, Error> {
        Ok(self.walk.page(&Request::new(self.path).param("user_id", id).param("limit", 1)).await?.is_empty())
    }

    /// The last object of the page before that is still there.
    async fn last_left<'t>(&self, tail: &'t Tail) -> Result<Option<&'t str>, Error> {
        const AT_ONCE: usize = 100;
        for ids in tail.ids.rchunks(AT_ONCE) {
            let request = Request::new(self.path).param("limit", AT_ONCE);
            let request = ids.iter().fold(request, |request, id| request.param("user_id", id));
            let left = self.walk.page(&request).await?;
            let left: Vec<_> = (0..left.len()).map(|object| left.id(object)).collect();
            if let Some(last) = ids.iter().rfind(|id| left.iter().any(|left| left == *id)) {
                return Ok(Some(last));
            }
        }
        Ok(None)
    }
}
