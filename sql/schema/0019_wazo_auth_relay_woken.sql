-- PostgreSQL lets transactions that notify commit one after the other, each with its write to the disk. Whoever sets
-- wazo_auth.relay_is_woken in his transaction notifies channel wazo_auth_outbox in another one, right after it.
CREATE OR REPLACE FUNCTION wazo_auth.outbox_filled() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF current_setting('wazo_auth.relay_is_woken', true) = 'later' THEN
    RETURN NULL;
  END IF;
  PERFORM pg_notify('wazo_auth_outbox', '');
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION wazo_auth.outbox_filled() FROM PUBLIC;

DROP TRIGGER IF EXISTS wazo_auth_outbox_filled ON wazo_auth.outbox;
CREATE TRIGGER wazo_auth_outbox_filled AFTER INSERT ON wazo_auth.outbox
  FOR EACH STATEMENT EXECUTE FUNCTION wazo_auth.outbox_filled();
