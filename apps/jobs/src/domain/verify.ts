import { STATUS } from '#kernel/status.js';
import { end, fail } from './attempts/attempt.js';
import type { Decision } from './input.js';
import type { VerifyJob } from './job.js';
import { awaited, voiceOf } from './participants.js';
import { mayPass } from './attempts/retryable.js';

/** Every media server goes to its end, whatever another has found. */
export function verifyReported(job: VerifyJob, now: Date): Decision {
  const servers = awaited(job);
  const parts = servers.flatMap((one) => {
    const result = job.results[voiceOf(one)];
    return result ? [{ who: one.instance, ...result }] : [];
  });
  if (parts.length < servers.length) return { job, effects: [] };
  const failed = parts.filter(({ status }) => status !== STATUS.ok);
  if (failed.length === 0) return end(job, { status: STATUS.ok, message: '' }, now);
  // Damage is what the verification is for; what could not be read for now says nothing yet.
  const worst = failed.find(({ status }) => mayPass(status) === undefined) ?? failed[0]!;
  const message = failed.map(({ who, message: text }) => `${who}: ${text}`).join('; ');
  return fail(job, { status: worst.status, message }, now);
}
