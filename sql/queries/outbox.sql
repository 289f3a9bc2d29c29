-- Events and deaths on their way out (wazo_auth.outbox).

-- name: outbox.publish
-- The relay is woken after the commit, see 0019.
INSERT INTO wazo_auth.outbox (target, routing_key, headers, body)
SELECT 'bus', e.key, e.headers::jsonb, e.body::jsonb
FROM set_config('wazo_auth.relay_is_woken', 'later', true),
     unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS e(key, headers, body, n)
ORDER BY e.n

-- name: outbox.killed
SELECT current_setting('wazo_auth.killed', true) AS killed
