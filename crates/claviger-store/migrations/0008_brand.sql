-- Under which brand secrets were made, from when on: their text is nowhere, and works only while its brand is accepted.
CREATE TABLE brand (
    since BIGINT PRIMARY KEY,
    name TEXT NOT NULL
);
