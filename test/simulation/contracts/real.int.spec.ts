import { afterAll, beforeAll } from '@jest/globals';
import { Nats } from '#messaging/connection.js';
import { startPostgres, type TestPostgres } from '../../support/postgres.js';
import { startNats, type TestNats } from '../../support/nats.js';
import { describeBroker, type BrokerUnderTest } from './describe-broker.js';
import { CONTRACT_TABLES, describeDatabase } from './describe-database.js';
import { describeDisk } from './describe-disk.js';
import { folderDisk } from './folder-disk.js';
import { natsBroker, NatsStore } from './nats-broker.js';
import { PostgresDatabase } from './postgres-database.js';

let server: TestNats;
let nats: Nats;
let broker: BrokerUnderTest;
let postgres: TestPostgres;
let database: PostgresDatabase;

beforeAll(async () => {
  server = await startNats();
  nats = await Nats.connect({ ...server.login(), clientName: 'contract' });
  postgres = await startPostgres();
  database = await PostgresDatabase.make(postgres, CONTRACT_TABLES);
  broker = natsBroker(nats, new NatsStore(server));
});

afterAll(async () => {
  await nats.close();
  await server.stop();
  await postgres.stop();
});

describeBroker('nats-server', () => broker);
describeDisk('A folder of the file system', folderDisk);
describeDatabase('PostgreSQL', () => database);
