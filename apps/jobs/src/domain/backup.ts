import type { TaskResult } from '#contracts/job.js';
import { STATUS } from '#kernel/status.js';
import { end, fail, run } from './attempts/attempt.js';
import { info, same, type Decision, type Effect, type InputOfType } from './input.js';
import { changed, isSynthetic, type BackupJob, type BegunImage, type ImageOfChain } from './job.js';
import { requestingLine } from './log-lines.js';
import { awaited, voiceOf } from './participants.js';

/**
 * How long the catalog may miss a commit that media server and agent have seen. It comes back when the
 * database had gone back in time and the media server was compared; what does not is lost.
 */
const LOST_AFTER_MS = 30 * 60_000;

/** The catalog has said what a synthetic full is made from. */
export function synthesisPlanned(job: BackupJob, chain: readonly ImageOfChain[]): Decision {
  if (job.step !== 'planning') return same(job);
  const names = chain.map((image) => `${image.imageId} (${image.kind})`).join(', ');
  return {
    job: { ...job, step: 'allocating', chain },
    effects: [info(`synthesizing from ${names}`), info(requestingLine(job))],
  };
}

/** The catalog has made the image, or says where to go on with it. */
export function imageBegun(job: BackupJob, image: BegunImage, now: Date): Decision {
  if (job.step !== 'beginning') {
    // It was stopped while the catalog answered: whoever ends it knows what to abandon.
    const isStopped = job.step === 'releasing' || job.step === 'suspended';
    return isStopped && !job.image ? { job: { ...job, image }, effects: [] } : same(job);
  }
  const of = image.details.syntheticOf;
  const became =
    image.kind === job.request.kind ? [] : [info(`${whyFull(image)}: this one becomes a full`)];
  const base = image.baseImageId ? `, since ${image.baseImageId}` : '';
  const where =
    image.nextNumber > 1
      ? info(`going on with image ${image.imageId} at fragment ${image.nextNumber}`)
      : info(`image ${image.imageId} (${image.kind}${base}${of ? `, synthetic of ${of}` : ''})`);
  // A catalog that knows a finished image of this job makes no new one.
  const fresh = job.fresh && image.nextNumber > 1;
  return run({ ...job, image, fresh }, now, [...became, where]);
}

function whyFull({ brokenBase }: BegunImage): string {
  return brokenBase === undefined
    ? 'there is no earlier backup that it can build on'
    : `something that ${brokenBase} builds on is missing or damaged`;
}

/** Both have to say that they are through; the first failure ends the attempt. */
export function backupReported(job: BackupJob, result: TaskResult, now: Date): Decision {
  if (result.status > STATUS.partial) return fail(job, result, now);
  // Those that it was read from wait to be told that it is over.
  const effects: Effect[] = isSynthetic(job) ? [{ type: 'cancel-tasks' }] : [];
  const all = awaited(job).every((one) => job.results[voiceOf(one)]);
  if (!all) return { job, effects: [] };
  return { job: { ...changed(job, { step: 'verifying' }), verifyingSince: now }, effects };
}

/**
 * Done is what the catalog has counted, and nothing else. For its file index an image may wait for as
 * long as it takes; a fragment that was committed and stays away is lost, and nobody could write it
 * again as it was.
 */
export function imageCounted(
  job: BackupJob,
  { complete, waitsFor, uncommitted = 0 }: InputOfType<'image-state'>,
  now: Date,
): Decision {
  if (complete) {
    // The one that knows the most of what was read.
    const result = job.results[voiceOf(awaited(job).at(-1)!)]!;
    const { status, message } = result.afterwards ?? result;
    const decision = end(changed(job, { waitsFor: '' }), { status, message }, now);
    return { ...decision, effects: [info('image verified with the catalog'), ...decision.effects] };
  }
  if (waitsFor !== job.waitsFor) {
    return { job: { ...changed(job, { waitsFor }), verifyingSince: now }, effects: [] };
  }
  if (uncommitted === 0) return same(job);
  const since = job.verifyingSince?.getTime() ?? now.getTime();
  if (now.getTime() - since <= LOST_AFTER_MS) return same(job);
  const message =
    `A data corruption has been detected: the catalog waits for ${waitsFor}, ` +
    'which was committed and is damaged or lost. Run the backup again.';
  return end(job, { status: STATUS.dataCorruption, message }, now);
}
