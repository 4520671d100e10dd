//! Servers on sites' LANs: a database, and a web server with a certificate of its own.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use crate::scene::{Lab, Running};
use crate::wait::{Package, need, succeed, wait_for};

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(20);
/// A database is run by nobody in particular.
const NOBODY: [&str; 5] = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"];

/// PostgreSQL on a site's LAN, until this is dropped.
#[derive(Debug)]
pub(crate) struct Database {
    server: Running,
    address: String,
    _folder: TempDir,
}

/// The folder of PostgreSQL's own programs, of the newest version that there is.
fn postgresql() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    let found = folders.into_iter().rfind(|folder| folder.join("postgres").is_file());
    need(&[Package { name: "postgresql-client-common", programs: &["psql", "pgbench"] }]);
    found.expect("apt-get install -y --no-install-recommends postgresql")
}

impl Database {
    /// Starts a database server on a site's host, at its port 5432, and waits until it answers.
    pub(crate) fn start(lab: &Lab, site: &str, address: IpAddr) -> Self {
        let programs = postgresql();
        let folder = TempDir::with_prefix("postgresql-").expect("a folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("rights");
        succeed(Command::new("chown").arg("nobody:nogroup").arg(&data));
        let mut initdb = Command::new("setpriv");
        initdb.args(NOBODY).arg(programs.join("initdb")).arg("-D").arg(&data);
        initdb.args(["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"]);
        succeed(initdb.args(["--locale", "C"]).current_dir(&data));
        let anybody = "host all all 0.0.0.0/0 trust\nhost all all ::/0 trust\n";
        fs::write(data.join("pg_hba.conf"), anybody).expect("a file");
        let (postgres, data) = (programs.join("postgres"), data.display().to_string());
        let address = address.to_string();
        let listen = format!("listen_addresses={address}");
        let sockets = format!("unix_socket_directories={data}");
        let mut words = vec![postgres.to_str().expect("text"), "-D", &data];
        // A disk that loses power is not what is tested, and `fsync` is not what is measured.
        for setting in [&listen, &sockets, "log_connections=on", "fsync=off"] {
            words.extend(["-c", setting]);
        }
        let name = format!("postgres-{site}");
        let server = Running::start(lab, &name, &mut lab.program(site, &NOBODY, &words));
        let database = Self { server, address, _folder: folder };
        wait_for("database", START, || {
            let output = database.run(lab, site, "select 1");
            if output.status.success() { Ok(()) } else { Err(output) }
        });
        database
    }

    /// Who has connected, line by line.
    pub(crate) fn asked(&self) -> String {
        let said = self.server.said();
        let lines = said.lines().filter(|line| line.contains("connection received"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What a client is told to find it.
    pub(crate) fn target(&self) -> String {
        format!("host={} user=postgres connect_timeout=3", self.address)
    }

    /// Runs statements at a site, whatever becomes of them.
    pub(crate) fn run(&self, lab: &Lab, site: &str, sql: &str) -> Output {
        lab.run(site, &["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", &self.target(), "-c", sql])
    }

    /// Runs statements at a site, which must be possible, and returns what they give.
    pub(crate) fn query(&self, lab: &Lab, site: &str, sql: &str) -> String {
        let output = self.run(lab, site, sql);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {said}");
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }
}

/// A web server on a site's LAN, until this is dropped. It offers a folder by HTTPS.
#[derive(Debug)]
pub(crate) struct Web {
    _server: Running,
    folder: TempDir,
    address: IpAddr,
    port: u16,
}

impl Web {
    /// Starts a server at a host's address with these files.
    pub(crate) fn start(
        lab: &Lab,
        site: &str,
        (address, port): (IpAddr, u16),
        files: &[(&str, &[u8])],
    ) -> Self {
        need(&[
            Package { name: "nginx-light", programs: &["/usr/sbin/nginx"] },
            Package { name: "openssl", programs: &["openssl"] },
            Package { name: "curl", programs: &["curl"] },
        ]);
        let folder = TempDir::with_prefix("nginx-").expect("a folder");
        make_certificate(folder.path(), address);
        fs::create_dir(folder.path().join("files")).expect("a folder");
        for (name, bytes) in files {
            fs::write(folder.path().join("files").join(name), bytes).expect("a file");
        }
        fs::write(folder.path().join("nginx.conf"), settings(folder.path(), address, port))
            .expect("a file");
        let path = folder.path().to_str().expect("text");
        let words = ["/usr/sbin/nginx", "-p", path, "-c", "nginx.conf", "-e", "stderr"];
        let name = format!("nginx-{site}-{port}");
        let server = Running::start(lab, &name, &mut lab.program(site, &[], &words));
        let web = Self { _server: server, folder, address, port };
        wait_for("web server", START, || {
            let output = lab.run(site, &web.curl("", &["--max-time", "1", "-o", "/dev/null"]));
            if output.stderr.is_empty() { Ok(()) } else { Err(output) }
        });
        web
    }

    /// The address of a file.
    pub(crate) fn url(&self, file: &str) -> String {
        let (address, port) = (self.address, self.port);
        match address {
            IpAddr::V4(address) => format!("https://{address}:{port}/{file}"),
            IpAddr::V6(address) => format!("https://[{address}]:{port}/{file}"),
        }
    }

    /// The words of a command that fetches a file and trusts this server alone.
    pub(crate) fn curl(&self, file: &str, more: &[&str]) -> Vec<String> {
        let certificate = self.folder.path().join("certificate.pem").display().to_string();
        let mut words = vec!["curl".to_owned(), "-sS".to_owned(), "--cacert".to_owned()];
        words.extend([certificate, self.url(file)]);
        words.extend(more.iter().map(|&word| word.to_owned()));
        words
    }

    /// The hash of its public key, by which a browser can be told to trust it.
    pub(crate) fn key_hash(&self) -> String {
        let script = "openssl x509 -in certificate.pem -pubkey -noout \
                      | openssl pkey -pubin -outform der \
                      | openssl dgst -sha256 -binary | openssl base64";
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(self.folder.path());
        succeed(&mut command).trim_end().to_owned()
    }

    /// Who has asked it for what, line by line.
    pub(crate) fn asked(&self) -> String {
        fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default()
    }
}

fn make_certificate(folder: &Path, address: IpAddr) {
    let name = format!("subjectAltName=IP:{address}");
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    command.args(["-nodes", "-days", "2", "-subj", "/CN=weald", "-addext", &name]);
    command.args(["-keyout", "key.pem", "-out", "certificate.pem"]);
    succeed(command.current_dir(folder));
}

/// The settings of nginx as a single process that leaves nothing outside of its folder.
fn settings(folder: &Path, address: IpAddr, port: u16) -> String {
    let folder = folder.display();
    let listen = match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    };
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths: String =
        kinds.iter().map(|kind| format!("{kind}_temp_path {folder}/{kind};\n")).collect();
    format!(
        "daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
{paths}
log_format asked '$remote_addr asked for $request_uri';
access_log {folder}/asked asked;
server {{
  listen {listen} ssl;
  ssl_certificate {folder}/certificate.pem;
  ssl_certificate_key {folder}/key.pem;
  root {folder}/files;
  types {{ text/html html; }}
}}
}}
"
    )
}
