//! What is read of a request, and who may read an answer.

use super::*;

#[test]
fn text_with_nul_is_refused_at_its_place_and_text_that_only_looks_so_is_not() {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let read =
        |body: &'static str| json_body::<Value>(&headers, &Bytes::from_static(body.as_bytes()));
    for (body, pointer) in [
        (r#"{"a":"x\u0000"}"#, "/a"),
        (r#"{"a":[1,{"b":"\u0000"}]}"#, "/a/1/b"),
        (r#"{"a":{"x\u0000":1}}"#, "/a"),
        (r#"{"a":"\\\u0000"}"#, "/a"),
    ] {
        let problem = read(body).unwrap_err();
        assert_eq!((&*problem.code, problem.status), ("TEXT_NUL", 422), "{body}");
        assert_eq!(problem.errors[0].pointer, pointer, "{body}");
    }
    assert_eq!(read(r#"{"a":"\\u0000"}"#).unwrap()["a"], "\\u0000");
}

#[test]
fn the_member_at_fault_is_pointed_to() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "a/b~c")]
        _number: u8,
    }
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        _list: Vec<Inner>,
    }
    let headers = HeaderMap::from_iter([(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )]);
    let fault = |body: &'static str| {
        let problem =
            json_body::<Outer>(&headers, &Bytes::from_static(body.as_bytes())).unwrap_err();
        (problem.status, problem.errors[0].pointer.clone())
    };
    let number = r#"{"_list":[{"a/b~c":1},{"a/b~c":"x"}]}"#;
    assert_eq!(fault(number), (422, "/_list/1/a~1b~0c".to_owned()));
    assert_eq!(fault(r#"{"_list":[],"zebra":1}"#), (422, "/zebra".to_owned()));
    assert_eq!(fault(r#"{"_list":[{}]}"#), (422, "/_list/0".to_owned()));
    assert_eq!(fault(r#"{"_list":["#).0, 400);
}

#[tokio::test]
async fn pages_of_allowed_origins_read_answers_and_no_others() {
    use tower::ServiceExt as _;
    let allowed_origins = "https://office.example.org, https://second.example.org".to_owned();
    let settings = Settings { allowed_origins, ..Settings::default() };
    let ask = async |settings: &Settings, method: Method, origin: &'static str| {
        let router = Router::new().route("/", axum::routing::get(|| async { "hello" }));
        let request = Request::builder()
            .method(method)
            .uri("/")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PATCH")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,if-match")
            .body(Body::empty());
        let answer = finish(router, settings).oneshot(request.unwrap()).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        move |name: &'static str| match name {
            "status" => status.as_str().to_owned(),
            name => {
                headers.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
            }
        }
    };
    let office = "https://office.example.org";
    let answer = ask(&settings, Method::GET, office).await;
    assert_eq!(answer("access-control-allow-origin"), office);
    assert!(answer("access-control-expose-headers").contains("consistency-token"));
    assert_eq!(answer("access-control-allow-credentials"), "", "no cookies are ours");
    let answer = ask(&settings, Method::OPTIONS, office).await;
    assert_eq!(answer("status"), "200");
    assert!(answer("access-control-allow-methods").contains("PATCH"));
    assert_eq!(answer("access-control-allow-headers"), "authorization,if-match");
    for (settings, origin) in [
        (&settings, "https://office.example.org.evil.example"),
        (&settings, "null"),
        (&Settings::default(), office),
    ] {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = ask(settings, method, origin).await;
            assert_eq!(answer("access-control-allow-origin"), "", "{origin}");
        }
    }
}

/// The header of the answer to `method path` of a small API.
async fn header_of(settings: &Settings, method: Method, path: &str) -> HeaderMap {
    use axum::routing::get;
    use tower::ServiceExt as _;
    let tagged = || async { ([(header::ETAG, "\"1\"")], "a name") };
    let past = || async { ([(header::CACHE_CONTROL, "private, immutable")], "a name") };
    let router = Router::new()
        .route("/plain", get(|| async { "a name" }))
        .route("/panics", get(|| async { Vec::<&str>::new().remove(0) }))
        .route("/tagged", get(tagged))
        .route("/past", get(past))
        .route("/docs", get(|| async { "<html>" }))
        .route("/docs/{*rest}", get(|| async { "a script" }));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::ORIGIN, "https://office.example.org")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PATCH")
        .body(Body::empty());
    finish(router, settings).oneshot(request.unwrap()).await.unwrap().headers().clone()
}

#[tokio::test]
async fn every_answer_tells_browsers_to_take_it_for_what_it_is_and_to_keep_it_to_themselves() {
    let allowed_origins = "https://office.example.org".to_owned();
    let public_url = "https://console.example.org".to_owned();
    let by_tls = Settings { public_url, allowed_origins, ..Settings::default() };
    let (get, preflight) = (Method::GET, Method::OPTIONS);
    for (method, path, kept, varies) in [
        (&get, "/plain", "no-store", false),
        (&get, "/tagged", "private, no-cache", true),
        (&get, "/past", "private, immutable", true),
        (&get, "/nowhere", "no-store", false),
        (&get, "/panics", "no-store", false),
        (&Method::POST, "/plain", "no-store", false),
        (&preflight, "/plain", "no-store", false),
        (&get, "/docs", "no-store", false),
        (&get, "/docs/bundle.js", "no-store", false),
    ] {
        let headers = header_of(&by_tls, method.clone(), path).await;
        let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(said("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(said("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(said("strict-transport-security"), Some("max-age=31536000"), "{path}");
        assert_eq!(said("cache-control"), Some(kept), "{path}");
        let mut vary = headers.get_all("vary").iter();
        assert_eq!(vary.any(|value| value == "authorization"), varies, "{path}");
        let policy = said("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(policy.contains("script-src"), path.starts_with("/docs"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
    }
    let without = header_of(&Settings::default(), Method::GET, "/plain").await;
    assert!(!without.contains_key("strict-transport-security"), "there is no TLS here");
}

#[test]
fn a_trace_is_continued_only_when_it_is_well_formed() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert!(is_traceparent(good) && is_traceparent(&new_trace()));
    for bad in [
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
    ] {
        assert!(!is_traceparent(bad), "{bad}");
    }
}
