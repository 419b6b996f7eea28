//! Reads lists with the parameter `offset` that are not sorted by creation.
//!
//! In such a list no time tells which objects were handed over, so hashes of their ids are kept. Objects may change
//! their position while the list is read, such as updated objects in the order of updates. So the pages are read one by
//! one. Mostly only the first of them are needed, because such an order is requested together with a limit.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::fetcher::Stop;
use super::offset_reader::{MAX_SEARCHES, OffsetReader};
use super::sender::PageSender;
use crate::decode::Page;

/// How many times a list is read from its beginning because fewer objects were handed over than it has at its end.
const MAX_READINGS: u32 = 3;

pub(super) async fn read(reader: &OffsetReader<'_>, sender: &PageSender) -> Result<(), Stop> {
    let hasher = RandomState::new();
    let mut handed_over = HashSet::new();
    // The objects that were seen since reading last began at offset 0.
    let mut seen: HashSet<u64> = HashSet::new();
    let (mut offset, mut limit) = (0, reader.first_page());
    let (mut searches, mut step, mut readings, mut was_short) = (0, 0, 1, false);
    loop {
        let mut page = reader.page(offset, limit).await?;
        let ids: Vec<u64> = (0..page.len()).map(|object| hasher.hash_one(page.id(object))).collect();
        let known = ids.iter().take_while(|id| seen.contains(id)).count();
        // If nothing has changed, a page begins with the last object of the page before and has no other object of it.
        // Otherwise objects have changed their position, and a page further back is read until one overlaps.
        let is_next = known == 1 && !ids[1..].iter().any(|id| seen.contains(id));
        if !(offset == 0 || is_next || (step > 0 && known > 0)) {
            searches += 1;
            if searches > MAX_SEARCHES {
                return Err(reader.inconsistent("they repeat or skip objects however often they are read").into());
            }
            step = if step == 0 { reader.page_size() / 2 } else { 2 * step };
            offset = u64::saturating_sub(offset, step);
            limit = reader.page_size();
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
            sender.wait_for_demand().await;
            total = reader.count().await?;
        }
        let is_ended = !is_full && (total == Some(end) || is_end_again);
        // The list has as many positions as its last page ends at, whether Clerk counts them or not. Where it puts
        // objects of equal keys into another order for each page, an overlap does not show that some were skipped.
        let positions = total.unwrap_or_default().max(end);
        if is_ended && positions <= handed_over.len() as u64 {
            return Ok(());
        }
        if searches > MAX_SEARCHES || (is_ended && readings == MAX_READINGS) {
            return Err(reader.inconsistent("more objects are counted than listed").into());
        }
        sender.wait_for_demand().await;
        (offset, limit) = (end.saturating_sub(1), reader.page_size());
        if is_ended {
            (offset, was_short, readings) = (0, false, readings + 1);
            seen.clear();
        }
    }
}
