import type { TaskResult } from '#contracts/job.js';
import { STATUS } from '#kernel/status.js';
import { end, fail, run } from './attempts/attempt.js';
import { info, same, type Decision } from './input.js';
import { changed, type BegunCopy, type DuplicateJob } from './job.js';
import { awaited, voiceOf } from './participants.js';

/**
 * How long the catalog may wait for the same fragment of a copy whose media server says that it is
 * through. Then another attempt fills the gap; what comes late keeps its bytes.
 */
const VERIFYING_MS_MAX = 10 * 60_000;

/** The catalog has made the copy, or goes on with it, and holds what it is made from. */
export function copyBegun(job: DuplicateJob, copy: BegunCopy, now: Date): Decision {
  if (job.step !== 'beginning') return same(job);
  const begun = { ...job, copy, verifyingSince: null };
  const has = copy.fragments - copy.missing;
  const line = info(
    has === 0
      ? `copy ${copy.copy} of image ${copy.imageId}: ${copy.fragments} fragments`
      : `going on with copy ${copy.copy} of image ${copy.imageId}: ` +
          `${has} of ${copy.fragments} fragments are there`,
  );
  if (copy.missing === 0) {
    const empty = { step: 'verifying', heard: {}, results: {} } as const;
    return { job: { ...begun, ...empty, verifyingSince: now }, effects: [line] };
  }
  const granted = (job.allocation?.media ?? []).map(({ mediaId }) => mediaId);
  if (!copy.sources.some((mediaId) => granted.includes(mediaId))) {
    const message = `None of the media servers with what copy ${copy.copy} lacks is there: ${copy.sources.join(', ')}`;
    return fail(begun, { status: STATUS.mediaServerNotActive, message }, now);
  }
  return run(begun, now, [line]);
}

/** Only the server that writes is waited for; those that it reads from are told that it is over. */
export function duplicateReported(job: DuplicateJob, result: TaskResult, now: Date): Decision {
  if (result.status > STATUS.partial) return fail(job, result, now);
  return {
    job: { ...changed(job, { step: 'verifying' }), verifyingSince: now },
    effects: [{ type: 'cancel-tasks' }],
  };
}

/** Done is what the catalog has counted, and nothing else: nobody can say that a copy is complete. */
export function copyCounted(
  job: DuplicateJob,
  { complete, waitsFor }: { complete: boolean; waitsFor: string },
  now: Date,
): Decision {
  if (complete) {
    const [writer] = awaited(job);
    const result = writer && job.results[voiceOf(writer)];
    const { status, message } = result ?? { status: STATUS.ok, message: '' };
    const decision = end(changed(job, { waitsFor: '' }), { status, message }, now);
    const line = info(`copy ${job.copy?.copy ?? ''} verified with the catalog`);
    return { ...decision, effects: [line, ...decision.effects] };
  }
  if (waitsFor !== job.waitsFor) {
    return { job: { ...changed(job, { waitsFor }), verifyingSince: now }, effects: [] };
  }
  const since = job.verifyingSince?.getTime() ?? now.getTime();
  if (now.getTime() - since <= VERIFYING_MS_MAX) return same(job);
  return fail(
    job,
    {
      status: STATUS.connectionTimedOut,
      message: `The catalog has waited too long for ${waitsFor}`,
    },
    now,
  );
}
