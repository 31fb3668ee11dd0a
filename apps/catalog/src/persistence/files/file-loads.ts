import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { DataSource, EntityManager } from 'typeorm';
import { assert } from '#kernel/assert.js';
import type { IndexRecord } from '../../domain/files/index-record.js';
import { prepared } from '#outbox/prepared.js';
import { arrayLiteral } from '../array-literal.js';
import { directoryDigest } from './directory-digest.js';

/** Directories whose ids one load remembers; beyond it forgets and looks them up again. */
const DIRECTORIES_KNOWN_MAX = 100_000;

const COPY = `COPY file_version (image_number, directory_id, name, type, size, mtime_ns, mode, uid, gid,
  archive_offset, archive_length, flags, extra) FROM STDIN`;

/** Rows that go in by one statement at most. */
const INSERTED_MAX = 64;

/** A column of `file_version`, its SQL type, and where its value comes from. */
const INSERT_COLUMNS: readonly (readonly [string, string, (r: IndexRecord) => unknown])[] = [
  ['name', 'text', (record) => record.name],
  ['type', 'text', (record) => record.type],
  ['size', 'bigint', (record) => record.size],
  ['mtime_ns', 'numeric', (record) => record.mtimeNs],
  ['mode', 'smallint', (record) => record.mode],
  ['uid', 'bigint', (record) => record.uid],
  ['gid', 'bigint', (record) => record.gid],
  ['archive_offset', 'bigint', (record) => record.offset],
  ['archive_length', 'bigint', (record) => record.length],
  ['flags', 'text', (record) => record.flags],
  ['extra', 'text', (record) => record.extra],
];

const INSERT_NAMES = INSERT_COLUMNS.map(([name]) => name).join(', ');
const INSERT = prepared(`
  INSERT INTO file_version (image_number, directory_id, ${INSERT_NAMES})
  SELECT $1, * FROM unnest($2::bigint[], ${INSERT_COLUMNS.map(([, type], n) => `$${n + 3}::${type}[]`).join(', ')})`);

/**
 * Writes the entries of one image into the file tables, a batch at a time, in the transaction of
 * `db`. Directories are made outside of it: a name in a dictionary is true whatever becomes of the
 * load, and two loads of the same client then never wait for each other's end.
 */
export class FileLoad {
  private readonly directoryIds = new Map<string, string>();

  constructor(
    private readonly db: EntityManager,
    private readonly database: DataSource,
    private readonly image: { readonly number: number; readonly client: string },
  ) {}

  async write(records: readonly IndexRecord[]): Promise<void> {
    await this.learnDirectories(records);
    if (records.length <= INSERTED_MAX) await this.insert(records);
    else await this.copy(records);
  }

  /** A stream costs more than so few rows. */
  private async insert(records: readonly IndexRecord[]): Promise<void> {
    const { number } = this.image;
    const columns = INSERT_COLUMNS.map(([, , valueOf]) => arrayLiteral(records.map(valueOf)));
    const directories = arrayLiteral(
      records.map(({ directory }) => this.directoryIds.get(directory)!),
    );
    await this.db.query(INSERT, [number, directories, ...columns]);
  }

  private async copy(records: readonly IndexRecord[]): Promise<void> {
    const { number } = this.image;
    let rows = '';
    for (const record of records) {
      rows += copyRow(number, this.directoryIds.get(record.directory)!, record);
    }
    // What the driver calls the connection is the transaction's own.
    const client = (await this.db.queryRunner!.connect()) as PoolClient;
    await pipeline(Readable.from([Buffer.from(rows, 'utf8')]), client.query(copyFrom(COPY)));
  }

  private async learnDirectories(records: readonly IndexRecord[]): Promise<void> {
    if (this.directoryIds.size > DIRECTORIES_KNOWN_MAX) this.directoryIds.clear();
    const unknown = new Set<string>();
    for (const { directory } of records) {
      if (!this.directoryIds.has(directory)) unknown.add(directory);
    }
    if (unknown.size === 0) return;
    await this.look([...unknown]);
    // Sorted, so that two loads that make the same ones wait for each other and never deadlock.
    const missing = [...unknown].filter((path) => !this.directoryIds.has(path)).sort();
    if (missing.length === 0) return;
    this.keep(
      await this.database.query<DirectoryRecord[]>(
        `INSERT INTO directory (client, path, digest)
         SELECT $1, path, digest FROM unnest($2::text[], $3::bytea[]) AS new (path, digest)
         ON CONFLICT DO NOTHING RETURNING id, path`,
        [this.image.client, missing, missing.map(directoryDigest)],
      ),
    );
    const lost = missing.filter((path) => !this.directoryIds.has(path));
    if (lost.length > 0) await this.look(lost);
    assert(!lost.some((path) => !this.directoryIds.has(path)), 'a directory without an id');
  }

  private async look(paths: readonly string[]): Promise<void> {
    this.keep(
      await this.database.query<DirectoryRecord[]>(
        prepared('SELECT id, path FROM directory WHERE client = $1 AND digest = ANY($2::bytea[])'),
        [this.image.client, paths.map(directoryDigest)],
      ),
    );
  }

  private keep(rows: readonly DirectoryRecord[]): void {
    for (const { id, path } of rows) this.directoryIds.set(path, id);
  }
}

interface DirectoryRecord {
  readonly id: string;
  readonly path: string;
}

/** A row in COPY's text format. Path text holds no tab and no newline, so only `\` needs care. */
function copyRow(image: number, directory: string, record: IndexRecord): string {
  const { type, size, mtimeNs, mode, uid, gid, flags } = record;
  const place = `${record.offset ?? '\\N'}\t${record.length ?? '\\N'}`;
  return (
    `${image}\t${directory}\t${quoted(record.name)}\t${type}\t${size}\t${mtimeNs}\t${mode}\t` +
    `${uid}\t${gid}\t${place}\t${flags}\t${quoted(record.extra)}\n`
  );
}

function quoted(text: string): string {
  return text.includes('\\') ? text.replaceAll('\\', '\\\\') : text;
}
