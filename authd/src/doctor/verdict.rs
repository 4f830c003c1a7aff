//! Does a check hold? What came back is compared with what was expected; nothing is sent here.

use policy::identity_headers::{ASSERTION, MAX_AGE};

use super::answer::Answer;
use super::checks::Holds;
use super::echo::{self, Echo};
use super::wire::Heard;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What was expected came.
    Holds,
    /// Something else came.
    Fails,
    /// From outside it cannot be told.
    Unclear,
    /// It was not tried.
    LeftOut,
}

impl Verdict {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Unclear => "unclear",
            Self::LeftOut => "left-out",
        }
    }
}

/// What is known of the host before anything is tried.
#[derive(Debug, Default)]
pub struct Known {
    /// How a stranger is refused.
    pub refusal: Answer,
    /// Whether it is refused in the very same words each time.
    pub steady: bool,
    /// Whether the application reports what it was asked.
    pub echoes: bool,
    /// The identity that the application reports when the caller asks.
    pub identity: Vec<(String, String)>,
    /// The public path.
    pub public: Option<String>,
    /// The word that every request says.
    pub mark: String,
}

/// Judges what came back, and says what is remarkable about it.
#[must_use]
pub fn judge(holds: Holds, heard: &Heard, head: bool, known: &Known) -> (Verdict, String) {
    let judged = heard.answers.iter().map(|answer| one(holds, answer, head, known));
    // Every answer is one that a client got out of what it sent: the worst one counts.
    let worst = |(verdict, _): &(Verdict, String)| match verdict {
        Verdict::Fails => 0,
        Verdict::Unclear => 1,
        Verdict::Holds | Verdict::LeftOut => 2,
    };
    judged.min_by_key(worst).unwrap_or((Verdict::Holds, String::new()))
}

fn one(holds: Holds, answer: &Answer, head: bool, known: &Known) -> (Verdict, String) {
    match holds {
        Holds::Refused => (refused(answer, head, known), String::new()),
        Holds::Unmoved => unmoved(answer, known),
        Holds::AnsweredByOthers => (by_others(answer, known), String::new()),
        Holds::PublicPathOnly => public_path_only(answer, known),
        Holds::NothingArrives => nothing_arrives(answer, known),
        Holds::IdentityArrives => identity_arrives(answer, known),
    }
}

/// Whether the application said something of this request.
fn reported(answer: &Answer, known: &Known) -> bool {
    known.echoes && answer.body.contains(&known.mark)
}

fn refused(answer: &Answer, head: bool, known: &Known) -> Verdict {
    let empty = answer.body.is_empty() && !head && answer.status != 101;
    match (answer.passed(), known.echoes) {
        _ if reported(answer, known) => Verdict::Fails,
        // An application that reports says something: this is the answer of somebody before it.
        (true, true) if empty => Verdict::Holds,
        (true, false) if empty => Verdict::Unclear,
        (true, _) => Verdict::Fails,
        (false, true) => Verdict::Holds,
        (false, false) if is_refusal(answer, known) => Verdict::Holds,
        (false, false) => Verdict::Unclear,
    }
}

/// Whether it is an answer that proxies and authd give, rather than applications.
fn is_refusal(answer: &Answer, known: &Known) -> bool {
    let place = |location: &str| location.split('?').next().unwrap_or_default().to_owned();
    match answer.status {
        300..=399 => place(answer.header("location")) == place(known.refusal.header("location")),
        400 | 401 | 403 | 405 | 407 | 411 | 413 | 414 | 417 | 421 | 426 | 429 | 431 => true,
        status => status >= 500,
    }
}

fn unmoved(answer: &Answer, known: &Known) -> (Verdict, String) {
    let was = &known.refusal;
    let redirects = |answer: &Answer| (300..400).contains(&answer.status);
    let location = |answer: &Answer| answer.header("location").to_owned();
    if redirects(was) && redirects(answer) && known.steady && location(answer) != location(was) {
        return (Verdict::Fails, format!("it is sent to {}", location(answer)));
    }
    if redirects(was) && answer.status == 401 {
        return (Verdict::Fails, format!("without it the answer is {}", was.status));
    }
    (refused(answer, false, known), String::new())
}

fn by_others(answer: &Answer, known: &Known) -> Verdict {
    match (answer.passed(), known.echoes) {
        (true, false) => Verdict::Unclear,
        _ if reported(answer, known) => Verdict::Fails,
        _ => Verdict::Holds,
    }
}

