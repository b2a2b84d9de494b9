//! The API behind a real listener: what the HTTP library in between does to long and strange requests.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Api;
use super::client::{VOD, form};

/// Sends one request over a connection of its own and gives back the whole answer.
async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_request_line_of_sixty_kilobytes_is_signed_and_answered() {
    let api = Api::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = api.router.clone();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let list = format!(
        "[{}]",
        vec![r#"{"TemplateName":"a template","Definition":"OD","Container":{"Format":"mp4"}}"#; 20].join(",")
    );
    let padding = "中 +*".repeat(4_200);
    let asked = api.ask(
        VOD,
        "AddTranscodeTemplateGroup",
        &[("Name", "long"), ("TranscodeTemplateList", &list), ("Ignored", &padding)],
    );
    let query = form(&asked.params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>());
    assert!((60_000..65_000).contains(&query.len()), "{}", query.len());
    let mut request = format!("POST /?{query} HTTP/1.1\r\nconnection: close\r\ncontent-length: 0\r\n");
    for (name, value) in asked.v3_headers(&query, &address.to_string()) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let answer = exchange(address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\"TranscodeTemplateGroupId\":\""), "{answer}");

    let answer = exchange(address, "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/xml;charset=utf-8\r\n"), "{answer}");
    server.abort();
}
