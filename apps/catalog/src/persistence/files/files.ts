import type { EntityManager } from 'typeorm';
import type { FileEntry } from '../../domain/files/file-view.js';
import { splitPath } from '../../domain/files/glob.js';
import type { TreeEntry, TreeRoot } from '../../domain/files/tree-block.js';
import {
  compareText,
  directoryRange,
  entryRange,
  WHOLE_TREE,
} from '../../domain/files/tree-key.js';
import { TreeSearch } from '../../domain/files/tree-search.js';
import { ClientBlocks } from './file-blocks.js';
import { treesOf } from './file-trees.js';

/** An image whose files are asked for. */
export interface ImageFiles {
  readonly imageId: string;
  readonly number: number;
  readonly client: string;
}

/** A page of an image's entries. */
export interface FilePage {
  readonly prefix: string;
  readonly after: string | undefined;
  readonly limit: number;
}

interface Place {
  readonly directory: string;
  readonly name: string;
}

/** How much is read at once. */
export interface FileLimits {
  /** Up to so many entries an image is sorted whole; beyond, it is read folder by folder. */
  readonly smallImageEntries: number;
  /** What more pages hold is not read into memory at once. */
  readonly pages: number;
}

const LIMITS: FileLimits = { smallImageEntries: 10_000, pages: 512 };
/** Folders that are looked for in a large image at once: few at first, more while they hold little. */
const FOLDERS_AT_FIRST = 16;
const FOLDERS_AT_ONCE_MAX = 512;

/** Reading the files of an image. Paths are path text without slashes at their ends. */
export class Files {
  constructor(
    private readonly db: Pick<EntityManager, 'query'>,
    private readonly limits = LIMITS,
  ) {}

  async image(imageId: string): Promise<ImageFiles | undefined> {
    const [row] = await this.db.query<{ number: string; client: string }[]>(
      'SELECT number, client FROM image WHERE image_id = $1',
      [imageId],
    );
    return row && { imageId, number: Number(row.number), client: row.client };
  }

  /**
   * Entries of an image, folder by folder: ordered by the folder's path, then by name, bytes by
   * value. `prefix` is an entry and all below it, `after` the last entry of the page before.
   */
  async list(image: ImageFiles, page: FilePage): Promise<FileEntry[]> {
    const trees = (await treesOf(this.db, [image.number])).get(image.number)!;
    const from = page.after === undefined ? undefined : splitPath(page.after);
    const { db, limits } = this;
    const reader = new ImageReader({ db, limits }, image, trees);
    const own = page.prefix === '' ? [] : await reader.exactly(splitPath(page.prefix));
    const first = own.filter((entry) => from === undefined || compareEntries(entry, from) > 0);
    const isSmall = trees.reduce((sum, tree) => sum + tree.entries, 0) <= limits.smallImageEntries;
    const query = { prefix: page.prefix, from, limit: page.limit - first.length };
    const below = isSmall ? await reader.belowAtOnce(query) : await reader.belowByFolders(query);
    return [...first, ...below]
      .slice(0, page.limit)
      .map((entry) => ({ ...entry, imageId: image.imageId }));
  }
}

interface BelowQuery {
  readonly prefix: string;
  readonly from: Place | undefined;
  readonly limit: number;
}

/** Reads in the trees of one image. */
class ImageReader {
  private readonly blocks: ClientBlocks;

  constructor(
    private readonly by: { readonly db: Pick<EntityManager, 'query'>; readonly limits: FileLimits },
    private readonly image: ImageFiles,
    private readonly trees: readonly TreeRoot[],
  ) {
    this.blocks = new ClientBlocks(by.db, image.client);
  }

  async exactly({ directory, name }: Place): Promise<TreeEntry[]> {
    const search = new TreeSearch(this.blocks, [entryRange(directory, name)]);
    return (await search.of(this.trees))!.flat();
  }

