import type { FileEntry } from '../../domain/files/file-view.js';
import { matcherOf, type FindPlan } from '../../domain/files/glob.js';
import type { TreeEntry, TreeRoot } from '../../domain/files/tree-block.js';
import { BITS_LOOKED_AT, placesOfPath, type FilterPlaces } from '../../domain/files/path-filter.js';
import { entryRange, WHOLE_TREE } from '../../domain/files/tree-key.js';
import { TreeSearch } from '../../domain/files/tree-search.js';
import type { Queries } from '../queries.js';
import { ClientBlocks } from './file-blocks.js';
import { clientsWith, pathsOf, type KnownPath } from './known-paths.js';
import { compareEntries } from './files.js';
import { toRoot } from './file-trees.js';

/** A file that was found, with the backup it is in. */
export interface FoundEntry extends FileEntry {
  readonly client: string;
  /** Unix seconds. */
  readonly backupTime: number;
}

/** How much is read at once. */
export interface FindLimits {
  /** Paths of a client that are looked for in its images at once. */
  readonly paths: number;
  /** An image of so few entries is read whole rather than asked for more paths than that. */
  readonly smallImageEntries: number;
}

const LIMITS: FindLimits = { paths: 1_000, smallImageEntries: 10_000 };
const IMAGES_AT_FIRST = 32;
const IMAGES_AT_ONCE_MAX = 512;

interface Image {
  readonly imageId: string;
  readonly client: string;
  readonly backupTime: number;
  readonly trees: readonly TreeRoot[];
}

interface ImageRecord {
  readonly image_id: string;
  readonly client: string;
  readonly backup_time: string;
  readonly trees: { root: string; height: number; entries: string }[];
}

/** What `pathFilter` says of a tree. */
const MAY_HAVE = `(place.first IS NULL OR f.filter IS NULL OR (${Array.from(
  { length: BITS_LOOKED_AT },
  (_, n) => `get_bit(f.filter, (place.first + ${n} * place.step) % (8 * length(f.filter))) = 1`,
).join(' AND ')}))`;

/** Looking for files in all images. */
export class FileFinds {
  constructor(
    private readonly db: Queries,
    private readonly limits = LIMITS,
  ) {}

  /** Clients that have images. */
  async clients(): Promise<string[]> {
    const rows = await this.db.query<{ client: string }[]>(
      'SELECT DISTINCT client FROM image ORDER BY client',
    );
    return rows.map((row) => row.client);
  }

  /** Entries over all images of the clients, those of the newest backups first. */
  async find(
    plan: FindPlan,
    { clients, limit }: { readonly clients: readonly string[]; readonly limit: number },
  ): Promise<FoundEntry[]> {
    const { db, limits } = this;
    const some = await clientsWith(db, plan, clients);
    const searches = new Map(
      some.map((client) => [client, new ClientFind({ db, limits }, plan, client)]),
    );
    const place = plan.by === 'path' ? placesOfPath(plan.directory, plan.name) : undefined;
    const found: FoundEntry[] = [];
    let last: Image | undefined;
    for (let atOnce = IMAGES_AT_FIRST; some.length > 0 && found.length < limit;) {
      const images = await this.images(some, { last, limit: atOnce, place });
      await Promise.all(
        [...searches].map(([client, search]) =>
          search.prepare(images.filter((image) => image.client === client)),
        ),
      );
      for (const image of images) {
        if (found.length >= limit) break;
        const { imageId, client, backupTime, trees } = image;
        const entries = await searches.get(client)!.entriesOf(trees, limit - found.length);
        found.push(...entries.map((entry) => ({ ...entry, imageId, client, backupTime })));
      }
      if (images.length < atOnce) break;
      last = images.at(-1);
      atOnce = Math.min(atOnce * 2, IMAGES_AT_ONCE_MAX);
    }
    return found;
  }

