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

#[test]
fn elements_are_the_rows_of_their_owners() {
    let addresses = object("user_email_addresses").unwrap();
    let asked = [Locator::Owner("id"), path("email_address"), Locator::IsPrimary { id: "primary_email_address_id" }];
    let body = r#"[
        {"id":"u1","created_at":1,"primary_email_address_id":"b","email_addresses":
            [{"id":"a","email_address":"a@x"},{"email_address":"b@x","id":"b"}]},
        {"id":"u2","created_at":2,"primary_email_address_id":null,"email_addresses":[]},
        {"id":"u3","created_at":3},
        {"id":"u4","created_at":4,"primary_email_address_id":"c","email_addresses":[{"id":"c"},{"email_address":"d@x"}]}]"#;
    let projection = Projection::new(addresses, &asked);
    let page = || Page::list(body.as_bytes().to_vec(), &projection).map_err(|error| error.problem).unwrap();
    let rows = |page: Page| {
        let row = |row| (0..asked.len()).map(|column| page.value(row, column).unwrap_or("-").to_owned()).collect();
        (0..page.len()).map(row).collect::<Vec<Vec<_>>>()
    };
    let users = page();
    assert_eq!((users.len(), users.id(3).into_owned(), users.created_at(3)), (4, "u4".to_owned(), Some(4)));
    let first = [[r#""u1""#, r#""a@x""#, "false"], [r#""u1""#, r#""b@x""#, "true"]];
    let last = [[r#""u4""#, "-", "true"], [r#""u4""#, r#""d@x""#, "false"]];
    assert_eq!(rows(page().into_rows()), [first, last].concat());
    let mut kept = page();
    kept.retain(|page, user| page.id(user) != "u1");
    kept.retain(|page, user| page.id(user) != "u2");
    let kept = kept.into_rows();
    assert_eq!((kept.id(0).into_owned(), kept.id(1).into_owned()), ("c".to_owned(), String::new()));
    assert_eq!(rows(kept), last);
    let wrong = r#"[{"id":"u1","email_addresses":["a@x"]}]"#;
    assert!(Page::list(wrong.as_bytes().to_vec(), &projection).is_err());
}

#[test]
fn the_key_fills_the_columns_that_clerk_leaves_out() {
    let subscriptions = object("user_billing_subscriptions").unwrap();
    let projection = Projection::new(subscriptions, &[Locator::Key, path("status")]);
    let body = br#"{"id":"sub_1","status":"active"}"#.to_vec();
    let mut page = Page::single(body, &projection).map_err(|error| error.problem).unwrap();
    page.set_key(&projection, "user_\"1");
    assert_eq!((page.value(0, 0), page.value(0, 1)), (Some(r#""user_\"1""#), Some(r#""active""#)));
}

#[test]
fn a_list_may_have_another_name() {
    let tokens = Projection::new(object("m2m_tokens").unwrap(), &[]);
    let page = Page::list(br#"{"m2m_tokens":[{"id":"mt_1"}],"total_count":1}"#.to_vec(), &tokens);
    assert_eq!(page.map_err(|error| error.problem).unwrap().len(), 1);
    assert!(Page::list(br#"{"data":[],"total_count":0}"#.to_vec(), &tokens).is_err(), "it has another name there");
}
