import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import { installSettings, postgresEnvironment } from './postgres-cluster.js';
import {
  logTail,
  startSupervised,
  stopProcess,
  type StopStep,
  type SupervisedProcess,
} from './process-supervision.js';
import { rotateLog } from './system/log-file.js';
import { identityOf, workingFolderOf } from './system/process-identity.js';
import type { SystemUser } from './system/system-user.js';

export interface PostgresServerPlan {
  readonly binaries: PostgresBinaries;
  /** A cluster that exists (`createCluster`). */
  readonly cluster: string;
  /** The folder with the shipped `postgresql.conf` and `pg_hba.conf`: `deploy/postgres`. */
  readonly settings: string;
  readonly user: SystemUser | undefined;
  readonly port: number;
  readonly logFile: string;
  readonly pidFile: string;
  /** When we die: `SIGINT` (default) rolls back and writes a checkpoint; `SIGQUIT` just ends. */
  readonly deathSignal?: NodeJS.Signals;
  /** Default: `POSTGRES_STOP_STEPS`. */
  readonly stopSteps?: readonly StopStep[];
}

export interface RunningPostgres {
  readonly port: number;
  readonly process: SupervisedProcess;
}

/** Fast (sessions are cut, a checkpoint is written), then immediate (it recovers next time). */
export const POSTGRES_STOP_STEPS: readonly StopStep[] = [
  { signal: 'SIGINT', waitMs: 15_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
];

const READY_MS_MAX = 120_000; // recovery after a crash may take a while
const POLL_MS = 5;

/**
 * Starts PostgreSQL on 127.0.0.1 and resolves when it takes connections. Throws `PermanentError` with
 * the end of its log where it ends instead.
 */
export async function startPostgresServer(plan: PostgresServerPlan): Promise<RunningPostgres> {
  await clearWay(plan.cluster);
  const before = postmasterText(plan.cluster);
  await installSettings(plan.cluster, plan.settings, plan.user);
  rotateLog(plan.logFile);
  const server = await startSupervised({
    name: 'PostgreSQL',
    command: join(plan.binaries.folder, 'postgres'),
    args: [
      ...['-D', plan.cluster, '-p', String(plan.port), '-h', '127.0.0.1'],
      // Three more processes since 18, and an unknown setting before; small clusters gain nothing.
      ...(Number(plan.binaries.major) >= 18 ? ['-c', 'io_method=sync'] : []),
    ],
    env: postgresEnvironment(),
    cwd: plan.cluster,
    user: plan.user,
    deathSignal: plan.deathSignal ?? 'SIGINT',
    stopSteps: plan.stopSteps ?? POSTGRES_STOP_STEPS,
    pidFile: plan.pidFile,
    logFile: plan.logFile,
  });
  await untilReady(plan, server, before);
  return { port: plan.port, process: server };
}

/**
 * Deals with a `postmaster.pid` of an earlier run: a server that still works on this cluster is
 * stopped (we hold the data folder's lock, so nobody uses it), and a file whose process id is now a
 * stranger's, who works elsewhere, is removed: PostgreSQL would take the stranger for a server.
 * Where it cannot be known, PostgreSQL decides.
 */
async function clearWay(cluster: string): Promise<void> {
  const pid = Number(postmasterText(cluster).split('\n')[0]);
  const identity = pid > 0 ? identityOf(pid) : undefined;
  const itsFolder = identity && workingFolderOf(pid);
  if (identity === undefined || itsFolder === undefined) {
    return;
  }
  if (itsFolder === realpathSync(cluster)) {
    await stopProcess(identity, POSTGRES_STOP_STEPS);
  } else {
    rmSync(join(cluster, 'postmaster.pid'), { force: true });
  }
}

/**
 * Whether `postmaster.pid` says that the server with this process id takes connections. The first line
 * is the process, the third when it started, the eighth its state: what pg_ctl looks at, too. `before`
 * is what the file said before that server was started: after a power loss it may name the same
 * process id, as ready.
 */
export function saysReady(
  text: string,
  { pid, before }: { readonly pid: number; readonly before: string },
): boolean {
  const lines = text.split('\n');
  return text !== before && Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

async function untilReady(
  plan: PostgresServerPlan,
  server: SupervisedProcess,
  before: string,
): Promise<void> {
  for (let waited = 0; waited < READY_MS_MAX; waited += POLL_MS) {
    if (server.hasExited) {
      throw new PermanentError(
        STATUS.cannotConnect,
        `PostgreSQL ended at its start (${await server.exited}). It said:\n${logTail(plan.logFile)}`,
      );
    }
    if (saysReady(postmasterText(plan.cluster), { pid: server.pid, before })) {
      return;
    }
    await sleep(POLL_MS);
  }
  await server.stop();
  throw new PermanentError(
    STATUS.cannotConnect,
    `PostgreSQL was not ready within ${READY_MS_MAX / 1000} s.`,
  );
}

/** Empty where there is none. */
function postmasterText(cluster: string): string {
  const file = join(cluster, 'postmaster.pid');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
