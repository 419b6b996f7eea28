//! Lists with `offset` and `total_count`, oldest first.
//!
//! New objects come at the end, where they do no harm; a deletion moves everything behind it, and a page asked
//! for by offset then misses what slipped onto the page before. So each page begins with the object that the
//! page before ended with. Where it does not, the walk looks for the place where it left off.

use std::collections::HashSet;

use futures_util::stream::{self, StreamExt};

use super::{Mark, Stop, Tail};
use crate::error::Error;
use crate::page::Page;
use crate::read::{Ordered, Out, Walk};
use crate::request::Request;

/// Pages share this many objects with the page before.
const OVERLAP: u64 = 1;

/// A walk that looks for its place so many times in a row without finding a new object is not getting anywhere.
const MOST_SEARCHES: u32 = 8;

/// `order` is none where the list has no say in it.
pub(super) async fn walk(walk: &Walk, request: Request, order: Option<Ordered>, out: &Out) -> Result<(), Stop> {
    let list = List { walk, request: request.maybe("order_by", order), order };
    let list = &list;
    let mut place = match walk.after.clone().and_then(Mark::place) {
        // How many there are is not known before the first page: it has to bear out that this is the place.
        Some((next, tail)) => Place { next, total: 0, tail, is_sure: false },
        None => {
            let mut page = list.page(0, walk.first_page.into()).await?;
            let place = list.after(&page, 0, walk.first_page.into(), Tail::default())?;
            page.set_mark(place.mark());
            out.send(page).await?;
            place
        }
    };
    let mut searches = 0;
    // What was handed over and may come again: a search that finds an object of the page before, but not the last,
    // cannot tell whether those in between are gone or moved on, because others were put before them.
    let mut displaced = HashSet::new();
    while place.next + OVERLAP < place.total || !place.is_sure {
        out.wanted().await;
        let (first, total, size) = (place.next, place.total, list.size());
        let offsets = (0..)
            .map(|n| first + n * (size - OVERLAP))
            .take_while(|offset| *offset == first || offset + OVERLAP < total);
        let mut pages = stream::iter(offsets)
            .map(|offset| async move { (offset, list.page(offset, size).await) })
            // As many pages may wait for their turn to be handed over as are on their way.
            .buffered(2 * walk.concurrency());
        let mut is_lost = false;
        while let Some((offset, page)) = pages.next().await {
            if offset != place.next {
                // A page was shorter than asked for: the rest is asked for anew from where it ended.
                break;
            }
            let mut page = page?;
            is_lost = page.is_empty() || Some(&*page.id(0)) != place.tail.last_id();
            if is_lost {
                break;
            }
            let came_to = place.next;
            place = list.after(&page, offset, size, place.tail)?;
            if place.next == came_to && place.next + OVERLAP < place.total {
                return Err(list.stuck("a page has nothing new though more is to come").into());
            }
            page.skip(OVERLAP as usize);
            page.set_mark(place.mark());
            out.send(without(page, &displaced)).await?;
        }
        drop(pages);
        if is_lost {
            let mut page = list.search(&mut place, &mut displaced).await?;
            page.set_mark(place.mark());
            searches = if place.is_sure { 0 } else { searches + 1 };
            if searches > MOST_SEARCHES {
                return Err(list.stuck("they repeat or skip objects however often they are read").into());
            }
            out.send(without(page, &displaced)).await?;
        }
    }
    Ok(())
}

fn without(mut page: Page, displaced: &HashSet<String>) -> Page {
    if !displaced.is_empty() {
        page.retain(|page, object| !displaced.contains(&*page.id(object)));
    }
    page
}

struct List<'w> {
    walk: &'w Walk,
    request: Request,
    order: Option<Ordered>,
}

/// How far a walk has come.
struct Place {
    /// The offset of the last object that was handed over, where the next page begins.
    next: u64,
    /// How many objects the list has, by Clerk's last word.
    total: u64,
    tail: Tail,
    /// Not so after a search that found nothing new: the next page has to bear it out, even at the list's end.
    is_sure: bool,
}

impl Place {
    fn mark(&self) -> Option<Mark> {
        self.is_sure.then(|| Mark::behind(self.next, &self.tail))
    }
}

