import type { UnitGroup } from '#contracts/broker/configuration.js';
import type { Ledger } from './ledger.js';
import { Obstacle, unitObstacle, unitOutOfOrder, type Sight } from './obstacle.js';
import type { Need } from '../resource-request.js';
import type { Resources, UnitResource } from '../resources.js';

/** The unit of that name, or one of the group of that name, that can take a job now. */
export function choose(name: string, need: Need, sight: Sight): UnitResource | Obstacle {
  const { ledger, now } = sight;
  const { units } = ledger.resources;
  const names = namesToTry(name, ledger.resources, now);
  const missing = names.filter((each) => !units.has(each));
  const known = names.flatMap((each) => units.get(each) ?? []);
  const group = ledger.resources.groups.get(name);
  const sorted = group === undefined ? known : bySelection(group, known, ledger);
  const unit = inOrder(sorted, { need, sight });
  if (!(unit instanceof Obstacle) || missing.length === 0) return unit;
  return Obstacle.all(names.flatMap((each) => unitObstacle(each, need, sight) ?? []));
}

/**
 * The units that a name leads to now: itself, or those of the group. A `failover` group leads to one:
 * the first that is in order, to wait for it though it be busy or full.
 */
export function namesToTry(name: string, resources: Resources, now: Date): readonly string[] {
  const group = resources.groups.get(name);
  if (group === undefined) return [name];
  if (group.selection !== 'failover') return group.units;
  const first = group.units.find((unit) => unitOutOfOrder(unit, resources, now) === undefined);
  return first === undefined ? group.units : [first];
}

/** The first that can take a job that needs so much; otherwise what is in the way of each. */
export function inOrder(
  units: readonly UnitResource[],
  { need, sight }: { need: Need; sight: Sight },
): UnitResource | Obstacle {
  const obstacles: Obstacle[] = [];
  for (const unit of units) {
    const obstacle = unitObstacle(unit.name, need, sight);
    if (obstacle === undefined) return unit;
    obstacles.push(obstacle);
  }
  if (obstacles.length > 0) return Obstacle.all(obstacles);
  return new Obstacle('unit-missing', 'there is no storage unit');
}

function bySelection(
  group: UnitGroup,
  units: readonly UnitResource[],
  ledger: Ledger,
): readonly UnitResource[] {
  switch (group.selection) {
    case 'prioritized':
    case 'failover':
      return units;
    case 'round-robin':
      return [...units].sort((a, b) => ledger.chosenAt(a) - ledger.chosenAt(b));
    case 'load-balance':
      return [...units].sort(
        (a, b) =>
          load(a, ledger) - load(b, ledger) || ledger.room(b, 'taken') - ledger.room(a, 'taken'),
      );
    default:
      return group.selection satisfies never;
  }
}

/** From 0, idle, to 1, at its maximum. */
function load(unit: UnitResource, ledger: Ledger): number {
  return 1 - ledger.slots(unit) / unit.jobsMax;
}
