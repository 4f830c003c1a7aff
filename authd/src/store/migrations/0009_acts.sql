-- What somebody did with a command, until a server has told of it in its audit lines.
CREATE TABLE acts (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    what TEXT NOT NULL,
    -- Who ran the command: their name in the operating system, and the machine.
    actor TEXT NOT NULL,
    -- An account, a session, or whose they were.
    subject TEXT NOT NULL
);
