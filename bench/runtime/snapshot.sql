-- Keeps what is in schema public now, and makes bench_seed.reset(), which puts it back under live connections.
-- Knows no schema: tables and sequences are read from the catalogue. Run again, it keeps the newer state.

DROP SCHEMA IF EXISTS bench_seed CASCADE;
CREATE SCHEMA bench_seed;

DO $snapshot$
DECLARE
    item record;
    every_table text;
    steps text := '';
BEGIN
    SELECT string_agg(format('public.%I', relname), ', ') INTO every_table
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p');
    IF every_table IS NOT NULL THEN
        -- All in one statement: foreign keys between them do not matter then.
        steps := format('TRUNCATE %s;', every_table);
    END IF;

    FOR item IN
        SELECT format('%I', c.relname) AS name, string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) AS columns
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
          AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        GROUP BY c.relname
    LOOP
        EXECUTE format('CREATE TABLE bench_seed.%1$s AS SELECT %2$s FROM ONLY public.%1$s', item.name, item.columns);
        steps := steps || format(
            'INSERT INTO public.%1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT * FROM bench_seed.%1$s;',
            item.name, item.columns);
    END LOOP;

    FOR item IN
        SELECT format('public.%I', relname) AS name, 0::bigint AS last_value, false AS is_called
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
    LOOP
        EXECUTE format('SELECT %L AS name, last_value, is_called FROM %s', item.name, item.name) INTO item;
        steps := steps || format('PERFORM setval(%L, %s, %L);', item.name, item.last_value, item.is_called);
    END LOOP;

    -- As a replica does, rows go in without triggers, so in any order. A transaction left open holds its
    -- tables' locks: better a failure than a wait without end.
    EXECUTE format(
        'CREATE FUNCTION bench_seed.reset() RETURNS void LANGUAGE plpgsql
         SET session_replication_role = replica SET lock_timeout = ''10s'' AS %L',
        'BEGIN ' || steps || ' END');
END
$snapshot$;
