-- Tools that read the names of all tables and then name them without a schema find ours, too: for new sessions the schema
-- stands last in the database's search_path, where it hides nothing. A path that somebody has set already stays, and so
-- does everything where the role doesn't own the database.
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
                 WHERE d.datname = current_database() AND s.setrole = 0
                   AND EXISTS (SELECT 1 FROM unnest(s.setconfig) AS setting WHERE setting LIKE 'search\_path=%')) THEN
    EXECUTE format('ALTER DATABASE %I SET search_path = "$user", public, wazo_auth', current_database());
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'schema wazo_auth isn''t in the search_path of database %: its owner may add it', current_database();
END
$$;
