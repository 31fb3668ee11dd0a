import type { DataSource } from 'typeorm';
import { policyDue, policySpec } from '#contracts/policy.js';
import { openDatabase } from '#service/database.js';
import { Agendas } from '../../apps/policy/src/agendas.js';
import { policyConfig, PolicyConfig } from '../../apps/policy/src/config.js';
import { duePage } from '../../apps/policy/src/domain/due/due-page.js';
import { policySchema } from '../../apps/policy/src/persistence/policy-schema.js';
import { PolicyPlans } from '../../apps/policy/src/policy-plans.js';
import { startPostgres } from '../support/postgres.js';
import { below, measurement, median, type Measurement } from './measurement.js';

const POLICIES = 1_000;
const CLIENTS_PER_POLICY = 100;
const PAGE_ROWS = 1_000;
const ROUNDS = 7;

/** Nights in four zones, one of them with holidays. */
const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'];

/** The due list of 100,000 clients in 1,000 policies, as `policy.due` answers its first page. */
export async function dueBench(): Promise<Measurement[]> {
  const postgres = await startPostgres();
  const database = await openDatabase(
    { HOLDFAST_DATABASE_URL: postgres.url, HOLDFAST_DATABASE_CONNECTIONS_MAX: 2 },
    policySchema,
  );
  try {
    await fill(database);
    const config = new PolicyConfig(policyConfig.parse({}));
    const cold = await measure(new Agendas(database, new PolicyPlans(), config));
    const agendas = new Agendas(database, new PolicyPlans(), config);
    const rounds = [];
    for (let round = 0; round < ROUNDS; round += 1) rounds.push(await measure(agendas));
    const clients = POLICIES * CLIENTS_PER_POLICY;
    const what = `due list of ${clients} clients in ${POLICIES} policies, page of ${PAGE_ROWS}`;
    const cpu = median(rounds.map((round) => round.cpu));
    const wall = median(rounds.map((round) => round.wall));
    return [
      measurement({ measure: `${what}, CPU`, unit: 's', ours: cpu }, below(1, 's')),
      measurement(
        { measure: `${what}, from asking to answer`, unit: 's', ours: wall },
        below(1, 's'),
      ),
      measurement(
        { measure: 'the same just after a start, CPU', unit: 's', ours: cold.cpu },
        below(2, 's'),
      ),
    ];
  } finally {
    await database.destroy();
    await postgres.stop();
  }
}

async function measure(agendas: Agendas): Promise<{ cpu: number; wall: number }> {
  const [begun, cpuBegun] = [performance.now(), process.cpuUsage()];
  const asked = new Date();
  const entries = await agendas.read({ asked });
  const page = duePage(entries, { by: undefined, limit: PAGE_ROWS, asked });
  JSON.stringify(policyDue.response.parse(page));
  const { user, system } = process.cpuUsage(cpuBegun);
  if (page.total !== POLICIES * CLIENTS_PER_POLICY) throw new Error(`${page.total} entries`);
  return { cpu: (user + system) / 1e6, wall: (performance.now() - begun) / 1_000 };
}

async function fill(database: DataSource): Promise<void> {
  const specs = Array.from({ length: POLICIES }, (_, i) =>
    policySpec.parse({
      name: `policy-${i}`,
      clients: Array.from(
        { length: CLIENTS_PER_POLICY },
        (__, j) => `client-${i}-${j}.example.com`,
      ),
      selections: ['/etc', '/srv', '/home'],
      timeZone: ZONES[i % ZONES.length],
      schedules: [
        {
          ...{ name: 'nightly', type: 'full', frequency: '1d' },
          windows: [
            { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '20:00', for: '10h' },
            { days: ['sat', 'sun'], from: '12:00', for: '18h' },
          ],
          ...(i % 4 === 0 ? { exclude: { dates: ['2026-12-24', '2026-12-31'] } } : {}),
        },
      ],
    }),
  );
  await database.query(
    `INSERT INTO policy (name, spec, created_at, changed_at)
     SELECT spec->>'name', spec, now() - interval '1 year', now()
     FROM jsonb_array_elements($1::jsonb) AS spec`,
    [JSON.stringify(specs)],
  );
  // Most have run within the last day, one in fifty failed since, one in twenty runs now.
  await database.query(
    `INSERT INTO history (policy, schedule, client, known_since, last_good_job, last_good_at,
       last_good_planned_at, failures, last_ended_job)
     SELECT name, 'nightly', client, now() - interval '1 year', n, at, at,
       CASE WHEN n % 50 = 0 THEN jsonb_build_array(jsonb_build_object('job', n + 1000000,
         'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'status', 58))
       ELSE '[]' END, n
     FROM (SELECT name, client, n, now() - (n % 1440) * interval '1 minute' AS at
       FROM (SELECT name, client, row_number() OVER () AS n
         FROM policy, jsonb_array_elements_text(spec->'clients') AS client) AS rows) AS runs`,
  );
  await database.query(
    `INSERT INTO running_job (job, policy, schedule, client, heard_at)
     SELECT last_good_job + 2000000, policy, schedule, client, now() FROM history
     WHERE last_good_job % 20 = 0`,
  );
  await database.query('ANALYZE');
}
