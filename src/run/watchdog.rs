//! A look at the control thread every second. Without it nothing can be admitted: a process that has lost it ends, in order,
//! so that whoever started it starts another.

use std::sync::Arc;
use std::time::Duration;

use crate::router::{ControlHandle, Ping};

const EVERY: Duration = Duration::from_secs(1);
/// A thread that takes longer to answer stalls.
const PATIENCE: Duration = Duration::from_secs(1);

/// Resolves when the control thread is lost. A mailbox that died alone is replaced.
pub async fn control_lost(control: Arc<ControlHandle>) {
    let mut stalls = false;
    loop {
        tokio::time::sleep(EVERY).await;
        match tokio::time::timeout(PATIENCE, control.router().send(Ping)).await {
            Ok(Ok(())) => {
                if std::mem::replace(&mut stalls, false) {
                    log::info!("control: the thread answers again");
                }
            }
            Ok(Err(_)) => {
                if !control.revive().await {
                    log::error!("control: the thread is lost");
                    return;
                }
            }
            Err(_) => {
                if !std::mem::replace(&mut stalls, true) {
                    log::error!("control: the thread has not answered for a second");
                }
            }
        }
    }
}
