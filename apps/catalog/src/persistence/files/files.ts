import { readFileLines } from '#archive/file-lines.js';
import type { FileEntry } from '../../domain/files/file-view.js';
import {
  bytesOfText,
  cutList,
  entriesAtMost,
  type FolderLines,
  lastName,
  linesBehind,
  lineOf,
  type ListSize,
  mergeFolders,
  sizeOf,
  textOf,
} from '../../domain/files/folder-lines.js';
import { splitPath } from '../../domain/files/glob.js';
import type { TreeRoot } from '../../domain/files/tree-block.js';
import {
  compareText,
  directoryRange,
  entryRange,
  WHOLE_TREE,
} from '../../domain/files/tree-key.js';
import { FolderSearch } from '../../domain/files/tree-search.js';
import type { Queries } from '../queries.js';
import { ClientBlocks } from './file-blocks.js';
import { treesOf } from './file-trees.js';

/** An image whose files are asked for. */
export interface ImageFiles {
  readonly imageId: string;
  readonly number: number;
  readonly client: string;
}

/** Where in an image a list begins: `prefix` is an entry and all below it, `after` an entry that the list begins behind. */
export interface FilesFrom {
  readonly prefix: string;
  readonly after: string | undefined;
}

/** A page of an image's entries. */
export interface FilePage extends FilesFrom {
  readonly limit: number;
}

interface Place {
  readonly directory: string;
  readonly name: string;
}

/** How much is read at once. */
export interface FileLimits {
  /** Up to so many entries an image is read whole; beyond, it is read folder by folder. */
  readonly smallImageEntries: number;
  /** What more pages hold is not read into memory at once. */
  readonly pages: number;
  /** Bytes that a page of text has, so that it fits into a message however it is escaped: enough, and the most. */
  readonly text: readonly [number, number];
}

const LIMITS: FileLimits = { smallImageEntries: 10_000, pages: 512, text: [320_000, 480_000] };
/** Folders that are looked for in a large image at once: by what the ones before held. */
const FOLDERS_AT_FIRST = 64;
const FOLDERS_AT_ONCE_MAX = 1_024;

/** Reading the files of an image. Paths are path text without slashes at their ends. */
export class Files {
  constructor(
    private readonly db: Queries,
    private readonly limits = LIMITS,
  ) {}

  async image(imageId: string): Promise<ImageFiles | undefined> {
    const [row] = await this.db.query<{ number: string; client: string }[]>(
      'SELECT number, client FROM image WHERE image_id = $1',
      [imageId],
    );
    return row && { imageId, number: Number(row.number), client: row.client };
  }

  /** Entries of an image, folder by folder: ordered by the folder's path, then by name, bytes by value. */
  async list(image: ImageFiles, { limit, ...from }: FilePage): Promise<FileEntry[]> {
    const { folders } = await this.read(image, from, entriesAtMost(limit));
    const { imageId } = image;
    return readFileLines(textOf(folders)).map((entry) => ({ ...entry, imageId }));
  }

  /** The same as text, and behind which entry it goes on, if it does. */
  async text(
    image: ImageFiles,
    from: FilesFrom,
  ): Promise<{ text: string; next: Place | undefined }> {
    const { folders, isWhole } = await this.read(image, from, bytesOfText(...this.limits.text));
    const last = folders.at(-1);
    const next = last && !isWhole ? { ...last, name: lastName(last.lines) } : undefined;
    return { text: textOf(folders), next };
  }

  private async read(
    image: ImageFiles,
    { prefix, after }: FilesFrom,
    size: ListSize,
  ): Promise<FilesRead> {
    const trees = (await treesOf(this.db, [image.number])).get(image.number)!;
    const from = after === undefined ? undefined : splitPath(after);
    const { db, limits } = this;
    const reader = new ImageReader({ db, limits, size }, image, trees);
    const own = prefix === '' ? [] : await reader.exactly(splitPath(prefix), from);
    const isSmall = trees.reduce((sum, tree) => sum + tree.entries, 0) <= limits.smallImageEntries;
    const below = isSmall
      ? await reader.belowAtOnce({ prefix, from })
      : await reader.belowByFolders({ prefix, from });
    const cut = cutList([...own, ...below.folders], size);
    return { folders: cut.folders, isWhole: cut.isWhole && below.isWhole };
  }
}

/** The beginning of a list; whole if nothing follows. */
interface FilesRead {
  readonly folders: readonly FolderLines[];
  readonly isWhole: boolean;
}

interface BelowQuery {
  readonly prefix: string;
  readonly from: Place | undefined;
}

interface ReadingBy {
  readonly db: Queries;
  readonly limits: FileLimits;
  readonly size: ListSize;
}

/** Reads in the trees of one image. */
class ImageReader {
  private readonly blocks: ClientBlocks;

