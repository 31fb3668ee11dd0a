/**
 * The two tables that every service with a database has in its own schema. `inbox` remembers which
 * messages were handled, `outbox` holds what was decided but not yet published.
 */
export const OUTBOX_TABLES = `
  CREATE TABLE inbox (
    message_id text PRIMARY KEY,
    handled_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX inbox_handled_at ON inbox (handled_at);
  CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text NOT NULL,
    subject text NOT NULL,
    content_type text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
`;
