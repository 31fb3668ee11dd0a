import { toLike, type FindPlan } from '../../domain/files/glob.js';
import type { Queries } from '../queries.js';
import { directoryDigest } from './directory-digest.js';

/** A path that some image of a client has or had. */
export interface KnownPath {
  readonly directory: string;
  readonly name: string;
}

const PATHS = 'file_name n JOIN directory d ON d.id = n.directory_id';
/** By the folder, whatever PostgreSQL thinks of how many have that name. */
const ONE_PATH = `directory d CROSS JOIN LATERAL (
  SELECT n.name FROM file_name n WHERE n.name = $3 AND n.directory_id = d.id LIMIT 1) n`;

/** Those of the clients that know a path that fits. */
export async function clientsWith(
  db: Queries,
  plan: FindPlan,
  clients: readonly string[],
): Promise<string[]> {
  const { from, condition, values } = conditionOf(plan);
  const rows = await db.query<{ client: string }[]>(
    `SELECT DISTINCT d.client FROM ${from} WHERE d.client = ANY($1::text[]) AND ${condition}`,
    [clients, ...values],
  );
  return rows.map(({ client }) => client);
}

/** A client's paths that fit, in the order of lists, behind one of them. */
export async function pathsOf(
  db: Queries,
  plan: FindPlan,
  of: { readonly client: string; readonly behind: KnownPath | undefined; readonly limit: number },
): Promise<KnownPath[]> {
  const { from, condition, values } = conditionOf(plan);
  const place = values.length + 2;
  const { client, behind, limit } = of;
  return db.query<KnownPath[]>(
    `SELECT d.path AS directory, n.name FROM ${from}
     WHERE d.client = $1 AND ${condition}
       AND ($${place}::text IS NULL OR (d.path, n.name) > ($${place}, $${place + 1}::text))
     ORDER BY d.path, n.name LIMIT $${place + 2}`,
    [client, ...values, behind?.directory ?? null, behind?.name ?? null, limit],
  );
}

/** The values of a condition begin at `$2`. */
function conditionOf(plan: FindPlan): { from: string; condition: string; values: unknown[] } {
  switch (plan.by) {
    case 'path':
      return {
        from: ONE_PATH,
        condition: 'd.digest = $2',
        values: [directoryDigest(plan.directory), plan.name],
      };
    case 'name':
      return { from: PATHS, condition: 'n.name = $2', values: [plan.name] };
    case 'name-like':
      return { from: PATHS, condition: 'n.name LIKE $2', values: [plan.like] };
    case 'path-like':
      return {
        from: PATHS,
        condition:
          `(d.path = $2 OR d.path LIKE $3) AND ($4::text IS NULL OR n.name = $4)` +
          ` AND CASE d.path WHEN '' THEN n.name ELSE d.path || '/' || n.name END LIKE $5`,
        values: [
          ...[plan.directory, `${toLike(plan.directoryPrefix)}%`],
          ...[plan.name ?? null, plan.like],
        ],
      };
    default:
      return plan satisfies never;
  }
}
