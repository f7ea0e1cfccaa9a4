//! The same frameworks with nothing of ours: actix-web takes a request, awc sends it on. What the gateway adds is the difference.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use actix_tls::connect::{ConnectError, ConnectInfo, ConnectorService};
use actix_web::body::SizedStream;
use actix_web::dev::{Service, fn_service};
use actix_web::http::header::{self, HeaderName};
use actix_web::web::{Data, Payload};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, error, web};
use awc::http::Uri;
use futures_util::StreamExt;
use futures_util::stream;

use crate::process::Process;

const KEEP_ALIVE: Duration = Duration::from_secs(300);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Starts this program again as the forwarder.
pub fn start(folder: &Path, port: u16, upstream: SocketAddr) -> Result<Process, String> {
    let program = std::env::current_exe().map_err(|why| why.to_string())?;
    let mut command = Command::new(program);
    command
        .arg("--forward")
        .arg(port.to_string())
        .arg(upstream.to_string());
    Process::start(&mut command, folder.join("bare.log")).map_err(|why| why.to_string())
}

/// Forwards from `port` to `upstream` until it is told to end.
pub fn forward(port: u16, upstream: &str) -> std::io::Result<()> {
    let upstream = upstream.to_owned();
    actix_web::rt::System::new().block_on(async move {
        HttpServer::new(move || {
            App::new()
                .app_data(Data::new(upstream.clone()))
                .app_data(Data::new(client()))
                .default_service(web::to(pass_on))
        })
        .workers(1)
        .backlog(4096)
        .keep_alive(KEEP_ALIVE)
        .tcp_nodelay(true)
        .h1_allow_half_closed(false)
        .bind(("127.0.0.1", port))?
        .run()
        .await
    })
}

/// awc leaves Nagle's algorithm on, which holds back the body of a request until its head is acknowledged.
fn client() -> awc::Client {
    let connect = fn_service(|to: ConnectInfo<Uri>| async move {
        let connection = ConnectorService::default().call(to).await?;
        connection.set_nodelay(true).map_err(ConnectError::Io)?;
        Ok(connection)
    });
    let connector = awc::Connector::new()
        .connector(connect)
        .limit(0)
        .conn_keep_alive(KEEP_ALIVE)
        .conn_lifetime(KEEP_ALIVE);
    awc::Client::builder()
        .connector(connector)
        .timeout(TIMEOUT)
        .finish()
}

async fn pass_on(
    request: HttpRequest,
    body: Payload,
    client: Data<awc::Client>,
    upstream: Data<String>,
) -> Result<HttpResponse, Error> {
    let target = format!("http://{}{}", upstream.as_str(), request.uri());
    let call = client.request_from(target, request.head()).no_decompress();
    let answer = match length(request.headers()) {
        Some(length) => {
            call.send_body(SizedStream::new(length, body.into_inner()))
                .await
        }
        None => call.send_stream(body.into_inner()).await,
    };
    let mut answer = answer.map_err(error::ErrorBadGateway)?;
    let mut response = HttpResponse::build(answer.status());
    for (name, value) in answer
        .headers()
        .iter()
        .filter(|(name, _)| !concerns_one_hop(name))
    {
        response.append_header((name.clone(), value.clone()));
    }
    let length = length(answer.headers());
    // With the first bytes of the body in hand, head and body leave in one write.
    let Some(first) = answer.next().await.transpose()? else {
        return Ok(response.finish());
    };
    if length == Some(first.len() as u64) {
        // A connection goes back to the pool when its body was read to the end.
        while answer.next().await.is_some() {}
        return Ok(response.body(first));
    }
    let body = stream::iter([Ok(first)]).chain(answer);
    Ok(match length {
        Some(length) => response.body(SizedStream::new(length, body)),
        None => response.streaming(body),
    })
}

fn length(headers: &header::HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn concerns_one_hop(name: &HeaderName) -> bool {
    [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ]
    .contains(name)
}
