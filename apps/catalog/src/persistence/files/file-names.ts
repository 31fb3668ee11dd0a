import { assert } from '#kernel/assert.js';
import { prepared } from '#outbox/prepared.js';
import { namesOf, type TreeBlock } from '../../domain/files/tree-block.js';
import { arrayLiteral, byteArray } from '../array-literal.js';
import type { Queries } from '../queries.js';
import { directoryDigest } from './directory-digest.js';

interface Folder {
  readonly client: string;
  readonly path: string;
  readonly digest: Buffer;
  readonly names: string[];
  id?: string;
}

const LOOK = prepared(`SELECT n.place, d.id
  FROM unnest($1::int[], $2::text[], $3::bytea[]) AS n(place, client, digest)
  CROSS JOIN LATERAL (SELECT id FROM directory d
    WHERE d.client = n.client AND d.digest = n.digest LIMIT 1) d`);

const INSERT_NAMES = prepared(`INSERT INTO file_name (name, directory_id)
  SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT DO NOTHING`);

/** The dictionary of the paths of all clients. */
export class FileNames {
  constructor(private readonly db: Queries) {}

  /** Puts in what the pages among these blocks hold. */
  async learn(blocks: readonly { client: string; block: TreeBlock }[]): Promise<void> {
    const folders = foldersOf(blocks);
    if (folders.length === 0) return;
    await this.look(folders);
    const missing = folders.filter(({ id }) => id === undefined);
    if (missing.length > 0) {
      await this.insertFolders(missing);
      await this.look(missing);
    }
    assert(!folders.some(({ id }) => id === undefined), 'a directory without an id');
    await this.insertNames(folders);
  }

  private async look(folders: readonly Folder[]): Promise<void> {
    const rows = await this.db.query<{ place: number; id: string }[]>(LOOK, [
      arrayLiteral(folders.map((_, place) => place)),
      arrayLiteral(folders.map(({ client }) => client)),
      byteArray(folders.map(({ digest }) => digest)),
    ]);
    for (const { place, id } of rows) folders[place]!.id = id;
  }

  /** Sorted, so that two that make the same ones wait for each other and never deadlock. */
  private async insertFolders(folders: readonly Folder[]): Promise<void> {
    const sorted = [...folders].sort((a, b) => Buffer.compare(a.digest, b.digest));
    await this.db.query(
      `INSERT INTO directory (client, path, digest)
       SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[]) ON CONFLICT DO NOTHING`,
      [
        sorted.map(({ client }) => client),
        sorted.map(({ path }) => path),
        byteArray(sorted.map(({ digest }) => digest)),
      ],
    );
  }

  /** Sorted likewise, folder by folder: most names come in order. */
  private async insertNames(folders: readonly Folder[]): Promise<void> {
    const sorted = [...folders].sort((a, b) => (a.id! < b.id! ? -1 : 1));
    for (const { names } of sorted) names.sort();
    await this.db.query(INSERT_NAMES, [
      arrayLiteral(sorted.flatMap(({ names }) => names)),
      arrayLiteral(sorted.flatMap(({ id, names }) => names.map(() => id))),
    ]);
  }
}

/** Each folder once, however many pages it is in. */
function foldersOf(blocks: readonly { client: string; block: TreeBlock }[]): Folder[] {
  const folders = new Map<string, Folder>();
  for (const { client, block } of blocks) {
    if (block.height > 0) continue;
    let last: Folder | undefined;
    for (const { directory: path, name } of namesOf(block.text)) {
      if (last?.path !== path) {
        const key = `${client}\n${path}`;
        last = folders.get(key) ?? { client, path, digest: directoryDigest(path), names: [] };
        folders.set(key, last);
      }
      last.names.push(name);
    }
  }
  return [...folders.values()];
}
