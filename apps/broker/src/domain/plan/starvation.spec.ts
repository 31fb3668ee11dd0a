import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BrokerModel } from '../../testing/broker-model.js';
import { ENDLESS, NOW, server, unit, write } from '../../testing/sample-resources.js';
import type { WaitingRequest } from '../resource-request.js';
import { CLAIM_AFTER_MS } from './claims.js';

const STEP_MS = 10_000;
const JOB_STEPS_MAX = 12;
const JOB_MS_MAX = JOB_STEPS_MAX * STEP_MS;

/** One step of time; jobs that have run for their time end. */
class Shift {
  readonly broker = new BrokerModel(NOW);
  private readonly ends = new Map<number, number>();

  constructor(setUp: (broker: BrokerModel) => void) {
    setUp(this.broker);
  }

  get passedMs(): number {
    return this.broker.now.getTime() - NOW.getTime();
  }

  /** `steps` says how long each job runs that is granted now. */
  step(requests: readonly WaitingRequest[], steps: (job: number) => number): void {
    const { broker } = this;
    broker.now = new Date(broker.now.getTime() + STEP_MS);
    for (const [id, each] of broker.servers) {
      broker.servers.set(id, { ...each, lastSeenAt: broker.now });
    }
    for (const { grant } of broker.held) broker.renew(grant.job);
    for (const [job, end] of this.ends) if (end <= this.passedMs) broker.release(job);
    for (const request of requests) broker.request(request);
    for (const { job } of broker.evaluate().grants) {
      this.ends.set(job, this.passedMs + steps(job) * STEP_MS);
    }
  }

  waits({ job }: WaitingRequest): boolean {
    return this.broker.queue.some((each) => each.job === job);
  }
}

const HUNDRED = { freeBytes: 100, totalBytes: 100, drives: null };

function twoUnits(broker: BrokerModel): void {
  broker.servers.set('m1', server('m1', { pools: { disk: ENDLESS, small: HUNDRED } }));
  broker.units.set('u', unit('u', { jobsMax: 1 }));
  broker.units.set('v', unit('v', { jobsMax: 1 }));
  broker.clientJobsMax = 1;
}

describe('a job that needs two things which are never free at once', () => {
  /**
   * The unit is given back when the client runs elsewhere, and the other way round: c and d take
   * turns. Unit u and client c are both free now and then, but not together.
   */
  function run(steps: number) {
    const shift = new Shift(twoUnits);
    let victim: WaitingRequest | undefined;
    for (let step = 0; step < steps; step += 1) {
      const jobs =
        step % 2 === 0 ? [write(0, 'u', { client: 'd' })] : [write(0, 'v', { client: 'c' })];
      shift.step(jobs, () => 2);
      if (step === 0) victim = shift.broker.request(write(0, 'u', { client: 'c' }));
    }
    return { shift, victim: victim! };
  }

  it('would wait for ever among others that need one of them', () => {
    const { shift, victim } = run(CLAIM_AFTER_MS / STEP_MS);
    expect(shift.waits(victim)).toBe(true);
  });

  it('has a claim after a while, and then its turn', () => {
    const { shift, victim } = run(CLAIM_AFTER_MS / STEP_MS + 5);
    expect(shift.waits(victim)).toBe(false);
  });
});

describe('a job that needs much room', () => {
  function run(steps: number) {
    const shift = new Shift((broker) => {
      twoUnits(broker);
      broker.units.set('s', unit('s', { pool: 'small', jobsMax: 3 }));
      broker.clientJobsMax = 10;
    });
    const small = () => write(0, 's', { client: 'd', estimatedBytes: 40 });
    shift.step([small()], () => 2);
    const victim = shift.broker.request(write(0, 's', { estimatedBytes: 90 }));
    for (let step = 0; step < steps; step += 1) shift.step([small()], () => 2);
    return { shift, victim };
  }

  it('is passed by small ones, until it has a claim', () => {
    const before = run(CLAIM_AFTER_MS / STEP_MS - 2);
    expect(before.shift.waits(before.victim)).toBe(true);
    const after = run(CLAIM_AFTER_MS / STEP_MS + 4);
    expect(after.shift.waits(after.victim)).toBe(false);
  });
});