  constructor(
    private readonly by: ReadingBy,
    private readonly image: ImageFiles,
    private readonly trees: readonly TreeRoot[],
  ) {
    this.blocks = new ClientBlocks(by.db, image.client);
  }

  /** One entry, or none if it is not behind the other one. */
  async exactly(place: Place, from: Place | undefined): Promise<FolderLines[]> {
    if (from !== undefined && compareEntries(place, from) <= 0) return [];
    const { directory, name } = place;
    const search = new FolderSearch(this.blocks, [entryRange(directory, name)], {
      has: (folder) => folder === directory,
    });
    const found = (await search.of(this.trees))!.flat();
    const lines = found.map((part) => lineOf(part.lines, name)).join('');
    return lines === '' ? [] : [{ directory, lines }];
  }

  async belowAtOnce({ prefix, from }: BelowQuery): Promise<FilesRead> {
    const has = (directory: string) =>
      prefix === '' || directory === prefix || directory.startsWith(`${prefix}/`);
    const search = new FolderSearch(this.blocks, [WHOLE_TREE], { has });
    const all = (await search.of(this.trees))!.flat();
    return { folders: behind(mergeFolders(all), from), isWhole: true };
  }

  /** The client's folders in order, each with what the image has in it, until there is enough. */
  async belowByFolders({ prefix, from }: BelowQuery): Promise<FilesRead> {
    const { size } = this.by;
    const folders: FolderLines[] = [];
    let found = 0;
    let looked = 0;
    let last: string | undefined;
    while (found < size.enough) {
      const limit = atOnce(looked, found, size.enough);
      const paths = await this.folders(prefix, { at: from?.directory, behind: last, limit });
      const some = await this.linesOf(paths, from, size.enough - found);
      folders.push(...some.folders);
      if (!some.isWhole || paths.length < limit) return { folders, isWhole: some.isWhole };
      found += sizeOf(some.folders, size);
      looked += paths.length;
      last = paths.at(-1);
    }
    return { folders, isWhole: false };
  }

  /** Enough, or all that there is, in order. */
  private async linesOf(
    folders: readonly string[],
    from: Place | undefined,
    enough: number,
  ): Promise<FilesRead> {
    if (folders.length === 0) return { folders: [], isWhole: true };
    const rangeOf = (folder: string) =>
      directoryRange(folder, folder === from?.directory ? from.name : undefined);
    const search = new FolderSearch(this.blocks, folders.map(rangeOf), new Set(folders));
    const found = await search.of(this.trees, this.by.limits.pages);
    if (found) return { folders: behind(mergeFolders(found.flat()), from), isWhole: true };
    if (folders.length === 1) return this.someOf(search, from, enough);
    const middle = folders.length >> 1;
    const first = await this.linesOf(folders.slice(0, middle), from, enough);
    const missing = enough - sizeOf(first.folders, this.by.size);
    if (!first.isWhole || missing <= 0) return { folders: first.folders, isWhole: false };
    const rest = await this.linesOf(folders.slice(middle), from, missing);
    return { folders: [...first.folders, ...rest.folders], isWhole: rest.isWhole };
  }

  /** Of one folder that is too large to be read whole: enough, the first ones. */
  private async someOf(
    search: FolderSearch,
    from: Place | undefined,
    enough: number,
  ): Promise<FilesRead> {
    const { size } = this.by;
    const found: FolderLines[] = [];
    let isWhole = true;
    for (const tree of this.trees) {
      let ofTree = 0;
      for await (const part of search.stream(tree)) {
        const some = behind([part], from);
        found.push(...some);
        ofTree += sizeOf(some, size);
        if (ofTree < enough) continue;
        isWhole = false;
        break;
      }
    }
    const folders = mergeFolders(found);
    // Beyond that, a tree that was left may have something in between.
    return isWhole
      ? { folders, isWhole }
      : { folders: cutList(folders, { ...size, most: enough }).folders, isWhole };
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

/** So many more folders as it takes, if they hold what those before them held. */
function atOnce(looked: number, found: number, enough: number): number {
  if (looked === 0) return FOLDERS_AT_FIRST;
  const needed = found === 0 ? 2 * looked : Math.ceil(((enough - found) * looked) / found);
  return Math.min(Math.max(needed, FOLDERS_AT_FIRST), FOLDERS_AT_ONCE_MAX);
}

/** What is behind an entry, of folders in order. */
function behind(folders: readonly FolderLines[], from: Place | undefined): FolderLines[] {
  if (from === undefined) return [...folders];
  return folders.flatMap(({ directory, lines }) => {
    const order = compareText(directory, from.directory);
    if (order !== 0) return order < 0 ? [] : [{ directory, lines }];
    const rest = linesBehind(lines, from.name);
    return rest === '' ? [] : [{ directory, lines: rest }];
  });
}

/** In the order of lists. */
export function compareEntries(a: Place, b: Place): number {
  return compareText(a.directory, b.directory) || compareText(a.name, b.name);
}
