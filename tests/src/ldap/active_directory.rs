//! Samba as a domain controller of Active Directory. Its ports are fixed, so it runs in a network of its own, and is reached through
//! ports of ours that lead there. It needs root.
//!
//! Making a domain takes several seconds and gives the same each time: it is made once, kept in the cache, and copied.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::fs::{FlockOperation, flock};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::OnceCell;

use super::certificates::Authority;
use super::tool;
use crate::cluster::forever;
use crate::process::Process;
use crate::{cache, wait};

/// The entry that everything is below.
pub const BASE: &str = "DC=ad,DC=example,DC=test";
/// Who may do everything.
const ADMINISTRATOR: &str = "administrator@ad.example.test";
const ADMINISTRATORS_PASSWORD: &str = "Sample-of.a.password1";
/// The application that looks people up.
pub const APPLICATION: &str = "app@ad.example.test";
/// Its password.
pub const APPLICATION_PASSWORD: &str = "Sample-of.the.application1";

/// Makes the network: loopback, and an interface that leads nowhere, as Samba wants one.
const NETWORK: &str = "set -e; ip link set lo up; ip link add eth0 type veth peer name eth1
ip addr add 192.0.2.2/30 dev eth0; ip link set eth0 up; ip link set eth1 up; exec \"$@\"";

/// A running domain controller.
#[derive(Debug)]
pub struct ActiveDirectory {
    /// Who signed its certificate, as PEM.
    pub authority: String,
    plain: u16,
    secure: u16,
    folder: PathBuf,
    process: Process,
}

impl ActiveDirectory {
    /// The one that all stories of this process share, started by the first that asks.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<ActiveDirectory> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("authd-domain-")
            .tempdir()
            .expect("a folder can be made");
        let folder = folder.keep();
        forever::delete_at_the_end(&folder);
        let made = tokio::task::spawn_blocking(made)
            .await
            .expect("the domain was waited for");
        let domain = folder.join("domain");
        tool(Command::new("cp").arg("-a").arg(&made).arg(&domain), "");
        let authority = Authority::new();
        let certificate = authority.server(&["dc1.ad.example.test"]);
        let write =
            |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("the folder can be written");
        write("ca.crt", &authority.pem());
        write("server.crt", &certificate.chain);
        write("server.key", &certificate.key);
        tool(Command::new("chmod").arg("600").arg(folder.join("server.key")), "");
        write("smb.conf", &configuration(&folder));
        let mut command = forever::mortal(Path::new("unshare"));
        command.args([
            "--net",
            "sh",
            "-c",
            NETWORK,
            "sh",
            "samba",
            "-F",
            "--no-process-group",
            "--model=single",
        ]);
        let process = forever::start({
            command.arg("-s").arg(folder.join("smb.conf")).arg("--debug-stdout");
            command
        });
        let mut server = Self {
            authority: authority.pem(),
            plain: 0,
            secure: 0,
            folder,
            process,
        };
        server.reach().await;
        server.begin().await;
        server
    }

    /// Opens ports that lead to it.
    async fn reach(&mut self) {
        let network = format!("/proc/{}/ns/net", self.process.id());
        let ours = std::fs::read_link("/proc/self/ns/net").ok();
        wait::until("the domain controller has a network", || {
            let theirs = std::fs::read_link(&network).ok();
            let ours = ours.clone();
            async move {
                if theirs.is_some() && theirs != ours {
                    Ok(())
                } else {
                    Err("it has ours".to_owned())
                }
            }
        })
        .await;
        self.plain = lead(&network, 389);
        self.secure = lead(&network, 636);
    }

    /// Waits until it answers, and adds the application.
    async fn begin(&self) {
        wait::until("the domain controller answers", || async {
            let mut command = self.command("ldapsearch");
            let ended = command
                .args(["-b", BASE, "-s", "base", "dn"])
                .output()
                .expect("ldapsearch can be started");
            if ended.status.success() {
                Ok(())
            } else {
                Err(String::from_utf8_lossy(&ended.stderr).into_owned())
            }
        })
        .await;
        let password = password(APPLICATION_PASSWORD);
        self.change(&format!(
            "dn: {BASE}\nchangetype: modify\nreplace: lockoutThreshold\nlockoutThreshold: 5\n-\n\
             replace: pwdProperties\npwdProperties: 0\n\n\
             dn: CN=app,CN=Users,{BASE}\nobjectClass: user\nsAMAccountName: app\nuserPrincipalName: {APPLICATION}\n\
             userAccountControl: 512\nunicodePwd:: {password}\n"
        ));
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.env("LDAPTLS_CACERT", self.folder.join("ca.crt"));
        command.args([
            "-x",
            "-H",
            &self.ldaps(),
            "-D",
            ADMINISTRATOR,
            "-w",
            ADMINISTRATORS_PASSWORD,
        ]);
        command
    }

    /// With TLS from the first byte.
    #[must_use]
    pub fn ldaps(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.secure)
    }

    /// With TLS once it is asked for.
    #[must_use]
    pub fn ldap(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.plain)
    }

    /// Changes entries, as `ldapmodify` reads them; what says nothing else is added.
    pub fn change(&self, ldif: &str) {
        tool(self.command("ldapmodify").arg("-a"), ldif);
    }

    /// Adds a part of the domain for one story, and says its name.
    #[must_use]
    pub fn part(&self, name: &str) -> String {
        let part = format!("OU={name},{BASE}");
        self.change(&format!("dn: {part}\nobjectClass: organizationalUnit\n"));
        part
    }

    /// Adds a person to a part, whose password is `NAME's password`.
    pub fn person(&self, part: &str, name: &str) {
        let password = password(&format!("{name}'s password"));
        self.change(&format!(
            "dn: CN={name} example,{part}\nobjectClass: user\nsAMAccountName: {name}\n\
             userPrincipalName: {name}@ad.example.test\nmail: {name}@example.test\ndisplayName: {name} example\n\
             userAccountControl: 512\nunicodePwd:: {password}\n"
        ));
    }

    /// Adds a group to a part, of these entries of the part.
    pub fn group(&self, part: &str, name: &str, members: &[&str]) {
        let members: String = members
            .iter()
            .map(|member| format!("member: CN={member},{part}\n"))
            .collect();
        self.change(&format!("dn: CN={name},{part}\nobjectClass: group\n{members}"));
    }
}

