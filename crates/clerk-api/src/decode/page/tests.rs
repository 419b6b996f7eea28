use super::*;
use crate::catalog::object;

fn path(path: &str) -> Locator {
    Locator::Path(path.split('.').map(str::to_owned).collect())
}

fn list(body: &str, asked: &[Locator]) -> Result<Page, String> {
    Page::list(body.as_bytes().to_vec(), &Projection::new(object("users").unwrap(), asked))
        .map_err(|malformed| format!("{}: {}", malformed.expected, malformed.problem))
}

#[test]
fn both_shapes_of_a_list() {
    let bare = list(r#"[{"id":"a","created_at":1},{"id":"b"}]"#, &[]).unwrap();
    assert_eq!((bare.len(), bare.id(1), bare.created_at(0)), (2, "b".into(), Some(1)));
    assert_eq!(bare.total_count(), None);
    let wrapped = list(r#" {"total_count":7,"data":[{"id":"a"}],"more":{}}"#, &[]).unwrap();
    assert_eq!((wrapped.len(), wrapped.total_count()), (1, Some(7)));
    assert!(list("[]", &[]).unwrap().is_empty());
}

#[test]
fn values_lie_where_clerk_put_them() {
    let body = r#"[{"id": "u", "n": null, "m": {"plan": "pro", "x": [1, 2]}, "s": "\ud800"}, {"id":"v"}]"#;
    let asked = [Locator::Whole, path("m.plan"), path("m"), path("n"), path("m.x.1"), path("s")];
    let page = list(body, &asked).unwrap();
    let row = |object| (0..asked.len()).map(|asked| page.value(object, asked)).collect::<Vec<_>>();
    assert_eq!(
        row(0),
        [
            Some(r#"{"id": "u", "n": null, "m": {"plan": "pro", "x": [1, 2]}, "s": "\ufffd"}"#),
            Some(r#""pro""#),
            Some(r#"{"plan": "pro", "x": [1, 2]}"#),
            None,
            Some("2"),
            Some(r#""\ufffd""#),
        ]
    );
    assert_eq!(row(1), [Some(r#"{"id":"v"}"#), None, None, None, None, None]);
}

#[test]
fn the_primary_address_is_found_by_its_id() {
    let email = Locator::Primary { id: "primary", list: "emails", value: "email" };
    let body = r#"[
        {"id":"1","emails":[{"id":"x","email":"x@y"},{"email":"p@y","id":"p"}],"primary":"p"},
        {"id":"2","primary":"gone","emails":[{"id":"x","email":"x@y"}]},
        {"id":"3","primary":null,"emails":[{"id":null,"email":"x@y"}]},
        {"id":"4","primary":"p","emails":null},
        {"id":"5"}]"#;
    let page = list(body, &[email]).unwrap();
    let found: Vec<_> = (0..page.len()).map(|object| page.value(object, 0)).collect();
    assert_eq!(found, [Some(r#""p@y""#), None, None, None, None]);
}

#[test]
fn what_is_not_a_list_is_refused_with_its_reason() {
    for (body, reason) in [
        ("<html>", "expected value"),
        (r#"[{"id":"a"}"#, "it is cut short after 11 bytes"),
        (r#"[{"id":"a"}] x"#, "trailing characters"),
        (r#"{"errors":[]}"#, "missing field `data`"),
        (r#"[{"id":1}]"#, "missing field `id`"),
        (r#"[null]"#, "invalid type: null"),
        (r#"{"data":{},"total_count":0}"#, "invalid type: map"),
        ("", "it is cut short after 0 bytes"),
    ] {
        let problem = list(body, &[]).expect_err(body);
        assert!(problem.contains(reason), "{body}: {problem}");
        let problem = list(body, &[Locator::Whole]).expect_err(body);
        assert!(problem.contains(reason), "{body}: {problem}");
    }
    assert!(Page::list(b"[\xff]".to_vec(), &Projection::new(object("users").unwrap(), &[])).is_err());
}

#[test]
fn objects_can_be_dropped() {
    let mut page = list(r#"[{"id":"a"},{"id":"b"},{"id":"c"}]"#, &[]).unwrap();
    page.retain(|page, object| page.id(object) != "b");
    assert_eq!((page.len(), page.id(0), page.id(1)), (2, "a".into(), "c".into()));
}
