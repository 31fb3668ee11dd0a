import type { RequestOf } from '#contracts/contract.js';
import type { policyRun, PolicySpec } from '#contracts/policy.js';
import type { Schedule } from '#contracts/schedule.js';
import { NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

export interface Run {
  readonly schedule: Schedule;
  readonly clients: readonly string[];
}

const NAMES_SHOWN_MAX = 10;

/**
 * What a manual run means: without a schedule the first full one that reads clients, or else the first that reads
 * them, or else the first; without a client all of them.
 * Throws what the field's status codes say: 247 not active, 197 schedule, 239 client.
 */
export function planRun(policy: PolicySpec, request: RequestOf<typeof policyRun>): Run {
  if (!policy.active) {
    throw new PermanentError(
      STATUS.policyNotActive,
      `Policy "${policy.name}" is not active. Set "active: true" in it first.`,
      'name',
    );
  }
  const { schedules, clients } = policy;
  const names = schedules.map(({ name }) => name);
  const schedule =
    request.schedule === undefined
      ? (schedules.find(({ type, synthetic }) => type === 'full' && !synthetic) ??
        schedules.find(({ synthetic }) => !synthetic) ??
        schedules[0])
      : schedules.find(({ name }) => name === request.schedule);
  if (schedule === undefined) {
    const hint = `Schedules of policy "${policy.name}": ${listed(names)}.`;
    throw new NotFound('schedule', request.schedule ?? '', STATUS.noSuchSchedule, hint);
  }
  if (request.client !== undefined && !clients.includes(request.client)) {
    const hint = `Clients of policy "${policy.name}": ${listed(clients)}.`;
    throw new NotFound('client', request.client, STATUS.clientNotInPolicy, hint);
  }
  return { schedule, clients: request.client === undefined ? clients : [request.client] };
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN_MAX;
  return `${names.slice(0, NAMES_SHOWN_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
