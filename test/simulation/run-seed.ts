import type { Cluster, Settings } from './actors/cluster.js';
import { Weather } from './actors/weather.js';
import { climateOf } from './climate.js';
import { buildCluster } from './build-cluster.js';
import { Invariants } from './checks/invariants.js';
import { whatIsOpen } from './checks/liveness.js';
import { Faults, type FaultRates } from './kernel/faults.js';
import { Violation, World, WORLD_BEGINS_MS } from './kernel/world.js';
import { REAL_RULES, type Rules } from './rules.js';

/** A world made for something, which the seed's own would meet too rarely. */
export interface Setting {
  readonly climate?: FaultRates;
  readonly settings?: Partial<Settings>;
}

/** `safety`: faults to the end, I1 to I7. `liveness`: then they stop, and I8 has to come true. */
export type Mode = 'safety' | 'liveness';

export interface SeedOptions {
  readonly mode: Mode;
  readonly rules?: Rules;
  /** Exactly these faults strike, instead of those that the seed draws. */
  readonly plan?: ReadonlySet<string>;
  readonly traces?: boolean;
  /** Instead of what the seed draws. */
  readonly setting?: Setting;
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
  /** How often what has happened. */
  readonly met: ReadonlyMap<string, number>;
}

const TROUBLE_MS = 300_000;
/** I8 has to come true within this virtual time after the last fault. */
export const HEALING_MS_MAX = 2_700_000;

/** Runs one history to its end or to the first violation. The same arguments give the same history. */
export async function runSeed(seed: string, options: SeedOptions): Promise<SeedResult> {
  const faults = new Faults(seed, options.setting?.climate ?? climateOf(seed), options.plan);
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
  const { steps, history, met } = world;
  for (const name of faults.struck) world.meet(`fault ${name.split('@')[0]}`);
  const virtualMs = world.now - WORLD_BEGINS_MS;
  return {
    ...{ seed, mode: options.mode, violation, faults: faults.struck },
    ...{ steps, virtualMs, history, met },
  };
}

async function live(world: World, options: SeedOptions): Promise<void> {
  const cluster = buildCluster(world, options.rules ?? REAL_RULES, options.setting?.settings);
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

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
