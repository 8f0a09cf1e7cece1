-- A point that waits to be moved to its history, and one that is there already.
INSERT INTO logged_points (owner_id, total, points)
VALUES ('01900000000070008000000000000003', 2,
        '[["loss",3,1700000000000,4602678819172646912],["loss",1,1700000000000,4602678819172646912]]');
