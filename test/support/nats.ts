import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { connect, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';

import { createCredential, type Credential } from '#messaging/credentials.js';
import { checkoutFolder, serverCache } from '../../apps/standalone/src/servers/checkout-folder.js';
import { freePort } from '../../apps/standalone/src/servers/free-port.js';
import { findOrFetchNatsServer } from '../../apps/standalone/src/servers/nats-binary.js';
import {
  type RunningNats,
  startNatsServer,
} from '../../apps/standalone/src/servers/nats-server.js';
import type { NatsUserPlan } from '../../apps/standalone/src/servers/nats-users.js';
import { temporaryFolder } from './temporary-folder.js';

/** What `Nats.connect` takes, but for the client's name. */
export interface TestNatsLogin {
  readonly url: string;
  readonly user: string;
  readonly seed: string;
}

/** A real nats-server with the shipped settings, on a port and in a folder of its own. */
export interface TestNats {
  readonly url: string;
  readonly port: number;
  /** Its log, for a test that failed. */
  readonly logFile: string;
  /** How to log in as a user. Without a name: as `test`, or the first of the users asked for. */
  login(user?: string): TestNatsLogin;
  /** A plain connection as that user, closed by `stop`. Replies go to `_INBOX.>`. */
  connect(user?: string): Promise<NatsConnection>;
  /** SIGKILL, as a power cut for the process; what it has stored stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port, after `kill`. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export interface TestNatsOptions {
  /** Default: one user, `test`, who may do everything. */
  readonly users?: readonly NatsUserPlan[];
}

const EVERYTHING: NatsUserPlan = {
  name: 'test',
  permissions: { publish: ['>'], subscribe: ['>'] },
  responds: true,
};

/** Starts one, in about 50 ms. Call `stop` in `afterAll`; it dies with the test process anyway. */
export async function startNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const users = options.users ?? [EVERYTHING];
  const keys = new Map(users.map(({ name }) => [name, createCredential()]));
  const folder = await temporaryFolder();
  const port = await freePort();
  const logFile = join(folder, 'nats-server.log');
  const connections: NatsConnection[] = [];
  const start = (): Promise<RunningNats> => startIn(folder, { port, logFile, users, keys });
  let running = await start();

  const login = (user = users[0]?.name ?? ''): TestNatsLogin => ({
    url: running.url,
    user,
    seed: credentialOf(keys, user).seed,
  });
  return {
    url: running.url,
    port,
    logFile,
    login,
    async connect(user) {
      const authenticator = nkeyAuthenticator(new TextEncoder().encode(login(user).seed));
      const connection = await connect({ servers: running.url, authenticator });
      connections.push(connection);
      return connection;
    },
    kill: () => running.process.kill(),
    async restart() {
      running = await start();
    },
    async stop() {
      await Promise.all(connections.map((connection) => connection.close()));
      await running.process.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startIn(
  folder: string,
  plan: {
    port: number;
    logFile: string;
    users: readonly NatsUserPlan[];
    keys: ReadonlyMap<string, Credential>;
  },
): Promise<RunningNats> {
  const { env } = process;
  return startNatsServer({
    binary: await findOrFetchNatsServer({ env, cache: serverCache(checkoutFolder(), env) }),
    configuration: join(checkoutFolder(), 'deploy/nats/nats-server.conf'),
    folder: join(folder, 'nats'),
    port: plan.port,
    users: plan.users.map((user) => ({
      ...user,
      nkeyPublic: credentialOf(plan.keys, user.name).publicKey,
    })),
    systemKey: createCredential().publicKey,
    logFile: plan.logFile,
    pidFile: join(folder, 'nats-server.pid'),
  });
}

function credentialOf(keys: ReadonlyMap<string, Credential>, user: string): Credential {
  const found = keys.get(user);
  if (found === undefined) {
    throw new Error(`This test's nats-server has no user "${user}".`);
  }
  return found;
}
