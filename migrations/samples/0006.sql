-- 0006 has nothing new to hold.
SELECT 1;
