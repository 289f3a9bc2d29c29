-- Authorizations that a person was asked for at an external service, until what came of it is stored. The row is the
-- permission to use it: it goes with that.
CREATE TABLE wazo_auth.pending_authorization (
  state text PRIMARY KEY,
  type text NOT NULL,
  user_uuid text NOT NULL,
  tenant_uuid text NOT NULL,  -- whose configuration of the service counts
  scope jsonb NOT NULL,
  redirect_uri text NOT NULL,
  verifier text,              -- of PKCE
  websocket text,             -- where a broker tells the answer; NULL: the answer comes to nginx itself
  expires_at timestamptz NOT NULL,
  holder text,                -- the process that listens there, and until when it wants to be believed
  held_until timestamptz
);

-- Who is renewing a user's token just now, or how that ended when it went wrong.
CREATE TABLE wazo_auth.renewal (
  user_uuid text,
  type text,
  until timestamptz NOT NULL,
  outcome text CHECK (outcome IN ('failed', 'refused')),
  PRIMARY KEY (user_uuid, type)
);
