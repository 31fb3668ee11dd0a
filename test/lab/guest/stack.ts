import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { connect, nkeyAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { Client } from 'pg';

import {
  POSTGRES_DATABASE,
  POSTGRES_SUPERUSER,
} from '../../../apps/standalone/src/servers/postgres-cluster.js';
import type { ClusterFile } from '../../../apps/standalone/src/cluster-file.js';
import { until } from '../../support/until.js';
import type { Sabotage } from '../protocol.js';

export const CLIENT = 'client1';
const DATA_FOLDER = '/run/disk/data';
/** One media server with two pools, and a second one with a third: copies within one, and from one to the other. */
export const POOLS = { first: 'main', near: 'near', far: 'far' } as const;
const SETTINGS = [
  ...['--client', CLIENT],
  ...['--volume', `${POOLS.near}=${DATA_FOLDER}/media/near`],
  ...['--media-server', `media2:${POOLS.far}=${DATA_FOLDER}/media/far`],
];
const READY_MS_MAX = 500_000;
const ANSWER_MS_MAX = 60_000;
/** What else would take minutes to hours. */
const HASTE = {
  HOLDFAST_RETRY_FIRST_MS: '1000',
  HOLDFAST_DELETE_GRACE: '1s',
  HOLDFAST_GRANT_EVERY: '1s',
  HOLDFAST_GRANT_RESEND: '5s',
  HOLDFAST_TRASH_GRACE: '1s',
};
/** A participant that is silent for so long has died; the lab does not wait 30 s for that. */
const SILENCE_MS_MAX = 10_000;

/** A service said no. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** `holdfast up` in the guest, as a person starts it, and ways to talk to it. */
export class Stack {
  private constructor(
    private readonly up: ChildProcess,
    readonly nats: NatsConnection,
    readonly database: Client,
  ) {}

  /** Resolves when everything is ready; throws with the ends of all logs where it does not get there. */
  static async start(sabotage?: Sabotage): Promise<Stack> {
    const before = clusterFile()?.startedAt;
    const up = launch(sabotage);
    // Process ids are the same after each boot: an older file may name this one.
    const isReady = (): boolean => {
      const cluster = clusterFile();
      return cluster?.pid === up.pid && cluster?.startedAt !== before;
    };
    await until(() => hasEnded(up) || isReady(), {
      what: 'holdfast up to be ready',
      ms: READY_MS_MAX,
    });
    if (hasEnded(up)) {
      throw new Error(`holdfast up ended (${up.exitCode ?? up.signalCode}).`);
    }
    const nats = await connectAsOperator();
    const database = new Client({ connectionString: superuserUrl() });
    await database.connect();
    return new Stack(up, nats, database);
  }

  /** Asks an endpoint as an operator does: plain NATS, raw JSON. Throws what the service refuses. */
  async ask<T>(endpoint: string, input: object = {}): Promise<T> {
    const reply = await this.nats.request(`hf.svc.v1.${endpoint}`, JSON.stringify(input), {
      timeout: ANSWER_MS_MAX,
    });
    if (reply.headers?.hasError === true || reply.headers?.has('Nats-Service-Error') === true) {
      throw new Refused(`${endpoint} refused: ${reply.string()}`);
    }
    return reply.json<T>();
  }

  /** Ctrl-C, and waits until all is down. */
  async stop(): Promise<void> {
    await this.database.end();
    await this.nats.close();
    this.up.kill('SIGINT');
    await until(() => hasEnded(this.up), { what: 'holdfast up to end' });
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function launch(sabotage: Sabotage | undefined): ChildProcess {
  const checkout = join(import.meta.dirname, '../../../..');
  const log = openSync('/run/up.log', 'a');
  const hook = sabotage ? ['--import', join(import.meta.dirname, 'sabotage.js')] : [];
  try {
    return spawn(process.execPath, [...hook, join(checkout, 'bin/holdfast'), 'up', ...SETTINGS], {
      cwd: '/run',
      stdio: ['ignore', log, log],
      env: {
        ...process.env,
        HOLDFAST_DATA: DATA_FOLDER,
        HOLDFAST_SILENCE_MS_MAX: String(SILENCE_MS_MAX),
        ...HASTE,
        ...(sabotage ? { HOLDFAST_LAB_SKIP_SYNC: sabotage.skipSyncOf } : {}),
      },
    });
  } finally {
    closeSync(log);
  }
}

function clusterFile(): ClusterFile | undefined {
  const file = join(DATA_FOLDER, 'run/cluster.json');
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ClusterFile;
  } catch {
    return undefined; // an older one, cut short when the power went; the new one replaces it
  }
}

async function connectAsOperator(): Promise<NatsConnection> {
  const seed = readFileSync(join(DATA_FOLDER, 'credentials/operator.nk'));
  return connect({
    servers: clusterFile()!.natsUrl,
    authenticator: nkeyAuthenticator(new Uint8Array(seed.subarray(0, 58))),
    timeout: ANSWER_MS_MAX,
  });
}

function superuserUrl(): string {
  const { postgres } = JSON.parse(readFileSync(join(DATA_FOLDER, 'ports.json'), 'utf8')) as {
    postgres: number;
  };
  const secret = readFileSync(join(DATA_FOLDER, 'credentials/postgres-superuser.password'), 'utf8');
  const url = new URL(`postgres://127.0.0.1:${postgres}/${POSTGRES_DATABASE}`);
  url.username = POSTGRES_SUPERUSER;
  url.password = secret.trim();
  return url.toString();
}

/** The ends of everything that `holdfast up` and its processes have said. */
export function logTails(): string {
  const folder = join(DATA_FOLDER, 'logs');
  const logs = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return ['/run/up.log', ...logs]
    .filter((file) => existsSync(file))
    .map((file) => `\n== ${file}\n${readFileSync(file, 'utf8').split('\n').slice(-15).join('\n')}`)
    .join('');
}
