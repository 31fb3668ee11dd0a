import { STATUS } from '#kernel/status.js';
import { clientOf, imageOf, type Job } from '../domain/job.js';
import { revive, type SavedDocument } from '../domain/saved-job.js';
import { mediaOf, stateOf } from '../domain/view.js';
import { wakeAt } from '../domain/attempts/wake-at.js';

export interface SavedJob {
  readonly job: Job;
  readonly createdAt: Date;
}

export interface Row {
  readonly job: string;
  readonly created_at: Date;
  readonly document: SavedDocument;
}

export const ROW = 'job, created_at, document';

/** What is searched by, beside the document. */
const COLUMNS = [
  ...['type', 'step', 'state', 'client', 'policy', 'schedule', 'kind', 'parent', 'priority'],
  ...['status', 'image_id', 'storage', 'media_id', 'started_at', 'ended_at', 'wake_at'],
  ...['paused_at', 'owes', 'files', 'bytes', 'document'],
] as const;

type Columns = Readonly<Record<(typeof COLUMNS)[number], unknown>>;

const LIST = COLUMNS.join();
const NEW = COLUMNS.map((name) => `new.${name}`).join();

/** Takes an array of `newRow`, as JSON. */
export const INSERT = `INSERT INTO job (request_id, created_at, ${LIST})
  SELECT new.request_id, new.created_at, ${NEW} FROM jsonb_populate_recordset(NULL::job, $1) AS new
  ON CONFLICT (request_id) DO NOTHING RETURNING job, request_id`;

/** Takes an array of `changedRow`, as JSON, and the jobs' numbers. */
export const UPDATE = `UPDATE job SET (${LIST}) = ROW(${NEW})
  FROM jsonb_populate_recordset(NULL::job, $1) AS new
  WHERE job.job = new.job AND job.job = ANY($2::bigint[])`;

export function newRow(job: Job, made: { requestId: string; createdAt: Date }): object {
  return { request_id: made.requestId, created_at: made.createdAt, ...columnsOf(job) };
}

export function changedRow(job: Job): object {
  return { job: job.job, ...columnsOf(job) };
}

export function toSaved(row: Row): SavedJob {
  return { createdAt: row.created_at, job: revive(row.document, Number(row.job)) };
}

function columnsOf(job: Job): Columns {
  const isPolicys = job.type === 'backup' || job.type === 'parent';
  return {
    type: job.type,
    step: job.step,
    state: stateOf(job),
    client: clientOf(job),
    policy: isPolicys ? job.request.policy : '',
    schedule: isPolicys ? job.request.schedule : '',
    kind: isPolicys ? kindOf(job) : null,
    parent: job.parent,
    priority: job.priority,
    status: job.step === 'done' ? (job.outcome?.status ?? STATUS.ok) : null,
    image_id: imageOf(job),
    storage: isPolicys ? job.request.storage : job.type === 'duplicate' ? job.request.toPool : null,
    media_id: mediaOf(job),
    started_at: job.startedAt,
    ended_at: job.endedAt,
    wake_at: wakeAt(job),
    paused_at: job.pause?.since ?? null,
    owes: job.owed.length > 0,
    files: job.progress.files,
    bytes: job.progress.bytes,
    document: job,
  };
}

function kindOf(job: Extract<Job, { type: 'backup' | 'parent' }>): string {
  return (job.type === 'backup' ? job.image?.kind : undefined) ?? job.request.kind;
}
