//! The listening server: sockets, TLS, and who may stay how long.
//!
//! `serve` puts together what a worker has and the routes; `listen` accepts connections; `door` is one of them and `visitors`
//! all of a worker's; `attended` tells when a request begins and ends; `tls` keeps the certificate. Nothing here looks into a
//! request.

mod attended;
mod door;
mod listen;
mod tls;
mod visitors;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use actix_web::dev::ServerHandle;
use actix_web::{App, web};

use actix_server::ServerBuilder;

use super::cors::Cors;
use super::docs::{self, DocsSettings, Site};
use super::error::Surface;
use super::missing::{not_found, wrong_method};
use super::root_path::RootPath;
use super::route::routes;
use crate::auth::{Directory, Master};
use crate::config::ClientLimits;
use crate::journey::{Shared, Worker};
use crate::router::Port;
use crate::spend::journal::JournalWriter;
use crate::spend::{Desk, SpendLogger};
use crate::upstream::TlsError;
use visitors::Patience;

/// Idle connections of clients are kept longer than load balancers keep them, so that it is never us who close first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The server itself waits without end: how long is decided where the process ends.
const GRACE_SECONDS: u64 = 366 * 24 * 3600;

pub use tls::{OwnCertificate, TlsFiles};

/// What a server needs beside what its threads share.
pub struct Running {
    pub shared: Arc<Shared>,
    pub master: Option<Arc<Master>>,
    /// How long a key's row is believed.
    pub key_ttl: Duration,
    pub default_parallel: Option<u64>,
    pub journal_folder: PathBuf,
    /// New calls are refused while the journals hold so many bytes.
    pub most_journal_bytes: u64,
    pub logger: Addr<SpendLogger>,
    pub address: (String, u16),
    pub workers: usize,
    pub docs: DocsSettings,
    /// How long an idle connection of a client is kept, when not as usual.
    pub keep_alive: Option<Duration>,
    pub limits: ClientLimits,
    /// The certificate that TLS is spoken with, if it is.
    pub certificate: Option<Arc<OwnCertificate>>,
    pub root_path: RootPath,
    /// Which pages may call from a browser.
    pub cors: Cors,
}

/// The server could not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "port {port} of {host} is in use: stop what listens there, or choose another with --port"
    )]
    InUse { host: String, port: u16 },
    #[error("cannot listen on {host}:{port}: {error}")]
    Bind {
        host: String,
        port: u16,
        error: std::io::Error,
    },
    #[error("TLS to clients: {0}")]
    Tls(#[from] TlsError),
}

/// Binds and starts the server; answers its future, its handle and the addresses it listens on.
pub fn serve(
    running: Running,
) -> Result<(actix_web::dev::Server, ServerHandle, Vec<SocketAddr>), ServeError> {
    let Running {
        shared,
        master,
        key_ttl,
        default_parallel,
        journal_folder,
        most_journal_bytes,
        logger,
        address,
        workers,
        docs,
        keep_alive,
        limits,
        certificate,
        root_path,
        cors,
    } = running;
    let site = Arc::new(Site::new(docs));
    let worker = move || {
        let directory = Directory::new(
            shared.store.clone(),
            master.clone(),
            shared.changes.clone(),
            key_ttl,
            default_parallel,
        );
        let writer = JournalWriter::new(journal_folder.clone(), shared.journal.clone());
        let desk = Desk::open(
            writer,
            logger.clone(),
            shared.ledger.clone(),
            most_journal_bytes,
        );
        let port = Port::open(shared.control.clone());
        Worker::new(shared.clone(), directory, desk, port)
    };
    let app = move || {
        // Runs once on each worker thread.
        let _ = rustix::thread::set_name(c"worker");
        let worker: Rc<Worker> = worker();
        App::new()
            .app_data(worker)
            .app_data(site.clone())
            .app_data(cors.clone())
            .configure(|config| mount_below(&root_path, config, &site))
            .default_service(web::to(not_found))
    };
    let (host, port) = address;
    let failed = |error: std::io::Error| {
        let host = host.clone();
        match error.kind() {
            std::io::ErrorKind::AddrInUse => ServeError::InUse { host, port },
            _ => ServeError::Bind { host, port, error },
        }
    };
    let listeners = listen::bind(&host, port).map_err(failed)?;
    let patience = Patience {
        head: limits.head_timeout,
        write: limits.write_timeout,
        keep_alive: keep_alive.unwrap_or(KEEP_ALIVE),
        most: limits.most_connections.div_ceil(workers),
    };
    let tls = certificate.as_ref().map(|own| own.config()).transpose()?;
    if let Some(certificate) = certificate {
        actix_web::rt::spawn(certificate.follow());
    }
    let mut builder = ServerBuilder::new()
        .workers(workers)
        .max_concurrent_connections(patience.most)
        .shutdown_timeout(GRACE_SECONDS)
        // The server's own handling would stop all arbiters with it, the spend logger's among them.
        .disable_signals();
    let mut addresses = Vec::new();
    for listener in listeners {
        addresses.push(listener.local_addr().map_err(failed)?);
        builder =
            listen::add(builder, listener, patience, tls.clone(), app.clone()).map_err(failed)?;
    }
    let server = builder.run();
    let handle = server.handle();
    Ok((server, handle, addresses))
}

/// All routes below the prefix, and without it too: a proxy may or may not take it off, and probes come directly.
fn mount_below(root_path: &RootPath, config: &mut web::ServiceConfig, site: &Site) {
    if !root_path.as_str().is_empty() {
        config.service(web::scope(root_path.as_str()).configure(|config| mount(config, site)));
    }
    mount(config, site);
}

fn mount(config: &mut web::ServiceConfig, site: &Site) {
    let mut paths: Vec<&'static str> = Vec::new();
    for route in routes() {
        if !paths.contains(&route.path) {
            paths.push(route.path);
        }
    }
    for path in paths {
        let mut resource = web::resource(path);
        let mut surface = Surface::OpenAi;
        for route in routes().filter(|route| route.path == path) {
            resource = resource.route(route.mounted());
            surface = route.surface;
        }
        let otherwise = move |request, payload| wrong_method(request, payload, surface);
        config.service(resource.default_service(web::to(otherwise)));
    }
    if let Some(path) = site.page_elsewhere() {
        config.service(web::resource(path).route(docs::PAGE.mounted()));
    }
}
