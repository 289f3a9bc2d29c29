-- pg_trgm, for the indexes of searches: in our schema, unless the database has it already.
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA wazo_auth;
