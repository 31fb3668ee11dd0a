import type { TaskResult } from '#contracts/job.js';
import { end, fail, PARTIAL, run } from './attempt.js';
import { info, same, type Decision } from './input.js';
import { changed, type BackupJob, type BegunImage } from './job.js';
import { awaited, voiceOf } from './participants.js';

/** The catalog has made the image, or says where to go on with it. */
export function imageBegun(job: BackupJob, image: BegunImage, now: Date): Decision {
  if (job.step !== 'beginning') return same(job);
  const became =
    image.kind === job.request.kind
      ? []
      : [info('there is no earlier backup to build on: this one becomes a full')];
  const base = image.baseImageId ? `, since ${image.baseImageId}` : '';
  const where =
    image.nextNumber > 1
      ? info(`going on with image ${image.imageId} at fragment ${image.nextNumber}`)
      : info(`image ${image.imageId} (${image.kind}${base})`);
  return run({ ...job, image, fresh: false }, now, [...became, where]);
}

/** Both have to say that they are through; the first failure ends the attempt. */
export function backupReported(job: BackupJob, result: TaskResult, now: Date): Decision {
  if (result.status > PARTIAL) return fail(job, result, now);
  const all = awaited(job).every((one) => job.results[voiceOf(one)]);
  return { job: all ? changed(job, { step: 'verifying' }) : job, effects: [] };
}

/** Done is what the catalog has counted, and nothing else. */
export function imageCounted(job: BackupJob, complete: boolean, waitsFor: string): Decision {
  if (!complete) return { job: changed(job, { waitsFor }), effects: [] };
  const { status, message } = job.results['agent']!;
  const decision = end(changed(job, { waitsFor: '' }), { status, message });
  return { ...decision, effects: [info('image verified with the catalog'), ...decision.effects] };
}
