import type { WaitReason } from '#contracts/broker/wait-reason.js';
import type { Ledger, Scope } from './ledger.js';
import { hostState } from '../liveness.js';
import type { Need, ResourceRequest } from '../resource-request.js';
import type { Resources, UnitResource } from '../resources.js';

/** Of a group of many units; each is a sentence for a person to read, and stands in each answer. */
const REASONS_SHOWN_MAX = 5;

/** Why a request gets nothing now. */
export class Obstacle {
  constructor(
    readonly wait: WaitReason,
    /** In words for the person who asks why a job waits. */
    readonly reason: string,
  ) {}

  /** One for all: it is named after the first, says the first few, and how many more there are. */
  static all(obstacles: readonly Obstacle[]): Obstacle {
    const reasons = [...new Set(obstacles.map(({ reason }) => reason))];
    const more = reasons.length - REASONS_SHOWN_MAX;
    const shown = reasons.slice(0, REASONS_SHOWN_MAX).join('; ');
    return new Obstacle(obstacles[0]!.wait, more > 0 ? `${shown}; and ${more} more` : shown);
  }
}

/** Something older has a claim to what would be free. */
export const MUST_TAKE_TURN = new Obstacle(
  'turn',
  'a job that has waited longest has a claim to what is free',
);

/** How a request looks at what is left. */
export interface Sight {
  readonly ledger: Ledger;
  readonly scope: Scope;
  readonly now: Date;
}

/** Why a server can be neither read nor written. */
export function serverObstacle(
  mediaId: string,
  { servers }: Pick<Resources, 'servers'>,
  now: Date,
): Obstacle | undefined {
  const server = servers.get(mediaId);
  if (server === undefined) {
    return new Obstacle('media-down', `media server ${mediaId} has not reported yet`);
  }
  if (hostState(server.lastSeenAt, now) === 'up') return undefined;
  const seen = server.lastSeenAt.toISOString();
  return new Obstacle('media-down', `media server ${mediaId} is down (last seen ${seen})`);
}

/** Why a unit takes no job, though nothing ran there and there was room. */
export function unitOutOfOrder(
  name: string,
  resources: Resources,
  now: Date,
): Obstacle | undefined {
  const unit = resources.units.get(name);
  if (unit === undefined) {
    return new Obstacle('unit-missing', `storage unit ${name} does not exist`);
  }
  const down = serverObstacle(unit.mediaId, resources, now);
  if (down !== undefined) return down;
  const server = resources.servers.get(unit.mediaId)!;
  if (unit.drained) return new Obstacle('unit-drained', `storage unit ${name} is drained`);
  if (server.drained) {
    return new Obstacle('unit-drained', `media server ${unit.mediaId} is drained`);
  }
  const pool = server.pools.get(unit.pool);
  if (pool === undefined) {
    return new Obstacle(
      'no-volume',
      `media server ${unit.mediaId} has no volume of pool ${unit.pool}`,
    );
  }
  if (pool.trouble !== undefined) {
    return new Obstacle(
      'no-volume',
      `media server ${unit.mediaId} cannot use its volume of pool ${unit.pool}: ${pool.trouble}`,
    );
  }
  if (pool.drives !== 0) return undefined;
  return new Obstacle('drive-busy', `pool ${unit.pool} on ${unit.mediaId} has no drive`);
}

/** Why a unit takes a job that needs so much not now; `undefined` when it can. */
export function unitObstacle(name: string, need: Need, sight: Sight): Obstacle | undefined {
  const { ledger, now } = sight;
  const broken = unitOutOfOrder(name, ledger.resources, now);
  if (broken !== undefined) return broken;
  const unit = ledger.resources.units.get(name)!;
  if (unit.full) {
    return new Obstacle(
      'unit-full',
      `storage unit ${name} has reached its high water mark of ${unit.highWaterPercent} % ` +
        `and takes nothing until less than ${unit.lowWaterPercent} % is used`,
    );
  }
  if (ledger.slots(unit) <= 0) {
    const jobs = unit.jobsMax === 1 ? '1 job' : `${unit.jobsMax} jobs`;
    return new Obstacle('unit-busy', `storage unit ${name} runs its maximum of ${jobs}`);
  }
  if (!ledger.takesStream(unit, need.streams, sight.scope)) {
    return new Obstacle('drive-busy', drivesText(unit, need.streams, ledger));
  }
  const { bytes } = need;
  // A job that expects nothing is let in: what it will need is not known.
  if (bytes === 0 || bytes <= ledger.room(unit, sight.scope)) return undefined;
  return new Obstacle('unit-full', roomText(unit, bytes, ledger));
}

function drivesText(unit: UnitResource, streams: number, ledger: Ledger): string {
  const where = `all drives of pool ${unit.pool} on ${unit.mediaId}`;
  const most = Math.min(streams, unit.maxStreamsPerDrive);
  const running = ledger.streams(unit, 'taken');
  if (Math.max(most, ...running) === 1) return `${where} are busy`;
  const jobs = running.length === 1 ? '1 job has' : `${running.length} jobs have`;
  return `${jobs} ${where}; this one shares a drive with ${most - 1} at most`;
}

function roomText(unit: UnitResource, bytes: number, ledger: Ledger): string {
  const room = Math.max(0, ledger.room(unit, 'taken'));
  const later = bytes <= ledger.roomAtBest(unit) ? ', the rest is promised to running jobs' : '';
  return (
    `storage unit ${unit.name} has room for ${room} bytes below its high water mark of ` +
    `${unit.highWaterPercent} %${later}; the job expects to write ${bytes}`
  );
}

/** Why a request would exceed a limit of its client or its policy. Backups alone count. */
export function limitObstacle(request: ResourceRequest, sight: Sight): Obstacle | undefined {
  if (request.purpose !== 'write') return undefined;
  const { ledger, scope } = sight;
  const { client, policy, policyJobsMax } = request;
  if (ledger.clientSlots(client, scope) <= 0) {
    const backups = backupsOf(ledger.clientMax(client));
    return new Obstacle('client-limit', `client ${client} runs its maximum of ${backups}`);
  }
  if (policy === undefined) return undefined;
  const max = Math.min(policyJobsMax ?? Infinity, ledger.policyMax(policy, scope));
  if (ledger.policyJobs(policy, scope) < max) return undefined;
  const backups = backupsOf(max);
  return new Obstacle('policy-limit', `policy ${policy} runs its maximum of ${backups}`);
}

function backupsOf(count: number): string {
  return count === 1 ? '1 backup' : `${count} backups`;
}
