-- Leases: what one server does alone where no folder keeps others out, such as being the one of an object store.
CREATE TABLE leases (
    name     TEXT   NOT NULL PRIMARY KEY,
    holder   TEXT   NOT NULL,
    until_ms BIGINT NOT NULL,
    -- How often it changed hands.
    epoch    BIGINT NOT NULL
);