/// A password as `unicodePwd` wants it: in quotes, and in base64 for LDIF.
#[must_use]
pub fn password(password: &str) -> String {
    let quoted = format!("\"{password}\"");
    let bytes: Vec<u8> = quoted.encode_utf16().flat_map(u16::to_le_bytes).collect();
    STANDARD.encode(bytes)
}

/// The domain in the cache, made if it is not there.
fn made() -> PathBuf {
    let folder = cache().join("active-directory");
    std::fs::create_dir_all(&folder).expect("there is a cache");
    // Two checkouts may want it at the same time.
    let turn = File::create(folder.join("lock")).expect("the cache can be written");
    flock(&turn, FlockOperation::LockExclusive).expect("a file can be locked");
    let domain = folder.join("domain-1");
    if !domain.exists() {
        let draft = folder.join("draft");
        let _ = std::fs::remove_dir_all(&draft);
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", NETWORK, "sh", "samba-tool", "domain", "provision"]);
        command.args([
            "--realm=AD.EXAMPLE.TEST",
            "--domain=EXAMPLE",
            "--server-role=dc",
            "--dns-backend=NONE",
        ]);
        command.args(["--use-rfc2307", "--host-name=dc1", "--host-ip=192.0.2.2"]);
        command.args(["--option=interfaces=lo eth0", "--option=bind interfaces only=yes"]);
        command.arg(format!("--adminpass={ADMINISTRATORS_PASSWORD}"));
        command.arg(format!("--targetdir={}", draft.display()));
        tool(&mut command, "");
        std::fs::rename(&draft, &domain).expect("the cache can be written");
    }
    domain
}

/// A port of ours that leads to one in another network.
fn lead(network: &str, port: u16) -> u16 {
    let network = File::open(network).expect("the network is there");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let ours = listener.local_addr().expect("a listener has an address").port();
    std::thread::spawn(move || {
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), Some(LinkNameSpaceType::Network))
            .expect("the network can be entered");
        for near in listener.incoming().map_while(Result::ok) {
            let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else {
                continue;
            };
            relay(&near, &far);
            relay(&far, &near);
        }
    });
    ours
}

fn relay(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().expect("a stream"), to.try_clone().expect("a stream"));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

fn configuration(folder: &Path) -> String {
    let (folder, domain) = (folder.display(), folder.join("domain"));
    let domain = domain.display();
    format!(
        "[global]
netbios name = DC1
realm = AD.EXAMPLE.TEST
workgroup = EXAMPLE
server role = active directory domain controller
server services = ldap, cldap, kdc
interfaces = lo eth0
bind interfaces only = yes
binddns dir = {domain}/bind-dns
cache directory = {domain}/cache
lock directory = {domain}
state directory = {domain}/state
private dir = {domain}/private
pid directory = {folder}
ncalrpc dir = {folder}/ncalrpc
log file = {folder}/log
tls enabled = yes
tls cafile = {folder}/ca.crt
tls certfile = {folder}/server.crt
tls keyfile = {folder}/server.key
ldap server require strong auth = yes
dns update command = /bin/true
spn update command = /bin/true
idmap_ldb:use rfc2307 = yes
[sysvol]
path = {domain}/state/sysvol
[netlogon]
path = {domain}/state/sysvol/ad.example.test/scripts
"
    )
}
