-- What every run starts from: users 1 to 10000, and posts 1 to 20000, two by each of them.
INSERT INTO users (id, name, email)
SELECT n, 'User ' || n, 'user' || n || '@example.com'
FROM generate_series(1, 10000) AS n;

INSERT INTO posts (id, author_id, title, body)
SELECT n, (n - 1) % 10000 + 1, 'Post ' || n, rtrim(repeat('This is what post ' || n || ' says. ', 10))
FROM generate_series(1, 20000) AS n;

SELECT setval(pg_get_serial_sequence('users', 'id'), 10000);
SELECT setval(pg_get_serial_sequence('posts', 'id'), 20000);

-- Plans must not change during a run because autovacuum came by.
ANALYZE users, posts;
