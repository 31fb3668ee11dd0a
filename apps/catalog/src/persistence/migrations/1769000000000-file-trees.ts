import type { MigrationInterface, QueryRunner } from 'typeorm';
import { TreesOfRows } from './trees-of-rows.js';

/**
 * Fixed-width columns first. Blocks are compressed already, and most are a little too large for what
 * PostgreSQL leaves in a row.
 */
const TABLES = `
  CREATE TABLE file_block (
    digest uuid NOT NULL,
    client text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (client, digest)
  ) WITH (toast_tuple_target = 8160);
  ALTER TABLE file_block ALTER COLUMN body SET STORAGE EXTERNAL;

  CREATE TABLE file_tree (
    image_number bigint NOT NULL,
    root uuid NOT NULL,
    entries bigint NOT NULL,
    fragment int NOT NULL,
    part int NOT NULL,
    height int NOT NULL,
    filter bytea,
    PRIMARY KEY (image_number, fragment, part)
  ) WITH (toast_tuple_target = 8160);
  ALTER TABLE file_tree ALTER COLUMN filter SET STORAGE EXTERNAL;

  CREATE TABLE file_name (
    directory_id bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    PRIMARY KEY (name, directory_id)
  );

  CREATE TABLE file_sweep (
    client text PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT now()
  );

  CREATE UNLOGGED TABLE file_reached (
    client text NOT NULL,
    digest uuid NOT NULL,
    PRIMARY KEY (client, digest)
  );
`;

const ROWS = `
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

/** A row for each file of each image becomes trees of shared blocks. */
export class FileTrees1769000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await new TreesOfRows(runner).makeAll();
    await runner.query('DROP TABLE file_version');
  }

  /** What the trees hold goes with them: the indexes beside the fragments are loaded anew. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE file_reached, file_sweep, file_name, file_tree, file_block');
    await runner.query(ROWS);
    await runner.query(
      `UPDATE fragment SET index_loaded_at = NULL, index_retry_at = now()
       WHERE state IN ('ACTIVE', 'DAMAGED') AND index_loaded_at IS NOT NULL`,
    );
  }
}
