//! What may be answered to what, in which state of the world: the page on outages as a table.

/// What is asked, through nginx.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ask {
    /// A page of the application, by the cookie of somebody whom every replica knows.
    Cookie,
    /// The same, by the token in a header.
    Token,
    /// The same, by a key of theirs.
    Key,
    /// The same, by a key of a resource.
    ServiceKey,
    /// The same, by nobody.
    Stranger,
    /// A page that is anybody's, by nobody.
    Anyone,
    /// A page that somebody may not see.
    Forbidden,
    /// A page, by the token of a session that was begun meanwhile, at whichever replica.
    NewSession,
    /// A page, by the token of a session that was ended.
    EndedSession,
    /// A page, by a key that was deleted.
    DeletedKey,
    /// Who one is.
    Me,
    /// The page to sign in.
    SignInPage,
    /// To sign in.
    SignIn,
    /// To sign in with another password.
    WrongPassword,
    /// To sign out.
    SignOut,
    /// A new key.
    NewKey,
    /// To delete one.
    DeleteKey,
}

/// What the world is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// All is there, or all but a replica of which nginx knows that it is gone.
    Well,
    /// A replica is ended in the middle of what it does.
    ReplicaEnds,
    /// The database is away, or says nothing.
    DatabaseAway,
    /// It can be read and takes no writes.
    ReadOnly,
}

/// The statuses that are promised. nginx tells of a replica that ended under a request that must not be sent twice by 502, and of a
/// check that cannot be decided by 500.
pub(super) const PROMISES: [(Ask, [&[u16]; 4]); 17] = [
    //                     well    a replica ends   the database is away   takes no writes
    (Ask::Cookie, [&[200], &[200], &[200], &[200]]),
    (Ask::Token, [&[200], &[200], &[200], &[200]]),
    (Ask::Key, [&[200], &[200], &[200], &[200]]),
    (Ask::ServiceKey, [&[200], &[200], &[200], &[200]]),
    (Ask::Stranger, [&[401], &[401], &[401], &[401]]),
    (Ask::Anyone, [&[200], &[200], &[200], &[200]]),
    (Ask::Forbidden, [&[403], &[403], &[403], &[403]]),
    (Ask::NewSession, [&[200], &[200], &[200, 500], &[200]]),
    (Ask::EndedSession, [&[401], &[401], &[401], &[401]]),
    (Ask::DeletedKey, [&[401], &[401], &[401], &[401]]),
    (Ask::Me, [&[200], &[200], &[200, 503], &[200]]),
    (Ask::SignInPage, [&[200], &[200], &[200], &[200]]),
    (Ask::SignIn, [&[200], &[200, 502], &[503], &[503]]),
    (Ask::WrongPassword, [&[400], &[400, 502], &[503], &[400]]),
    (Ask::SignOut, [&[200], &[200, 502], &[503], &[503]]),
    (Ask::NewKey, [&[200], &[200, 502], &[503], &[503]]),
    (Ask::DeleteKey, [&[200], &[200, 404], &[503], &[503]]),
];

/// What may be answered while the world is in one of these states.
pub(super) fn promised(ask: Ask, states: &[State]) -> Vec<u16> {
    let row = PROMISES.iter().find(|(known, _)| *known == ask);
    let answers = |state: &State| {
        let column = match state {
            State::Well => 0,
            State::ReplicaEnds => 1,
            State::DatabaseAway => 2,
            State::ReadOnly => 3,
        };
        row.map_or(&[][..], |(_, columns)| columns[column])
    };
    states.iter().flat_map(answers).copied().collect()
}
