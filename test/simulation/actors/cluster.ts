import type { Oracle } from '../checks/oracle.js';
import type { Host, Life } from '../kernel/host.js';
import { WORLD_BEGINS_MS, type World } from '../kernel/world.js';
import type { SimBroker } from '../parts/sim-broker.js';
import type { SimDatabase } from '../parts/sim-database.js';
import type { SimDisk } from '../parts/sim-disk.js';
import type { Rules } from '../rules.js';
import type { SimLedger } from './media/sim-ledger.js';
import type { Network } from './network.js';
import { IMAGE, type ImageRow } from './tables.js';

/** What there is to do. */
export interface PlannedJob {
  readonly job: number;
  readonly type: 'backup' | 'duplicate';
  readonly pool: string;
  /** Of a backup. */
  readonly unit: string;
  /** Of a duplication: the backup whose image it copies. */
  readonly of: number;
  readonly fragments: number;
  readonly beginsAt: number;
}

/** What may be seen of a media server's program from outside: it runs, or is the last that did. */
export interface MediaSight {
  readonly mediaId: string;
  readonly life: Life;
  /** Undefined until it has opened its journal. */
  readonly ledger: SimLedger | undefined;
}

/** Times that differ from seed to seed, in milliseconds. */
export interface Settings {
  /** From the mark to the grant. */
  readonly deleteGraceMs: number;
  readonly trashGraceMs: number;
  /** From one look at what is to be compared to the next. */
  readonly careMs: number;
  /** The longest rest of the person at the command line. */
  readonly operatorRestMsMax: number;
  /** Only ever gives up one copy of images that have several. */
  readonly operatorThins: boolean;
}

export interface ClusterParts {
  readonly world: World;
  readonly rules: Rules;
  readonly oracle: Oracle;
  readonly broker: SimBroker;
  readonly database: SimDatabase;
  readonly network: Network;
  readonly jobs: readonly PlannedJob[];
  readonly settings: Settings;
  /** The pool of each media server. */
  readonly pools: ReadonlyMap<string, string>;
  readonly disks: ReadonlyMap<string, SimDisk>;
}

/** The surroundings that all programs share, and what can be seen of the programs. */
export class Cluster {
  readonly hosts = new Map<string, Host>();
  readonly programs = new Map<string, MediaSight>();
  /** Faults have ended, and nobody asks for anything new. */
  isCalm = false;
  private readonly sightings = new Map<string, number>();

  constructor(private readonly parts: ClusterParts) {}

  get world(): World {
    return this.parts.world;
  }

  get rules(): Rules {
    return this.parts.rules;
  }

  get oracle(): Oracle {
    return this.parts.oracle;
  }

  get broker(): SimBroker {
    return this.parts.broker;
  }

  get database(): SimDatabase {
    return this.parts.database;
  }

  get network(): Network {
    return this.parts.network;
  }

  get jobs(): readonly PlannedJob[] {
    return this.parts.jobs;
  }

  get settings(): Settings {
    return this.parts.settings;
  }

  get disks(): ReadonlyMap<string, SimDisk> {
    return this.parts.disks;
  }

  /** As a list of all images shows them, the oldest first. */
  get images(): ImageRow[] {
    return [...this.database.committed(IMAGE).values()] as ImageRow[];
  }

  start(): void {
    for (const host of this.hosts.values()) host.start();
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
    return this.parts.pools.get(mediaId)!;
  }

  fragmentsOf(job: number): number {
    return this.jobs.find((each) => each.job === job)!.fragments;
  }

  /** As if it had said so itself every few seconds while it could. */
  lastSeenAt(mediaId: string): Date {
    const { now } = this.world;
    const host = this.hosts.get(mediaId)!;
    const isHeard = host.life && host.awakeAt <= now && this.network.reaches(mediaId, 'hub');
    if (isHeard) this.sightings.set(mediaId, now);
    return new Date(this.sightings.get(mediaId) ?? WORLD_BEGINS_MS);
  }

  /** The programs of media servers that are up. */
  mediaPrograms(): MediaSight[] {
    return [...this.programs.values()].filter(({ life }) => !life.isOver);
  }
}
