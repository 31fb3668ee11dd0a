import type { Cluster } from './actors/cluster.js';
import { Weather } from './actors/weather.js';
import { buildCluster } from './build-cluster.js';
import { Invariants } from './checks/invariants.js';
import { whatIsOpen } from './checks/liveness.js';
import { Chance } from './kernel/chance.js';
import { FAULT_KINDS, Faults, type FaultKind, type FaultRates } from './kernel/faults.js';
import { Violation, World, WORLD_BEGINS_MS } from './kernel/world.js';
import { REAL_RULES, type Rules } from './rules.js';

/** `safety`: faults to the end, I1 to I7. `liveness`: then they stop, and I8 has to come true. */
export type Mode = 'safety' | 'liveness';

export interface SeedOptions {
  readonly mode: Mode;
  readonly rules?: Rules;
  /** Exactly these faults strike, instead of those that the seed draws. */
  readonly plan?: ReadonlySet<string>;
  readonly traces?: boolean;
  /** Is shown the cluster as it is at the end. */
  readonly onEnd?: (cluster: Cluster) => void;
}

export interface SeedResult {
  readonly seed: string;
  readonly mode: Mode;
  readonly violation: Violation | undefined;
  /** The faults that struck, by name. */
  readonly faults: readonly string[];
  readonly steps: number;
  readonly virtualMs: number;
  readonly history: readonly string[];
}

const TROUBLE_MS = 300_000;
/** I8 has to come true within this virtual time after the last fault. */
export const HEALING_MS_MAX = 1_800_000;

/** How often each fault strikes at its chance, before the seed turns it up, down or off. */
const RATES: Readonly<Record<FaultKind, number>> = {
  kill: 0.001,
  power: 0.001,
  freeze: 0.0005,
  'write-error': 0.003,
  'disk-full': 0.02,
  'request-lost': 0.03,
  'answer-lost': 0.03,
  'request-doubled': 0.03,
  slow: 0.02,
  cut: 0.04,
  redeliver: 0.05,
  shuffle: 0.1,
  'ack-lost': 0.05,
  forget: 0.03,
  rewind: 0.03,
  'stream-gone': 0.005,
  'consumer-gone': 0.03,
  'broker-down': 0.03,
  'commit-unknown': 0.03,
  'statement-fails': 0.03,
  'database-down': 0.03,
  'database-back': 0,
};
/** Of the kinds of faults each seed has about this many, so that some are met without the others. */
const KINDS_SHARE = 0.6;

/** Runs one history to its end or to the first violation. The same arguments give the same history. */
export async function runSeed(seed: string, options: SeedOptions): Promise<SeedResult> {
  const faults = new Faults(seed, ratesOf(seed), options.plan);
  const world = new World(seed, faults, { traces: options.traces ?? false });
  let violation: Violation | undefined;
  // Errors that are thrown as a matter of course need no stack, which takes long to make.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = options.traces ? stackTraceLimit : 0;
  try {
    await live(world, options);
  } catch (error) {
    violation = error instanceof Violation ? error : new Violation('no bug', stackOf(error));
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  // Timers and workers of whoever runs this have their turn.
  await new Promise((resolve) => setImmediate(resolve));
  const { steps, history } = world;
  const virtualMs = world.now - WORLD_BEGINS_MS;
  return { seed, mode: options.mode, violation, faults: faults.struck, steps, virtualMs, history };
}

async function live(world: World, options: SeedOptions): Promise<void> {
  const cluster = buildCluster(world, options.rules ?? REAL_RULES);
  try {
    await trouble(world, cluster, options.mode);
  } finally {
    options.onEnd?.(cluster);
  }
}

async function trouble(world: World, cluster: Cluster, mode: Mode): Promise<void> {
  const invariants = new Invariants(cluster);
  const check = (): void => invariants.check();
  cluster.start();
  new Weather(cluster).start();
  await world.run({ atMs: WORLD_BEGINS_MS + TROUBLE_MS, isOver: () => false }, check);
  if (mode === 'safety') return;
  cluster.calmDown();
  const isQuiet = (): boolean => world.steps % 64 === 0 && whatIsOpen(cluster).length === 0;
  await world.run({ atMs: world.now + HEALING_MS_MAX, isOver: isQuiet }, check);
  const open = whatIsOpen(cluster);
  if (open.length > 0) throw new Violation('I8 live', open.join('; '));
}

function ratesOf(seed: string): FaultRates {
  const chance = new Chance(`${seed} rates`);
  return Object.fromEntries(
    FAULT_KINDS.map((kind) => {
      const isMet = chance.happens(KINDS_SHARE);
      const strength = 3 ** (2 * chance.next() - 1);
      return [kind, isMet ? RATES[kind] * strength : 0];
    }),
  );
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
