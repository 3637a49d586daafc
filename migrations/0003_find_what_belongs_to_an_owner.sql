-- The configuration of a campaign is read with its tokens, that of a namespace with its blocked
-- affiliates. Without these indexes each reading would go through all of the namespace's.
CREATE INDEX tokens_owner ON tokens (namespace, level, level_id) WHERE revoked_at IS NULL;
CREATE INDEX affiliates_blocked ON affiliates (namespace, id) WHERE state = 'blocked';
