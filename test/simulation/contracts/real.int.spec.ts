import { afterAll, beforeAll } from '@jest/globals';
import { Nats } from '#messaging/connection.js';
import { startNats, type TestNats } from '../../support/nats.js';
import { describeBroker, type BrokerUnderTest } from './describe-broker.js';
import { describeDisk } from './describe-disk.js';
import { folderDisk } from './folder-disk.js';
import { natsBroker, NatsStore } from './nats-broker.js';

let server: TestNats;
let nats: Nats;
let broker: BrokerUnderTest;

beforeAll(async () => {
  server = await startNats();
  nats = await Nats.connect({ ...server.login(), clientName: 'contract' });
  broker = natsBroker(nats, new NatsStore(server));
});

afterAll(async () => {
  await nats.close();
  await server.stop();
});

describeBroker('nats-server', () => broker);
describeDisk('A folder of the file system', folderDisk);
