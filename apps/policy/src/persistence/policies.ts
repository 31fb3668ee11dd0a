import type { EntityManager } from 'typeorm';
import { policySpec, type PolicySpec } from '#contracts/policy.js';
import { NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { PolicyEntity } from './policy.entity.js';

export interface StoredPolicy {
  readonly policy: PolicySpec;
  readonly createdAt: Date;
}

export interface PolicyPage {
  readonly policies: PolicySpec[];
  readonly next: string | null;
  readonly total: number;
}

/** Well below what a message may hold, since defaults are filled in. */
const PAGE_BYTES_MAX = 512 * 1_024;

export interface PolicyVersion {
  readonly name: string;
  readonly version: string;
  readonly createdAt: Date;
}

/** The SQL about policies. */
export class Policies {
  constructor(private readonly db: EntityManager) {}

  /** Throws `NotFound` (230). */
  async get(name: string): Promise<PolicySpec> {
    const found = await this.find(name);
    if (found === undefined) throw unknownPolicy(name);
    return found.policy;
  }

  async find(name: string): Promise<StoredPolicy | undefined> {
    const row = await this.db.findOneBy(PolicyEntity, { name });
    return row === null ? undefined : stored(row);
  }

  /** By name, from the one after `after` on; a page ends early where a message is full. */
  async page({ after, limit }: { after?: string | undefined; limit: number }): Promise<PolicyPage> {
    const rows: { spec: object; total: string; bytes: string }[] = await this.db.query(
      `SELECT * FROM (
         SELECT name, spec, (SELECT count(*) FROM policy) AS total,
           sum(octet_length(spec::text)) OVER (ORDER BY name) AS bytes
         FROM policy WHERE $1::text IS NULL OR name > $1 ORDER BY name LIMIT $2
       ) AS page ORDER BY name`,
      [after ?? null, limit + 1],
    );
    const fitting = rows.filter(({ bytes }, i) => i === 0 || Number(bytes) <= PAGE_BYTES_MAX);
    const policies = fitting.slice(0, limit).map(({ spec }) => policySpec.parse(spec));
    const next = policies.length < rows.length ? policies.at(-1)!.name : null;
    return { policies, next, total: Number(rows[0]?.total ?? 0) };
  }

  /** The same, and nobody else changes it until the transaction ends. */
  async lock(name: string): Promise<StoredPolicy | undefined> {
    const row = await this.db.findOne(PolicyEntity, {
      where: { name },
      lock: { mode: 'pessimistic_write' },
    });
    return row === null ? undefined : stored(row);
  }

  /** One, or all, by name; the version is another one after each change. */
  versions(name?: string): Promise<PolicyVersion[]> {
    return this.db.query(
      `SELECT name, xmin::text AS version, created_at AS "createdAt" FROM policy
       WHERE $1::text IS NULL OR name = $1 ORDER BY name`,
      [name ?? null],
    );
  }

  async named(names: readonly string[]): Promise<PolicySpec[]> {
    const rows: { spec: object }[] = await this.db.query(
      'SELECT spec FROM policy WHERE name = ANY($1)',
      [names],
    );
    return rows.map(({ spec }) => policySpec.parse(spec));
  }

  /** Throws `PermanentError` (226) where there is one of that name. */
  async create(policy: PolicySpec, now: Date): Promise<void> {
    const created: unknown[] = await this.db.query(
      `INSERT INTO policy (name, spec, created_at, changed_at) VALUES ($1, $2, $3, $3)
       ON CONFLICT DO NOTHING RETURNING 1`,
      [policy.name, JSON.stringify(policy), now],
    );
    if (created.length > 0) return;
    throw new PermanentError(
      STATUS.alreadyExists,
      `There is a policy "${policy.name}" already. Choose another name, or change that one.`,
      'policy.name',
    );
  }

  /** True when it is new. */
  async put(policy: PolicySpec, now: Date): Promise<boolean> {
    const rows: { created: boolean }[] = await this.db.query(
      `INSERT INTO policy (name, spec, created_at, changed_at) VALUES ($1, $2, $3, $3)
       ON CONFLICT (name) DO UPDATE SET spec = EXCLUDED.spec, changed_at = EXCLUDED.changed_at
       RETURNING xmax = 0 AS created`,
      [policy.name, JSON.stringify(policy), now],
    );
    return rows[0]?.created ?? false;
  }

  /** With what is remembered of its backups; its images are the catalog's. Throws `NotFound`. */
  async delete(name: string): Promise<void> {
    const { affected } = await this.db.delete(PolicyEntity, { name });
    if (affected === 0) throw unknownPolicy(name);
    await this.db.query('DELETE FROM history WHERE policy = $1', [name]);
    await this.db.query('DELETE FROM running_job WHERE policy = $1', [name]);
    await this.db.query('DELETE FROM suspension WHERE policy = $1', [name]);
  }
}

function stored({ spec, createdAt }: PolicyEntity): StoredPolicy {
  return { policy: policySpec.parse(spec), createdAt };
}

function unknownPolicy(name: string): NotFound {
  return new NotFound(
    'policy',
    name,
    STATUS.noSuchPolicy,
    '`holdfast policy list` shows those that exist.',
  );
}
