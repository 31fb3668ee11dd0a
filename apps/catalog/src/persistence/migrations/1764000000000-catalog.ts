import type { MigrationInterface, QueryRunner } from 'typeorm';
import { OUTBOX_TABLES } from '#outbox/tables.js';

const IMAGE_TABLES = `
  CREATE TABLE image (
    image_id text PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    client text NOT NULL,
    policy text NOT NULL,
    schedule text NOT NULL,
    kind text NOT NULL,
    job bigint NOT NULL,
    backup_time bigint NOT NULL,
    retention text NOT NULL,
    expires_at timestamptz NOT NULL,
    base_image_id text,
    chain_length int NOT NULL,
    selections text[] NOT NULL,
    selection_set text[] NOT NULL,
    begun_at timestamptz NOT NULL,
    finished_at timestamptz,
    fragments_expected int,
    files bigint,
    bytes bigint,
    abandoned_at timestamptz
  );
  CREATE UNIQUE INDEX image_number ON image (number);
  CREATE UNIQUE INDEX image_job ON image (job) WHERE abandoned_at IS NULL;
  CREATE UNIQUE INDEX image_client_time ON image (client, backup_time);
  CREATE INDEX image_time ON image (backup_time, image_id);

  CREATE TABLE image_copy (
    image_id text NOT NULL,
    copy int NOT NULL,
    attempt bigint NOT NULL,
    job_attempt int NOT NULL,
    unit text NOT NULL,
    pool text NOT NULL,
    media_id text NOT NULL,
    PRIMARY KEY (image_id, copy),
    CONSTRAINT image_copy_image FOREIGN KEY (image_id) REFERENCES image (image_id)
  );

  CREATE TABLE image_completion (
    image_id text PRIMARY KEY,
    announced_at timestamptz NOT NULL DEFAULT now()
  );
`;

const FRAGMENT_TABLES = `
  CREATE TABLE fragment (
    fragment_id uuid PRIMARY KEY,
    image_id text NOT NULL,
    copy int NOT NULL,
    number int NOT NULL,
    attempt bigint NOT NULL,
    state text NOT NULL DEFAULT 'ACTIVE',
    media_id text NOT NULL,
    pool text NOT NULL,
    archive_offset bigint NOT NULL,
    archive_bytes bigint NOT NULL,
    stored_bytes bigint NOT NULL,
    digest text NOT NULL,
    index_bytes bigint NOT NULL,
    index_digest text NOT NULL,
    frames int NOT NULL,
    last boolean NOT NULL,
    sealed_at timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    index_loaded_at timestamptz,
    index_error text,
    index_failures int NOT NULL DEFAULT 0,
    index_retry_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT fragment_image_copy FOREIGN KEY (image_id, copy) REFERENCES image_copy (image_id, copy)
  );
  CREATE UNIQUE INDEX fragment_live_number ON fragment (image_id, copy, number)
    WHERE state IN ('ACTIVE', 'TO_BE_DELETED');
  CREATE INDEX fragment_index_to_load ON fragment (index_retry_at)
    WHERE index_loaded_at IS NULL AND state = 'ACTIVE';

  CREATE TABLE refused_fragment (
    fragment_id uuid PRIMARY KEY,
    verdict text NOT NULL,
    offer jsonb NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now()
  );

  CREATE TABLE parked_message (
    message_id text PRIMARY KEY,
    subject text NOT NULL,
    payload text NOT NULL,
    reason text NOT NULL,
    deliveries int NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now()
  );

  CREATE TABLE catalog_state (
    the_only boolean PRIMARY KEY CONSTRAINT catalog_state_one_row CHECK (the_only),
    catalog_epoch text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
  );
`;

/** Fixed-width columns first: no padding in rows of which there are millions. */
const FILE_TABLES = `
  CREATE TABLE directory (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client text NOT NULL,
    path text COLLATE "C" NOT NULL,
    digest bytea NOT NULL
  );
  CREATE UNIQUE INDEX directory_client_digest ON directory (client, digest);
  CREATE INDEX directory_client_head ON directory (client, left(path, 500));

  CREATE TABLE file_version (
    image_number bigint NOT NULL,
    directory_id bigint NOT NULL,
    size bigint NOT NULL,
    uid bigint NOT NULL,
    gid bigint NOT NULL,
    archive_offset bigint,
    archive_length bigint,
    mode smallint NOT NULL,
    mtime_ns numeric NOT NULL,
    name text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    flags text COLLATE "C" NOT NULL,
    extra text COLLATE "C" NOT NULL,
    PRIMARY KEY (image_number, directory_id, name)
  );
  CREATE INDEX file_version_name ON file_version (name, image_number);
`;

export class Catalog1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(IMAGE_TABLES + FRAGMENT_TABLES + FILE_TABLES + OUTBOX_TABLES);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE fragment, refused_fragment, parked_message, catalog_state, image_completion,
        image_copy, image, file_version, directory, inbox, outbox
    `);
  }
}
