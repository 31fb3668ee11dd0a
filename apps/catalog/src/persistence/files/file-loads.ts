import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { EntityManager } from 'typeorm';
import type { IndexRecord } from '../../domain/files/index-record.js';
import { prepared } from '#outbox/prepared.js';
import { arrayLiteral } from '../array-literal.js';
import type { Directories } from './directories.js';

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
 * Writes the entries of one image into the file tables, a batch at a time, in the transaction of `db`.
 * Directories that are not known yet are learnt meanwhile, on another connection.
 */
export class FileLoad {
  constructor(
    private readonly db: EntityManager,
    private readonly directories: Directories,
    private readonly imageNumber: number,
  ) {}

  async write(records: readonly IndexRecord[]): Promise<void> {
    await this.directories.learn(records);
    if (records.length <= INSERTED_MAX) await this.insert(records);
    else await this.copy(records);
  }

  /** A stream costs more than so few rows. */
  private async insert(records: readonly IndexRecord[]): Promise<void> {
    const columns = INSERT_COLUMNS.map(([, , valueOf]) => arrayLiteral(records.map(valueOf)));
    const directories = arrayLiteral(
      records.map(({ directory }) => this.directories.idOf(directory)),
    );
    await this.db.query(INSERT, [this.imageNumber, directories, ...columns]);
  }

  private async copy(records: readonly IndexRecord[]): Promise<void> {
    let rows = '';
    for (const record of records) {
      rows += copyRow(this.imageNumber, this.directories.idOf(record.directory), record);
    }
    // What the driver calls the connection is the transaction's own.
    const client = (await this.db.queryRunner!.connect()) as PoolClient;
    await pipeline(Readable.from([Buffer.from(rows, 'utf8')]), client.query(copyFrom(COPY)));
  }
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
