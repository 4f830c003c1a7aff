//! `authd doctor`: does what stands between clients and an application hold? Asked from outside, through the real proxy.
//!
//! The middle is pure: a list of [`checks`], what is known of a [`subject`], and a [`verdict`] on what came back. Only [`wire`]
//! speaks to anybody. Nothing is changed on the other side: a bounded list of requests goes to one address, one after another,
//! none of them with a body that means something, and no redirect is followed.

pub mod answer;
pub mod checks;
pub mod echo;
pub mod report;
pub mod subject;
pub mod verdict;
pub mod weakness;
pub mod wire;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use policy::target::covers;

use crate::config::{self, Output};
use crate::print;
use crate::random::Random;
use answer::Answer;
use checks::{GROUPS, Group, Holds, Sent, WHILE_DOWN, Who};
use report::{Finding, Report, described};
use subject::Subject;
use verdict::{Known, Verdict, judge};
use weakness::Proxy;
use wire::{Heard, Wire};

/// Examines a URL. Exit code 1 where something does not hold.
///
/// # Errors
/// The command line contradicts what is there, or nobody answers.
pub fn run(doctor: &config::Doctor) -> anyhow::Result<ExitCode> {
    let subject = subject(doctor, &Random::System)?;
    let connect = doctor.connect.clone();
    let address = connect.unwrap_or_else(|| format!("{}:{}", subject.host, subject.port()));
    let wire = Wire::new(
        address,
        subject.tls.then_some(&*subject.host),
        doctor.ca.as_deref(),
        Duration::from_secs(u64::from(doctor.timeout)),
    )?;
    let pause = Duration::from_secs(1) / u32::from(doctor.rate);
    let visit = Visit { subject, wire, pause };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(examine(&visit, doctor))?;
    match doctor.output {
        Output::Json => print::line(report.json()),
        Output::Text => print::line(report.text().trim_end()),
    }
    Ok(if report.holds() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn subject(doctor: &config::Doctor, random: &Random) -> anyhow::Result<Subject> {
    let (tls, host, port, path) = subject::split(&doctor.url)?;
    let public = doctor.public.as_deref().map(subject::plain_path).transpose()?;
    if public
        .as_deref()
        .is_some_and(|public| covers(public, &path) || covers(&path, public))
    {
        bail!("`--public` must be a path beside the protected one, such as /public");
    }
    Ok(Subject {
        tls,
        host,
        port,
        path,
        public,
        headers: doctor.header.clone(),
        cookie: doctor.cookie.clone(),
        names: doctor.identity_header.clone(),
        mark: format!("doctor{}", random.hex(6)),
    })
}

/// A subject, a way to it, and how long to wait between two requests.
struct Visit {
    subject: Subject,
    wire: Wire,
    pause: Duration,
}

impl Visit {
    async fn ask(&self, who: Who, sent: Sent) -> Option<Heard> {
        let request = self.subject.request(who, sent)?;
        tokio::time::sleep(self.pause).await;
        Some(self.wire.say(&request, is_head(sent)).await)
    }

    /// What is answered to a plain request.
    async fn plainly(&self, who: Who) -> anyhow::Result<Answer> {
        let heard = self.ask(who, Sent::Plain).await.unwrap_or_default();
        match heard.answers.into_iter().next() {
            Some(answer) => Ok(answer),
            None => bail!(
                "`{}` does not answer: {}",
                self.subject.authority(),
                heard.silence.unwrap_or_default()
            ),
        }
    }
}

fn is_head(sent: Sent) -> bool {
    sent == Sent::Method("HEAD")
}

async fn examine(visit: &Visit, doctor: &config::Doctor) -> anyhow::Result<Report> {
    let (known, groups, seen) = if doctor.while_down {
        let known = Known {
            mark: visit.subject.mark.clone(),
            ..Known::default()
        };
        (known, WHILE_DOWN, None)
    } else {
        let known = control(visit, doctor.echo).await?;
        let says = |name| Proxy::named(known.refusal.header(name));
        let seen = says("server").or(says("via"));
        (known, GROUPS, seen)
    };
    let mut findings = Vec::new();
    let all: Vec<(&Group, Sent)> = groups
        .iter()
        .flat_map(|group| group.sent.iter().map(move |sent| (group, *sent)))
        .collect();
    for (done, (group, sent)) in all.iter().enumerate() {
        progress(done, all.len());
        findings.push(find(visit, &known, group, *sent).await);
    }
    progress(all.len(), all.len());
    Ok(Report {
        url: doctor.url.clone(),
        proxy: doctor.proxy.or(seen),
        findings,
    })
}

/// A line that is written over and over, for a person who waits.
fn progress(done: usize, all: usize) {
    if std::io::stderr().is_terminal() {
        let end = if done == all { "\r\u{1b}[K" } else { "" };
        eprint!("\rauthd doctor: {done} of {all} requests{end}");
    }
}

/// What the host does when nothing is wrong. Without it nothing could be told.
async fn control(visit: &Visit, echo: bool) -> anyhow::Result<Known> {
    let subject = &visit.subject;
    let refusal = visit.plainly(Who::Stranger).await?;
    if !matches!(refusal.status, 300..=399 | 401 | 403 | 407) {
        bail!(
            "`{}` is answered with {} to somebody who is not signed in: name a path that is refused to strangers, or protect it",
            subject.path,
            refusal.status
        );
    }
    let again = visit.plainly(Who::Stranger).await?;
    let mut known = Known {
        steady: again.header("location") == refusal.header("location"),
        refusal,
        public: subject.public.clone(),
        mark: subject.mark.clone(),
        ..Known::default()
    };
    if subject.public.is_some() {
        let answer = visit.plainly(Who::Visitor).await?;
        passes(&answer, "the path of `--public`")?;
        known.echoes |= answer.body.contains(&subject.mark);
    }
    if !subject.headers.is_empty() {
        let answer = visit.plainly(Who::Caller).await?;
        passes(&answer, "the URL with the headers of `--header`")?;
        known.echoes |= answer.body.contains(&subject.mark);
        let names = subject.names();
        let named = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        known.identity = echo::read(&answer.body).headers;
        known.identity.retain(|(name, value)| named(name) && !value.is_empty());
    }
    if echo && !known.echoes {
        bail!(
            "with `--echo` the application must report the headers that it got, and `--public` or `--header` must let a request pass"
        );
    }
    known.echoes &= echo;
    Ok(known)
}

fn passes(answer: &Answer, what: &str) -> anyhow::Result<()> {
    if !answer.passed() {
        bail!(
            "{what} is answered with {}, and must be answered with 200",
            answer.status
        );
    }
    Ok(())
}

async fn find(visit: &Visit, known: &Known, group: &Group, sent: Sent) -> Finding {
    let finding = |verdict, came, remark| Finding {
        weakness: group.weakness,
        sent: described(&visit.subject, group.who, sent),
        came,
        verdict,
        remark,
    };
    let lacking = lacking(&visit.subject, known, group);
    let heard = match lacking {
        Some(_) => None,
        None => visit.ask(group.who, sent).await,
    };
    let Some(heard) = heard else {
        return finding(
            Verdict::LeftOut,
            "-".to_owned(),
            lacking.unwrap_or("needs `--public`").to_owned(),
        );
    };
    let (verdict, remark) = judge(group.holds, &heard, is_head(sent), known);
    finding(verdict, came(&heard), remark)
}

/// What a check needs that the command line does not give.
fn lacking(subject: &Subject, known: &Known, group: &Group) -> Option<&'static str> {
    let told = matches!(group.holds, Holds::NothingArrives | Holds::IdentityArrives);
    match group.who {
        Who::Visitor if subject.public.is_none() => Some("needs `--public`"),
        Who::Caller if subject.headers.is_empty() => Some("needs `--header`"),
        _ if told && !known.echoes => Some("needs `--echo`"),
        _ if group.holds == Holds::IdentityArrives && known.identity.is_empty() => {
            Some("the application is told no identity")
        }
        _ => None,
    }
}

fn came(heard: &Heard) -> String {
    let answer = |answer: &Answer| match answer.header("location").split('?').next() {
        Some(place) if !place.is_empty() => format!("{} to {place}", answer.status),
        _ => answer.status.to_string(),
    };
    match &heard.silence {
        Some(silence) => silence.clone(),
        None => heard.answers.iter().map(answer).collect::<Vec<_>>().join(", "),
    }
}
