//! Lists with `starting_after`, in ascending order of creation.
//!
//! One cursor reads one page after the other. To read side by side, the time between the oldest and the newest
//! object is cut into ranges that hold about as many objects each, and every range has a cursor of its own.
//! Whether Clerk's `created_at_after` and `…_before` include their bounds does not matter: each range asks for
//! one millisecond more on either side and drops what is not its own.

use futures_util::future::{try_join, try_join_all};
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::{Stop, Tail};
use crate::error::Error;
use crate::page::{Page, Projection};
use crate::read::{Out, Walk};
use crate::request::Request;

/// With fewer pages than this to come, finding out how to read them side by side takes longer than reading them.
const FEWEST_PAGES: u64 = 4;

/// Into how many pieces a slice of time is cut at once.
const MOST_PIECES: u64 = 16;

pub(super) async fn walk(walk: &Walk, path: &str, count: &str, out: &mut Out) -> Result<(), Stop> {
    let list = List { walk, path, count };
    let list = &list;
    let mut cursor = Cursor::new(Range::ALL);
    let Some(page) = list.page_after(&mut cursor, walk.first_page).await? else { return Ok(()) };
    out.send(Ok(page)).await?;
    if cursor.ended {
        return Ok(());
    }
    out.wanted().await;
    let cursors = list.side_by_side(cursor).await?;
    let mut pages =
        stream::iter(cursors).map(|cursor| Box::pin(list.pages(cursor))).flatten_unordered(walk.concurrency());
    while let Some(page) = pages.try_next().await? {
        out.send(Ok(page)).await?;
    }
    Ok(())
}

/// The times of creation from `first` to `last`, both included, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: Option<i64>,
    last: Option<i64>,
}

impl Range {
    const ALL: Range = Range { first: None, last: None };

    fn holds(&self, created_at: Option<i64>) -> bool {
        let Some(at) = created_at else { return *self == Range::ALL };
        self.first.is_none_or(|first| first <= at) && self.last.is_none_or(|last| at <= last)
    }

    /// One millisecond more on either side, to be asked for whether Clerk takes the bounds in or not.
    fn wider(&self) -> Range {
        Range {
            first: self.first.map(|first| first.saturating_sub(1)),
            last: self.last.map(|last| last.saturating_add(1)),
        }
    }

    fn narrow(&self, request: Request) -> Request {
        let Range { first, last } = self.wider();
        request.maybe("created_at_after", first).maybe("created_at_before", last)
    }
}

/// A place in one range.
struct Cursor {
    range: Range,
    tail: Tail,
    ended: bool,
}

impl Cursor {
    fn new(range: Range) -> Self {
        Cursor { range, tail: Tail::default(), ended: false }
    }
}

/// A stretch of creation time, both ends included, and how many objects it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    first: i64,
    last: i64,
    count: u64,
}

impl Slice {
    /// Pieces of about the same length; fewer where the slice has not that many milliseconds.
    fn pieces(self, pieces: i64) -> impl Iterator<Item = Slice> {
        let length = self.last - self.first + 1;
        let pieces = pieces.min(length);
        // In 128 bits, for any times whatever that an instance may claim.
        let start = move |n: i64| self.first + (i128::from(length) * i128::from(n) / i128::from(pieces)) as i64;
        (0..pieces).map(move |n| Slice { first: start(n), last: start(n + 1) - 1, count: 0 })
    }
}

struct List<'w> {
    walk: &'w Walk,
    path: &'w str,
    count: &'w str,
}

