import type { EntityManager } from 'typeorm';
import type { JobProgress, JobState } from '#contracts/job.js';
import { prepared } from '#outbox/prepared.js';
import { outOfTries } from '../domain/attempts/out-of-tries.js';
import type { Child } from '../domain/input.js';
import type { Job } from '../domain/job.js';
import { revive, type SavedDocument } from '../domain/saved-job.js';
import { appendSql, appendValues, JobLog, type LoggedLine } from './job-log.js';
import {
  changedRow,
  INSERT,
  newRow,
  ROW,
  toSaved,
  UPDATE,
  type Row,
  type SavedJob,
} from './job-row.js';

export interface DraftRow {
  readonly draft: Job;
  readonly requestId: string;
}

/** Backups of a policy and client among which one of the same selections is looked for. */
const LOOKED_THROUGH_MAX = 100;

type Size = NonNullable<Job['expected']>;

const SELECT = `SELECT ${ROW} FROM job WHERE job`;
/** For a single one by its own number, of which PostgreSQL keeps a plan; of an array's it makes a new one. */
const FIND = { one: prepared(`${SELECT} = $1`), all: prepared(`${SELECT} = ANY($1)`) };
const LOCK = {
  one: prepared(`${SELECT} = $1 FOR UPDATE`),
  all: prepared(`${SELECT} = ANY($1) ORDER BY job FOR UPDATE`),
};

const SAVE = prepared(UPDATE);
const SAVE_AND_LOG = prepared(`WITH changed AS (${UPDATE}) ${appendSql(2)}`);

/** The SQL about jobs by their numbers. Give it the manager of the transaction it belongs to. */
export class Jobs {
  constructor(private readonly db: EntityManager) {}

  /** The numbers by request id, of those that were made now and of those that were there. */
  async create(
    drafts: readonly DraftRow[],
    createdAt: Date,
  ): Promise<{ created: Map<string, number>; known: Map<string, number> }> {
    if (drafts.length === 0) return { created: new Map(), known: new Map() };
    const rows = drafts.map(({ draft, requestId }) => newRow(draft, { requestId, createdAt }));
    const made: { job: string; request_id: string }[] = await this.db.query(INSERT, [
      JSON.stringify(rows),
    ]);
    const created = new Map(made.map(({ job, request_id }) => [request_id, Number(job)]));
    if (created.size === drafts.length) return { created, known: created };
    return { created, known: await this.byRequest(drafts.map(({ requestId }) => requestId)) };
  }

  async byRequest(requestIds: readonly string[]): Promise<Map<string, number>> {
    const rows: { job: string; request_id: string }[] = await this.db.query(
      'SELECT job, request_id FROM job WHERE request_id = ANY($1)',
      [requestIds],
    );
    return new Map(rows.map(({ job, request_id }) => [request_id, Number(job)]));
  }

  async find(job: number): Promise<SavedJob | undefined> {
    return (await this.findAll([job]))[0];
  }

  async findAll(jobs: readonly number[]): Promise<SavedJob[]> {
    return this.read(FIND, jobs);
  }

  /** Holds the rows until the transaction ends: one decision at a time for each job. */
  async lock(jobs: readonly number[]): Promise<SavedJob[]> {
    return jobs.length === 0 ? [] : this.read(LOCK, jobs);
  }

  private async read(
    { one, all }: { one: string; all: string },
    jobs: readonly number[],
  ): Promise<SavedJob[]> {
    const isOne = jobs.length === 1;
    const rows: Row[] = await this.db.query(isOne ? one : all, isOne ? [...jobs] : [jobs]);
    return rows.map(toSaved);
  }

  /** What has become of jobs, and what their logs say of it. */
  async write(jobs: readonly Job[], lines: readonly LoggedLine[]): Promise<void> {
    if (jobs.length === 0) return new JobLog(this.db).append(lines);
    const values = [JSON.stringify(jobs.map(changedRow)), jobs.map(({ job }) => job)];
    if (lines.length === 0) await this.db.query(SAVE, values);
    else await this.db.query(SAVE_AND_LOG, [...values, ...appendValues(lines)]);
  }

  async childrenOf(parent: number): Promise<number[]> {
    const rows: { job: string }[] = await this.db.query(
      'SELECT job FROM job WHERE parent = $1 ORDER BY job',
      [parent],
    );
    return rows.map(({ job }) => Number(job));
  }

  async children(parent: number): Promise<Child[]> {
    const rows: {
      job: string;
      state: JobState;
      status: number | null;
      started: boolean;
      progress: JobProgress;
      incomplete: SavedDocument | null;
    }[] = await this.db.query(
      `SELECT job, state, status, started_at IS NOT NULL AS started,
         document->'progress' AS progress,
         CASE WHEN step = 'incomplete' THEN document END AS incomplete
       FROM job WHERE parent = $1 ORDER BY job`,
      [parent],
    );
    return rows.map(({ job, started, incomplete, ...row }) => ({
      ...row,
      ...{ job: Number(job), hasStarted: started },
      outOfTries: incomplete && outOfTries(revive(incomplete, Number(job))),
    }));
  }

  /**
   * What the last good backup of the same held, for each draft that is a backup. Only the newest of its
   * policy and client are looked through: it may have many, each of other selections.
   */
  async lastLike(drafts: readonly Job[]): Promise<(Size | undefined)[]> {
    const asked = drafts.flatMap((draft, index) => {
      if (draft.type !== 'backup') return [];
      const { policy, client, kind, selections } = draft.request;
      return [{ index, policy, client, kind, selections }];
    });
    if (asked.length === 0) return [];
    const rows: { index: number; files: string; bytes: string; stored: string | null }[] =
      await this.db.query(
        `SELECT asked.index, last.files, last.bytes, last.stored
       FROM jsonb_to_recordset($1) AS asked(index int, policy text, client text, kind text,
         selections jsonb)
       CROSS JOIN LATERAL (
         SELECT files, bytes, document->'progress'->>'storedBytes' AS stored FROM (
           SELECT job, files, bytes, document FROM job
           WHERE job.policy = asked.policy AND job.client = asked.client
             AND job.kind = asked.kind AND type = 'backup' AND status <= 1
           ORDER BY job DESC LIMIT $2) AS newest
         WHERE document->'request'->'selections' = asked.selections
         ORDER BY job DESC LIMIT 1) AS last`,
        [JSON.stringify(asked), LOOKED_THROUGH_MAX],
      );
    const sizes: (Size | undefined)[] = [];
    for (const { index, files, bytes, stored } of rows) {
      const storedBytes = Number(stored ?? 0);
      sizes[index] = { files: Number(files), bytes: Number(bytes), storedBytes };
    }
    return sizes;
  }
}
