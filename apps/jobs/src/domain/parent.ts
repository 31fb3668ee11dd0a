import type { JobProgress, JobState } from '#contracts/job.js';
import { STATUS } from '#kernel/status.js';
import { clockText } from './log-lines.js';
import { info, same, type Child, type Decision } from './input.js';
import { NO_PROGRESS, type Outcome, type OutOfTries, type ParentJob } from './job.js';

const CANCELLED: Outcome = { status: STATUS.cancelled, message: '' };

/** The children as they are now: the parent is what they are, and ends with the last of them. */
export function gathered(job: ParentJob, children: readonly Child[], now: Date): Decision {
  if (job.step !== 'gathering' || children.length < job.children) return same(job);
  const progress = sumOf(children.map((child) => child.progress));
  const startedAt = job.startedAt ?? (children.some((one) => one.hasStarted) ? now : null);
  const open = children.filter(({ state }) => state !== 'done');
  if (open.length > 0) {
    const childState = stateTogether(open, startedAt !== null);
    const outOfTries = childState === 'incomplete' ? lastFailed(open) : null;
    const isSame =
      childState === job.childState &&
      startedAt === job.startedAt &&
      JSON.stringify([progress, outOfTries]) ===
        JSON.stringify([job.progress, job.outOfTries ?? null]);
    const next = { ...job, childState, startedAt, outOfTries, progress };
    return isSame ? same(job) : { job: next, effects: [] };
  }
  const outcome = outcomeOf(children, job.isCancelled);
  const elapsed = clockText(now.getTime() - (startedAt ?? now).getTime());
  return {
    job: { ...job, step: 'done', childState: 'done', outcome, endedAt: now, startedAt, progress },
    effects: [info(`all children have ended; elapsed time ${elapsed}`)],
  };
}

/**
 * 0 if all are 0. 150 if the parent was cancelled before. 1 if there is something to restore and
 * something missing. Where all have failed, the highest of their statuses.
 */
function outcomeOf(children: readonly Child[], isCancelled: boolean): Outcome {
  const statuses = children.map(({ status }) => status ?? 0);
  if (statuses.every((status) => status === STATUS.ok)) return { status: STATUS.ok, message: '' };
  if (isCancelled && statuses.some((status) => status > STATUS.partial)) return CANCELLED;
  const failed = children.filter(({ status }) => (status ?? 0) > STATUS.partial);
  const which = failed.map(({ job, status }) => `${job} (${status})`).join(', ');
  const message = failed.length > 0 ? `Children that failed: ${which}` : '';
  const status = failed.length === children.length ? Math.max(...statuses) : STATUS.partial;
  return { status, message };
}

/** Something that moves, or is about to, counts more than what stands still. */
function stateTogether(open: readonly Child[], hasStarted: boolean): JobState {
  const states = new Set(open.map(({ state }) => state));
  if (states.has('active')) return 'active';
  if (states.has('queued')) return hasStarted ? 'active' : 'queued';
  if (states.has('waiting-for-retry')) return 'waiting-for-retry';
  return states.has('incomplete') ? 'incomplete' : 'suspended';
}

function lastFailed(open: readonly Child[]): OutOfTries | null {
  return open.reduce<OutOfTries | null>(
    (last, { outOfTries: one }) =>
      one !== null && (last === null || one.failedAt > last.failedAt) ? one : last,
    null,
  );
}

function sumOf(all: readonly JobProgress[]): JobProgress {
  return all.reduce(
    (sum, one) => ({
      files: sum.files + one.files,
      // Each may have as many as a message can say: sparse files take no room.
      bytes: Math.min(sum.bytes + one.bytes, Number.MAX_SAFE_INTEGER),
      storedBytes: sum.storedBytes + one.storedBytes,
      currentPath: one.currentPath || sum.currentPath,
      waitedForEmpty: sum.waitedForEmpty + one.waitedForEmpty,
      waitedForFull: sum.waitedForFull + one.waitedForFull,
      fragments: sum.fragments + one.fragments,
      fragmentsTotal: sum.fragmentsTotal + one.fragmentsTotal,
    }),
    NO_PROGRESS,
  );
}
