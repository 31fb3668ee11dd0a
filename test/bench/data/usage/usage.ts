import {
  childrenOf,
  cpuSecondsOf,
  forgetPeak,
  machineCpuSeconds,
  memoryOf,
  treeOf,
} from './process-figures.js';

const SAMPLE_MS = 100;
/** Everything is looked at less often than the data path: reading about many processes takes time. */
const SAMPLES_PER_LOOK_AT_ALL = 5;
const KIB_PER_MIB = 1_024;

/** Who works for a tool beside the commands that we start. */
export interface Servers {
  /** By name. Each stands for all processes below it that have no name of their own here. */
  readonly pids: Readonly<Record<string, number>>;
  /** The names of those that data passes through; none where it passes through the commands. */
  readonly dataPath: readonly string[];
}

export const NO_SERVERS: Servers = { pids: {}, dataPath: [] };

/** What a piece of work took. */
export interface Usage {
  readonly seconds: number;
  /** Of servers and commands together, children that have ended included. */
  readonly cpuSeconds: number;
  /** Of each server, and of `commands`. */
  readonly cpuOf: Readonly<Record<string, number>>;
  /** The most memory that the processes of the data path had resident together. */
  readonly peakMib: number;
  /**
   * The most that all processes together had: what is each one's own, and the largest share of files
   * and of shared memory once, for nearly all of those are the same.
   */
  readonly allPeakMib: number;
  /** CPU that neither the tool nor we have used meanwhile. */
  readonly othersCpuSeconds: number;
}

/**
 * Runs a piece of work and says what it took. Commands are children of this process; nothing else
 * that is one may end meanwhile. CPU time comes in steps of 0.01 s; memory is looked at every 100 ms,
 * peaks of single processes count exactly.
 */
export async function measureUsage(servers: Servers, work: () => Promise<unknown>): Promise<Usage> {
  const processes = new Processes(servers);
  const memory = new MemoryWatch(processes);
  const before = processes.cpu();
  const machineBefore = machineCpuSeconds();
  const ownBefore = process.cpuUsage();
  const begun = performance.now();
  let seconds: number;
  try {
    await work();
  } finally {
    seconds = (performance.now() - begun) / 1_000;
    memory.end();
  }
  const after = processes.cpu();
  const cpuOf = Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - before[name]!]),
  );
  const cpuSeconds = Object.values(cpuOf).reduce((sum, one) => sum + one, 0);
  const own = process.cpuUsage(ownBefore);
  const others = machineCpuSeconds() - machineBefore - cpuSeconds - (own.user + own.system) / 1e6;
  const { peakMib, allPeakMib } = memory;
  return { seconds, cpuSeconds, cpuOf, peakMib, allPeakMib, othersCpuSeconds: Math.max(0, others) };
}

class Processes {
  private readonly named: ReadonlySet<number>;

  constructor(private readonly servers: Servers) {
    this.named = new Set(Object.values(servers.pids));
  }

  /** CPU seconds so far, by name; those of commands that have ended under `commands`. */
  cpu(): Record<string, number> {
    const ofServers = Object.entries(this.servers.pids).map(([name, pid]) => {
      const all = treeOf(pid, this.named).map((each) => cpuSecondsOf(each));
      return [name, all.reduce((sum, { own, endedChildren }) => sum + own + endedChildren, 0)];
    });
    return {
      ...(Object.fromEntries(ofServers) as Record<string, number>),
      commands: cpuSecondsOf(process.pid).endedChildren,
    };
  }

  dataPath(): number[] {
    const { pids, dataPath } = this.servers;
    if (dataPath.length === 0) return this.commands();
    return dataPath.flatMap((name) => treeOf(pids[name]!, this.named));
  }

  all(): number[] {
    const servers = Object.values(this.servers.pids);
    return [...servers.flatMap((pid) => treeOf(pid, this.named)), ...this.commands()];
  }

  private commands(): number[] {
    return childrenOf(process.pid)
      .filter((pid) => !this.named.has(pid))
      .flatMap((pid) => treeOf(pid, this.named));
  }
}

class MemoryWatch {
  private readonly timer: NodeJS.Timeout;
  private samples = 0;
  private peak = 0;
  private allPeak = 0;

  constructor(private readonly processes: Processes) {
    for (const pid of processes.all()) forgetPeak(pid);
    this.look();
    this.timer = setInterval(() => this.look(), SAMPLE_MS);
  }

  end(): void {
    clearInterval(this.timer);
    this.samples = 0;
    this.look();
  }

  get peakMib(): number {
    return this.peak / KIB_PER_MIB;
  }

  get allPeakMib(): number {
    return this.allPeak / KIB_PER_MIB;
  }

  private look(): void {
    const dataPath = this.processes.dataPath().map((pid) => memoryOf(pid));
    const peaks = dataPath.map((one) => one.peak);
    this.peak = Math.max(this.peak, sum(dataPath.map(({ now }) => now)), ...peaks);
    if (this.samples++ % SAMPLES_PER_LOOK_AT_ALL > 0) return;
    const all = this.processes.all().map((pid) => memoryOf(pid));
    const once =
      Math.max(0, ...all.map((one) => one.files)) + Math.max(0, ...all.map((one) => one.shared));
    this.allPeak = Math.max(this.allPeak, sum(all.map(({ anonymous }) => anonymous)) + once);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}
