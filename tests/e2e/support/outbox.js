// Rows of the outbox, written past the Worker: what a commit of its own would have left to be sent.

const INSERT =
  "INSERT INTO deliveries (namespace, delivery_id, connector_id, kind, event_name, happened_at, \"values\", personal, state, " +
  "due_at, created_at) SELECT ?1, printf('msg_%012x%s%010x', ?3, ?4, value), ?2, 'webhook', 'Purchase', ?3, ?5, ?6, 'waiting', ?3, ?3 " +
  "FROM (WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ?7) SELECT value FROM n)";

/** Makes a connector with this webhook; its number. */
export async function insertConnector(worker, namespace, id, webhook, mode = "enabled") {
  await worker.query(
    "INSERT INTO connectors (namespace, id, name, mode, events, webhook, is_webhook_on, created_at) VALUES (?1, ?2, 'c', ?3, '[\"Purchase\"]', ?4, 1, 1)",
    namespace, id, mode, JSON.stringify(webhook),
  );
  return id;
}

/** Puts deliveries into the outbox that are due now. */
export async function insertDeliveries(worker, namespace, connector, count = 1, values = { VALUE: "15" }, personal = null) {
  const mark = Math.random().toString(16).slice(2, 12).padEnd(10, "0");
  await worker.query(INSERT, namespace, connector, Date.now(), mark, JSON.stringify(values), personal && JSON.stringify(personal), count);
}

/** The deliveries of a connector, the oldest first. */
export function deliveriesOf(worker, namespace, connector) {
  return worker.query("SELECT * FROM deliveries WHERE namespace = ?1 AND connector_id = ?2 ORDER BY delivery_id", namespace, connector);
}

/** The log of a connector, the oldest first. */
export function attemptsOf(worker, namespace, connector) {
  return worker.query(
    "SELECT a.* FROM deliveries AS d JOIN attempts AS a ON a.namespace = d.namespace AND a.delivery_id = d.delivery_id " +
      "WHERE d.namespace = ?1 AND d.connector_id = ?2 ORDER BY a.delivery_id, a.attempt",
    namespace, connector,
  );
}
