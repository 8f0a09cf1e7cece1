-- Points of metrics go to their histories as they are logged, and names into their index as they are given: nothing
-- waits any more. What waited is moved.

-- The bits of a value are 1 of its sign, 11 of its exponent and 52 of its fraction: it is their fraction times a power
-- of two, which are all exact. NaN is NULL and above all; the order of a negative value has its other bits turned.
CREATE TABLE waiting_powers (exponent INTEGER PRIMARY KEY, power DOUBLE PRECISION NOT NULL);
INSERT INTO waiting_powers (exponent, power)
WITH RECURSIVE up (exponent, power) AS (SELECT 0, 1.0 UNION ALL SELECT exponent + 1, power * 2 FROM up WHERE exponent < 971),
    down (exponent, power) AS (SELECT -1, 0.5 UNION ALL SELECT exponent - 1, power / 2 FROM down WHERE exponent > -1074)
SELECT exponent, power FROM up UNION ALL SELECT exponent, power FROM down;

INSERT INTO metric_points (owner_id, name, step, timestamp_ms, value_order, value)
WITH waiting AS (
    SELECT l.owner_id, p.value ->> 0 AS name, p.value ->> 1 AS step, p.value ->> 2 AS timestamp_ms, p.value ->> 3 AS bits,
           ((p.value ->> 3) >> 52) & 2047 AS exponent, (p.value ->> 3) & 4503599627370495 AS fraction
    FROM logged_points l, json_each(l.points) p)
SELECT owner_id, name, step, timestamp_ms,
       CASE WHEN exponent = 2047 AND fraction <> 0 THEN 9223372036854775807
            WHEN exponent = 0 AND fraction = 0 THEN 0
            WHEN bits < 0 THEN ~bits | (-9223372036854775807 - 1)
            ELSE bits END,
       CASE WHEN bits < 0 THEN -1 ELSE 1 END *
       CASE WHEN exponent < 2047 THEN (fraction + CASE exponent WHEN 0 THEN 0 ELSE 4503599627370496 END) *
                (SELECT power FROM waiting_powers p WHERE p.exponent = MAX(waiting.exponent, 1) - 1075)
            WHEN fraction = 0 THEN 9e999 END
FROM waiting WHERE TRUE -- which tells the parser that this is no join
ON CONFLICT (owner_id, name, step, timestamp_ms, value_order) DO NOTHING;
DROP TABLE waiting_powers;
DROP TABLE logged_points;

DROP TRIGGER names_inserted;
DROP TRIGGER names_deleted;
DROP TRIGGER names_updated;
DROP TABLE names_indexed;
DROP TABLE names_index;
-- columnsize: how long a name is would be written, too, and is read by nobody.
CREATE VIRTUAL TABLE names_index
    USING fts5 (name, content = 'names', content_rowid = 'id', tokenize = 'trigram', columnsize = 0);
INSERT INTO names_index (names_index) VALUES ('rebuild');
CREATE TRIGGER names_inserted AFTER INSERT ON names BEGIN
    INSERT INTO names_index (rowid, name) VALUES (new.id, new.name);
END;
CREATE TRIGGER names_deleted AFTER DELETE ON names BEGIN
    INSERT INTO names_index (names_index, rowid, name) VALUES ('delete', old.id, old.name);
END;
CREATE TRIGGER names_updated AFTER UPDATE ON names BEGIN
    INSERT INTO names_index (names_index, rowid, name) VALUES ('delete', old.id, old.name);
    INSERT INTO names_index (rowid, name) VALUES (new.id, new.name);
END;
