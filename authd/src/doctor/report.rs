//! What was found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::checks::{Sent, Spelling, Who};
use super::subject::Subject;
use super::verdict::Verdict;
use super::weakness::{Proxy, Weakness};

/// Longer texts are cut in reports, in characters.
const LONGEST: usize = 88;

/// How one check came out.
#[derive(Debug)]
pub struct Finding {
    /// What is wrong where it fails.
    pub weakness: Weakness,
    /// What was sent, in words.
    pub sent: String,
    /// What came, in words.
    pub came: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What is remarkable about it.
    pub remark: String,
}

/// All that was found.
#[derive(Debug)]
pub struct Report {
    /// What was examined.
    pub url: String,
    /// The proxy, where it is known.
    pub proxy: Option<Proxy>,
    /// In the order in which it was tried.
    pub findings: Vec<Finding>,
}

impl Report {
    fn count(&self, verdict: Verdict) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    }

    /// Whether nothing fails.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.count(Verdict::Fails) == 0
    }

    /// The weaknesses that were found, each once.
    #[must_use]
    pub fn weaknesses(&self) -> Vec<Weakness> {
        let failed = self.findings.iter().filter(|finding| finding.verdict == Verdict::Fails);
        let mut found: Vec<Weakness> = failed.map(|finding| finding.weakness).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let checks: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                json!({
                    "check": finding.weakness.name(), "sent": finding.sent, "came": finding.came, "remark": finding.remark,
                    "verdict": finding.verdict.name(),
                })
            })
            .collect();
        let weaknesses: Vec<Value> = self
            .weaknesses()
            .into_iter()
            .map(|found| json!({"name": found.name(), "why": found.why(), "mend": found.mend(self.proxy)}))
            .collect();
        json!({
            "url": self.url, "proxy": self.proxy.map(Proxy::name), "holds": self.holds(), "weaknesses": weaknesses, "checks": checks,
        })
    }

    /// For people: a line for each check, then what is weak, why that matters, and how it is mended.
    #[must_use]
    pub fn text(&self) -> String {
        let proxy = self
            .proxy
            .map_or("a proxy that does not say its name (`--proxy` does)", Proxy::name);
        let mut text = format!("{} through {proxy}\n\n", self.url);
        for finding in &self.findings {
            let verdict = match finding.verdict {
                Verdict::Fails => "FAILS",
                other => other.name(),
            };
            let remark = if finding.remark.is_empty() {
                String::new()
            } else {
                format!(": {}", finding.remark)
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  {verdict:<8} {:<17} {:<LONGEST$}  {}{remark}",
                finding.weakness.name(),
                finding.sent,
                finding.came
            );
        }
        for weakness in self.weaknesses() {
            let _ = write!(
                text,
                "\n{}\n  why   {}\n  mend  {}\n",
                weakness.name(),
                weakness.why(),
                weakness.mend(self.proxy)
            );
        }
        let _ = writeln!(
            text,
            "\n{} hold, {} fail, {} unclear, {} left out",
            self.count(Verdict::Holds),
            self.count(Verdict::Fails),
            self.count(Verdict::Unclear),
            self.count(Verdict::LeftOut)
        );
        text
    }
}

/// What a check sends, in words. The caller's credential is not among them.
#[must_use]
pub fn described(subject: &Subject, who: Who, sent: Sent) -> String {
    let path = match who {
        Who::Visitor => subject.public.as_deref().unwrap_or("the public path"),
        Who::Stranger | Who::Caller => &subject.path,
    };
    let filled = |template: &str| {
        let filled = subject.fill(template);
        filled.map_or_else(
            || template.to_owned(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    };
    let what = match sent {
        Sent::Plain => format!("GET {path}"),
        Sent::Method(method) => format!("{method} {path}"),
        Sent::Target(target) => format!("GET {}", filled(target)),
        Sent::Host(host) => format!("GET {path} with `Host: {}`", filled(host)),
        Sent::Lines(lines) => format!("GET {path} with `{}`", filled(lines)),
        Sent::Identity(spelling) => format!("GET {path} with {}", spelled(spelling)),
        Sent::Bytes(bytes) => filled(bytes),
    };
    let by = if who == Who::Caller { ", with your header" } else { "" };
    format!("{}{by}", shortened(&what, LONGEST - by.len()))
}

fn spelled(spelling: Spelling) -> &'static str {
    match spelling {
        Spelling::Usual => "identity headers such as X-Auth-User",
        Spelling::Twice => "each identity header twice",
        Spelling::Underscores => "identity headers such as X_Auth_User",
        Spelling::Mixed => "identity headers such as X-Auth_User",
        Spelling::Dots => "identity headers such as X.Auth.User",
        Spelling::Nominated => "`Connection:` naming the identity headers",
    }
}

/// On one line, in visible characters, and not too long.
fn shortened(text: &str, longest: usize) -> String {
    let line: String = text
        .escape_debug()
        .to_string()
        .replace("\\\"", "\"")
        .replace("\\\\", "\\");
    if line.chars().count() <= longest {
        return line;
    }
    let start: String = line.chars().take(longest - 1).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::super::subject::tests::subject;
    use super::*;

    #[test]
    fn what_is_sent_is_said_on_one_short_line_and_without_the_credential() {
        for (who, sent, expected) in [
            (Who::Stranger, Sent::Method("HEAD"), "HEAD /reports/7"),
            (Who::Stranger, Sent::Target("{public}x"), "GET /publicx"),
            (
                Who::Stranger,
                Sent::Host("{HOST}"),
                "GET /reports/7 with `Host: APP.TEST`",
            ),
            (
                Who::Stranger,
                Sent::Lines("A: b\r\nC: \"d\\"),
                "GET /reports/7 with `A: b\\r\\nC: \"d\\`",
            ),
            (Who::Caller, Sent::Plain, "GET /reports/7, with your header"),
            (
                Who::Caller,
                Sent::Lines("Cookie: {900*a}"),
                "GET /reports/7 with `Cookie: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…, with your header",
            ),
        ] {
            let said = described(&subject(), who, sent);
            assert!(said.chars().count() <= LONGEST && !said.contains("sk-x"), "{said}");
            assert_eq!(
                said.replace("aaaaaaaaaaaa", ""),
                expected.replace("aaaaaaaaaaaa", ""),
                "{said}"
            );
        }
    }

    #[test]
    fn a_report_says_why_it_matters_and_how_it_is_mended_once() {
        let finding = |verdict| Finding {
            weakness: Weakness::Hosts,
            sent: "GET / with `Host: x`".to_owned(),
            came: "200".to_owned(),
            verdict,
            remark: String::new(),
        };
        let report = |verdicts: &[Verdict]| Report {
            url: "http://app.test/".to_owned(),
            proxy: Some(Proxy::Nginx),
            findings: verdicts.iter().map(|verdict| finding(*verdict)).collect(),
        };
        let weak = report(&[
            Verdict::Fails,
            Verdict::Holds,
            Verdict::Fails,
            Verdict::LeftOut,
            Verdict::Unclear,
        ]);
        let text = weak.text();
        assert!(!weak.holds() && text.matches("  why  ").count() == 1, "{text}");
        assert!(text.ends_with("1 hold, 2 fail, 1 unclear, 1 left out\n"), "{text}");
        assert_eq!(weak.json()["weaknesses"][0]["name"], "hosts");
        assert_eq!(weak.json()["checks"][3]["verdict"], "left-out");
        let strong = report(&[Verdict::Holds, Verdict::Unclear]);
        assert!(strong.holds() && !strong.text().contains("mend"), "{}", strong.text());
    }
}
