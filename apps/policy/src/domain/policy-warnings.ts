import type { PolicySpec, PolicyWarning } from '#contracts/policy.js';
import { planOf } from './due/policy-plan.js';
import { HORIZON_DAYS } from './time/open-times.js';

/** Where jobs can be stored to, as the broker knows it. */
export interface Storage {
  readonly units: readonly {
    readonly name: string;
    readonly mediaId: string;
    readonly pool: string;
  }[];
  readonly groups: readonly { readonly name: string; readonly units: readonly string[] }[];
  readonly servers: readonly {
    readonly mediaId: string;
    readonly volumes: readonly { readonly pool: string }[];
  }[];
}

/** What synthetic fulls are made from. */
const INCREMENTAL: ReadonlySet<string> = new Set(['differential', 'cumulative']);

/** What can be said of a policy without asking anybody. */
export function policyWarnings(policy: PolicySpec, now: Date): PolicyWarning[] {
  const warnings: PolicyWarning[] = [];
  for (const [index, { schedule, times, runDays }] of planOf(policy).schedules.entries()) {
    const field = `policy.schedules[${index}]`;
    const what = `schedule "${schedule.name}"`;
    if (times.firstOpen(now.getTime()) === undefined) {
      const message = `${what} never starts: its windows and excluded days leave no time within ${HORIZON_DAYS} days`;
      warnings.push({ field: `${field}.exclude`, message });
    } else if (runDays !== undefined && runDays.next(now.getTime()) === undefined) {
      const message = `${what} never runs: its calendar names no day on which a window opens within ${HORIZON_DAYS} days`;
      warnings.push({ field: `${field}.calendar`, message });
    }
  }
  const hasIncrementals = policy.schedules.some(({ type }) => INCREMENTAL.has(type));
  for (const [index, { name, synthetic }] of policy.schedules.entries()) {
    if (!synthetic || hasIncrementals) continue;
    const message = `schedule "${name}" finds nothing to make a full from: no schedule of this policy makes incrementals`;
    warnings.push({ field: `policy.schedules[${index}].synthetic`, message });
  }
  for (const [when, hook] of Object.entries(policy.hooks ?? {})) {
    if (hook === undefined) continue;
    const message = `whether the clients have "${hook.script}" in their hook folders is seen only when a backup runs; where it is missing, backups fail`;
    warnings.push({ field: `policy.hooks.${when}`, message });
  }
  return warnings;
}

export function unknownClient(client: string, index: number): PolicyWarning {
  return {
    field: `policy.clients[${index}]`,
    message: `no agent has spoken for "${client}" yet: its backups are refused until one does`,
  };
}

/** Where the policy and its schedules store to, if no job can be granted there. */
export function storageWarnings(policy: PolicySpec, storage: Storage): PolicyWarning[] {
  const own = policy.schedules.flatMap(({ storage: name }, index) =>
    name === undefined ? [] : [{ field: `policy.schedules[${index}].storage`, name }],
  );
  // Where each schedule has storage of its own, the policy's is not used.
  const all =
    own.length === policy.schedules.length
      ? own
      : [{ field: 'policy.storage', name: policy.storage }, ...own];
  return all.flatMap(({ field, name }) => {
    const message = neverGranted(name, storage);
    return message === undefined ? [] : [{ field, message }];
  });
}

function neverGranted(name: string, storage: Storage): string | undefined {
  const group = storage.groups.find((one) => one.name === name);
  const names = new Set(group?.units ?? [name]);
  const units = storage.units.filter((unit) => names.has(unit.name));
  if (units.length === 0) {
    const known = [...storage.units, ...storage.groups].map((one) => one.name).join(', ');
    return group === undefined
      ? `there is no storage unit and no group "${name}": no job can be granted. There are: ${known || 'none'}`
      : `the group "${name}" has no unit that exists: no job can be granted`;
  }
  const usable = units.some(({ mediaId, pool }) =>
    storage.servers.some(
      (server) => server.mediaId === mediaId && server.volumes.some((v) => v.pool === pool),
    ),
  );
  if (usable) return undefined;
  const [{ mediaId, pool }] = units as [Storage['units'][number]];
  return `storage "${name}" can't be granted: media server "${mediaId}" has reported no volume of pool "${pool}"`;
}
