-- Only PostgreSQL keeps a list of what is not in its index yet: there is nothing to do.
SELECT 1;