fn public_path_only(answer: &Answer, known: &Known) -> (Verdict, String) {
    if !answer.passed() {
        return (refused(answer, false, known), String::new());
    }
    let Some(reached) = reported(answer, known)
        .then(|| echo::read(&answer.body))
        .and_then(|echo| echo.path)
    else {
        return (
            Verdict::Unclear,
            "which path the application saw is not known".to_owned(),
        );
    };
    let path = reached.split('?').next().unwrap_or_default();
    let public = known.public.as_deref().unwrap_or_default().trim_end_matches('/');
    let below = path
        .strip_prefix(public)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let plain = !["..", "//", "\\", ";", "#", "%2e", "%2f", "%5c", "/./"]
        .iter()
        .any(|odd| path.to_ascii_lowercase().contains(odd));
    if below && plain {
        (Verdict::Holds, String::new())
    } else {
        (Verdict::Fails, format!("the application is asked for {reached}"))
    }
}

fn nothing_arrives(answer: &Answer, known: &Known) -> (Verdict, String) {
    let lie = format!("lie-{}", known.mark);
    let mut told: Vec<&str> = answer
        .body
        .split(&lie)
        .skip(1)
        .map(|rest| rest.split('.').next().unwrap_or_default().trim_start_matches('-'))
        .collect();
    told.sort_unstable();
    told.dedup();
    match (answer.passed(), told.as_slice()) {
        (_, []) if answer.passed() && !reported(answer, known) => (
            Verdict::Unclear,
            "the application did not report what it saw".to_owned(),
        ),
        (_, []) => (Verdict::Holds, String::new()),
        (_, [""]) => (Verdict::Fails, "it arrives".to_owned()),
        (_, names) => (Verdict::Fails, format!("what arrives: {}", names.join(", "))),
    }
}