impl List<'_> {
    /// A range's pages from its cursor to its end.
    fn pages(&self, cursor: Cursor) -> impl Stream<Item = Result<Page, Error>> {
        stream::try_unfold(cursor, |mut cursor| async {
            if cursor.ended {
                return Ok(None);
            }
            let page = self.page_after(&mut cursor, self.walk.page_size).await?;
            Ok(page.map(|page| (page, cursor)))
        })
    }

    /// The page that follows a cursor, and the cursor moved behind it.
    async fn page_after(&self, cursor: &mut Cursor, limit: u32) -> Result<Option<Page>, Error> {
        let after = cursor.tail.last_id().map(str::to_owned);
        let mut page = match self.page(cursor.range, after.as_deref(), limit).await {
            // A cursor whose object was deleted since leads nowhere. Any other refusal stands.
            Err(error @ Error::Refused { .. }) => match after {
                Some(after) if self.is_gone(&after).await? => self.page_after_deleted(cursor, limit).await?,
                _ => return Err(error),
            },
            Ok(page) if page.is_empty() => match after {
                Some(after) if self.is_gone(&after).await? => self.page_after_deleted(cursor, limit).await?,
                _ => page,
            },
            page => page?,
        };
        self.check_order(cursor, &page)?;
        cursor.ended = page.received() < limit as usize;
        if page.is_empty() {
            return Ok(None);
        }
        cursor.tail = Tail::of(&page);
        let range = cursor.range;
        page.retain(|page, object| range.holds(page.created_at(object)));
        Ok(Some(page))
    }

    async fn page(&self, range: Range, after: Option<&str>, limit: u32) -> Result<Page, Error> {
        let request = Request::new(self.path).param("order_by", "created_at").param("limit", limit);
        self.walk.page(&range.narrow(request).maybe("starting_after", after)).await
    }

    /// A page must go on where the one before ended; one that does not would repeat or miss objects.
    fn check_order(&self, cursor: &Cursor, page: &Page) -> Result<(), Error> {
        let problem = if cursor.tail.last_known(page).is_some() {
            "a page repeats objects of the one before"
        } else if (0..page.len()).any(|object| !cursor.range.wider().holds(page.created_at(object))) {
            "a page has objects that were created at another time than asked for"
        } else if (0..page.len())
            .map(|object| page.created_at(object))
            .try_fold(cursor.tail.created_at, |before, at| (before <= at).then_some(at))
            .is_none()
        {
            "they are not in order of creation"
        } else {
            return Ok(());
        };
        Err(Error::Inconsistent { problem: problem.to_owned(), request: Request::new(self.path) })
    }

    async fn is_gone(&self, id: &str) -> Result<bool, Error> {
        Ok(self.count(Request::new(self.count).param("user_id", id)).await? == 0)
    }

    /// The page that follows the last object of the page before that is still there.
    async fn page_after_deleted(&self, cursor: &mut Cursor, limit: u32) -> Result<Page, Error> {
        const AT_ONCE: usize = 100;
        for ids in cursor.tail.ids.rchunks(AT_ONCE) {
            let request = Request::new(self.path).param("limit", AT_ONCE);
            let request = ids.iter().fold(request, |request, id| request.param("user_id", id));
            let left = self.walk.page(&request).await?;
            let left: Vec<_> = (0..left.len()).map(|object| left.id(object)).collect();
            if let Some(last) = ids.iter().rposition(|id| left.iter().any(|left| left == id)) {
                return self.page(cursor.range, Some(&ids[last]), limit).await;
            }
        }
        // All of the page before is gone: the rest begins at the last one's time of creation.
        let range = Range { first: cursor.tail.created_at, ..cursor.range };
        self.page(range, None, limit).await
    }

    async fn count(&self, request: Request) -> Result<u64, Error> {
        #[derive(serde::Deserialize)]
        struct Count {
            total_count: u64,
        }
        let body = self.walk.client.get(&request).await?;
        serde_json::from_slice::<Count>(&body)
            .map(|count| count.total_count)
            .map_err(|error| self.walk.client.malformed("a count", error.to_string(), &body, &request))
    }

    /// Cuts what lies behind a cursor into ranges of about the same number of objects, each with its own cursor.
    async fn side_by_side(&self, cursor: Cursor) -> Result<Vec<Cursor>, Error> {
        let page_size = u64::from(self.walk.page_size);
        let Some(oldest) = cursor.tail.created_at else { return Ok(vec![cursor]) };
        let (total, newest) = try_join(self.count(Request::new(self.count)), self.newest()).await?;
        let pages = total / page_size;
        let Some(newest) = newest.filter(|newest| *newest > oldest) else { return Ok(vec![cursor]) };
        if pages < FEWEST_PAGES || self.walk.concurrency() == 1 {
            return Ok(vec![cursor]);
        }
        // Twice as many shares as there are readers, so that one that is done takes over another.
        let share = (total / (2 * self.walk.concurrency() as u64)).max(page_size);
        let slices = self.slices(Slice { first: oldest, last: newest, count: total }, share, pages / 2).await?;
        let mut cursors = vec![cursor];
        let mut held = 0;
        for slice in slices {
            held += slice.count;
            if held >= share && slice.last < newest {
                held = 0;
                if let Some(before) = cursors.last_mut() {
                    before.range.last = Some(slice.last);
                }
                cursors.push(Cursor::new(Range { first: Some(slice.last + 1), last: None }));
            }
        }
        Ok(cursors)
    }

    /// Cuts a slice of time until no piece holds much more than a share. Each piece costs a request, so the cutting
    /// ends when `budget` requests were spent: the pieces are right then too, only not as even.
    async fn slices(&self, all: Slice, share: u64, mut budget: u64) -> Result<Vec<Slice>, Error> {
        let mut slices = vec![all];
        loop {
            let mut cut = Vec::new();
            for slice in slices {
                let pieces = slice.count.div_ceil(share).min(MOST_PIECES).min(budget);
                if slice.count > share + share / 2 && slice.first < slice.last && pieces > 1 {
                    budget -= pieces;
                    cut.extend(slice.pieces(pieces as i64).map(|piece| (piece, true)));
                } else {
                    cut.push((slice, false));
                }
            }
            let any = cut.iter().any(|(_, fresh)| *fresh);
            slices = try_join_all(cut.into_iter().map(|(slice, fresh)| async move {
                if !fresh {
                    return Ok(slice);
                }
                let range = Range { first: Some(slice.first), last: Some(slice.last) };
                Ok::<_, Error>(Slice { count: self.count_in(range).await?, ..slice })
            }))
            .await?;
            if !any {
                return Ok(slices);
            }
        }
    }

    async fn newest(&self) -> Result<Option<i64>, Error> {
        let request = Request::new(self.path).param("order_by", "-created_at").param("limit", 1);
        let page = self.walk.fetch(&request, &Projection::new(&[]), Page::list).await?;
        Ok((!page.is_empty()).then(|| page.created_at(0)).flatten())
    }

    async fn count_in(&self, range: Range) -> Result<u64, Error> {
        self.count(range.narrow(Request::new(self.count))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_slice_without_gap_or_overlap() {
        for (first, last, pieces) in [(0, 99, 16), (5, 7, 16), (-3, 1_800_000_000_000, 7), (4, 4, 2)] {
            let cut: Vec<_> = Slice { first, last, count: 9 }.pieces(pieces).collect();
            assert_eq!((cut[0].first, cut[cut.len() - 1].last), (first, last));
            assert!(cut.windows(2).all(|pair| pair[0].last + 1 == pair[1].first), "{cut:?}");
            assert!(cut.iter().all(|piece| piece.first <= piece.last), "{cut:?}");
        }
    }
}
