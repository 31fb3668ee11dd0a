import type { JobView, LogLine } from '#contracts/job.js';
import { STATUS, statusText } from '#kernel/status.js';
import { printable } from '../output/printable.js';
import { formatCount, formatFiles, formatRate, formatSize } from '../output/size.js';
import { formatDuration } from '../output/time.js';

const NOTES_MAX = 20;

/** The last lines about a job that is done: its notes, its status, what it made, what to do next. */
export function reportLines(job: JobView, notes: readonly LogLine[], destination = ''): string[] {
  return [
    // The reason of a failure stands in the log, too; once is enough.
    ...noteLines(
      job.job,
      notes.filter(({ text }) => text !== job.message),
    ),
    statusLine(job),
    ...resultLines(job),
    ...nextLines(job, destination),
  ];
}

function noteLines(job: number, notes: readonly LogLine[]): string[] {
  const shown = notes
    .slice(0, NOTES_MAX)
    .map(({ severity, process, text }) => `${severity} (${process}): ${printable(text)}`);
  const more = notes.length - shown.length;
  return more > 0 ? [...shown, `... and ${more} more: holdfast jobs show ${job}`] : shown;
}

function statusLine(job: JobView): string {
  if (job.state === 'incomplete') {
    return printable(`Job ${job.job} is incomplete: ${ended(job.message || 'no tries are left')}`);
  }
  const status = job.status ?? STATUS.ok;
  const more = job.message && job.message !== statusText(status) ? ` ${ended(job.message)}` : '';
  return printable(`Job ${job.job}: status ${status}, ${ended(statusText(status))}${more}`);
}

function ended(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

function resultLines(job: JobView): string[] {
  if (!succeeded(job)) return [];
  const { files, bytes, storedBytes } = job.progress;
  const ms = Date.parse(job.endedAt ?? '') - Date.parse(job.startedAt ?? job.createdAt);
  const figures = `${formatFiles(files)}, ${formatSize(bytes)} in ${formatDuration(ms)} (${formatRate(bytes, ms)})`;
  switch (job.type) {
    case 'restore':
      return [`Restored ${figures}.`];
    case 'duplicate':
      return [`Duplicated ${job.imageId ?? '-'} to ${job.storage ?? '-'}: ${movedText(job, ms)}.`];
    case 'verify':
      return [`Verified ${job.imageId ?? '-'}: ${movedText(job, ms)}.`];
    case 'backup':
      break;
    default:
      return job.type satisfies never;
  }
  const stored = storedBytes > 0 ? `, ${formatSize(storedBytes)} stored` : '';
  const made = job.children > 0 ? `${job.children} streams` : `Image ${job.imageId ?? '-'}`;
  return [`${made} (${job.kind ?? 'full'}): ${figures}${stored}.`];
}

/** What jobs moved that count fragments. */
function movedText({ progress }: JobView, ms: number): string {
  const { fragments, storedBytes } = progress;
  const many = fragments === 1 ? '1 fragment' : `${formatCount(fragments)} fragments`;
  return `${many}, ${formatSize(storedBytes)} in ${formatDuration(ms)} (${formatRate(storedBytes, ms)})`;
}

/** What a person would want to do now. */
function nextLines(job: JobView, destination: string): string[] {
  if (job.state === 'incomplete') {
    return [`Go on from what is committed with: holdfast jobs resume ${job.job}`];
  }
  if (!succeeded(job)) return [`${hint(job)}Its log: holdfast jobs show ${job.job}`];
  if (job.type === 'restore') return destination ? [`The files are in ${destination}.`] : [];
  if (job.imageId === null) return [];
  if (job.type !== 'backup') return [`See its copies: holdfast images show ${job.imageId} --long`];
  return [
    `Look into it with: holdfast files ${job.imageId}`,
    `Restore it with:   holdfast restore ${job.imageId} --to DIR`,
  ];
}

function hint({ status, client, storage, type }: JobView): string {
  switch (status) {
    case STATUS.noSuchFiles:
      return `Check that the paths exist on ${client}. `;
    case STATUS.diskFull:
      if (type === 'duplicate') return 'Free space in that pool, or name another with --to. ';
      return `Free space for storage unit ${storage ?? '-'}, or name another with --storage. `;
    case STATUS.clientOffline:
    case STATUS.clientUnreachable:
      return `Check that the agent on ${client} runs: holdfast broker clients. `;
    default:
      return '';
  }
}

function succeeded({ status }: JobView): boolean {
  return status === STATUS.ok || status === STATUS.partial;
}
