import type { UnitGroup } from '#contracts/broker/configuration.js';
import type { StorageUnit } from '#contracts/broker.js';
import { InvalidInput, NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { hostState } from './liveness.js';
import { unitsOfPool } from './plan/place.js';
import { listed, unknownServer } from './refusal.js';
import type { Resources } from './resources.js';

/** A storage unit must point at what is there, or each job on it would wait for ever. */
export function unitRefusal(
  unit: StorageUnit,
  { servers, groups }: Pick<Resources, 'servers' | 'groups'>,
): PermanentError | undefined {
  if (groups.has(unit.name)) return nameTaken('unit.name', 'group', unit.name);
  if (unit.lowWaterPercent >= unit.highWaterPercent) {
    return new InvalidInput(
      `unit.lowWaterPercent: the low water mark (${unit.lowWaterPercent} %) must be below the high one ` +
        `(${unit.highWaterPercent} %).`,
      'unit.lowWaterPercent',
    );
  }
  const server = servers.get(unit.mediaId);
  if (server === undefined) return unknownServer(unit.mediaId, [...servers.keys()]);
  if (server.pools.has(unit.pool)) return undefined;
  const pools =
    server.pools.size > 0 ? `It has: ${listed([...server.pools.keys()])}.` : 'It has none.';
  return new InvalidInput(
    `unit.pool: media server ${unit.mediaId} has no volume of pool "${unit.pool}". ${pools}`,
    'unit.pool',
  );
}

/** A group names units that exist, and is named like none of them. */
export function groupRefusal(
  group: UnitGroup,
  { units }: Pick<Resources, 'units'>,
): PermanentError | undefined {
  if (units.has(group.name)) return nameTaken('group.name', 'unit', group.name);
  const index = group.units.findIndex((name) => !units.has(name));
  if (index < 0) return undefined;
  const known =
    units.size > 0 ? `Those that exist: ${listed([...units.keys()])}.` : 'There is none.';
  return new InvalidInput(
    `group.units[${index}]: there is no storage unit "${group.units[index]}". ${known}`,
    `group.units[${index}]`,
  );
}

/** What still names or uses a thing that is to be removed. */
export interface Uses {
  /** Jobs that hold it. */
  readonly held: number;
  /** Requests that wait for it by its name, or can have nothing else. */
  readonly waiting: number;
}

/** Status 227 for what is not there, 228 for what is in use. */
export function unitDeleteRefusal(
  name: string,
  { units, groups }: Pick<Resources, 'units' | 'groups'>,
  { held, waiting }: Uses,
): PermanentError | undefined {
  if (!units.has(name)) return new NotFound('storage unit', name);
  const inGroups = [...groups.values()].filter((group) => group.units.includes(name));
  if (inGroups.length > 0) {
    const names = listed(inGroups.map((group) => group.name));
    return inUse(`storage unit ${name}`, `it stands in group ${names}; take it out there first`);
  }
  if (held > 0) {
    return inUse(
      `storage unit ${name}`,
      `${jobs(held)} it. Drain it (holdfast broker drain --unit ${name}) and wait for them`,
    );
  }
  return waiting > 0 ? inUse(`storage unit ${name}`, waitingText(waiting)) : undefined;
}

/** The pool of a unit that is the only one for jobs which name that pool alone. */
export function poolOfLast(name: string, { units }: Pick<Resources, 'units'>): string | undefined {
  const pool = units.get(name)?.pool;
  if (pool === undefined) return undefined;
  const open = unitsOfPool(pool, units.values());
  return open.length === 1 && open[0]!.name === name ? pool : undefined;
}

export function groupDeleteRefusal(
  name: string,
  { groups }: Pick<Resources, 'groups'>,
  { waiting }: Uses,
): PermanentError | undefined {
  if (!groups.has(name)) return new NotFound('storage unit group', name);
  return waiting > 0 ? inUse(`storage unit group ${name}`, waitingText(waiting)) : undefined;
}

/** Without its declaration a pool that is in use would silently become a primary one. */
export function poolDeleteRefusal(
  name: string,
  { units, servers }: Pick<Resources, 'units' | 'servers'>,
): PermanentError | undefined {
  const [unit] = [...units.values()].filter(({ pool }) => pool === name);
  if (unit !== undefined) return inUse(`pool ${name}`, `storage unit ${unit.name} writes to it`);
  const [server] = [...servers.values()].filter(({ pools }) => pools.has(name));
  return server && inUse(`pool ${name}`, `media server ${server.mediaId} has a volume of it`);
}

/**
 * Whoever is up would be known again with its next word; a unit without its media server could not
 * work, and who waits to read what no other server has would wait for ever.
 */
export function serverForgetRefusal(
  mediaId: string,
  { servers, units }: Pick<Resources, 'servers' | 'units'>,
  use: Uses & { readonly now: Date },
): PermanentError | undefined {
  const server = servers.get(mediaId);
  if (server === undefined) return unknownServer(mediaId, [...servers.keys()]);
  const what = `media server ${mediaId}`;
  if (hostState(server.lastSeenAt, use.now) === 'up') return inUse(what, 'it is up. Stop it first');
  const own = [...units.values()].filter((unit) => unit.mediaId === mediaId);
  if (own.length > 0) {
    const names = listed(own.map(({ name }) => name));
    return inUse(what, `it has storage unit ${names}; delete that first`);
  }
  if (use.held > 0) return inUse(what, `${jobs(use.held)} it`);
  return use.waiting > 0 ? inUse(what, waitingText(use.waiting)) : undefined;
}

/** Status 243 for a client that nobody has spoken for. */
export function clientForgetRefusal(
  client: string,
  use: { readonly lastSeenAt: Date | undefined; readonly now: Date },
): PermanentError | undefined {
  if (use.lastSeenAt === undefined) {
    return new NotFound('client', client, STATUS.clientNotConfigured);
  }
  if (hostState(use.lastSeenAt, use.now) === 'down') return undefined;
  return inUse(`client ${client}`, 'its agent is up. Stop it first');
}

function nameTaken(field: string, by: 'unit' | 'group', name: string): InvalidInput {
  const thing = by === 'unit' ? 'a storage unit' : 'a storage unit group';
  return new InvalidInput(
    `${field}: "${name}" is the name of ${thing}. Policies name both alike: choose another.`,
    field,
  );
}

function inUse(what: string, why: string): PermanentError {
  const thing = `${what[0]!.toUpperCase()}${what.slice(1)}`;
  return new PermanentError(STATUS.cannotProcess, `${thing} is in use: ${why}.`, 'name');
}

function jobs(count: number): string {
  return count === 1 ? '1 job uses' : `${count} jobs use`;
}

function waitingText(count: number): string {
  const who = count === 1 ? '1 job waits for it' : `${count} jobs wait for it`;
  return `${who} (holdfast broker queue). Cancel them, or let them run first`;
}
