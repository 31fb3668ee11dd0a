import type { RequestOf } from '#contracts/contract.js';
import type { policyUserBackup, PolicySpec } from '#contracts/policy.js';
import type { Schedule } from '#contracts/schedule.js';
import { NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS, statusText } from '#kernel/status.js';
import type { PolicyPlan, SchedulePlan } from './due/policy-plan.js';
import { clockText } from './due/reason.js';

export interface UserRun {
  readonly policy: PolicySpec;
  readonly schedule: Schedule;
  /** The end of the window; null if it does not close. */
  readonly closesAt: Date | null;
}

type UserRequest = Omit<RequestOf<typeof policyUserBackup>, 'selections'>;

interface Candidate {
  readonly plan: PolicyPlan;
  readonly of: SchedulePlan;
}

/**
 * Where a backup that the user of a client asks for belongs: the first user schedule whose window is
 * open. Throws what the field's status codes say: 197 schedule, 198, 236, 239, 240 and 241 nothing
 * that fits, 247 not active, 199 closed now.
 */
export function planUserRun(
  plans: readonly PolicyPlan[],
  request: UserRequest,
  now: Date,
): UserRun {
  const candidates = fitting(plans, request);
  const instant = now.getTime();
  const open = candidates.find(
    ({ plan, of }) => plan.effectiveFrom <= instant && of.times.isOpen(instant),
  );
  if (open === undefined) throw notNow(candidates, instant);
  const { times, schedule } = open.of;
  const closes = times.closesAfter(instant);
  return {
    ...{ policy: open.plan.policy, schedule },
    closesAt: closes === null ? null : new Date(closes),
  };
}

function fitting(plans: readonly PolicyPlan[], request: UserRequest): Candidate[] {
  const { schedule } = request;
  const all = activePlans(plans, request).flatMap((plan) =>
    plan.schedules.map((of) => ({ plan, of })),
  );
  const named = all.filter(({ of }) => schedule === undefined || of.schedule.name === schedule);
  if (schedule !== undefined && named.length === 0) {
    throw new NotFound('schedule', schedule, STATUS.noSuchSchedule);
  }
  const users = named.filter(({ of }) => of.schedule.type === 'user');
  if (users.length > 0) return users;
  if (schedule !== undefined) {
    throw refusal(
      STATUS.wrongScheduleType,
      'schedule',
      `Schedule "${schedule}" is not of type user.`,
    );
  }
  const hint = 'Add a schedule of type user; its windows say when users may start a backup.';
  throw request.policy === undefined
    ? refusal(STATUS.noScheduleForClient, 'client', hint)
    : refusal(STATUS.noScheduleOfType, 'policy', hint);
}

function activePlans(
  plans: readonly PolicyPlan[],
  { client, policy: name }: UserRequest,
): readonly PolicyPlan[] {
  const ofClient = plans.filter(({ policy }) => policy.clients.includes(client));
  const active = ofClient.filter(({ policy }) => policy.active);
  if (active.length > 0) return active;
  if (name === undefined) {
    throw refusal(
      STATUS.clientInNoActivePolicy,
      'client',
      `No active policy has the client "${client}".`,
    );
  }
  if (ofClient.length > 0) {
    throw refusal(STATUS.policyNotActive, 'policy', `Policy "${name}" is not active.`);
  }
  throw new NotFound(
    'client',
    client,
    STATUS.clientNotInPolicy,
    `It is not a client of policy "${name}".`,
  );
}

function notNow(candidates: readonly Candidate[], instant: number): PermanentError {
  const next = candidates
    .map(({ plan, of }) => {
      const opens = of.times.firstOpen(Math.max(instant, plan.effectiveFrom));
      return { plan, of, opens: opens ?? Infinity };
    })
    .reduce((a, b) => (b.opens < a.opens ? b : a));
  const hint =
    next.opens === Infinity
      ? 'No start window of its user schedules opens any more.'
      : `The next one of schedule "${next.of.schedule.name}" of policy "${next.plan.policy.name}" opens ${clockText(next.of.times.zone, next.opens)}.`;
  return refusal(STATUS.notAllowedNow, undefined, `No start window is open now. ${hint}`);
}

/** The field's words first, since they say what was refused; then what to do. */
function refusal(status: number, field: string | undefined, message: string): PermanentError {
  const text = statusText(status);
  return new PermanentError(
    status,
    `${text.charAt(0).toUpperCase()}${text.slice(1)}. ${message}`,
    field,
  );
}
