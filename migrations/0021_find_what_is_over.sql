-- Pixels and webhooks of a connector are due in their own order: what is held of one does not stand
-- before what is over of the other.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (namespace, connector_id, kind, due_at) WHERE due_at IS NOT NULL;

-- Personal values are erased after a week wherever they are. Deliveries without any are not in it.
CREATE INDEX deliveries_personal ON deliveries (created_at) WHERE personal IS NOT NULL;
