import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { Chance } from '../kernel/chance.js';
import { Host } from '../kernel/host.js';
import { WORLD_BEGINS_MS, type World } from '../kernel/world.js';
import { Oracle } from '../checks/oracle.js';
import { SimBroker } from '../parts/sim-broker.js';
import { SimDatabase } from '../parts/sim-database.js';
import { SimDisk } from '../parts/sim-disk.js';
import type { Rules } from '../rules.js';
import { CatalogProgram } from './catalog/catalog-program.js';
import { AgentProgram } from './control/agent-program.js';
import { KeeperProgram } from './control/keeper-program.js';
import { JobRunner } from './control/job-runner.js';
import { OperatorProgram } from './control/operator-program.js';
import { MediaProgram } from './media/media-program.js';
import { Network } from './network.js';
import { TABLES } from './tables.js';
import { Weather } from './weather.js';

/** What there is to do. */
export interface PlannedJob {
  readonly job: number;
  readonly type: 'backup' | 'duplicate';
  readonly pool: string;
  /** What a backup makes, what a duplication reads. */
  readonly imageId: string;
  readonly fragments: number;
  readonly beginsAt: number;
}

const BEGINS_MS_MAX = 60_000;
const DUPLICATES_AFTER_MS = 120_000;

/** Hosts with their programs, one broker, one database, and what they are to do: all from the seed. */
export class Cluster {
  readonly broker: SimBroker;
  readonly database = new SimDatabase(TABLES);
  readonly network: Network;
  readonly oracle = new Oracle(this.database);
  readonly hosts = new Map<string, Host>();
  readonly disks = new Map<string, SimDisk>();
  readonly jobs: readonly PlannedJob[];
  /** Faults have ended, and nobody asks for anything new. */
  isCalm = false;
  private readonly pools = new Map<string, string>();
  private readonly programs = new Map<string, MediaProgram>();

  constructor(
    readonly world: World,
    readonly rules: Rules,
  ) {
    const chance = new Chance(`${world.seed} cluster`);
    this.broker = new SimBroker(() => world.now);
    this.network = new Network(world);
    for (const spec of STREAMS) this.broker.ensureStream(spec);
    for (const spec of CONSUMERS) this.broker.ensureConsumer(spec);
    for (let n = 1; n <= chance.between(1, 2); n += 1) {
      this.add(`catalog-${n}`, (life) => new CatalogProgram(life, this));
    }
    this.addServers(chance);
    this.jobs = planJobs(chance);
    this.add('keeper', (life) => new KeeperProgram(life, this));
    this.add('jobs', (life) => new JobRunner(life, this));
    this.add('c1', (life) => new AgentProgram(life, this));
    this.add('operator', (life) => new OperatorProgram(life, this));
  }

  get imageIds(): string[] {
    return this.jobs.filter(({ type }) => type === 'backup').map(({ imageId }) => imageId);
  }

  start(): void {
    for (const host of this.hosts.values()) host.start();
    new Weather(this).start();
  }

  /** Faults end: links are whole, everybody is up and awake. */
  calmDown(): void {
    this.isCalm = true;
    this.world.faults.end();
    this.broker.isAway = false;
    this.database.isAway = false;
    for (const disk of this.disks.values()) disk.isFull = false;
    for (const host of this.hosts.values()) host.thaw();
    this.network.heal();
  }

  poolOf(mediaId: string): string {
    return this.pools.get(mediaId)!;
  }

  serversOf(pool: string): string[] {
    return [...this.pools].filter(([, each]) => each === pool).map(([mediaId]) => mediaId);
  }

  fragmentsOf(job: number): number {
    return this.jobs.find((each) => each.job === job)!.fragments;
  }

  /** The programs of media servers that are up. */
  mediaPrograms(): MediaProgram[] {
    return [...this.programs.values()].filter(({ life }) => !life.isOver);
  }

  private addServers(chance: Chance): void {
    for (let n = 1; n <= chance.between(2, 3); n += 1) {
      const mediaId = `media-${n}`;
      const disk = new SimDisk(() => this.world.now);
      this.disks.set(mediaId, disk);
      this.pools.set(mediaId, n === 1 ? 'first' : 'second');
      this.add(mediaId, (life) => {
        this.programs.set(mediaId, new MediaProgram(life, this, disk));
      });
    }
  }

  private add(name: string, boot: (life: NonNullable<Host['life']>) => unknown): void {
    const host = new Host(this.world, {
      name,
      boot,
      onDeath: (how, chance) => {
        this.database.disconnect(host.lastLife);
        if (how === 'power') this.disks.get(name)?.losePower(chance);
      },
    });
    this.hosts.set(name, host);
  }
}

function planJobs(chance: Chance): PlannedJob[] {
  const jobs: PlannedJob[] = [];
  const images = chance.between(1, 2);
  for (let n = 1; n <= images; n += 1) {
    const fragments = chance.between(1, 3);
    const imageId = `c1_${WORLD_BEGINS_MS / 1_000 + n}`;
    const beginsAt = WORLD_BEGINS_MS + chance.between(0, BEGINS_MS_MAX);
    jobs.push({ job: n, type: 'backup', pool: 'first', imageId, fragments, beginsAt });
    jobs.push({
      ...{ job: images + n, type: 'duplicate', pool: 'second', imageId, fragments },
      beginsAt: beginsAt + chance.between(0, DUPLICATES_AFTER_MS),
    });
  }
  return jobs;
}
