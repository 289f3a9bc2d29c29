-- The sessions of a deleted user end, and are told, whoever deletes the user: presence and webhooks count by these events.
-- A tenant's end is told as one event (docs/spec/events.md, section 4): by now its row is gone. The event is the one of
-- events::session_deleted() in store/event.cpp.
CREATE OR REPLACE FUNCTION wazo_auth.users_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  WITH ended AS (
    DELETE FROM public.auth_session AS s
    USING gone AS u JOIN public.auth_token AS t ON t.auth_id = u.uuid
    WHERE s.uuid = t.session_uuid
    RETURNING s.uuid, s.tenant_uuid, u.uuid AS user_uuid
  ), event AS (
    SELECT *, 'auth.sessions.' || replace(replace(replace(uuid, '.', '__DOT__'), '#', '__HASH__'), '*', '__STAR__')
              || '.deleted' AS key
    FROM ended
    WHERE EXISTS (SELECT 1 FROM public.auth_tenant AS t WHERE t.uuid = ended.tenant_uuid)
  )
  INSERT INTO wazo_auth.outbox (target, routing_key, headers, body)
  SELECT 'bus', key,
         jsonb_build_object('name', 'auth_session_deleted', 'required_access', 'event.auth_session_deleted',
                            'required_acl', 'events.' || key, 'tenant_uuid', tenant_uuid,
                            'user_uuid:' || user_uuid, true, 'session_uuid', uuid),
         jsonb_build_object('uuid', uuid, 'user_uuid', user_uuid, 'tenant_uuid', tenant_uuid)
  FROM event;
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION wazo_auth.users_deleted() FROM PUBLIC;
