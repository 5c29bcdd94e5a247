//! The mailbox over real mail: what a real server took is shown as it was sent, and does no harm.

use std::net::TcpListener as Port;
use std::process::Stdio;

use reqwest::header::HeaderMap as Answered;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// What somebody who means harm sends.
const HOSTILE: &str = "From: \"<script>alert(1)</script>\" <a@evil.test>\r\n\
    To: someone-else@demo.test\r\n\
    X-RcptTo: forged@demo.test\r\n\
    Subject: =?utf-8?B?PGltZyBzcmM9eCBvbmVycm9yPWFsZXJ0KDEpPg==?= \u{202e}txt\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
    See http://annals.test/reset?a=1&b=2#token=t, and javascript:alert(1)\r\n</pre><script>alert(2)</script>\r\n\
    --b\r\nContent-Type: text/html\r\n\r\n<base target=_top><script>alert(3)</script><img src=http://evil.test/x.png>\r\n\
    --b\r\nContent-Type: text/html; name=\"../../etc/pass\\\"wd.html\"\r\n\
    Content-Disposition: attachment; filename=\"../../etc/<b>pass\\\"wd\r\n .html\"\r\n\r\n<script>alert(4)</script>\r\n\
    --b--\r\n";

/// A mail server and the mailbox over its folder.
struct Post {
    url: String,
    smtp: u16,
    _server: Child,
    folder: TempDir,
}

