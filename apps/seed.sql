-- What every run starts from: users 1 to 10000.
INSERT INTO users (id, name, email)
SELECT n, 'User ' || n, 'user' || n || '@example.com'
FROM generate_series(1, 10000) AS n;

SELECT setval(pg_get_serial_sequence('users', 'id'), 10000);

-- Plans must not change during a run because autovacuum came by.
ANALYZE users;
