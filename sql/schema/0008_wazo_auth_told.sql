-- The answer to an authorization (JSON). The process that claimed the row completes it until held_until; after that
-- another process resumes it.
ALTER TABLE wazo_auth.pending_authorization ADD COLUMN told text;
