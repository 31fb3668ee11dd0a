import { compress, decompress } from '#archive/frames/zstd.js';
import { prepared } from '#outbox/prepared.js';
import type { BlockReader } from '../../domain/files/tree-search.js';
import type { TreeBlock } from '../../domain/files/tree-block.js';
import { arrayLiteral, byteArray } from '../array-literal.js';
import type { Queries } from '../queries.js';
import { FileNames } from './file-names.js';
import { toDigest } from './file-trees.js';

/** A block, and whose it is. */
export interface ClientBlock {
  readonly client: string;
  readonly block: TreeBlock;
}

/** Beyond that it takes more time than it saves bytes. */
const ZSTD_LEVEL = 3;

const KNOWN =
  prepared(`SELECT b.client, b.digest FROM unnest($1::text[], $2::uuid[]) AS n(client, digest)
  CROSS JOIN LATERAL (SELECT * FROM file_block b
    WHERE b.client = n.client AND b.digest = n.digest LIMIT 1) b`);

const INSERT = prepared(`INSERT INTO file_block (client, digest, body)
  SELECT * FROM unnest($1::text[], $2::uuid[], $3::bytea[]) ON CONFLICT DO NOTHING`);

/** Puts blocks away, each once for each client. Whoever refers to them holds `shareBlocks`. */
export class FileBlocks {
  constructor(private readonly db: Queries) {}

  /** Those that are known already cost no more than the question. */
  async put(blocks: readonly ClientBlock[]): Promise<void> {
    if (blocks.length === 0) return;
    const known = new Set(
      (
        await this.db.query<{ client: string; digest: string }[]>(KNOWN, [
          arrayLiteral(blocks.map(({ client }) => client)),
          arrayLiteral(blocks.map(({ block }) => block.digest)),
        ])
      ).map(({ client, digest }) => `${toDigest(digest)}${client}`),
    );
    const fresh = blocks.filter(({ client, block }) => !known.has(block.digest + client));
    await new FileNames(this.db).learn(fresh);
    await this.insert(fresh);
  }

  /** What is probably new, and whose paths have been learnt. */
  async insert(blocks: readonly ClientBlock[]): Promise<void> {
    if (blocks.length === 0) return;
    // Sorted, so that two that put the same ones away wait for each other and never deadlock.
    const sorted = [...blocks].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    const bodies = await Promise.all(
      sorted.map(({ block }) => compress(Buffer.from(block.text), ZSTD_LEVEL)),
    );
    await this.db.query(INSERT, [
      arrayLiteral(sorted.map(({ client }) => client)),
      arrayLiteral(sorted.map(({ block }) => block.digest)),
      byteArray(bodies),
    ]);
  }
}

function placeOf({ client, block }: ClientBlock): string {
  return `${client}\n${block.digest}`;
}

/** The blocks of one client. */
export class ClientBlocks implements BlockReader {
  constructor(
    private readonly db: Queries,
    private readonly client: string,
  ) {}

  async read(digests: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.db.query<{ digest: string; body: Buffer }[]>(
      prepared(
        'SELECT digest, body FROM file_block WHERE client = $1 AND digest = ANY($2::uuid[])',
      ),
      [this.client, arrayLiteral(digests)],
    );
    const texts = await Promise.all(rows.map(({ body }) => decompress(body)));
    return new Map(rows.map(({ digest }, n) => [toDigest(digest), texts[n]!.toString()]));
  }
}