  async belowAtOnce({ prefix, from, limit }: BelowQuery): Promise<TreeEntry[]> {
    const all = (await new TreeSearch(this.blocks, [WHOLE_TREE]).of(this.trees))!.flat();
    const isBelow = ({ directory }: TreeEntry) =>
      prefix === '' || directory === prefix || directory.startsWith(`${prefix}/`);
    return all
      .filter((entry) => isBelow(entry) && (from === undefined || compareEntries(entry, from) > 0))
      .sort(compareEntries)
      .slice(0, limit);
  }

  /** The client's folders in order, each with what the image has in it, until there is enough. */
  async belowByFolders({ prefix, from, limit }: BelowQuery): Promise<TreeEntry[]> {
    const found: TreeEntry[] = [];
    let atOnce = FOLDERS_AT_FIRST;
    let behind: string | undefined;
    while (found.length < limit) {
      const start = { at: from?.directory, behind };
      const folders = await this.folders(prefix, { ...start, limit: atOnce });
      const missing = limit - found.length;
      found.push(...(await this.entriesOf(folders, { from, limit: missing })));
      if (folders.length < atOnce) break;
      behind = folders.at(-1);
      atOnce = Math.min(atOnce * 2, FOLDERS_AT_ONCE_MAX);
    }
    return found.slice(0, limit);
  }

  /** At least so many, or all that there are, in order. */
  private async entriesOf(
    folders: readonly string[],
    what: { readonly from: Place | undefined; readonly limit: number },
  ): Promise<TreeEntry[]> {
    if (folders.length === 0) return [];
    const rangeOf = (folder: string) =>
      directoryRange(folder, folder === what.from?.directory ? what.from.name : undefined);
    const search = new TreeSearch(this.blocks, folders.map(rangeOf));
    const found = await search.of(this.trees, this.by.limits.pages);
    if (found) return found.flat().sort(compareEntries);
    if (folders.length === 1) return this.someOf(search, what.limit);
    const middle = folders.length >> 1;
    const first = await this.entriesOf(folders.slice(0, middle), what);
    if (first.length >= what.limit) return first;
    const rest = { ...what, limit: what.limit - first.length };
    return [...first, ...(await this.entriesOf(folders.slice(middle), rest))];
  }

  /** Of one folder that is too large to be read whole: so many entries, the first ones. */
  private async someOf(search: TreeSearch, limit: number): Promise<TreeEntry[]> {
    const found: TreeEntry[] = [];
    for (const tree of this.trees) {
      let count = 0;
      for await (const entry of search.stream(tree)) {
        found.push(entry);
        if ((count += 1) >= limit) break;
      }
    }
    return found.sort(compareEntries).slice(0, limit);
  }

  private async folders(
    prefix: string,
    { at, behind, limit }: { at: string | undefined; behind: string | undefined; limit: number },
  ): Promise<string[]> {
    const rows = await this.by.db.query<{ path: string }[]>(FOLDERS, [
      ...[this.image.client, prefix, at ?? null, behind ?? null, limit],
    ]);
    return rows.map(({ path }) => path);
  }
}

/** What the index of directories holds of a path. Ordered by it and then by the path is ordered by the path. */
const HEAD = 'left(d.path, 500)';
/** Below `$2`, which may be the root; '0' follows '/' in the order of bytes. */
const IS_BELOW = `($2::text = ''
  OR (d.path >= $2 AND d.path < $2 || '0' AND (d.path = $2 OR d.path >= $2 || '/')))`;
const HEAD_IS_BELOW = `${HEAD} >= left($2, 500) AND ($2 = '' OR ${HEAD} < left($2, 500) || '0')`;
const IS_BEHIND = `($3::text IS NULL OR d.path >= $3) AND ($4::text IS NULL OR d.path > $4)
  AND ${HEAD} >= left(coalesce($4, $3, ''), 500)`;

const FOLDERS = `SELECT d.path FROM directory d
  WHERE d.client = $1 AND ${IS_BELOW} AND ${HEAD_IS_BELOW} AND ${IS_BEHIND}
  ORDER BY ${HEAD}, d.path LIMIT $5`;

/** In the order of lists. */
export function compareEntries(a: Place, b: Place): number {
  return compareText(a.directory, b.directory) || compareText(a.name, b.name);
}
