import type { DataSource } from 'typeorm';
import { assert } from '#kernel/assert.js';
import { prepared } from '#outbox/prepared.js';
import type { IndexRecord } from '../../domain/files/index-record.js';
import { directoryDigest } from './directory-digest.js';

/** Directories whose ids are remembered; beyond it all are forgotten and looked up again. */
const KNOWN_MAX = 100_000;

/**
 * The numbers of a client's directories in the file tables. Those that are new are made at once, in no
 * transaction: a name in a dictionary is true whatever becomes of a load, and two loads of the same
 * client then never wait for each other's end.
 */
export class Directories {
  private readonly ids = new Map<string, string>();

  constructor(
    private readonly database: Pick<DataSource, 'query'>,
    private readonly client: string,
  ) {}

  /** Of one that is known. */
  idOf(path: string): string {
    return this.ids.get(path)!;
  }

  /** After it all directories of the records are known. */
  async learn(records: readonly Pick<IndexRecord, 'directory'>[]): Promise<void> {
    if (this.ids.size > KNOWN_MAX) this.ids.clear();
    const unknown = new Set<string>();
    for (const { directory } of records) {
      if (!this.ids.has(directory)) unknown.add(directory);
    }
    if (unknown.size === 0) return;
    await this.look([...unknown]);
    // Sorted, so that two loads that make the same ones wait for each other and never deadlock.
    const missing = [...unknown].filter((path) => !this.ids.has(path)).sort();
    if (missing.length === 0) return;
    this.keep(
      await this.database.query<DirectoryRecord[]>(
        `INSERT INTO directory (client, path, digest)
         SELECT $1, path, digest FROM unnest($2::text[], $3::bytea[]) AS new (path, digest)
         ON CONFLICT DO NOTHING RETURNING id, path`,
        [this.client, missing, missing.map(directoryDigest)],
      ),
    );
    const lost = missing.filter((path) => !this.ids.has(path));
    if (lost.length > 0) await this.look(lost);
    assert(!lost.some((path) => !this.ids.has(path)), 'a directory without an id');
  }

  private async look(paths: readonly string[]): Promise<void> {
    this.keep(
      await this.database.query<DirectoryRecord[]>(
        prepared('SELECT id, path FROM directory WHERE client = $1 AND digest = ANY($2::bytea[])'),
        [this.client, paths.map(directoryDigest)],
      ),
    );
  }

  private keep(rows: readonly DirectoryRecord[]): void {
    for (const { id, path } of rows) this.ids.set(path, id);
  }
}

interface DirectoryRecord {
  readonly id: string;
  readonly path: string;
}