describe('a job that wants a drive of its own', () => {
  function run(steps: number) {
    const shift = new Shift((broker) => {
      const tape = { freeBytes: 0, totalBytes: 0, drives: 1 };
      broker.servers.set('m1', server('m1', { pools: { tape } }));
      broker.units.set('t', unit('t', { pool: 'tape', maxStreamsPerDrive: 4 }));
      broker.clientJobsMax = 10;
    });
    const shared = () => write(0, 't', { client: 'd' });
    shift.step([shared()], () => 3);
    const victim = shift.broker.request(write(0, 't', { multiplexing: 1 }));
    for (let step = 0; step < steps; step += 1) shift.step([shared()], () => 3);
    return { shift, victim };
  }

  it('is passed by those that share one, until it has a claim', () => {
    const before = run(CLAIM_AFTER_MS / STEP_MS - 2);
    expect(before.shift.waits(before.victim)).toBe(true);
    const after = run(CLAIM_AFTER_MS / STEP_MS + 5);
    expect(after.shift.waits(after.victim)).toBe(false);
  });
});

const anyName = fc.constantFrom('u', 'v', 's', 'w', 'any', 'turns');
const anyRequest = fc
  .record({
    name: anyName,
    client: fc.constantFrom('c', 'd'),
    estimatedBytes: fc.constantFrom(0, 10, 40, 90),
    policyJobsMax: fc.constantFrom(1, 2),
    policy: fc.constantFrom('p', 'q'),
    priority: fc.constantFrom(0, 5),
  })
  .map(({ name, ...options }) => write(0, name, options));

/** Two units share a small volume, two stand alone, and two groups hold some of them. */
function anyCluster(broker: BrokerModel): void {
  twoUnits(broker);
  broker.units.set('s', unit('s', { pool: 'small', jobsMax: 2 }));
  broker.units.set('w', unit('w', { pool: 'small', jobsMax: 1 }));
  const group = { name: 'any', units: ['w', 'u'], selection: 'prioritized' as const };
  broker.groups.set('any', group);
  broker.groups.set('turns', { name: 'turns', units: ['s', 'v'], selection: 'round-robin' });
  broker.clientJobsMax = 2;
}

describe('any job that others could be in the way of', () => {
  it('gets what it needs soon after it has a claim, whatever comes with its priority or a lower one', () => {
    fc.assert(
      fc.property(
        anyRequest,
        fc.array(anyRequest, { minLength: 1, maxLength: 40, size: 'max' }),
        fc.array(fc.integer({ min: 1, max: JOB_STEPS_MAX }), {
          minLength: 1,
          maxLength: 20,
          size: 'max',
        }),
        (wish, others, lengths) => {
          const shift = new Shift(anyCluster);
          const lasts = (job: number) => lengths[job % lengths.length]!;
          shift.step(others.slice(0, 6), lasts);
          // Who waits by now came before it; what is told here is about those that come later.
          shift.broker.queue = [];
          const victim = shift.broker.request({ ...wish, priority: 5 });
          const begin = shift.passedMs;
          for (let next = 0; shift.waits(victim); next += 2) {
            const come = [others[next % others.length]!, others[(next + 1) % others.length]!];
            shift.step(come, lasts);
            // Claim; then its limits, then the room, then a slot: each within the longest job.
            const longestMs = CLAIM_AFTER_MS + 3 * (JOB_MS_MAX + STEP_MS);
            expect(shift.passedMs - begin).toBeLessThanOrEqual(longestMs);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('keeps nobody of other clients from what it cannot use itself', () => {
    const shift = new Shift(twoUnits);
    const long = () => 1_000;
    shift.step([write(0, 'v', { client: 'c' })], long);
    const victim = shift.broker.request(write(0, 'u', { client: 'c' }));
    shift.broker.now = new Date(NOW.getTime() + CLAIM_AFTER_MS + STEP_MS);
    shift.broker.renew(1);
    shift.step([write(0, 'u', { client: 'd' })], long);
    expect(shift.waits(victim)).toBe(true);
    expect(shift.broker.held.map(({ grant }) => grant.client)).toEqual(['c', 'd']);
  });

  it('has no claim while it waits for a pool without a drive, which no job will give back', () => {
    const shift = new Shift((broker) => {
      twoUnits(broker);
      const tape = { freeBytes: 0, totalBytes: 0, drives: 0 };
      broker.servers.set('m2', server('m2', { pools: { tape } }));
      broker.units.set('t', unit('t', { mediaId: 'm2', pool: 'tape' }));
    });
    const waits = shift.broker.request(write(0, 't', { client: 'c' }));
    expect(shift.broker.evaluate().waits).toMatchObject([
      { wait: 'drive-busy', reason: 'pool tape on m2 has no drive' },
    ]);
    shift.broker.now = new Date(NOW.getTime() + CLAIM_AFTER_MS + STEP_MS);
    shift.step([write(0, 'u', { client: 'c' })], () => 2);
    expect(shift.waits(waits)).toBe(true);
    expect(shift.broker.held.map(({ grant }) => grant.place.unit)).toEqual(['u']);
  });
});
