import { namesToTry } from './group-choice.js';
import type { Ledger } from './ledger.js';
import { serverObstacle, unitObstacle, unitOutOfOrder } from './obstacle.js';
import { POLICY_JOBS_MAX } from '#contracts/broker.js';
import { unitsOfPool } from './place.js';
import type { UnitResource } from '../resources.js';

/**
 * What requests may name, each with the most bytes that one may expect to write there. `units` has
 * names of units and of groups; `serversUp` is for what is only read.
 */
export interface Targets {
  readonly units: ReadonlyMap<string, number>;
  readonly pools: ReadonlyMap<string, number>;
  readonly serversUp: readonly string[];
}

/** What still can be had at a point of the queue. Whatever does not fit into it need not be looked at. */
export interface Openings extends Targets {
  /** Clients that run their maximum. */
  readonly clientsAtLimit: readonly string[];
  /** Backups of each policy that has any. */
  readonly policyJobs: ReadonlyMap<string, number>;
  /** By names as in `units`: how many streams one has to allow on its drive. Left out: one is enough. */
  readonly streams: ReadonlyMap<string, number>;
}

/** Where a request behind those that were looked at may still get something. */
export function openings(ledger: Ledger, now: Date): Openings {
  const { clients, policies } = ledger.known;
  const sight = { ledger, now, scope: 'claimed' as const };
  const targets = targetsWhere(ledger, now, (unit) =>
    unitObstacle(unit.name, ANYTHING, sight) === undefined
      ? ledger.room(unit, 'claimed')
      : undefined,
  );
  return {
    ...targets,
    clientsAtLimit: [...clients].filter((client) => ledger.clientSlots(client, 'claimed') <= 0),
    policyJobs: new Map([...policies].map((name) => [name, policyJobs(name, ledger)])),
    streams: leastStreams(targets, ledger, now),
  };
}

/** What every unit takes that takes anything. */
const ANYTHING = { bytes: 0, streams: Infinity };

function leastStreams({ units }: Targets, ledger: Ledger, now: Date): Map<string, number> {
  const { resources } = ledger;
  const ofUnits = new Map([...resources.units].map(([name, unit]) => [name, least(unit, ledger)]));
  const ofNames = [...units.keys()].map((name): [string, number] => {
    const each = namesToTry(name, resources, now).map((unit) => ofUnits.get(unit) ?? Infinity);
    return [name, Math.min(...each)];
  });
  return new Map(ofNames.filter(([, streams]) => streams > 1 && streams < Infinity));
}

function least(unit: UnitResource, ledger: Ledger): number {
  for (let streams = 1; streams <= unit.maxStreamsPerDrive; streams += 1) {
    if (ledger.takesStream(unit, streams, 'claimed')) return streams;
  }
  return Infinity;
}

/** So many that no limit is above it, where a claim leaves nothing. */
function policyJobs(policy: string, ledger: Ledger): number {
  const jobs = ledger.policyJobs(policy, 'claimed');
  return jobs < ledger.policyMax(policy, 'claimed') ? jobs : POLICY_JOBS_MAX;
}

/** Where a request waits for nothing but what running jobs will give back. */
export function soundTargets(ledger: Ledger, now: Date): Targets {
  return targetsWhere(ledger, now, (unit) => {
    const inOrder = unitOutOfOrder(unit.name, ledger.resources, now) === undefined && !unit.full;
    return inOrder ? ledger.roomAtBest(unit) : undefined;
  });
}

function targetsWhere(
  ledger: Ledger,
  now: Date,
  roomOf: (unit: UnitResource) => number | undefined,
): Targets {
  const { resources } = ledger;
  const rooms = new Map([...resources.units].map(([name, unit]) => [name, roomOf(unit)]));
  const most = (names: readonly string[]) =>
    names
      .flatMap((name) => rooms.get(name) ?? [])
      .reduce<number | undefined>((best, room) => Math.max(best ?? room, room), undefined);
  const names = [...resources.units.keys(), ...resources.groups.keys()];
  const pools = new Set([...resources.units.values()].map(({ pool }) => pool));
  return {
    units: defined(names.map((name) => [name, most(namesToTry(name, resources, now))])),
    pools: defined(
      [...pools].map((pool) => [
        pool,
        most(unitsOfPool(pool, resources.units.values()).map(({ name }) => name)),
      ]),
    ),
    serversUp: [...resources.servers.keys()].filter(
      (mediaId) => serverObstacle(mediaId, resources, now) === undefined,
    ),
  };
}

function defined(entries: readonly (readonly [string, number | undefined])[]): Map<string, number> {
  return new Map(
    entries.flatMap(([name, room]): [string, number][] =>
      room === undefined ? [] : [[name, room]],
    ),
  );
}
