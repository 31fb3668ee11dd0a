import type { EntityManager } from 'typeorm';
import type { FileEntry } from '../../domain/files/file-view.js';
import { splitPath, toLike, type FindPlan } from '../../domain/files/glob.js';
import { directoryDigest } from './directory-digest.js';

/** An image whose files are asked for. */
export interface ImageFiles {
  readonly imageId: string;
  readonly number: number;
  readonly client: string;
}

/** A file that was found, with the backup it is in. */
export interface FoundEntry extends FileEntry {
  readonly client: string;
  /** Unix seconds. */
  readonly backupTime: number;
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

interface FileRecord {
  readonly directory: string;
  readonly name: string;
  readonly type: FileEntry['type'];
  readonly size: string;
  readonly mtime_ns: string;
  readonly mode: number;
  readonly uid: string;
  readonly gid: string;
  readonly extra: string;
}

interface FoundRecord extends FileRecord {
  readonly image_id: string;
  readonly client: string;
  readonly backup_time: string;
}

const COLUMNS = `v.name, v.type, v.size, v.mtime_ns, v.mode, v.uid, v.gid, v.extra`;

/** Up to so many entries an image is sorted whole; beyond, it is read folder by folder. */
const SMALL_IMAGE_ENTRIES = 10_000;

/** Reading the file index. Paths are path text without slashes at their ends. */
export class Files {
  constructor(private readonly db: Pick<EntityManager, 'query'>) {}

  async image(imageId: string): Promise<ImageFiles | undefined> {
    const [row] = await this.db.query<{ number: string; client: string }[]>(
      'SELECT number, client FROM image WHERE image_id = $1',
      [imageId],
    );
    return row && { imageId, number: Number(row.number), client: row.client };
  }

  /** Clients that have images. */
  async clients(): Promise<string[]> {
    const rows = await this.db.query<{ client: string }[]>(
      'SELECT DISTINCT client FROM image ORDER BY client',
    );
    return rows.map((row) => row.client);
  }

  /**
   * Entries of an image, folder by folder: ordered by the folder's path, then by name, bytes by
   * value. `prefix` is an entry and all below it, `after` the last entry of the page before.
   */
  async list(image: ImageFiles, page: FilePage): Promise<FileEntry[]> {
    const { prefix, after, limit } = page;
    const from = after === undefined ? undefined : splitPath(after);
    const own = prefix === '' ? [] : await this.exactly(image, splitPath(prefix));
    const first = own.filter((row) => from === undefined || isBehind(row, from));
    const isSmall = await this.isSmall(image);
    const below = await this.db.query<FileRecord[]>(
      isSmall ? BELOW_IN_SMALL_IMAGE : BELOW_IN_LARGE_IMAGE,
      [
        ...[image.number, image.client, prefix],
        ...[from?.directory ?? null, from?.name ?? null, limit],
      ],
    );
    return [...first, ...below].slice(0, limit).map((row) => toEntry(row, image.imageId));
  }

  /** Entries over all images of the clients, those of the newest backups first. */
  async find(
    plan: FindPlan,
    scope: { readonly clients: readonly string[]; readonly limit: number },
  ): Promise<FoundEntry[]> {
    const { condition, values, isSelective } = conditionOf(plan);
    const rows = await this.db.query<FoundRecord[]>(
      isSelective ? findAtOnce(condition) : findImageByImage(condition),
      [scope.clients, scope.limit, ...values],
    );
    return rows.map((row) => ({
      ...toEntry(row, row.image_id),
      client: row.client,
      backupTime: Number(row.backup_time),
    }));
  }

  private async isSmall(image: ImageFiles): Promise<boolean> {
    const rows = await this.db.query<unknown[]>(
      'SELECT 1 FROM file_version WHERE image_number = $1 OFFSET $2 LIMIT 1',
      [image.number, SMALL_IMAGE_ENTRIES],
    );
    return rows.length === 0;
  }