impl Post {
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's process")]
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let smtp = Port::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mailbox = folder.path().join("mailbox");
        let server = Command::new("aiosmtpd")
            .args(["--nosetuid", "--class", "aiosmtpd.handlers.Mailbox"])
            .args(["--listen", &format!("127.0.0.1:{smtp}")])
            .arg(&mailbox)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("aiosmtpd is installed; `cargo xtask test` installs it");
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, mailbox));
        Self { url, smtp, _server: server, folder }
    }

    /// Hands a message to the server, as a client does.
    async fn send(&self, to: &str, message: &str) {
        let end = Instant::now() + PATIENCE;
        let stream = loop {
            match TcpStream::connect(("127.0.0.1", self.smtp)).await {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let mut stream = BufReader::new(stream);
        let to = format!("RCPT TO:<{to}>");
        let message = format!("{message}\r\n.");
        for (said, code) in [
            ("", "220"),
            ("HELO test", "250"),
            ("MAIL FROM:<annals@house.test>", "250"),
            (&to, "250"),
            ("DATA", "354"),
            (&message, "250"),
            ("QUIT", "221"),
        ] {
            if !said.is_empty() {
                stream.get_mut().write_all(format!("{said}\r\n").as_bytes()).await.unwrap();
            }
            let mut answer = String::new();
            stream.read_line(&mut answer).await.unwrap();
            assert!(answer.starts_with(code), "{said}: {answer}");
        }
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> (u16, Answered, String) {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, answer.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Answered, String) {
        self.ask(client().get(format!("{}{path}", self.url))).await
    }

    async fn json(&self, path: &str) -> Value {
        let (status, _, text) = self.get(path).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The id of the message to somebody, once it is there.
    async fn id_of(&self, to: &str) -> String {
        let list = self.json(&format!("/messages?to={to}&wait_seconds=20")).await;
        list["items"][0]["id"].as_str().unwrap().to_owned()
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

fn plain(subject: &str) -> String {
    format!("From: Annals <annals@house.test>\r\nSubject: {subject}\r\n\r\nHello.\r\n")
}

#[tokio::test]
async fn what_the_server_took_is_listed_newest_first_found_and_deleted() {
    let post = Post::open().await;
    post.send("ada@demo.test", &plain("First")).await;
    post.send("Berta@demo.test", &plain("=?utf-8?Q?Zweite_Gr=C3=BC=C3=9Fe?=")).await;
    let list = post.json("/messages").await;
    assert_eq!(list["total"], 2);
    let subjects: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|it| &it["subject"]).collect();
    assert_eq!(subjects, ["Zweite Grüße", "First"]);
    assert_eq!(list["items"][0]["from"], "Annals <annals@house.test>");
    assert_eq!(list["items"][0]["to"], json!(["Berta@demo.test"]));
    for (query, found) in
        [("to=berta", 1), ("to=nobody", 0), ("q=first", 1), ("q=GR%C3%9CSSE", 0), ("q=gr%C3%BC", 1)]
    {
        let list = post.json(&format!("/messages?{query}")).await;
        assert_eq!(list["items"].as_array().unwrap().len(), found, "{query}");
        let (_, _, page) = post.get(&format!("/?{query}")).await;
        assert!(page.contains(&format!("{found} of 2 messages fit")), "{query}: {page}");
    }
    assert_eq!(post.get("/messages?tp=x").await.0, 400);
    let (status, _, text) = post.ask(client().delete(format!("{}/messages", post.url))).await;
    assert_eq!((status, text.as_str()), (200, "{\"deleted\":2}"));
    assert_eq!(post.json("/messages").await["total"], 0);
    assert!(std::fs::read_dir(post.folder.path().join("mailbox/new")).unwrap().next().is_none());
}

#[tokio::test]
async fn a_message_that_means_harm_is_shown_and_does_none() {
    let post = Post::open().await;
    post.send("ada@demo.test", HOSTILE).await;
    let id = post.id_of("ada").await;
    assert_eq!(post.json("/messages?to=forged").await["items"], json!([]), "the sender's own line");
    let message = post.json(&format!("/messages/{id}")).await;
    assert_eq!(message["subject"], "<img src=x onerror=alert(1)> txt");
    assert_eq!(message["links"], json!(["http://annals.test/reset?a=1&b=2#token=t"]));
    let name = message["attachments"][0]["name"].as_str().unwrap();
    assert!(!name.contains(['/', '\n', '\r']) && name.contains("wd"), "{name}");
    for path in ["/".to_owned(), format!("/read/{id}")] {
        let (_, headers, page) = post.get(&path).await;
        for sign in ["<script>alert", "<img", "\u{202e}", "href=\"javascript", "</pre><script"] {
            assert!(!page.contains(sign), "{sign} in {path}: {page}");
        }
        let policy = headers[CONTENT_SECURITY_POLICY.as_str()].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    let (_, _, page) = post.get(&format!("/read/{id}")).await;
    let link =
        "href=\"http:&#x2f;&#x2f;annals.test&#x2f;reset?a=1&amp;b=2#token=t\" target=\"_blank\"";
    assert!(page.contains(link) && page.contains("sandbox=\"allow-popups"), "{page}");
    let (_, headers, html) = post.get(&format!("/messages/{id}/html")).await;
    assert!(html.starts_with(LINKS_LEAD_OUT), "{html}");
    let policy = headers[CONTENT_SECURITY_POLICY.as_str()].to_str().unwrap();
    for rule in ["default-src 'none'", "sandbox allow-popups", "form-action 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("allow-scripts") && !policy.contains("script-src"), "{policy}");
    let (_, headers, source) = post.get(&format!("/messages/{id}/source")).await;
    assert_eq!(headers[CONTENT_TYPE.as_str()], "text/plain; charset=utf-8");
    assert_eq!(headers[X_CONTENT_TYPE_OPTIONS.as_str()], "nosniff");
    assert!(source.contains("X-RcptTo: ada@demo.test"), "{source}");
    let (_, headers, file) = post.get(&format!("/messages/{id}/attachments/0")).await;
    assert_eq!(headers[CONTENT_TYPE.as_str()], "application/octet-stream");
    let disposition = headers[CONTENT_DISPOSITION.as_str()].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename*=UTF-8''"), "{disposition}");
    assert_eq!(file.trim(), "<script>alert(4)</script>");
    assert_eq!(post.get(&format!("/messages/{id}/attachments/9")).await.0, 404);
    assert_eq!(post.get("/messages/00/html").await.0, 404);
}

#[tokio::test]
async fn pages_of_others_neither_read_nor_delete_it() {
    let post = Post::open().await;
    post.send("ada@demo.test", &plain("Kept")).await;
    post.id_of("ada").await;
    let at = |path: &str| format!("{}{path}", post.url);
    for host in ["evil.test", "127.0.0.1.evil.test", "evil.test:7403", ""] {
        let request = client().get(at("/messages")).header("host", host);
        let (status, _, text) = post.ask(request).await;
        assert!([400, 421].contains(&status) && !text.contains("Kept"), "{host}: {status} {text}");
    }
    for (name, value) in [
        ("origin", "http://evil.test"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for request in [client().delete(at("/messages")), client().post(at("/clear"))] {
            let (status, _, text) = post.ask(request.header(name, value)).await;
            assert_eq!(status, 403, "{name}: {value}: {text}");
        }
    }
    let (_, headers, _) = post.get("/messages").await;
    assert!(!headers.contains_key("access-control-allow-origin"));
    assert_eq!(post.json("/messages").await["total"], 1);
    let form = client().post(at("/clear")).header("origin", post.url.clone());
    let (status, _, page) = post.ask(form).await;
    assert!(status == 200 && page.contains("Nothing was sent yet"), "{status}: {page}");
}

#[tokio::test]
async fn an_open_page_hears_of_a_new_message() {
    let post = Post::open().await;
    let mut events = client().get(format!("{}/events", post.url)).send().await.unwrap();
    let mut heard = String::new();
    while !heard.contains("data: 0\n") {
        heard += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
    }
    post.send("ada@demo.test", &plain("New")).await;
    while !heard.contains("event: changed\ndata: 1\n") {
        heard += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
    }
    let (_, headers, script) = post.get("/mailbox.js").await;
    assert!(headers[CONTENT_TYPE.as_str()] == "text/javascript" && script.contains("/events"));
}
