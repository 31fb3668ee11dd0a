import type { EntityManager } from 'typeorm';
import type { FileEntry } from '../domain/file-view.js';
import { splitPath, toLike, type FindPlan } from '../domain/glob.js';

/** An image whose files are asked for. */
export interface ImageFiles {
  readonly number: number;
  readonly client: string;
}

/** A file that was found, with the backup it is in. */
export interface FoundEntry extends FileEntry {
  readonly client: string;
  /** Unix seconds. */
  readonly backupTime: number;
}

interface FileRecord {
  readonly image_id: string;
  readonly client: string;
  readonly backup_time: string;
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

const COLUMNS = `i.image_id, i.client, i.backup_time, d.path AS directory, v.name, v.type, v.size,
  v.mtime_ns, v.mode, v.uid, v.gid, v.extra`;

/** Reading the file index. Paths are path text without slashes at their ends. */
export class Files {
  constructor(private readonly db: Pick<EntityManager, 'query'>) {}

  async image(imageId: string): Promise<ImageFiles | undefined> {
    const [row] = await this.db.query<{ number: string; client: string }[]>(
      'SELECT number, client FROM image WHERE image_id = $1',
      [imageId],
    );
    return row && { number: Number(row.number), client: row.client };
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
  async list(
    image: ImageFiles,
    page: {
      readonly prefix: string;
      readonly after: string | undefined;
      readonly limit: number;
    },
  ): Promise<FileEntry[]> {
    const own = splitPath(page.prefix);
    const after = page.after === undefined ? null : splitPath(page.after);
    const rows = await this.db.query<FileRecord[]>(
      `(${entriesWhere('d.path = $7 AND v.name = $8')})
       UNION ALL
       (${entriesWhere(page.prefix === '' ? NOT_THE_ROOT : BELOW_PREFIX)})
       ORDER BY directory, name LIMIT $6`,
      [
        ...[image.number, image.client, page.prefix],
        ...[after?.directory ?? null, after?.name ?? null, page.limit],
        ...[own.directory, own.name],
      ],
    );
    return rows.map(toEntry);
  }

  /** Entries over all images of the clients, those of the newest backups first. */
  async find(
    plan: FindPlan,
    scope: { readonly clients: readonly string[]; readonly limit: number },
  ): Promise<FoundEntry[]> {
    const { condition, values } = conditionOf(plan);
    const rows = await this.db.query<FileRecord[]>(
      `SELECT ${COLUMNS}
       FROM directory d
       JOIN image i ON i.client = d.client
       JOIN file_version v ON v.image_number = i.number AND v.directory_id = d.id
       WHERE d.client = ANY($1::text[]) AND ${condition}
       ORDER BY i.backup_time DESC, i.image_id, d.path, v.name LIMIT $2`,
      [scope.clients, scope.limit, ...values],
    );
    return rows.map((row) => ({
      ...toEntry(row),
      client: row.client,
      backupTime: Number(row.backup_time),
    }));
  }
}

const NOT_THE_ROOT = `NOT (d.path = '' AND v.name = '') AND $3::text = ''`;
/** '0' follows '/' in the order of bytes. */
const BELOW_PREFIX = `d.path >= $3 AND d.path < $3 || '0' AND (d.path = $3 OR d.path >= $3 || '/')`;

function entriesWhere(condition: string): string {
  return `SELECT ${COLUMNS}
    FROM directory d
    JOIN file_version v ON v.image_number = $1 AND v.directory_id = d.id
    JOIN image i ON i.number = $1
    WHERE d.client = $2 AND ${condition}
      AND ($4::text IS NULL OR (d.path >= $4 AND (d.path, v.name) > ($4, $5::text)))
    ORDER BY d.path, v.name LIMIT $6`;
}

/** The values of a condition follow the clients and the limit: they begin at `$3`. */
function conditionOf(plan: FindPlan): { condition: string; values: unknown[] } {
  switch (plan.by) {
    case 'path':
      return { condition: 'd.path = $3 AND v.name = $4', values: [plan.directory, plan.name] };
    case 'name':
      return { condition: 'v.name = $3', values: [plan.name] };
    case 'name-like':
      return { condition: 'v.name LIKE $3', values: [plan.like] };
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

function toEntry(row: FileRecord): FileEntry {
  return {
    imageId: row.image_id,
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
