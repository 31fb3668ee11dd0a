import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { checkoutFolder, serverCache } from '../../apps/standalone/src/servers/checkout-folder.js';
import { password } from '../../apps/standalone/src/servers/credential-files.js';
import { freePort } from '../../apps/standalone/src/servers/free-port.js';
import {
  findPostgres,
  type PostgresBinaries,
  reachableBinaries,
} from '../../apps/standalone/src/servers/postgres-binaries.js';
import {
  createCluster,
  POSTGRES_DATABASE,
  POSTGRES_ROLE,
  POSTGRES_SUPERUSER,
} from '../../apps/standalone/src/servers/postgres-cluster.js';
import {
  type RunningPostgres,
  startPostgresServer,
} from '../../apps/standalone/src/servers/postgres-server.js';
import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { lockFile } from '../../apps/standalone/src/servers/system/file-lock.js';
import { postgresUser } from '../../apps/standalone/src/servers/system/system-user.js';
import { temporaryFolder } from './temporary-folder.js';
import { until } from './until.js';

/** A real PostgreSQL with the shipped settings (fsync too), on a port and in a folder of its own. */
export interface TestPostgres {
  /** As the services log in: role and database `holdfast`. */
  readonly url: string;
  /** As the superuser, in the same database. */
  readonly superuserUrl: string;
  readonly port: number;
  /** Of the server's first process; another one after `restart`. */
  readonly pid: number;
  readonly version: string;
  /** Its log, for a test that failed. */
  readonly logFile: string;
  /** SIGQUIT: it ends at once and recovers from its log at the next start, as after a power cut. */
  crash(): Promise<void>;
  /** Starts it again on the same port, after `crash`. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** Raised when what `createCluster` makes changes, so that templates are made anew. */
const TEMPLATE_VERSION = 1;

const TEMPLATE_WAIT_MS_MAX = 120_000;
const CRASH_STEPS = [{ signal: 'SIGQUIT', waitMs: 5_000 }] as const;

/**
 * Starts one, in about 0.3 s: the cluster is made once, kept in the cache and copied. Call `stop` in
 * `afterAll`; it dies with the test process anyway.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const folder = await temporaryFolder();
  const template = await findTemplate(folder);
  const cluster = join(folder, 'postgres');
  await copy(join(template.folder, 'cluster'), cluster);
  const port = await freePort();
  const logFile = join(folder, 'postgres.log');
  const start = (): Promise<RunningPostgres> =>
    startPostgresServer({
      binaries: template.binaries,
      cluster,
      settings: join(checkoutFolder(), 'deploy/postgres'),
      user: postgresUser(cluster),
      port,
      logFile,
      pidFile: join(folder, 'postgres.pid'),
      deathSignal: 'SIGQUIT',
      stopSteps: CRASH_STEPS,
    });
  let running = await start();
  const url = (role: string, file: string): string =>
    `postgres://${role}:${password(template.folder, file)}@127.0.0.1:${port}/${POSTGRES_DATABASE}`;
  return {
    url: url(POSTGRES_ROLE, 'service'),
    superuserUrl: url(POSTGRES_SUPERUSER, 'superuser'),
    port,
    get pid() {
      return running.process.pid;
    },
    version: template.binaries.version,
    logFile,
    crash: () => running.process.stop(),
    async restart() {
      running = await start();
    },
    async stop() {
      await running.process.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The cached cluster for these binaries, made now where it is missing. */
async function findTemplate(
  workFolder: string,
): Promise<{ folder: string; binaries: PostgresBinaries }> {
  const { env } = process;
  const cache = serverCache(checkoutFolder(), env);
  mkdirSync(cache, { recursive: true });
  const found = await findPostgres({ env, checkout: checkoutFolder() });
  const binaries = await reachableBinaries(found, postgresUser(workFolder));
  const name = `cluster-${found.origin}-${found.version}-${TEMPLATE_VERSION}`;
  const folder = join(cache, name);
  // Whoever holds it may be this very process: it must not stand still until it has it.
  const lock = await until(() => lockFile(join(cache, 'cluster.lock')), {
    ...{ what: 'whoever makes a cluster now', ms: TEMPLATE_WAIT_MS_MAX },
  });
  try {
    if (!existsSync(folder)) {
      await makeTemplate(folder, binaries, workFolder);
    }
  } finally {
    lock.release();
  }
  return { folder, binaries };
}

/** Made in the test's folder, which PostgreSQL's user can reach, and kept in the cache, where it need not. */
async function makeTemplate(
  folder: string,
  binaries: PostgresBinaries,
  workFolder: string,
): Promise<void> {
  const made = join(workFolder, 'template');
  const draft = `${folder}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  await createCluster({
    binaries,
    folder: made,
    user: postgresUser(made),
    superuserPassword: password(draft, 'superuser'),
    servicePassword: password(draft, 'service'),
  });
  await copy(made, join(draft, 'cluster'));
  rmSync(made, { recursive: true });
  renameSync(draft, folder);
}

async function copy(from: string, to: string): Promise<void> {
  const copied = await runCommand('cp', ['-a', '--reflink=auto', from, to]);
  if (copied.code !== 0) {
    throw new Error(`Cannot copy ${from} to ${to}: ${copied.stderr}`);
  }
}
