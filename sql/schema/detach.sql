-- Takes away all that is ours; wazo-auth's own tables and their rows stay, but for sessions that a lock has ended.
DO $$
BEGIN
  IF to_regclass('wazo_auth.ended_session') IS NOT NULL THEN
    DELETE FROM auth_session WHERE uuid IN (SELECT session_uuid FROM wazo_auth.ended_session);
  END IF;
END
$$;
DO $$
DECLARE
  item record;
BEGIN
  FOR item IN
    SELECT tgname AS name, tgrelid::regclass AS on_table FROM pg_trigger
    WHERE tgname LIKE 'wazo\_auth\_%' AND NOT tgisinternal
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', item.name, item.on_table);
  END LOOP;
  FOR item IN
    SELECT c.oid::regclass AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'i' AND n.nspname = 'public' AND c.relname LIKE 'wazo\_auth\_%'
  LOOP
    EXECUTE format('DROP INDEX %s', item.name);
  END LOOP;
END
$$;
-- The search_path as 0006 set it; one that somebody changed since stays.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
             WHERE d.datname = current_database() AND s.setrole = 0
               AND 'search_path="$user", public, wazo_auth' = ANY (s.setconfig)) THEN
    EXECUTE format('ALTER DATABASE %I RESET search_path', current_database());
  END IF;
END
$$;
-- Somebody else may have built on the extension by now.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_extension
             WHERE extname = 'pg_trgm' AND extnamespace = to_regnamespace('wazo_auth')) THEN
    BEGIN
      DROP EXTENSION pg_trgm;
    EXCEPTION WHEN dependent_objects_still_exist THEN
      ALTER EXTENSION pg_trgm SET SCHEMA public;
    END;
  END IF;
END
$$;
DROP SCHEMA IF EXISTS wazo_auth CASCADE;
