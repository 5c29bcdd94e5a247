//! For tests: command-api as it would answer.

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::problem::Problem;

/// A server that gives these answers in turn and keeps what it was asked.
pub async fn server(answers: Vec<(u16, Value)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    crate::lifecycle::detach(async move {
        for (status, body) in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !whole(&request) {
                let mut buffer = [0; 4096];
                let read = socket.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            kept.lock().unwrap().push(String::from_utf8(request).unwrap());
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            socket.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    (base, asked)
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

pub fn token(text: &str) -> (u16, Value) {
    (200, json!({"access_token": text, "expires_in": 600}))
}

pub fn problem(status: u16) -> (u16, Value) {
    let problem = Problem::new(StatusCode::from_u16(status).unwrap(), "NOT_SO", "it is not so");
    (status, serde_json::to_value(problem).unwrap())
}
