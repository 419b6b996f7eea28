//! Lists with `offset` in another order than that of creation, or in none: how far one was read, no time tells. So all
//! that was handed over is known by a hash of its id. Objects may change places meanwhile, as those who are updated do
//! in the order of updates: these lists are looked at page by page, and mostly not to their end.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::by_offset::{List, MAX_SEARCHES};
use super::fetcher::Stop;
use super::sender::PageSender;
use crate::decode::Page;

/// How many times a list is read from its beginning because objects are missing at its end.
const MAX_READINGS: u32 = 3;

pub(super) async fn read(list: &List<'_>, sender: &PageSender) -> Result<(), Stop> {
    let hasher = RandomState::new();
    let mut handed_over = HashSet::new();
    // What was seen since the list was begun.
    let mut seen: HashSet<u64> = HashSet::new();
    let (mut offset, mut limit) = (0, list.fetcher.first_page.into());
    let (mut searches, mut step, mut readings, mut was_short) = (0, 0, 1, false);
    loop {
        let mut page = list.page(offset, limit).await?;
        let ids: Vec<u64> = (0..page.len()).map(|object| hasher.hash_one(page.id(object))).collect();
        let known = ids.iter().take_while(|id| seen.contains(id)).count();
        // A page begins with the last object of the page before and has nothing else of it. Otherwise something has
        // changed its place, and the next page is to show what is around.
        let is_next = known == 1 && !ids[1..].iter().any(|id| seen.contains(id));
        if !(offset == 0 || is_next || (step > 0 && known > 0)) {
            searches += 1;
            if searches > MAX_SEARCHES {
                return Err(list.stuck("they repeat or skip objects however often they are read").into());
            }
            step = if step == 0 { list.size() / 2 } else { 2 * step };
            offset = u64::saturating_sub(offset, step);
            limit = list.size();
            continue;
        }
        step = 0;
        let (end, is_full) = (offset + ids.len() as u64, ids.len() as u64 >= limit);
        let mut total = page.total_count();
        let seen_before = seen.len();
        seen.extend(&ids);
        let is_idle = seen.len() == seen_before;
        searches = if is_idle { searches + 1 } else { 0 };
        let is_end_again = !is_full && was_short && is_idle;
        was_short = !is_full;
        let new: Vec<bool> = ids.iter().map(|id| handed_over.insert(*id)).collect();
        page.retain(|_: &Page, object| new[object]);
        sender.send(page).await?;
        if !is_full && total.is_none() {
            sender.wanted().await;
            total = list.count().await?;
        }
        let is_ended = !is_full && (total == Some(end) || is_end_again);
        if is_ended && total.is_none_or(|total| total <= handed_over.len() as u64) {
            return Ok(());
        }
        if searches > MAX_SEARCHES || (is_ended && readings == MAX_READINGS) {
            return Err(list.stuck("more objects are counted than listed").into());
        }
        sender.wanted().await;
        (offset, limit) = (end.saturating_sub(1), list.size());
        if is_ended {
            (offset, was_short, readings) = (0, false, readings + 1);
            seen.clear();
        }
    }
}
