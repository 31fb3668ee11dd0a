import { drivesFor } from '../drive-streams.js';
import { bytesOf, needOf, type ResourceRequest } from '../resource-request.js';
import { poolKey, type Resources, type UnitResource } from '../resources.js';

/** More than there is of anything: where nothing limits. */
const PLENTY = Number.MAX_SAFE_INTEGER;

/** How far a request looks: at what is taken, or at what is claimed, too. */
export type Scope = 'taken' | 'claimed';

/**
 * What is left at one point of the queue: grants and claims take from it, nothing gives back. So
 * what was refused once in a walk through the queue stays refused in it.
 */
export class Ledger {
  private readonly taken = new Counts();
  private readonly claimed = new Counts();
  private readonly takenStreams = new Map<string, number[]>();
  private readonly claimedStreams = new Map<string, number[]>();
  private readonly policyMaxima = new Map<string, number>();
  private readonly choices = new Map<string, number>();
  private lastChosen: number;

  constructor(readonly resources: Resources) {
    const { units } = resources;
    this.lastChosen = Math.max(0, ...[...units.values()].map(({ chosen }) => chosen));
  }

  /** Below zero where a maximum was lowered. */
  slots({ name, jobsMax, jobsActive }: UnitResource): number {
    return jobsMax - jobsActive - this.taken.of(`unit ${name}`);
  }

  /** Whether a drive of its pool takes one more, of a job that allows so many streams on its drive. */
  takesStream(unit: UnitResource, streams: number, scope: Scope): boolean {
    const drives = this.poolOf(unit)?.drives ?? null;
    if (drives === null) return true;
    const own = Math.min(streams, unit.maxStreamsPerDrive);
    return drivesFor([...this.streams(unit, scope), own]) <= drives;
  }

  /** Of each job that writes to the pool of a unit, how many streams it allows on its drive. */
  streams(unit: UnitResource, scope: Scope): readonly number[] {
    const key = poolKey(unit);
    const running = this.resources.poolUse.get(key)?.streams ?? [];
    const claimed = scope === 'claimed' ? (this.claimedStreams.get(key) ?? []) : [];
    return [...running, ...(this.takenStreams.get(key) ?? []), ...claimed];
  }

  /** Bytes up to the high water mark that nobody expects to write. */
  room(unit: UnitResource, scope: Scope): number {
    const all = this.roomAtBest(unit);
    if (all === PLENTY) return PLENTY;
    const key = poolKey(unit);
    const promised = this.resources.poolUse.get(key)?.bytes ?? 0;
    return all - promised - this.used(`room ${key}`, scope);
  }

  /** The room that there would be if all ended that runs. */
  roomAtBest(unit: UnitResource): number {
    const pool = this.poolOf(unit);
    if (pool === undefined || pool.totalBytes === 0 || pool.drives !== null) return PLENTY;
    const kept = Math.ceil((pool.totalBytes * (100 - unit.highWaterPercent)) / 100);
    return pool.freeBytes - kept;
  }

  clientMax(client: string): number {
    return this.resources.clientLimits.get(client) ?? this.resources.clientJobsMax;
  }

  clientSlots(client: string, scope: Scope): number {
    const active = this.resources.clientJobs.get(client) ?? 0;
    return this.clientMax(client) - active - this.used(`client ${client}`, scope);
  }

  /** Backups of a policy that run, or are about to. */
  policyJobs(policy: string, scope: Scope): number {
    return (this.resources.policyJobs.get(policy) ?? 0) + this.used(`policy ${policy}`, scope);
  }

  /**
   * The most that a claim allows of a policy, `Infinity` without one. A request brings its policy's
   * limit with it: one that was asked for before the policy changed may allow less than its successors.
   */
  policyMax(policy: string, scope: Scope): number {
    return scope === 'claimed' ? (this.policyMaxima.get(policy) ?? Infinity) : Infinity;
  }

  /** Clients and policies that something here counts for. */
  get known(): { clients: Set<string>; policies: Set<string> } {
    const { clientJobs, policyJobs } = this.resources;
    const keys = [...this.taken.keys(), ...this.claimed.keys()];
    const named = (kind: string) =>
      keys.filter((key) => key.startsWith(kind)).map((key) => key.slice(kind.length));
    return {
      clients: new Set([...clientJobs.keys(), ...named('client ')]),
      policies: new Set([...policyJobs.keys(), ...named('policy ')]),
    };
  }

  /** When a unit was chosen last; among those of a group the least comes next. */
  chosenAt(unit: UnitResource): number {
    return this.choices.get(unit.name) ?? unit.chosen;
  }

  /** Takes all that a grant is for. */
  take(request: ResourceRequest, unit: UnitResource | undefined): void {
    if (unit !== undefined) {
      this.taken.add(`unit ${unit.name}`, 1);
      this.addStream(this.takenStreams, request, unit);
      this.taken.add(`room ${poolKey(unit)}`, bytesOf(request));
    }
    if (request.purpose !== 'write') return;
    this.count(this.taken, request);
    const group = this.resources.groups.get(request.unit);
    if (unit === undefined || group?.selection !== 'round-robin') return;
    this.lastChosen += 1;
    this.choices.set(unit.name, this.lastChosen);
  }

  /** What has changed of `chosenAt`. */
  get chosen(): ReadonlyMap<string, number> {
    return this.choices;
  }

  /** Keeps slots of its client and its policy for a request, and room and a drive where `unit` is given. */
  claim(request: ResourceRequest, unit: UnitResource | undefined): void {
    if (request.purpose === 'write') {
      this.count(this.claimed, request);
      const { policy, policyJobsMax = Infinity } = request;
      if (policy !== undefined) {
        const max = Math.min(this.policyMax(policy, 'claimed'), policyJobsMax);
        this.policyMaxima.set(policy, max);
      }
    }
    if (unit === undefined) return;
    this.claimed.add(`room ${poolKey(unit)}`, bytesOf(request));
    // Without a slot it could not use the drive that others would then do without.
    if (this.slots(unit) > 0) this.addStream(this.claimedStreams, request, unit);
  }

  private addStream(to: Map<string, number[]>, request: ResourceRequest, unit: UnitResource): void {
    const key = poolKey(unit);
    const allowed = Math.min(needOf(request).streams, unit.maxStreamsPerDrive);
    to.set(key, [...(to.get(key) ?? []), allowed]);
  }

  private poolOf({ mediaId, pool }: UnitResource) {
    return this.resources.servers.get(mediaId)?.pools.get(pool);
  }

  private count(counts: Counts, request: ResourceRequest & { purpose: 'write' }): void {
    counts.add(`client ${request.client}`, 1);
    if (request.policy !== undefined) counts.add(`policy ${request.policy}`, 1);
  }

  private used(key: string, scope: Scope): number {
    return this.taken.of(key) + (scope === 'claimed' ? this.claimed.of(key) : 0);
  }
}

class Counts {
  private readonly counts = new Map<string, number>();

  of(key: string): number {
    return this.counts.get(key) ?? 0;
  }

  add(key: string, count: number): void {
    this.counts.set(key, this.of(key) + count);
  }

  keys(): Iterable<string> {
    return this.counts.keys();
  }
}
