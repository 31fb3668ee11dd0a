import type { Allocation } from '#contracts/broker.js';
import type { Job } from './job.js';

/** The line that a job logs when it asks the broker. */
export function requestingLine(job: Job): string {
  switch (job.type) {
    case 'backup':
    case 'parent':
      return `requesting resource ${job.request.storage}`;
    case 'restore': {
      const media = new Set(job.chain.flatMap((image) => image.media));
      return `requesting resource ${[...media].join(', ')}`;
    }
    case 'duplicate':
      return `requesting resource ${job.request.toPool}`;
    case 'verify':
      return `requesting resource ${job.sources.join(', ')}`;
    default:
      return job satisfies never;
  }
}

/** The lines that tell what the broker granted, in the words that the field knows. */
export function grantedLines(job: Job, allocation: Allocation): string[] {
  const { unit, pool, media } = allocation;
  return media.map(({ mediaId, address }, index) => {
    const where = `MediaServer=${mediaId};Address=${address.host}:${address.port}`;
    if (job.type !== 'duplicate') {
      return `granted resource StorageUnit=${unit ?? '-'};DiskPool=${pool ?? '-'};${where}`;
    }
    return index === 0
      ? `granted resource MediaID=${mediaId};DiskPool=${pool ?? '-'};StorageUnit=${unit ?? '-'};${where}`
      : `granted resource MediaID=${mediaId};${where}`;
  });
}

/** A span in words: `0 s`, `1.5 s`, `2 min`. */
export function spanText(ms: number): string {
  return ms >= 120_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 100) / 10} s`;
}

/** A span as the field writes it: `0:00:23`. */
export function clockText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}
