import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { ServerBinary } from './server-binary.js';
import { type NatsUser, renderNatsUsers } from './nats-users.js';
import {
  logTail,
  startSupervised,
  type StopStep,
  type SupervisedProcess,
} from './process-supervision.js';
import { rotateLog } from './system/log-file.js';

export interface NatsServerPlan {
  readonly binary: ServerBinary;
  /** The shipped configuration: `deploy/nats/nats-server.conf`. */
  readonly configuration: string;
  /** Holds the generated files and JetStream's; made (0700) where it is missing. */
  readonly folder: string;
  readonly port: number;
  readonly users: readonly NatsUser[];
  /** The public nkey of the one user of the system account. */
  readonly systemKey: string;
  readonly logFile: string;
  readonly pidFile: string;
}

export interface RunningNats {
  readonly url: string;
  readonly port: number;
  readonly process: SupervisedProcess;
}

export const NATS_USERS_FILE = 'users.conf';

/** It writes its state within moments; after this something hangs. */
export const NATS_STOP_STEPS: readonly StopStep[] = [{ signal: 'SIGINT', waitMs: 10_000 }];

const READY_MS_MAX = 30_000;
const POLL_MS = 5;

/**
 * Starts nats-server on 127.0.0.1 and resolves when it takes connections, which it does when
 * JetStream has recovered. Throws `PermanentError` with the end of its log where it ends instead.
 */
export async function startNatsServer(plan: NatsServerPlan): Promise<RunningNats> {
  const configuration = writeConfiguration(plan);
  rotateLog(plan.logFile);
  // The name is how we know that whoever answers on the port is the server we started.
  const name = `holdfast-${process.pid}-${plan.port}`;
  const server = await startSupervised({
    name: 'nats-server',
    command: plan.binary.path,
    args: [
      ...['--config', configuration, '--addr', '127.0.0.1', '--port', String(plan.port)],
      ...['--name', name],
    ],
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    deathSignal: 'SIGINT',
    stopSteps: NATS_STOP_STEPS,
    pidFile: plan.pidFile,
    logFile: plan.logFile,
  });
  await untilReady(plan, server, name);
  return { url: `nats://127.0.0.1:${plan.port}`, port: plan.port, process: server };
}

function writeConfiguration(plan: NatsServerPlan): string {
  if (!existsSync(plan.configuration)) {
    throw new PermanentError(
      STATUS.fileOpenFailed,
      `${plan.configuration} is missing: is the checkout complete?`,
    );
  }
  mkdirSync(plan.folder, { recursive: true, mode: 0o700 });
  const file = join(plan.folder, 'nats-server.conf');
  // nats-server takes the folder from the file or from the command line, not from both.
  const shipped = readFileSync(plan.configuration, 'utf8');
  const store = JSON.stringify(join(plan.folder, 'store'));
  writeFileSync(
    file,
    shipped.replace(/store_dir: "[^"]*"/, () => `store_dir: ${store}`),
  );
  writeNatsUsers(plan);
  return file;
}

/** Writes `users.conf`: whom the server lets in, and what each may say and hear. Returns its path. */
export function writeNatsUsers(
  plan: Pick<NatsServerPlan, 'folder' | 'users' | 'systemKey'>,
): string {
  mkdirSync(plan.folder, { recursive: true, mode: 0o700 });
  const file = join(plan.folder, NATS_USERS_FILE);
  writeFileSync(file, renderNatsUsers(plan.users, plan.systemKey), { mode: 0o600 });
  return file;
}

async function untilReady(
  plan: NatsServerPlan,
  server: SupervisedProcess,
  name: string,
): Promise<void> {
  for (let waited = 0; waited < READY_MS_MAX; waited += POLL_MS) {
    if (server.hasExited) {
      throw new PermanentError(
        STATUS.cannotConnect,
        `nats-server ended at its start (${await server.exited}). It said:\n${logTail(plan.logFile)}`,
      );
    }
    if ((await greeting(plan.port)).includes(`"server_name":"${name}"`)) {
      return;
    }
    await sleep(POLL_MS);
  }
  await server.kill();
  throw new PermanentError(
    STATUS.cannotConnect,
    `nats-server was not ready within ${READY_MS_MAX / 1000} s.`,
  );
}

/** The INFO line that a NATS server greets with; empty where nobody answers. */
function greeting(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 1000 });
    const end = (text: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket.once('data', (bytes: Buffer) => end(bytes.toString('latin1')));
    socket.once('error', () => end(''));
    socket.once('timeout', () => end(''));
    socket.once('close', () => end(''));
  });
}
