import type { JobView } from '#contracts/job.js';
import type { Column } from '../output/table.js';
import { formatCount, formatSize } from '../output/size.js';
import { formatElapsed, formatTime } from '../output/time.js';

/** The columns of `holdfast jobs`. */
export function jobColumns(now: Date): Column<JobView>[] {
  return [
    // A child stands a little to the right of its parent.
    { title: 'JOB', right: true, cell: ({ job, parent }) => (parent === null ? job : `+${job}`) },
    { title: 'TYPE', cell: ({ type }) => type },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'STATUS', right: true, cell: ({ status }) => status },
    { title: 'CLIENT', cell: ({ client }) => client },
    { title: 'POLICY', cell: ({ policy }) => policy },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'FILES', right: true, cell: ({ progress }) => formatCount(progress.files) },
    { title: 'SIZE', right: true, cell: ({ progress }) => formatSize(progress.bytes) },
    { title: 'CREATED', cell: ({ createdAt }) => formatTime(createdAt) },
    {
      title: 'ELAPSED',
      right: true,
      cell: ({ startedAt, endedAt }) => formatElapsed(startedAt, endedAt, now),
    },
    { title: 'NOW', cell: (job) => (job.state === 'done' ? job.imageId : job.operation) },
  ];
}

/** One job in detail. */
export function jobFields(job: JobView, now: Date): (readonly [string, string | number | null])[] {
  const { progress } = job;
  return [
    ['Job', job.job],
    ['Type', job.type],
    ['State', job.state + (job.state === 'done' || !job.operation ? '' : `: ${job.operation}`)],
    ['Status', job.status === null ? null : `${job.status}, ${job.statusText}`],
    ['Message', job.message],
    ['Client', job.client],
    ['Policy', job.policy],
    ['Schedule', job.schedule],
    ['Kind', job.kind],
    ['Image', job.imageId],
    ['Storage unit', job.storage],
    ['Media server', job.mediaId],
    ['Attempt', `${job.attempt} (tries: ${job.tries})`],
    ['Parent', job.parent === null ? null : `${job.parent} (stream ${job.stream ?? 1})`],
    ['Children', job.children || null],
    ['Priority', job.priority],
    ['Waits for', job.waitReason],
    ['Retry at', formatTime(job.retryAt)],
    ['Retention', job.retention],
    ['Keyword', job.keyword],
    ['Created', formatTime(job.createdAt)],
    ['Started', formatTime(job.startedAt)],
    ['Ended', formatTime(job.endedAt)],
    ['Elapsed', formatElapsed(job.startedAt, job.endedAt, now)],
    ['Files', formatCount(progress.files)],
    ['Size', formatSize(progress.bytes)],
    ['Stored', formatSize(progress.storedBytes)],
    ['Buffer waits', bufferWaits(job)],
  ];
}

/** Only backups have a ring of buffers. */
function bufferWaits({ type, progress }: JobView): string | null {
  if (type !== 'backup') return null;
  return `${progress.waitedForEmpty} for an empty one, ${progress.waitedForFull} for a full one`;
}
