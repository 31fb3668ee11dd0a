import type { JobProgress } from '#contracts/job.js';
import type { Participant } from './input.js';
import { clientOf, isSynthetic, NO_PROGRESS, type Job } from './job.js';

/** Under which name a participant's voice and result are kept. A job has one agent at the most. */
export function voiceOf({ from, instance }: Participant): string {
  return from === 'agent' ? 'agent' : `media:${instance}`;
}

/** All who work for the attempt that runs. */
export function participants(job: Job): Participant[] {
  const media = (job.allocation?.media ?? []).map(({ mediaId }) => medium(mediaId));
  return hasAgent(job) ? [...media, agentOf(job)] : media;
}

/**
 * Those whose result the job waits for, and whose silence ends the attempt. Servers that are only
 * read from are none of them: who reads falls over to another source, or says itself that it failed.
 */
export function awaited(job: Job): Participant[] {
  const media = (job.allocation?.media ?? []).map(({ mediaId }) => medium(mediaId));
  switch (job.type) {
    case 'backup':
      return isSynthetic(job) ? media.slice(0, 1) : [...media.slice(0, 1), agentOf(job)];
    case 'restore':
      return [agentOf(job)];
    case 'duplicate':
      return media.slice(0, 1);
    case 'verify':
      return media;
    case 'parent':
      return [];
    default:
      return job satisfies never;
  }
}

export function isOneOf(all: readonly Participant[], one: Participant): boolean {
  return all.some((each) => voiceOf(each) === voiceOf(one));
}

export function hasAgent(job: Job): boolean {
  return (job.type === 'backup' && !isSynthetic(job)) || job.type === 'restore';
}

/** A sign of life at `now` (ms since 1970), and how far that participant is. */
export function heardFrom(
  job: Job,
  speaker: Participant,
  { now, progress }: { now: number; progress?: Partial<JobProgress> | undefined },
): Job {
  const voice = voiceOf(speaker);
  const heard = { ...job.heard, [voice]: now };
  if (!progress) return { ...job, heard };
  if (job.type !== 'verify') {
    return { ...job, heard, progress: { ...job.progress, ...progress } };
  }
  const parts = { ...job.parts, [voice]: { ...job.parts[voice], ...progress } };
  return { ...job, heard, parts, progress: sumOf(Object.values(parts)) };
}

/** Several media servers verify side by side, each counting what lies with it. */
function sumOf(parts: readonly Partial<JobProgress>[]): JobProgress {
  return parts.reduce<JobProgress>(
    (sum, part) => ({
      ...sum,
      bytes: sum.bytes + (part.bytes ?? 0),
      storedBytes: sum.storedBytes + (part.storedBytes ?? 0),
      fragments: sum.fragments + (part.fragments ?? 0),
      fragmentsTotal: sum.fragmentsTotal + (part.fragmentsTotal ?? 0),
      ...(part.waitingFor && { waitingFor: part.waitingFor }),
    }),
    NO_PROGRESS,
  );
}

function medium(mediaId: string): Participant {
  return { from: 'media', instance: mediaId };
}

function agentOf(job: Job): Participant {
  return { from: 'agent', instance: clientOf(job) };
}
