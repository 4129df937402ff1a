-- Times are microseconds since 1970 in UTC; configurations, results and
-- summaries are JSON. A run or trial that says 'running' is so only while a
-- process holds the lock file of the run.
CREATE TABLE runs (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'done', 'failed')),
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    seconds REAL NOT NULL DEFAULT 0,
    error   TEXT NOT NULL DEFAULT '',
    config  TEXT NOT NULL,
    result  TEXT
) STRICT;

CREATE INDEX runs_running ON runs (id) WHERE state = 'running';

-- A seed of 2^63 or more is stored as the negative number with the same bits.
CREATE TABLE trials (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    run           INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    phase         TEXT NOT NULL,
    method        TEXT NOT NULL,
    learning_rate REAL NOT NULL,
    seed          INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'done', 'failed')),
    epochs        INTEGER NOT NULL DEFAULT 0,
    steps         INTEGER NOT NULL DEFAULT 0,
    seconds       REAL NOT NULL DEFAULT 0,
    summary       TEXT,
    UNIQUE (run, phase, method, learning_rate, seed)
) STRICT;

CREATE TABLE checkpoints (
    trial INTEGER PRIMARY KEY REFERENCES trials (id) ON DELETE CASCADE,
    step  INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    blob  BLOB NOT NULL
) STRICT;

CREATE TABLE series (
    id    INTEGER PRIMARY KEY,
    trial INTEGER NOT NULL REFERENCES trials (id) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    UNIQUE (trial, name)
) STRICT;

-- The points of a series in ascending order of step, cut into blocks that do
-- not overlap. first is the step of the first point. A point takes 32 bytes:
-- step as a 64-bit integer, then epoch, seconds and value as 64-bit floats,
-- all little-endian.
CREATE TABLE blocks (
    series INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
    first  INTEGER NOT NULL,
    points BLOB NOT NULL,
    PRIMARY KEY (series, first)
) STRICT, WITHOUT ROWID;
