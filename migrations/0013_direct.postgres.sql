-- Points of metrics go to their histories as they are logged: nothing waits any more. What waited is moved.

-- A server of the version before that has not stopped yet adds none meanwhile: afterwards its metrics are refused.
LOCK TABLE logged_points IN ACCESS EXCLUSIVE MODE;

-- The bits of a value are 1 of its sign, 11 of its exponent and 52 of its fraction: it is their fraction times a power
-- of two, which are all exact. NaN is NULL and above all; the order of a negative value has its other bits turned.
INSERT INTO metric_points (owner_id, name, step, timestamp_ms, value_order, value)
WITH RECURSIVE up (exponent, power) AS (
        SELECT 0::BIGINT, 1::DOUBLE PRECISION UNION ALL SELECT exponent + 1, power * 2 FROM up WHERE exponent < 971),
    down (exponent, power) AS (
        SELECT -1::BIGINT, 0.5::DOUBLE PRECISION UNION ALL SELECT exponent - 1, power / 2 FROM down WHERE exponent > -1074),
    powers AS MATERIALIZED (SELECT exponent, power FROM up UNION ALL SELECT exponent, power FROM down),
    waiting AS (
        SELECT l.owner_id, p.value ->> 0 AS name, (p.value ->> 1)::BIGINT AS step, (p.value ->> 2)::BIGINT AS timestamp_ms,
               (p.value ->> 3)::BIGINT AS bits, ((p.value ->> 3)::BIGINT >> 52) & 2047 AS exponent,
               (p.value ->> 3)::BIGINT & 4503599627370495 AS fraction
        FROM logged_points l, json_array_elements(l.points::JSON) p)
SELECT owner_id, name, step, timestamp_ms,
       CASE WHEN w.exponent = 2047 AND fraction <> 0 THEN 9223372036854775807
            WHEN w.exponent = 0 AND fraction = 0 THEN 0
            WHEN bits < 0 THEN ~bits | (-9223372036854775807 - 1)
            ELSE bits END,
       CASE WHEN bits < 0 THEN -1 ELSE 1 END *
       CASE WHEN w.exponent < 2047 THEN (fraction + CASE w.exponent WHEN 0 THEN 0 ELSE 4503599627370496 END) * power
            WHEN fraction = 0 THEN 'Infinity'::DOUBLE PRECISION END
FROM waiting w LEFT JOIN powers p ON p.exponent = GREATEST(w.exponent, 1) - 1075
ON CONFLICT (owner_id, name, step, timestamp_ms, value_order) DO NOTHING;
DROP TABLE logged_points;
