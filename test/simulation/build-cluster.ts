import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { Oracle } from './checks/oracle.js';
import { CatalogProgram } from './actors/catalog/catalog-program.js';
import { Cluster, type PlannedJob, type Settings } from './actors/cluster.js';
import { AgentProgram } from './actors/control/agent-program.js';
import { JobProgram } from './actors/control/job-program.js';
import { KeeperProgram } from './actors/control/keeper-program.js';
import { OperatorProgram } from './actors/control/operator-program.js';
import { ResourceProgram } from './actors/control/resource-program.js';
import { MediaProgram } from './actors/media/media-program.js';
import { Network } from './actors/network.js';
import { TABLES } from './actors/tables.js';
import { Chance } from './kernel/chance.js';
import { Host, type Life } from './kernel/host.js';
import { WORLD_BEGINS_MS, type World } from './kernel/world.js';
import { SimBroker } from './parts/sim-broker.js';
import { SimDatabase } from './parts/sim-database.js';
import { SimDisk } from './parts/sim-disk.js';
import type { Rules } from './rules.js';

const BEGINS_MS_MAX = 30_000;
const DUPLICATES_AFTER_MS = { min: 15_000, max: 90_000 };

/** Hosts with their programs, one broker, one database, and what they are to do: all from the seed. */
export function buildCluster(
  world: World,
  rules: Rules,
  settings: Partial<Settings> = {},
): Cluster {
  const chance = new Chance(`${world.seed} cluster`);
  const broker = new SimBroker(() => world.now);
  for (const spec of STREAMS) broker.ensureStream(spec);
  for (const spec of CONSUMERS) broker.ensureConsumer(spec);
  const database = new SimDatabase(TABLES);
  const pools = poolsOf(chance);
  const disks = new Map([...pools.keys()].map((id) => [id, new SimDisk(() => world.now)]));
  const cluster = new Cluster({
    ...{ world, rules, broker, database, pools, disks, jobs: planJobs(chance) },
    oracle: new Oracle(database),
    settings: {
      deleteGraceMs: chance.pick([5_000, 40_000]),
      trashGraceMs: chance.pick([20_000, 60_000, 400_000]),
      careMs: chance.pick([45_000, 45_000, 150_000]),
      operatorThins: chance.happens(0.3),
      operatorRestMsMax: chance.pick([12_000, 40_000]),
      ...settings,
    },
    network: new Network(world),
  });
  const add = (name: string, boot: (life: Life) => unknown): void => addHost(cluster, name, boot);
  for (let n = 1; n <= chance.between(1, 2); n += 1) {
    add(`catalog-${n}`, (life) => new CatalogProgram(life, cluster));
  }
  for (const [mediaId, disk] of disks) {
    add(mediaId, (life) => {
      cluster.programs.set(mediaId, new MediaProgram(life, cluster, disk));
    });
  }
  add('keeper', (life) => new KeeperProgram(life, cluster));
  add('jobs', (life) => new JobProgram(life, cluster));
  add('resources', (life) => new ResourceProgram(life, cluster));
  add('c1', (life) => new AgentProgram(life, cluster));
  add('operator', (life) => new OperatorProgram(life, cluster));
  return cluster;
}

function addHost(cluster: Cluster, name: string, boot: (life: Life) => unknown): void {
  const host = new Host(cluster.world, {
    name,
    boot,
    onDeath: (how, chance) => {
      cluster.database.disconnect(host.lastLife);
      if (how === 'power') cluster.disks.get(name)?.losePower(chance);
    },
  });
  cluster.hosts.set(name, host);
}

/** One server in the first pool, some in the second. */
function poolsOf(chance: Chance): Map<string, string> {
  const pools = new Map([['media-1', 'first']]);
  for (let n = 2; n <= chance.between(2, 3); n += 1) pools.set(`media-${n}`, 'second');
  return pools;
}

function planJobs(chance: Chance): PlannedJob[] {
  const jobs: PlannedJob[] = [];
  const images = chance.between(1, 2);
  for (let n = 1; n <= images; n += 1) {
    const fragments = chance.between(1, 4);
    const beginsAt = WORLD_BEGINS_MS + chance.between(0, BEGINS_MS_MAX);
    const unit = 'media-1';
    jobs.push({ job: n, type: 'backup', pool: 'first', unit, of: n, fragments, beginsAt });
    jobs.push({
      ...{ job: images + n, type: 'duplicate', pool: 'second', unit, of: n, fragments },
      beginsAt: beginsAt + chance.between(DUPLICATES_AFTER_MS.min, DUPLICATES_AFTER_MS.max),
    });
  }
  return jobs;
}
