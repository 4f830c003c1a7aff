//! OpenLDAP's `slapd` in a temporary folder, on ports of its own, with the overlays that directories of companies use.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::certificates::{Authority, Certificate};
use super::tool;
use crate::port;
use crate::process::Process;
use crate::wait;

/// The entry that everything is below.
pub const BASE: &str = "dc=example,dc=test";
/// The application that looks people up, and its password.
pub const APPLICATION: &str = "cn=app,ou=apps,dc=example,dc=test";
/// Its password.
pub const APPLICATION_PASSWORD: &str = "sample of the application";

/// What is there from the beginning.
const ENTRIES: &str = "dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=test
objectClass: organizationalUnit

dn: ou=groups,dc=example,dc=test
objectClass: organizationalUnit

dn: ou=apps,dc=example,dc=test
objectClass: organizationalUnit

dn: cn=app,ou=apps,dc=example,dc=test
objectClass: applicationProcess
objectClass: simpleSecurityObject
userPassword: sample of the application

dn: cn=policy,ou=apps,dc=example,dc=test
objectClass: device
objectClass: pwdPolicy
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 5
pwdMustChange: TRUE

";

/// A running server.
#[derive(Debug)]
pub struct OpenLdap {
    /// Who signed its certificate, as PEM.
    pub authority: String,
    ports: [u16; 2],
    folder: TempDir,
    process: Process,
}

impl OpenLdap {
    /// Starts one.
    pub async fn start() -> Self {
        let authority = Authority::new();
        let certificate = authority.server(&["ldap.example.test"]);
        Self::showing(&authority, &certificate, "").await
    }

    /// Starts one that shows this certificate, with more lines of its configuration.
    ///
    /// # Panics
    /// It does not start.
    pub async fn showing(authority: &Authority, certificate: &Certificate, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path();
        let write = |name: &str, text: &str| std::fs::write(path.join(name), text).expect("the folder can be written");
        write("ca.crt", &authority.pem());
        write("server.crt", &certificate.chain);
        write("server.key", &certificate.key);
        write("slapd.conf", &configuration(path, more));
        std::fs::create_dir(path.join("rows")).expect("the folder can be written");
        let slapadd = &mut Command::new("/usr/sbin/slapadd");
        tool(slapadd.args(["-q", "-f"]).arg(path.join("slapd.conf")), ENTRIES);
        let ports = [port::free(), port::free()];
        let process = run(path, ports);
        let mut server = Self {
            authority: authority.pem(),
            ports,
            folder,
            process,
        };
        server.ready().await;
        server
    }

    async fn ready(&mut self) {
        let [port, _] = self.ports;
        wait::until("slapd answers", || {
            let ended = self
                .process
                .ended()
                .map(|status| format!("{status}: {:?}", self.process.errors()));
            async move {
                let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
                connected.map(drop).map_err(|error| ended.unwrap_or(error.to_string()))
            }
        })
        .await;
    }

    /// With TLS from the first byte.
    #[must_use]
    pub fn ldaps(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.ports[1])
    }

    /// With TLS once it is asked for.
    #[must_use]
    pub fn ldap(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.ports[0])
    }

    /// Changes entries, as `ldapmodify` reads them; what says nothing else is added.
    pub fn change(&self, ldif: &str) {
        let socket = self
            .folder
            .path()
            .join("socket")
            .display()
            .to_string()
            .replace('/', "%2F");
        let mut command = Command::new("ldapmodify");
        command.args([
            "-a",
            "-x",
            "-H",
            &format!("ldapi://{socket}"),
            "-D",
            "cn=root,dc=example,dc=test",
            "-w",
            "root",
        ]);
        tool(&mut command, ldif);
    }

    /// Adds a person, whose password is `NAME's password`.
    pub fn person(&self, name: &str) {
        self.person_with(name, "");
    }

    /// Adds a person with more lines of the entry.
    pub fn person_with(&self, name: &str, more: &str) {
        self.change(&format!(
            "dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\ncn: {name} example\nsn: example\n\
             mail: {name}@example.test\nuserPassword: {name}'s password\n{more}\n"
        ));
    }

    /// Adds a group of these entries, by their names below the base.
    pub fn group(&self, name: &str, members: &[&str]) {
        let members: String = members
            .iter()
            .map(|member| format!("member: {member},{BASE}\n"))
            .collect();
        self.change(&format!(
            "dn: cn={name},ou=groups,{BASE}\nobjectClass: groupOfNames\n{members}"
        ));
    }

    /// Stops answering, and keeps its connections.
    pub fn freeze(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Goes on after [`Self::freeze`].
    pub fn thaw(&mut self) {
        self.process.signal(Signal::CONT);
    }

    /// Ends.
    pub fn stop(&mut self) {
        self.process.kill();
    }

    /// Starts again on the same ports with the same entries.
    pub async fn start_again(&mut self) {
        self.process = run(self.folder.path(), self.ports);
        self.ready().await;
    }
}

fn run(folder: &Path, [plain, secure]: [u16; 2]) -> Process {
    let socket = folder.join("socket").display().to_string().replace('/', "%2F");
    let addresses = format!("ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{secure} ldapi://{socket}");
    let mut command = Command::new("/usr/sbin/slapd");
    Process::start(
        command
            .arg("-f")
            .arg(folder.join("slapd.conf"))
            .args(["-h", &addresses, "-d", "none"]),
    )
}

/// Passwords only over TLS; the application reads people and groups, everybody their own entry, nobody else anything.
fn configuration(folder: &Path, more: &str) -> String {
    let folder = folder.display();
    format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload refint
moduleload ppolicy
pidfile {folder}/pid
argsfile {folder}/args
localSSF 256
TLSCACertificateFile {folder}/ca.crt
TLSCertificateFile {folder}/server.crt
TLSCertificateKeyFile {folder}/server.key
{more}
database mdb
suffix \"{BASE}\"
rootdn \"cn=root,{BASE}\"
rootpw root
directory {folder}/rows
maxsize 67108864
dbnosync
index objectClass,uid,mail,member,memberOf,entryUUID eq
overlay memberof
memberof-group-oc groupOfNames
memberof-refint TRUE
overlay refint
refint_attributes member
overlay ppolicy
ppolicy_default \"cn=policy,ou=apps,{BASE}\"
ppolicy_use_lockout
access to attrs=userPassword by anonymous ssf=128 auth by * none
access to * by dn.exact=\"{APPLICATION}\" ssf=128 read by self read by * none
"
    )
}
