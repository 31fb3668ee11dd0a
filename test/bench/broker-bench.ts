import type { DataSource } from 'typeorm';
import { brokerAllocate, type HostHeartbeat } from '#contracts/broker.js';
import type { RequestOf } from '#contracts/contract.js';
import { SystemClock } from '#kernel/clock.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { openDatabase } from '#service/database.js';
import { Allocator } from '../../apps/broker/src/allocator.js';
import { brokerConfig, BrokerConfig } from '../../apps/broker/src/config.js';
import { ConfigurationChanges } from '../../apps/broker/src/configuration-changes.js';
import { brokerSchema } from '../../apps/broker/src/persistence/broker-schema.js';
import { Hosts } from '../../apps/broker/src/persistence/hosts.js';
import { startPostgres } from '../support/postgres.js';
import { atMost, below, measurement, median, type Measurement } from './measurement.js';

const JOBS = 10_000;
const ASKING_AT_ONCE = 64;
const CLIENTS = 1_000;
const POLICIES = 100;
const UNITS = 20;
const JOBS_PER_UNIT = 5;
const GRANTS = 500;
const MIB = 1024 * 1024;

type Request = RequestOf<typeof brokerAllocate>;

/** How the broker does with 10,000 jobs in its queue, on a real PostgreSQL that syncs. */
export async function brokerBench(): Promise<Measurement[]> {
  const postgres = await startPostgres();
  const connection = { HOLDFAST_DATABASE_URL: postgres.url, HOLDFAST_DATABASE_CONNECTIONS_MAX: 6 };
  const database = await openDatabase(connection, brokerSchema);
  try {
    const clock = new SystemClock();
    const config = new BrokerConfig(brokerConfig.parse({}));
    const unitOfWork = new UnitOfWork(database, clock, 'broker');
    const allocator = new Allocator(database, unitOfWork, clock, config);
    await prepare(database, allocator);
    const before = residentMib();
    const perSecond = await askAll(allocator);
    const grants = await grantTimes(database, allocator);
    const after = residentMib();
    return [
      measurement(
        { measure: `allocations asked for until ${JOBS} wait`, unit: '/s', ours: perSecond },
        { text: 'at least 500 /s', reached: (ours) => ours >= 500 },
      ),
      measurement(
        { measure: 'resources free to the next one granted, median', unit: 'ms', ours: grants },
        below(50, 'ms'),
      ),
      measurement(
        {
          measure: 'memory that the process has gained by then',
          unit: 'MiB',
          ours: after - before,
        },
        atMost(100, 'MiB'),
      ),
    ];
  } finally {
    await database.destroy();
    await postgres.stop();
  }
}

/** Media servers, units that are all in one group too, clients; one unit is there for everybody. */
async function prepare(database: DataSource, allocator: Allocator): Promise<void> {
  const changes = new ConfigurationChanges(allocator);
  const hosts = new Hosts(database.manager);
  const size = { freeBytes: 2 ** 41, totalBytes: 2 ** 42 };
  for (let unit = 0; unit < UNITS; unit += 1) {
    const id = `m${unit}`;
    const address = { host: '127.0.0.1', port: 4_000 };
    const volumes = [{ pool: 'main', path: '/data', ...size }];
    const beat: HostHeartbeat = { role: 'media', id, host: id, version: '1', address, volumes };
    await hosts.mediaSeen(beat, new Date(Date.now() + 3_600_000));
    await changes.putUnit({
      ...{ name: `u${unit}`, mediaId: id, pool: 'main', jobsMax: JOBS_PER_UNIT },
      ...{ fragmentBytesMax: 2 ** 30, highWaterPercent: 98, lowWaterPercent: 80 },
      onDemandOnly: false,
      maxStreamsPerDrive: 1,
    });
  }
  const units = Array.from({ length: UNITS }, (_, unit) => `u${unit}`);
  await changes.putGroup({ name: 'all', units, selection: 'load-balance' });
  await database.query(
    `INSERT INTO client SELECT 'c' || n, 'h', '1', now() FROM generate_series(0, $1 - 1) AS n`,
    [CLIENTS],
  );
}

function requestOf(job: number): Request {
  return {
    ...{ purpose: 'write', job, attempt: 1, client: `c${job % CLIENTS}`, priority: job % 3 },
    unit: job % 4 === 0 ? 'all' : `u${job % UNITS}`,
    ...{ policy: `p${job % POLICIES}`, policyJobsMax: 4, estimatedBytes: MIB },
  };
}

/** Jobs per second. */
async function askAll(allocator: Allocator): Promise<number> {
  const begin = performance.now();
  let next = 1;
  const ask = async () => {
    while (next <= JOBS) await allocator.allocate(requestOf(next++));
  };
  await Promise.all(Array.from({ length: ASKING_AT_ONCE }, ask));
  return (1_000 * JOBS) / (performance.now() - begin);
}

/** From a release to the commit of the grant that it makes possible. */
async function grantTimes(database: DataSource, allocator: Allocator): Promise<number> {
  const times: number[] = [];
  for (let grant = 0; grant < GRANTS; grant += 1) {
    const [held]: { job: string }[] = await database.query(
      'SELECT job FROM allocation ORDER BY granted_at, job LIMIT 1',
    );
    const begin = performance.now();
    await allocator.release({ job: Number(held!.job), attempt: 1 });
    times.push(performance.now() - begin);
  }
  const [{ count }]: [{ count: string }] = await database.query('SELECT count(*) FROM waiting');
  const most = JOBS - UNITS * JOBS_PER_UNIT - GRANTS;
  if (Number(count) !== most) throw new Error(`${count} wait, not ${most}: slots stay free.`);
  return median(times);
}

function residentMib(): number {
  return process.memoryUsage.rss() / MIB;
}
