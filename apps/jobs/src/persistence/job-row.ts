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

/** Takes the request id, when it was made, and `valuesOf`. */
export const INSERT = `INSERT INTO job (request_id, created_at, ${COLUMNS.join()})
  VALUES ($1, $2, ${COLUMNS.map((_, index) => `$${index + 3}`).join()})
  ON CONFLICT (request_id) DO NOTHING RETURNING job`;

/** Takes the job's number and `valuesOf`. */
export const UPDATE = `UPDATE job SET ${COLUMNS.map((name, index) => `${name} = $${index + 2}`).join()}
  WHERE job = $1`;

export function valuesOf(job: Job): unknown[] {
  const columns = columnsOf(job);
  return COLUMNS.map((name) => columns[name]);
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
    status: job.step === 'done' ? (job.outcome?.status ?? 0) : null,
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
