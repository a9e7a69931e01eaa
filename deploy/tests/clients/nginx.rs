//! An nginx that lives as long as a test.

use crate::process::scratch;
use crate::program;
use crate::world::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// nginx with one worker, everything that it writes in a folder of its own.
pub(crate) struct Nginx {
    pub(crate) address: String,
    master: Child,
    folder: tempfile::TempDir,
}

impl Nginx {
    /// One with `server` in its server block and `http` before that; `None` when nginx is not installed. Files are
    /// served from the folder `files` below [`Nginx::folder`].
    pub(crate) fn start(http: &str, server: &str) -> Option<Self> {
        let program = program::find(&["nginx"])?;
        let folder = scratch();
        fs::create_dir(folder.path().join("files")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let text = configuration(&address, http, server);
        fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
        // It takes over the socket that it is given as descriptor 0, as it does from an nginx that it replaces: nobody
        // else can take the port, and who connects before nginx is ready waits in the socket's queue.
        command.env("NGINX", "0;").stdin(Stdio::from(OwnedFd::from(listener)));
        let master = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Some(Self { address, master, folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file below the served folder, last changed `seconds` after 1970.
    pub(crate) fn write(&self, name: &str, content: &[u8], seconds: u64) {
        let path = self.folder().join("files").join(name);
        fs::write(&path, content).unwrap();
        let changed = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::options().write(true).open(path).unwrap().set_modified(changed).unwrap();
    }

    /// The requests of which it has written, `METHOD TARGET STATUS`, once there are `count`: it writes a line a moment
    /// after the client has the response.
    pub(crate) fn answered(&self, count: usize) -> Vec<String> {
        until("nginx writes of every request", || {
            let text = fs::read_to_string(self.folder().join("access.log")).unwrap_or_default();
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            (lines.len() >= count && (text.is_empty() || text.ends_with('\n'))).then_some(lines)
        })
    }

    /// What it complained about.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(self.folder().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // TERM: a master that is killed leaves its worker behind.
        let _ = kill(Pid::from_raw(self.master.id().cast_signed()), Signal::SIGTERM);
        let _ = self.master.wait();
    }
}

fn configuration(address: &str, http: &str, server: &str) -> String {
    // A root that is told no user gives its worker to nobody, who may not enter our folder.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    format!(
        "daemon off; {user} worker_processes 1; pid nginx.pid; error_log error.log notice;
        events {{ worker_connections 512; }}
        http {{
            log_format short '$request_method $request_uri $status';
            access_log access.log short;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            types {{
                text/html html; text/css css; text/javascript js; text/plain txt;
                image/png png; image/svg+xml svg; application/octet-stream bin;
            }}
            {http}
            server {{ listen {address}; root files; {server} }}
        }}"
    )
}
