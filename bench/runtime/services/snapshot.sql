-- Keeps the present content of all schemas of this database, and makes bench_seed.reset(), which restores it under
-- live connections. It reads tables and sequences from the catalogue. A second run keeps the newer state.

SET lock_timeout = '10s';

-- The app's own objects: not those of the system, of an extension or ours, and no temporary tables.
CREATE OR REPLACE FUNCTION bench_seed.own(kinds text) RETURNS TABLE (oid oid, name text, kind "char")
LANGUAGE sql STABLE AS $own$
    SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE position(c.relkind IN kinds) > 0 AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('bench_seed', 'information_schema') AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.oid
$own$;

DO $snapshot$
DECLARE
    item record;
    steps text := '';
    is_super boolean := (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
    quiet text := ''; -- without that right: triggers off and on again, one by one
    loud text := '';
BEGIN
    FOR item IN SELECT format('bench_seed.%I', relname) AS name FROM pg_class
                WHERE relnamespace = 'bench_seed'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('DROP TABLE %s', item.name);
    END LOOP;

    FOR item IN
        WITH RECURSIVE behind(oid, depth) AS ( -- a table comes after those that its foreign keys name
            SELECT oid, 0 FROM pg_class WHERE NOT is_super AND relkind = 'r'
            UNION
            SELECT k.conrelid, b.depth + 1 FROM behind b JOIN pg_constraint k ON k.confrelid = b.oid
            WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND b.depth < 50
        )
        SELECT t.oid, t.name, string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) AS columns,
            (SELECT max(depth) FROM behind b WHERE b.oid = t.oid) AS depth
        FROM bench_seed.own('r') t JOIN pg_attribute a ON a.attrelid = t.oid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        GROUP BY t.oid, t.name
        ORDER BY depth, t.oid
    LOOP
        EXECUTE format('CREATE TABLE bench_seed.%I AS SELECT %s FROM ONLY %s', 't' || item.oid, item.columns, item.name);
        steps := steps || format(
            'INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT * FROM bench_seed.%I;',
            item.name, item.columns, 't' || item.oid);
    END LOOP;

    FOR item IN SELECT name, 0::bigint AS last_value, false AS is_called FROM bench_seed.own('S') LOOP
        EXECUTE format('SELECT %L AS name, last_value, is_called FROM %s', item.name, item.name) INTO item;
        steps := steps || format('PERFORM setval(%L, %s, %L);', item.name, item.last_value, item.is_called);
    END LOOP;

    FOR item IN SELECT t.name FROM bench_seed.own('m') t JOIN pg_class c ON c.oid = t.oid WHERE c.relispopulated LOOP
        steps := steps || format('REFRESH MATERIALIZED VIEW %s;', item.name);
    END LOOP;

    IF EXISTS (SELECT FROM pg_largeobject_metadata) THEN
        CREATE TABLE bench_seed.objects AS SELECT oid AS loid, lo_get(oid) AS content FROM pg_largeobject_metadata;
        steps := steps || 'PERFORM lo_from_bytea(loid, content) FROM bench_seed.objects;';
    END IF;

    FOR item IN SELECT t.name, g.tgname, g.tgenabled FROM bench_seed.own('rp') t JOIN pg_trigger g ON g.tgrelid = t.oid
                WHERE NOT is_super AND NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled <> 'D' LOOP
        quiet := quiet || format('ALTER TABLE %s DISABLE TRIGGER %I;', item.name, item.tgname);
        loud := loud || format('ALTER TABLE %s ENABLE %s TRIGGER %I;', item.name,
            CASE item.tgenabled WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' ELSE '' END, item.tgname);
    END LOOP;

    -- As in a replica, rows are inserted without triggers, so in any order. An open transaction holds its tables'
    -- locks: the lock timeout turns an endless wait into a failure. One TRUNCATE has all tables, so foreign keys
    -- between them do not matter. New tables are emptied and new sequences restart: their maker relies on them.
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION bench_seed.reset() RETURNS void LANGUAGE plpgsql
         %s SET lock_timeout = ''10s'' SET client_min_messages = warning AS %L',
        CASE WHEN is_super THEN 'SET session_replication_role = replica' ELSE '' END,
        $reset$
        DECLARE
            every_table text := (SELECT string_agg(name, ', ') FROM bench_seed.own('rp'));
        BEGIN
            IF every_table IS NOT NULL THEN
                EXECUTE 'TRUNCATE ' || every_table;
            END IF;
            PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
            PERFORM setval(s.seqrelid, s.seqstart, false)
            FROM bench_seed.own('S') t JOIN pg_sequence s ON s.seqrelid = t.oid;
        $reset$ || quiet || steps || loud || ' END');
END
$snapshot$;

RESET lock_timeout;
