//! A look at the files of the configuration, every other second: an editor's write, another file under the same name, a link
//! that points elsewhere (as Kubernetes swaps a ConfigMap) all change what is found there.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};

use super::Reloader;
use crate::journey::ReloadConfig;

/// Looks whether something has changed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Look;

/// What was found at the paths of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    files: Vec<(PathBuf, Option<Print>)>,
    /// What was found instead at the last look: a file that is being written is left alone until it rests.
    unrest: Option<Vec<Option<Print>>>,
}

/// Tells one state of a file from another: device, inode, size, time of the last change of content and of inode.
type Print = (u64, u64, u64, (i64, i64), (i64, i64));

impl Seen {
    pub fn at(paths: &[PathBuf]) -> Self {
        Self {
            files: paths
                .iter()
                .map(|path| (path.clone(), print(path)))
                .collect(),
            unrest: None,
        }
    }

    /// From now on looks at `paths` instead, unless there are none; what was seen of them before is kept.
    pub fn follow(&mut self, paths: &[PathBuf]) {
        if paths.is_empty() {
            return;
        }
        let known = |path: &PathBuf| {
            let known = self.files.iter().find(|(known, _)| known == path);
            known.map_or_else(|| print(path), |(_, print)| *print)
        };
        let files = paths.iter().map(|path| (path.clone(), known(path)));
        self.files = files.collect();
        self.unrest = None;
    }

    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|(path, _)| path.clone()).collect()
    }

    /// Takes what is found there now; true when it has changed and rests.
    fn is_news(&mut self, found: Vec<Option<Print>>) -> bool {
        let known = self.files.iter().map(|(_, print)| print);
        if known.eq(found.iter()) {
            self.unrest = None;
            return false;
        }
        let rests = self.unrest.as_ref() == Some(&found);
        self.unrest = Some(found);
        rests
    }
}

/// Follows links; `None`: there is nothing to be seen.
fn print(path: &Path) -> Option<Print> {
    let found = fs::metadata(path).ok()?;
    Some((
        found.dev(),
        found.ino(),
        found.len(),
        (found.mtime(), found.mtime_nsec()),
        (found.ctime(), found.ctime_nsec()),
    ))
}

impl Handler<Look> for Reloader {
    type Result = ();

    fn handle(&mut self, _: Look, context: &mut Context<Self>) {
        self.look_later(context);
        let is_off = {
            let general = &self.file.config.general_settings;
            general.config_watch_interval.is_zero()
        };
        if is_off || self.seen.files.is_empty() {
            return;
        }
        let paths = self.seen.paths();
        // A file system may take its time.
        let look = actix_web::rt::task::spawn_blocking(move || {
            paths.iter().map(|path| print(path)).collect()
        });
        let look = look.into_actor(self).map(|found, reloader, context| {
            if found.is_ok_and(|found| reloader.seen.is_news(found)) {
                context.notify(ReloadConfig { by: "file change" });
            }
        });
        context.spawn(look);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(seen: &Seen) -> Vec<Option<Print>> {
        seen.paths().iter().map(|path| print(path)).collect()
    }

    #[test]
    fn a_change_is_news_once_it_rests() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("1"), folder.path().join("2"));
        let link = folder.path().join("config.yaml");
        fs::write(&old, "a").unwrap();
        std::os::unix::fs::symlink(&old, &link).unwrap();
        let mut seen = Seen::at(&[link.clone(), folder.path().join("missing.yaml")]);
        assert!(!seen.is_news(found(&seen)));
        assert!(!seen.is_news(found(&seen)));
        // Another file behind the same name, of the same size.
        fs::write(&new, "b").unwrap();
        let swap = folder.path().join("swap");
        std::os::unix::fs::symlink(&new, &swap).unwrap();
        fs::rename(&swap, &link).unwrap();
        assert!(!seen.is_news(found(&seen)), "it may still be written");
        assert!(seen.is_news(found(&seen)));
        let mut seen = Seen::at(&seen.paths());
        assert!(!seen.is_news(found(&seen)));
        // It has gone: that is news too.
        fs::remove_file(&link).unwrap();
        assert!(!seen.is_news(found(&seen)));
        assert!(seen.is_news(found(&seen)));
    }
}
