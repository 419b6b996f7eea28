//! An id stays one segment of the path, or one parameter, whatever characters it has.
//!
//! The first line is the number of an object, the rest is the id.
#![no_main]

use clerk_api::Request;
use clerk_api::catalog::OBJECTS;
use clerk_fuzz::{BASES, check_target, decoded, lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some([number, id]) = lines(data) else { return };
    let object = OBJECTS[number.parse::<usize>().unwrap_or(0) % OBJECTS.len()];
    for template in object.key_columns.iter().map(|key| key.list.path) {
        match Request::with_key(template, id) {
            Some(request) => check(&request, template, id),
            None => assert!(matches!(id, "" | "." | ".."), "{id:?} cannot be asked for"),
        }
    }
    let updates = object.writes.updates.iter().map(|update| update.write());
    for write in updates.chain(object.writes.delete.iter()).chain(object.writes.insert.iter()) {
        let keys = vec![id.to_owned(); write.keys().count()];
        match Request::write(write, &keys, None) {
            Some(request) => check(&request, write.path, id),
            None => assert!(matches!(id, "" | "." | ".."), "{id:?} cannot be written"),
        }
    }
});

fn check(request: &Request, template: &str, id: &str) {
    let shown = request.to_string();
    let (_, target) = shown.split_once(' ').expect("a method and a target");
    let (path, query) = template.split_once('?').map_or((template, None), |(path, query)| (path, Some(query)));
    for base in BASES {
        let url = check_target(base, target, path.split('/').count() - 1);
        if let Some((name, _)) = query.and_then(|query| query.split_once('=')) {
            let pairs: Vec<_> = url.query_pairs().into_owned().collect();
            assert_eq!(pairs, [(name.to_owned(), id.to_owned())]);
        } else {
            assert_eq!(url.query(), None);
        }
    }
    let path_sent = target.split('?').next().unwrap_or_default();
    for (sent, given) in path_sent.split('/').zip(path.split('/')) {
        match given.starts_with('{') {
            true => assert_eq!(decoded(sent), id.as_bytes(), "{sent:?}"),
            false => assert_eq!(sent, given),
        }
    }
}
