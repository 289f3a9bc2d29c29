-- Each statement by itself, outside a transaction. Made again whenever one is missing or was left invalid.
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_token_auth_id ON public.auth_token (auth_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_token_expire_t ON public.auth_token (expire_t);
CREATE INDEX CONCURRENTLY IF NOT EXISTS wazo_auth_token_refresh_token_uuid ON public.auth_token (refresh_token_uuid);
