import { InvalidInput, NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { unitsOfPool } from './plan/place.js';
import { bytesOf, type ResourceRequest } from './resource-request.js';
import type { Resources, UnitResource } from './resources.js';

/** Names that a message lists at most; the rest is counted. */
export const NAMES_SHOWN_MAX = 10;

type Known = Pick<Resources, 'servers' | 'units' | 'groups'>;

/**
 * The error for a request that no release and no heartbeat could ever let go; `undefined` when it
 * may wait. A request that waits for ever is a mistake that nobody sees.
 */
export function refusal(request: ResourceRequest, resources: Known): PermanentError | undefined {
  switch (request.purpose) {
    case 'write': {
      const names = resources.groups.get(request.unit)?.units ?? [request.unit];
      const units = names.flatMap((name) => resources.units.get(name) ?? []);
      return units.length === 0
        ? unknownUnit(request.unit, resources)
        : sizeRefusal(request, units, resources);
    }
    case 'duplicate': {
      const units = unitsOfPool(request.pool, resources.units.values());
      return units.length === 0
        ? poolRefusal(request.pool, [...resources.units.values()])
        : sizeRefusal(request, units, resources);
    }
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
function unknownUnit(name: string, { units, groups }: Known): NotFound {
  if (units.size === 0) {
    return new NotFound(
      'storage unit',
      name,
      STATUS.noStorageUnits,
      'There is none at all: no media server has reported yet.',
    );
  }
  const known = `Storage units that exist: ${listed([...units.keys()])}.`;
  const grouped = groups.size > 0 ? ` Groups: ${listed([...groups.keys()])}.` : '';
  return new NotFound('storage unit', name, STATUS.storageUnitUnavailable, `${known}${grouped}`);
}

/** A job that expects more than an empty volume takes would wait for ever. Status 2030. */
function sizeRefusal(
  request: ResourceRequest,
  units: readonly UnitResource[],
  { servers }: Known,
): PermanentError | undefined {
  const bytes = bytesOf(request);
  const fitsSomewhere = units.some(({ mediaId, pool: name, highWaterPercent }) => {
    const pool = servers.get(mediaId)?.pools.get(name);
    if (pool === undefined || pool.totalBytes === 0 || pool.drives !== null) return true;
    return bytes <= (pool.totalBytes * highWaterPercent) / 100;
  });
  if (fitsSomewhere) return undefined;
  const names = listed(units.map(({ name }) => name));
  return new PermanentError(
    STATUS.highWaterMark,
    `The job expects to write ${bytes} bytes. That is more than fits below the high water mark of ` +
      `an empty volume of storage unit ${names}. Use a larger volume or another unit.`,
    'estimatedBytes',
  );
}

/** Only a unit says how many jobs may write to a pool at once. Status 213 or 2111. */
function poolRefusal(pool: string, units: readonly UnitResource[]): PermanentError {
  const onDemand = units.filter((unit) => unit.pool === pool).map(({ name }) => name);
  if (onDemand.length > 0) {
    return new PermanentError(
      STATUS.onDemandOnly,
      `All storage units of pool "${pool}" are on demand only: ${listed(onDemand)}. ` +
        'Set onDemandOnly of one to false, or make another: holdfast unit put -f FILE.',
      'pool',
    );
  }
  const pools = [...new Set(units.map((unit) => unit.pool))];
  const known = pools.length > 0 ? `Pools that have one: ${listed(pools)}.` : 'No pool has one.';
  return new PermanentError(
    STATUS.noStorageUnits,
    `There is no storage unit of pool "${pool}". ${known} Make one: holdfast unit put -f FILE.`,
    'pool',
  );
}

/** Status 2027. */
export function unknownServer(mediaId: string, servers: readonly string[]): NotFound {
  const hint =
    servers.length === 0
      ? 'None has reported yet.'
      : `Media servers that have reported: ${listed(servers)}.`;
  return new NotFound('media server', mediaId, STATUS.mediaServerNotActive, hint);
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
  return new NotFound(
    'client',
    name,
    STATUS.clientNotConfigured,
    `The client is not in the configuration. ${hint}`,
  );
}

/** An attempt that a later one has replaced gets nothing more. */
export function superseded(request: ResourceRequest, newest: number): PermanentError {
  return new InvalidInput(
    `attempt: attempt ${request.attempt} of job ${request.job} is over; attempt ${newest} has taken its place.`,
    'attempt',
  );
}

/** A few of the names, sorted, and how many more there are. */
export function listed(names: readonly string[], total = names.length): string {
  const shown = [...names].sort().slice(0, NAMES_SHOWN_MAX);
  const more = total - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