  /** The newest first, behind the last one. */
  private async images(
    clients: readonly string[],
    what: {
      readonly last: Image | undefined;
      readonly limit: number;
      /** Where the bits of the only path are that is looked for. */
      readonly place: FilterPlaces | undefined;
    },
  ): Promise<Image[]> {
    const { last, limit, place } = what;
    const rows = await this.db.query<ImageRecord[]>(
      `WITH place AS (SELECT $5::bigint AS first, $6::bigint AS step)
       SELECT i.image_id, i.client, i.backup_time, t.trees FROM image i
       CROSS JOIN LATERAL (
         SELECT json_agg(json_build_object('root', root, 'height', height, 'entries', entries)
           ORDER BY fragment, part) AS trees
         FROM file_tree f, place WHERE image_number = i.number AND ${MAY_HAVE}
       ) t
       WHERE i.client = ANY($1::text[]) AND t.trees IS NOT NULL
         AND ($2::bigint IS NULL OR (i.backup_time, i.image_id) < ($2, $3::text))
       ORDER BY i.backup_time DESC, i.image_id DESC LIMIT $4`,
      [
        ...[clients, last?.backupTime ?? null, last?.imageId ?? null, limit],
        ...[place?.first ?? null, place?.step ?? null],
      ],
    );
    return rows.map((row) => ({
      ...{ imageId: row.image_id, client: row.client, backupTime: Number(row.backup_time) },
      trees: row.trees.map(toRoot),
    }));
  }
}

/** Looks for the same thing in one image of a client after the other. */
class ClientFind {
  private readonly blocks: ClientBlocks;
  private readonly matches: (directory: string, name: string) => boolean;
  /** The paths of the client that fit; undefined at the end if there are more. */
  private first: readonly KnownPath[] | undefined;
  private search: TreeSearch | undefined;

  constructor(
    private readonly by: { readonly db: Queries; readonly limits: FindLimits },
    private readonly plan: FindPlan,
    private readonly client: string,
  ) {
    this.blocks = new ClientBlocks(by.db, client);
    this.matches = matcherOf(plan);
  }

  /** Reads what these images have of the paths, all together, where the paths are few. */
  async prepare(images: readonly Image[]): Promise<void> {
    if (images.length === 0) return;
    this.first ??= await this.paths();
    if (this.first.length >= this.by.limits.paths) return;
    this.search ??= searchOf(this.blocks, this.first);
    await this.search.of(images.flatMap(({ trees }) => trees));
  }

  /** At least so many, if there are, in the order of lists. */
  async entriesOf(trees: readonly TreeRoot[], limit: number): Promise<TreeEntry[]> {
    if (this.search) return sorted(await this.search.of(trees), limit);
    if (trees.reduce((sum, tree) => sum + tree.entries, 0) <= this.by.limits.smallImageEntries) {
      const all = await new TreeSearch(this.blocks, [WHOLE_TREE]).of(trees);
      const fits = ({ directory, name }: TreeEntry) => this.matches(directory, name);
      return sorted(
        all?.map((entries) => entries.filter(fits)),
        limit,
      );
    }
    const found: TreeEntry[] = [];
    for (let paths = this.first!; paths.length > 0 && found.length < limit;) {
      found.push(...sorted(await searchOf(this.blocks, paths).of(trees), limit));
      paths = paths.length < this.by.limits.paths ? [] : await this.paths(paths.at(-1));
    }
    return found.slice(0, limit);
  }

  private paths(behind?: KnownPath): Promise<KnownPath[]> {
    const { client, by, plan } = this;
    return pathsOf(by.db, plan, { client, behind, limit: by.limits.paths });
  }
}

function searchOf(blocks: ClientBlocks, paths: readonly KnownPath[]): TreeSearch {
  return new TreeSearch(
    blocks,
    paths.map(({ directory, name }) => entryRange(directory, name)),
  );
}

function sorted(found: TreeEntry[][] | undefined, limit: number): TreeEntry[] {
  return (found ?? []).flat().sort(compareEntries).slice(0, limit);
}
