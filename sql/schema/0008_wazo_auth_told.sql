-- What came for an authorization (JSON): it is being dealt with until held_until, and then somebody else's to go on with.
ALTER TABLE wazo_auth.pending_authorization ADD COLUMN told text;
