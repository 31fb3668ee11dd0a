import { InvalidInput, NotFound, PermanentError } from '#kernel/errors.js';
import type { StorageUnit } from '#contracts/broker.js';
import type { ResourceRequest } from './resource-request.js';
import type { Resources, UnitResource } from './resources.js';

/** Names that a message lists at most; the rest is counted. */
export const NAMES_SHOWN_MAX = 10;

/**
 * The error for a request that no release and no heartbeat could ever let go; `undefined` when it
 * may wait. A request that waits for ever is a mistake that nobody sees.
 */
export function refusal(
  request: ResourceRequest,
  resources: Pick<Resources, 'servers' | 'units'>,
): PermanentError | undefined {
  switch (request.purpose) {
    case 'write':
      return resources.units.has(request.unit)
        ? undefined
        : unknownUnit(request.unit, [...resources.units.keys()]);
    case 'duplicate':
      return poolRefusal(request.pool, [...resources.units.values()]);
    case 'read': {
      const sets = request.anyOf ?? request.media.map((id) => [id]);
      const missing = sets.find((set) => set.every((id) => !resources.servers.has(id)))?.[0];
      return missing === undefined
        ? undefined
        : unknownServer(missing, [...resources.servers.keys()]);
    }
    default:
      return request satisfies never;
  }
}

/** Status 213 when there is no storage unit at all, else 219. */
function unknownUnit(name: string, units: readonly string[]): NotFound {
  if (units.length === 0) {
    return new NotFound(
      'storage unit',
      name,
      213,
      'There is none at all: no media server has reported yet.',
    );
  }
  return new NotFound('storage unit', name, 219, `Storage units that exist: ${listed(units)}.`);
}

/** Only a unit says how many jobs may write to a pool at once. Status 213. */
function poolRefusal(pool: string, units: readonly UnitResource[]): PermanentError | undefined {
  if (units.some((unit) => unit.pool === pool)) return undefined;
  const pools = [...new Set(units.map((unit) => unit.pool))];
  const known = pools.length > 0 ? `Pools that have one: ${listed(pools)}.` : 'No pool has one.';
  return new PermanentError(
    213,
    `There is no storage unit of pool "${pool}". ${known} Make one: holdfast unit put -f FILE.`,
    'pool',
  );
}

function unknownServer(mediaId: string, servers: readonly string[]): NotFound {
  const hint =
    servers.length === 0
      ? 'None has reported yet.'
      : `Media servers that have reported: ${listed(servers)}.`;
  return new NotFound('media server', mediaId, 2027, hint);
}

/** Status 243. `known` may be the first few of `total` names. */
export function unknownClient(
  name: string,
  { known, total }: { known: readonly string[]; total: number },
): NotFound {
  const hint =
    total === 0
      ? 'No agent has reported yet.'
      : `Clients whose agent has reported: ${listed(known, total)}.`;
  return new NotFound('client', name, 243, `The client is not in the configuration. ${hint}`);
}

/** A storage unit must point at what is there, or each job on it would wait for ever. */
export function unitRefusal(
  unit: StorageUnit,
  servers: Resources['servers'],
): PermanentError | undefined {
  const server = servers.get(unit.mediaId);
  if (server === undefined) return unknownServer(unit.mediaId, [...servers.keys()]);
  if (server.pools.includes(unit.pool)) return undefined;
  const pools = server.pools.length > 0 ? `It has: ${listed(server.pools)}.` : 'It has none.';
  return new InvalidInput(
    `unit.pool: media server ${unit.mediaId} has no volume of pool "${unit.pool}". ${pools}`,
    'unit.pool',
  );
}

/** An attempt that a later one has replaced gets nothing more. */
export function superseded(request: ResourceRequest, newest: number): PermanentError {
  return new InvalidInput(
    `attempt: attempt ${request.attempt} of job ${request.job} is over; attempt ${newest} has taken its place.`,
    'attempt',
  );
}

function listed(names: readonly string[], total = names.length): string {
  const shown = [...names].sort().slice(0, NAMES_SHOWN_MAX);
  const more = total - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
