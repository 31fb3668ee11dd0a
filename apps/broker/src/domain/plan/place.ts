import { choose, inOrder } from './group-choice.js';
import { limitObstacle, MUST_TAKE_TURN, Obstacle, serverObstacle, type Sight } from './obstacle.js';
import { needOf, type ResourceRequest } from '../resource-request.js';
import type { UnitResource } from '../resources.js';

/** What a request gets. */
export interface Place {
  /** Whose slot it takes; null for reads. */
  readonly unit: string | null;
  /** The one that writes first, then those that are read from. */
  readonly media: readonly string[];
}

/** What a request can have now, or why it can have nothing. */
export function placeFor(request: ResourceRequest, sight: Omit<Sight, 'scope'>): Place | Obstacle {
  const place = placeIn(request, { ...sight, scope: 'taken' });
  if (place instanceof Obstacle || request.purpose === 'read') return place;
  // There is enough; but claims come first. Only they are in the way of what was found above.
  const behindClaims = placeIn(request, { ...sight, scope: 'claimed' });
  return behindClaims instanceof Obstacle ? MUST_TAKE_TURN : behindClaims;
}

function placeIn(request: ResourceRequest, sight: Sight): Place | Obstacle {
  switch (request.purpose) {
    case 'write': {
      const unit = choose(request.unit, needOf(request), sight);
      if (unit instanceof Obstacle) return unit;
      const limit = limitObstacle(request, sight);
      return limit ?? (request.anyOf ? besideWriter(unit, request.anyOf, sight) : alone(unit));
    }
    case 'duplicate':
      return placeOfCopy(request, sight);
    case 'read':
      return placeOfRead(request, sight);
    default:
      return request satisfies never;
  }
}

function alone({ name, mediaId }: UnitResource): Place {
  return { unit: name, media: [mediaId] };
}

/** A writer that reads from others, too: from all that are up, if they hold something of every set. */
function besideWriter(
  unit: UnitResource,
  sets: readonly (readonly string[])[],
  { ledger, now }: Sight,
): Place | Obstacle {
  const up = serversUpOf(sets, (mediaId) => serverObstacle(mediaId, ledger.resources, now));
  if (up instanceof Obstacle) return up;
  return { unit: unit.name, media: [unit.mediaId, ...up.filter((id) => id !== unit.mediaId)] };
}

/** The servers of these sets that are up; what is in the way where a set has none. */
function serversUpOf(
  sets: readonly (readonly string[])[],
  obstacle: (mediaId: string) => Obstacle | undefined,
): string[] | Obstacle {
  const up = new Set<string>();
  for (const set of sets) {
    const obstacles = set.flatMap((mediaId) => obstacle(mediaId) ?? []);
    if (obstacles.length === set.length) return Obstacle.all(obstacles);
    for (const mediaId of set) if (obstacle(mediaId) === undefined) up.add(mediaId);
  }
  return [...up];
}

type ReadRequest = Extract<ResourceRequest, { purpose: 'read' }>;

/** All servers that are up, if they hold something of every set; without sets, all servers. */
function placeOfRead(request: ReadRequest, { ledger, now }: Sight): Place | Obstacle {
  const obstacle = (mediaId: string) => serverObstacle(mediaId, ledger.resources, now);
  const media = [...new Set(request.media)];
  const sets = request.anyOf ?? media.map((mediaId) => [mediaId]);
  const up = serversUpOf(sets, obstacle);
  if (up instanceof Obstacle) return up;
  return { unit: null, media: media.filter((mediaId) => obstacle(mediaId) === undefined) };
}

type DuplicateRequest = Extract<ResourceRequest, { purpose: 'duplicate' }>;

/** A server that has the source itself comes first: then no byte has to leave its host. */
function placeOfCopy(request: DuplicateRequest, sight: Sight): Place | Obstacle {
  const { ledger, now } = sight;
  const sources = [...new Set(request.sources)];
  const obstacles = sources.map((mediaId) => serverObstacle(mediaId, ledger.resources, now));
  const up = sources.filter((_, index) => obstacles[index] === undefined);
  if (up.length === 0) {
    const { wait, reason } = Obstacle.all(obstacles.map((each) => each!));
    return new Obstacle(wait, `no media server that has the image is up: ${reason}`);
  }
  const units = unitsOfPool(request.pool, ledger.resources.units.values());
  if (units.length === 0) {
    return new Obstacle('unit-missing', `pool ${request.pool} has no storage unit for any job`);
  }
  const nearness = ({ mediaId }: UnitResource) => (up.includes(mediaId) ? 0 : 1);
  const unit = inOrder(
    [...units].sort(
      (a, b) =>
        nearness(a) - nearness(b) ||
        ledger.slots(b) - ledger.slots(a) ||
        (a.name < b.name ? -1 : 1),
    ),
    { need: needOf(request), sight },
  );
  if (unit instanceof Obstacle) return unit;
  const { name, mediaId } = unit;
  return { unit: name, media: [mediaId, ...up.filter((source) => source !== mediaId)] };
}

/** Those that a job may get which names the pool alone. */
export function unitsOfPool<T extends Pick<UnitResource, 'pool' | 'onDemandOnly'>>(
  pool: string,
  units: Iterable<T>,
): T[] {
  return [...units].filter((unit) => unit.pool === pool && !unit.onDemandOnly);
}