fn identity_arrives(answer: &Answer, known: &Known) -> (Verdict, String) {
    if !answer.passed() {
        return (Verdict::Holds, String::new());
    }
    let Echo { headers, .. } = echo::read(&answer.body);
    // These have another value in every request.
    let anew = |name: &str| [ASSERTION, MAX_AGE].contains(&name);
    let arrives = |(name, value): &(String, String)| {
        let mut said = headers.iter().filter(|(known, _)| known == name);
        said.any(|(_, said)| said == value || anew(name) && !said.is_empty())
    };
    let lost: Vec<&str> = known
        .identity
        .iter()
        .filter(|pair| !arrives(pair))
        .map(|(name, _)| name.as_str())
        .collect();
    if lost.is_empty() {
        (Verdict::Holds, String::new())
    } else {
        (Verdict::Fails, format!("what is missing: {}", lost.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, location: &str, body: &str) -> Answer {
        Answer {
            status,
            headers: vec![("location".to_owned(), location.to_owned())],
            body: body.to_owned(),
        }
    }

    fn known(echoes: bool) -> Known {
        Known {
            refusal: answer(302, "http://auth.test/login?return_to=a", ""),
            steady: true,
            echoes,
            identity: vec![("x-auth-user".to_owned(), "ann".to_owned())],
            public: Some("/public".to_owned()),
            mark: "mark".to_owned(),
        }
    }

    #[track_caller]
    fn check(holds: Holds, came: Answer, echoes: bool, expected: Verdict) {
        let case = format!("{holds:?} {came:?}");
        let heard = Heard {
            answers: vec![came],
            silence: None,
        };
        assert_eq!(judge(holds, &heard, false, &known(echoes)).0, expected, "{case}");
    }

    const SIGN_IN: &str = "http://auth.test/login?return_to=a";

    #[test]
    fn what_passes_was_not_refused() {
        for echoes in [false, true] {
            check(Holds::Refused, answer(200, "", "mark"), echoes, Verdict::Fails);
            check(Holds::Refused, answer(200, "", "x"), echoes, Verdict::Fails);
            check(Holds::Refused, answer(101, "", ""), echoes, Verdict::Fails);
            check(Holds::Refused, answer(302, SIGN_IN, ""), echoes, Verdict::Holds);
            for status in [400, 401, 403, 500, 503] {
                check(Holds::Refused, answer(status, "", ""), echoes, Verdict::Holds);
            }
        }
    }

    #[test]
    fn who_answered_is_told_by_an_application_that_reports() {
        check(Holds::Refused, answer(404, "", "mark"), true, Verdict::Fails);
        check(Holds::Refused, answer(404, "", "x"), true, Verdict::Holds);
        check(Holds::Refused, answer(404, "", "x"), false, Verdict::Unclear);
        check(Holds::Refused, answer(302, "/elsewhere", ""), false, Verdict::Unclear);
        check(Holds::Refused, answer(204, "", ""), true, Verdict::Holds);
        check(Holds::Refused, answer(204, "", ""), false, Verdict::Unclear);
        check(
            Holds::AnsweredByOthers,
            answer(200, "", "a welcome"),
            true,
            Verdict::Holds,
        );
        check(
            Holds::AnsweredByOthers,
            answer(200, "", "a welcome"),
            false,
            Verdict::Unclear,
        );
        check(Holds::AnsweredByOthers, answer(200, "", "mark"), true, Verdict::Fails);
        check(Holds::AnsweredByOthers, answer(404, "", ""), false, Verdict::Holds);
    }

    #[test]
    fn the_answer_to_head_has_no_body() {
        let heard = Heard {
            answers: vec![answer(200, "", "")],
            silence: None,
        };
        for echoes in [false, true] {
            assert_eq!(judge(Holds::Refused, &heard, true, &known(echoes)).0, Verdict::Fails);
        }
    }

    #[test]
    fn a_refusal_that_changed_shows_that_somebody_believed_it() {
        check(Holds::Unmoved, answer(302, SIGN_IN, ""), false, Verdict::Holds);
        check(
            Holds::Unmoved,
            answer(302, "http://auth.test/login?return_to=b", ""),
            false,
            Verdict::Fails,
        );
        check(Holds::Unmoved, answer(401, "", ""), false, Verdict::Fails);
        check(Holds::Unmoved, answer(403, "", ""), false, Verdict::Holds);
        check(Holds::Unmoved, answer(200, "", "x"), false, Verdict::Fails);
    }

    #[test]
    fn a_public_path_is_one_that_the_application_sees_as_such() {
        let saw = |path: &str| {
            answer(
                200,
                "",
                &format!(r#"{{"path": "{path}", "headers": [["x-doctor", "mark"]]}}"#),
            )
        };
        for (path, expected) in [
            ("/public", Verdict::Holds),
            ("/public/a?b=..", Verdict::Holds),
            ("/publicity", Verdict::Fails),
            ("/reports", Verdict::Fails),
            ("/public/../reports", Verdict::Fails),
            ("/public/%2E%2E/reports", Verdict::Fails),
            ("/reports/../public", Verdict::Fails),
        ] {
            check(Holds::PublicPathOnly, saw(path), true, expected);
            check(Holds::PublicPathOnly, saw(path), false, Verdict::Unclear);
        }
        check(Holds::PublicPathOnly, answer(403, "", ""), false, Verdict::Holds);
    }

    #[test]
    fn lies_and_losses_are_named() {
        let said = |holds, body: &str| {
            let heard = Heard {
                answers: vec![answer(200, "", body)],
                silence: None,
            };
            judge(holds, &heard, false, &known(true))
        };
        let lies = "X-Doctor: mark\nX: lie-mark-x-auth-user.\nY: lie-mark-remote-user.\nx: lie-mark-x-auth-user.\n";
        let (verdict, remark) = said(Holds::NothingArrives, lies);
        assert_eq!(
            (verdict, &*remark),
            (Verdict::Fails, "what arrives: remote-user, x-auth-user")
        );
        assert_eq!(said(Holds::NothingArrives, "X: /lie-mark.").1, "it arrives");
        assert_eq!(said(Holds::NothingArrives, "X-Doctor: mark").0, Verdict::Holds);
        assert_eq!(said(Holds::NothingArrives, "hello").0, Verdict::Unclear);
        assert_eq!(said(Holds::IdentityArrives, "X-Auth-User: ann\n").0, Verdict::Holds);
        let mut known = known(true);
        known.identity.push(("x-auth-max-age".to_owned(), "900".to_owned()));
        for (body, missing) in [
            ("X-Auth-User: ann\nX-Auth-Max-Age: 899\n", ""),
            (
                "X-Auth-User: ann\nX-Auth-Max-Age:  \n",
                "what is missing: x-auth-max-age",
            ),
            (
                "X-Auth-User: bob\nX-Auth-Max-Age: 900\n",
                "what is missing: x-auth-user",
            ),
        ] {
            assert_eq!(identity_arrives(&answer(200, "", body), &known).1, missing, "{body}");
        }
        assert_eq!(
            said(Holds::IdentityArrives, "Connection: x-auth-user\n").1,
            "what is missing: x-auth-user"
        );
    }

    #[test]
    fn the_worst_of_several_answers_counts_and_silence_is_a_refusal() {
        let heard = Heard {
            answers: vec![answer(403, "", ""), answer(200, "", "x")],
            silence: None,
        };
        assert_eq!(judge(Holds::Refused, &heard, false, &known(false)).0, Verdict::Fails);
        assert_eq!(
            judge(Holds::Refused, &Heard::default(), false, &known(false)).0,
            Verdict::Holds
        );
    }
}