  private exactly(image: ImageFiles, path: Place): Promise<FileRecord[]> {
    return this.db.query<FileRecord[]>(
      `SELECT d.path AS directory, ${COLUMNS} FROM directory d
       JOIN file_version v ON v.image_number = $1 AND v.directory_id = d.id
       WHERE d.client = $2 AND d.digest = $3 AND v.name = $4`,
      [image.number, image.client, directoryDigest(path.directory), path.name],
    );
  }
}

/** What the index of directories holds of a path. Ordered by it and then by the path is ordered by the path. */
const HEAD = 'left(d.path, 500)';
/** Below `$3`, which may be the root; '0' follows '/' in the order of bytes. */
const IS_BELOW = `($3::text = ''
  OR (d.path >= $3 AND d.path < $3 || '0' AND (d.path = $3 OR d.path >= $3 || '/')))`;
const HEAD_IS_BELOW = `${HEAD} >= left($3, 500) AND ($3 = '' OR ${HEAD} < left($3, 500) || '0')`;
const IS_BEHIND = '($4::text IS NULL OR (d.path >= $4 AND (d.path, v.name) > ($4, $5::text)))';
const HEAD_IS_BEHIND = `${HEAD} >= left(coalesce($4::text, ''), 500)`;

/*
 * How the two tables are gone through is written out (LATERAL with a LIMIT cannot be turned round):
 * right after a load PostgreSQL has no statistics, and a wrong guess costs a factor of a hundred.
 */

/** Folders in order, each with its entries, until the page is full. */
const BELOW_IN_LARGE_IMAGE = `
  SELECT d.path AS directory, ${COLUMNS}
  FROM directory d
  CROSS JOIN LATERAL (
    SELECT * FROM file_version v
    WHERE v.image_number = $1 AND v.directory_id = d.id AND ${IS_BEHIND}
    ORDER BY v.name LIMIT $6
  ) v
  WHERE d.client = $2 AND ${IS_BELOW} AND ($4::text IS NULL OR d.path >= $4)
    AND ${HEAD_IS_BELOW} AND ${HEAD_IS_BEHIND}
  ORDER BY ${HEAD}, d.path, v.name LIMIT $6`;

/** All entries, each with its folder: the client may have many folders that this image has not. */
const BELOW_IN_SMALL_IMAGE = `
  SELECT d.path AS directory, ${COLUMNS}
  FROM (SELECT * FROM file_version WHERE image_number = $1 OFFSET 0) v
  CROSS JOIN LATERAL (SELECT * FROM directory WHERE id = v.directory_id LIMIT 1) d
  WHERE d.client = $2 AND ${IS_BELOW} AND ${IS_BEHIND}
  ORDER BY d.path, v.name LIMIT $6`;

const FOUND = 'i.image_id, i.client, i.backup_time';
const NEWEST_FIRST = 'ORDER BY i.backup_time DESC, i.image_id DESC, directory, name LIMIT $2';

/** For what nearly every image may hold: the newest images fill the page, the others rest. */
function findImageByImage(condition: string): string {
  return `
    SELECT ${FOUND}, v.* FROM image i
    CROSS JOIN LATERAL (
      SELECT d.path AS directory, ${COLUMNS}
      FROM file_version v JOIN directory d ON d.id = v.directory_id
      WHERE v.image_number = i.number AND d.client = i.client AND ${condition}
      ORDER BY d.path, v.name LIMIT $2
    ) v
    WHERE i.client = ANY($1::text[]) ${NEWEST_FIRST}`;
}

/** For what an index leads to at once, in all images together. */
function findAtOnce(condition: string): string {
  return `
    SELECT ${FOUND}, d.path AS directory, ${COLUMNS}
    FROM file_version v
    JOIN directory d ON d.id = v.directory_id
    JOIN image i ON i.number = v.image_number
    WHERE i.client = ANY($1::text[]) AND ${condition} ${NEWEST_FIRST}`;
}

/** The values of a condition follow the clients and the limit: they begin at `$3`. */
function conditionOf(plan: FindPlan): {
  condition: string;
  values: unknown[];
  isSelective?: boolean;
} {
  switch (plan.by) {
    case 'path':
      return {
        condition: 'd.digest = $3 AND v.name = $4',
        values: [directoryDigest(plan.directory), plan.name],
      };
    case 'name':
      return { condition: 'v.name = $3', values: [plan.name] };
    case 'name-like':
      return {
        condition: 'v.name LIKE $3',
        values: [plan.like],
        isSelective: !plan.like.startsWith('%') && !plan.like.startsWith('_'),
      };
    case 'path-like':
      return {
        condition:
          `(d.path = $3 OR d.path LIKE $4) AND ($5::text IS NULL OR v.name = $5)` +
          ` AND CASE d.path WHEN '' THEN v.name ELSE d.path || '/' || v.name END LIKE $6`,
        values: [
          ...[plan.directory, `${toLike(plan.directoryPrefix)}%`],
          ...[plan.name ?? null, plan.like],
        ],
      };
    default:
      return plan satisfies never;
  }
}

/** Whether an entry follows another in the order of lists. */
function isBehind(row: FileRecord, other: Place): boolean {
  const byDirectory = Buffer.compare(Buffer.from(row.directory), Buffer.from(other.directory));
  if (byDirectory !== 0) return byDirectory > 0;
  return Buffer.compare(Buffer.from(row.name), Buffer.from(other.name)) > 0;
}

function toEntry(row: FileRecord, imageId: string): FileEntry {
  return {
    imageId,
    directory: row.directory,
    name: row.name,
    type: row.type,
    size: Number(row.size),
    mtimeNs: row.mtime_ns,
    mode: row.mode,
    uid: Number(row.uid),
    gid: Number(row.gid),
    extra: row.extra,
  };
}
