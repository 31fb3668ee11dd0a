import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Controller } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { z } from 'zod';
import { endpoint, type RequestOf } from '#contracts/contract.js';
import { settingsEndpoint, settingsPutEndpoint } from '#contracts/settings/settings.js';
import { Unavailable } from '#kernel/errors.js';
import { Answers } from '#messaging/answers.js';
import { Nats } from '#messaging/connection.js';
import { Requests } from '#messaging/requests.js';
import { OUTBOX_TABLES } from '#outbox/tables.js';
import { until } from '../../../../test/support/until.js';
import { startNats, type TestNats } from '../../../../test/support/nats.js';
import { startPostgres, type TestPostgres } from '../../../../test/support/postgres.js';
import { removeFolder, temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { startService, type RunningService } from '../run-service.js';
import type { ServiceDefinition } from '../service-definition.js';
import { settingFacts } from './setting-facts.js';
import { SETTINGS_TABLE } from './settings-table.js';

const config = z.object({
  DEMO_TRIES: z.coerce
    .number()
    .int()
    .min(1)
    .max(10)
    .default(2)
    .register(settingFacts, {
      ...{ name: 'demo.tries', unit: 'tries', description: 'd', settable: true },
    }),
});
type Config = z.output<typeof config>;

/** What every replica reads where it uses the value. */
const tries = endpoint('demo', 'tries', {
  description: 'Says what it goes by',
  allAnswer: true,
  request: z.object({}),
  response: z.object({ tries: z.int() }),
});

class DemoTables1700000000000 {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(OUTBOX_TABLES + SETTINGS_TABLE);
  }
  async down(): Promise<void> {}
}

class DemoModule {}

const definition: ServiceDefinition<typeof config> = {
  name: 'demo',
  description: 'A service for this test',
  config,
  owns: { schema: 'demo', entities: [], migrations: [DemoTables1700000000000] },
  module: (values) => ({ module: DemoModule, controllers: [handlersWith(values)] }),
};

function handlersWith(values: Config) {
  @Controller()
  class DemoHandlers {
    @Answers(tries)
    async tries(_request: RequestOf<typeof tries>) {
      return { tries: values.DEMO_TRIES };
    }
  }
  return DemoHandlers;
}

let server: TestNats;
let postgres: TestPostgres;
let nats: Nats;
let requests: Requests;
let folder: string;
let seedFile: string;
const replicas: RunningService[] = [];

const start = async (environment = {}) => {
  const { url, user } = server.login();
  const service = await startService(definition, {
    HOLDFAST_NATS_URL: url,
    HOLDFAST_NATS_USER: user,
    HOLDFAST_NATS_SEED_FILE: seedFile,
    HOLDFAST_DATABASE_URL: postgres.url,
    HOLDFAST_DATABASE_CONNECTIONS_MAX: '2',
    ...environment,
  });
  replicas.push(service);
};

const stopAll = async () => {
  for (const replica of replicas.splice(0)) await replica.stop();
};

beforeAll(async () => {
  [server, postgres] = await Promise.all([startNats(), startPostgres()]);
  folder = await temporaryFolder();
  seedFile = join(folder, 'test.nk');
  writeFileSync(seedFile, server.login().seed);
  nats = await Nats.connect({ ...server.login(), clientName: 'spec' });
  requests = new Requests(nats);
});

afterAll(async () => {
  await stopAll();
  await nats?.close();
  await Promise.all([server?.stop(), postgres?.stop()]);
  if (folder) await removeFolder(folder);
});

const put = (value: number | string | null) =>
  requests.call(settingsPutEndpoint('demo'), { name: 'demo.tries', value });
/** What so many replicas say: all of them, however long that takes on a busy machine. */
const inUse = async (replicas: number) => {
  const ask = async () => (await requests.callAll(tries, {}, 150)).map((answer) => answer.tries);
  const isAll = (answers: number[]) => (answers.length === replicas ? answers : undefined);
  return (await until(async () => isAll(await ask()), { what: 'all replicas to answer' })).sort();
};

it('what is set holds in every replica within seconds, after a restart too, until it is taken back', async () => {
  await start({ DEMO_TRIES: '3' });
  await start({ DEMO_TRIES: '3' });
  expect(await inUse(2)).toEqual([3, 3]);
  expect((await put(5)).setting).toMatchObject({ value: 5, source: 'set', unset: 3 });
  await until(async () => (await inUse(2)).join() === '5,5', { what: 'both to go by it' });
  await expect(put(11)).rejects.toThrow('demo.tries is a whole number from 1 to 10, not "11".');
  await stopAll();
  await start({ DEMO_TRIES: '3' });
  expect(await inUse(1)).toEqual([5]);
  const { settings } = await requests.call(settingsEndpoint('demo'), {});
  expect(settings).toMatchObject([{ name: 'demo.tries', value: 5, source: 'set' }]);
  expect((await put(null)).setting).toMatchObject({ value: 3, source: 'environment' });
  expect(await inUse(1)).toEqual([3]);
});

it('cannot be set while the database is away, which is said, and can once it is back', async () => {
  expect(await inUse(1)).toEqual([3]);
  await postgres.crash();
  const refused = put(4);
  await expect(refused).rejects.toBeInstanceOf(Unavailable);
  await expect(refused).rejects.toMatchObject({
    status: 220,
    message: expect.stringContaining('The database is away or busy; try again.'),
  });
  await postgres.restart();
  expect((await put(4)).setting).toMatchObject({ value: 4, source: 'set' });
});