impl List<'_> {
    /// Two at least: one is the overlap.
    fn size(&self) -> u64 {
        u64::from(self.walk.page_size).max(1 + OVERLAP)
    }

    async fn page(&self, offset: u64, limit: u64) -> Result<Page, Error> {
        let request = self.request.clone().param("limit", limit);
        self.walk.page(&request.maybe("offset", (offset > 0).then_some(offset))).await
    }

    /// The place after a page that began at this offset and followed on that tail.
    fn after(&self, page: &Page, offset: u64, limit: u64, tail: Tail) -> Result<Place, Error> {
        let end = offset + page.received() as u64;
        // A bare list does not tell: it goes on as long as its pages are full.
        let total = page.total_count().unwrap_or(match page.received() as u64 >= limit {
            true => end + OVERLAP,
            false => end,
        });
        if page.received() == 0 && total > offset {
            return Err(self.stuck("a page is empty though more is to come"));
        }
        Ok(Place { next: end.saturating_sub(OVERLAP), total, tail: tail.after(page), is_sure: true })
    }

    /// Looks for where the walk left off, backwards from where it should be; what is behind it is new.
    async fn search(&self, place: &mut Place, displaced: &mut HashSet<String>) -> Result<Page, Error> {
        let size = self.size();
        let mut offset = place.next.saturating_sub(size / 2);
        loop {
            let mut page = self.page(offset, size).await?;
            let tail = std::mem::take(&mut place.tail);
            match tail.last_known(&page) {
                Some(last) if last + 1 < page.len() || tail.last_id() == Some(&*page.id(last)) => {
                    let is_sure = last + 1 < page.len();
                    displaced.extend(tail.behind(&page.id(last)));
                    *place = Place { is_sure, ..self.after(&page, offset, size, tail)? };
                    page.skip(last + 1);
                    return Ok(page);
                }
                Some(last) => {
                    let here = self.after(&page, offset, size, Tail::default())?;
                    // All of the page lies before the place: what was handed over last must not be forgotten, unless
                    // the list ends here. Then it is gone, and the next page has to bear out that this is the end.
                    let tail = match here.next + OVERLAP >= here.total {
                        true => tail.up_to(&page.id(last)),
                        false => tail,
                    };
                    *place = Place { tail, is_sure: false, ..here };
                    page.skip(page.len());
                    return Ok(page);
                }
                None if offset == 0 => {
                    displaced.extend(tail.ids.iter().chain(&tail.same_moment).cloned());
                    return self.begin_again(place, page, tail).await;
                }
                None => {
                    place.tail = tail;
                    offset = offset.saturating_sub(size);
                }
            }
        }
    }

    /// Nothing of the page before is left: the list is read from its beginning to where something new comes, which
    /// only the times of creation tell. Its pages have to overlap like all others.
    async fn begin_again(&self, place: &mut Place, mut page: Page, tail: Tail) -> Result<Page, Error> {
        let Some(Ordered { parameter: "created_at", descending }) = self.order else {
            return Err(self.stuck("objects went that would show where the list was read to"));
        };
        let mut offset = 0;
        let mut beginnings = 1;
        loop {
            let here = self.after(&page, offset, self.size(), Tail::default())?;
            let new: Vec<bool> = (0..page.len()).map(|object| tail.is_before(&page, object, descending)).collect();
            if new.contains(&true) || here.next + OVERLAP >= here.total {
                *place = Place { tail: Tail { ids: Vec::new(), ..tail }.after(&page), ..here };
                page.retain(|_, object| new[object]);
                return Ok(page);
            }
            page = self.page(here.next, self.size()).await?;
            offset = here.next;
            if page.is_empty() || Some(&*page.id(0)) != here.tail.last_id() {
                beginnings += 1;
                if beginnings > MOST_SEARCHES {
                    return Err(self.stuck("they repeat or skip objects however often they are read"));
                }
                page = self.page(0, self.size()).await?;
                offset = 0;
            }
        }
    }

    fn stuck(&self, problem: &str) -> Error {
        Error::Inconsistent { problem: problem.to_owned(), request: self.request.clone() }
    }
}
