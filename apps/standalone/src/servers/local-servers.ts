import { join } from 'node:path';

import { natsCredential, password, passwordFile } from './credential-files.js';
import type { DataFolder } from './data-folder.js';
import { choosePorts } from './free-port.js';
import { NATS_STOP_STEPS, startNatsServer, writeNatsUsers } from './nats-server.js';
import type { NatsUserPlan } from './nats-users.js';
import { findPostgres, reachableBinaries } from './postgres-binaries.js';
import {
  clusterMajor,
  createCluster,
  POSTGRES_DATABASE,
  POSTGRES_ROLE,
  superuserPasswordCommand,
} from './postgres-cluster.js';
import { POSTGRES_STOP_STEPS, startPostgresServer } from './postgres-server.js';
import { findOrFetchNatsServer } from './nats-binary.js';
import { stopLeftover, type SupervisedProcess } from './process-supervision.js';
import { serverCache } from './checkout-folder.js';

export interface LocalServersPlan {
  readonly folder: DataFolder;
  readonly checkout: string;
  readonly env: NodeJS.ProcessEnv;
  readonly users: readonly NatsUserPlan[];
  /** Ports that must be these; others are chosen, and kept where they can be. */
  readonly ports?: { readonly nats?: number | undefined; readonly postgres?: number | undefined };
  /** Addresses of servers that somebody else runs: these are used, not started. */
  readonly external?: {
    readonly nats?: string | undefined;
    readonly postgres?: string | undefined;
  };
}

/** A server of ours, or somebody else's, which is not ours to watch or to stop. */
export interface LocalServer {
  /** `nats://127.0.0.1:port`; `postgres://user:password@127.0.0.1:port/database`, never logged. */
  readonly url: string;
  /** Of ours; `undefined` for somebody else's. */
  readonly version: string | undefined;
  /** Somebody else's never ends, and does not listen to `stop`. */
  readonly process: Pick<SupervisedProcess, 'exited' | 'stop'>;
}

export interface LocalPostgres extends LocalServer {
  /** Of ours: the shell command that gives the superuser the password in our file, while the server is stopped. */
  readonly superuserPasswordCommand?: string;
}

export interface LocalServers {
  readonly nats: LocalServer;
  readonly postgres: LocalPostgres;
  /** Stops those of ours. What talks to them should be stopped before. */
  stop(): Promise<void>;
}

/** The name of the password of PostgreSQL's superuser, among the credentials. */
export const SUPERUSER_PASSWORD = 'postgres-superuser';

/** The user of NATS's system account; its seed is `credentials/system.nk`. */
export const NATS_SYSTEM_USER = 'system';

/**
 * Starts nats-server and PostgreSQL on a data folder that we hold, with what the folder lacks made
 * first, as far as they are not somebody else's. Where one fails, the other one is stopped again
 * before this throws.
 */
export async function startLocalServers(plan: LocalServersPlan): Promise<LocalServers> {
  await stopLeftovers(plan.folder);
  const ports = await portsFor(plan);
  try {
    return await startOn(ports, plan);
  } catch (error) {
    // A port that was free a moment ago may just have been taken; then others are chosen.
    const again = await portsFor(plan);
    if (again.nats === ports.nats && again.postgres === ports.postgres) {
      throw error;
    }
    return startOn(again, plan);
  }
}

interface Ports {
  readonly nats: number;
  readonly postgres: number;
}

function pidFile(folder: DataFolder, server: string): string {
  return join(folder.run, `${server}.pid`);
}

async function stopLeftovers(folder: DataFolder): Promise<void> {
  await Promise.all([
    stopLeftover(pidFile(folder, 'nats-server'), NATS_STOP_STEPS),
    stopLeftover(pidFile(folder, 'postgres'), POSTGRES_STOP_STEPS),
  ]);
}

function portsFor({ folder, ports, external: others }: LocalServersPlan): Promise<Ports> {
  return choosePorts(folder.portsFile, {
    nats: others?.nats ? undefined : ports?.nats,
    postgres: others?.postgres ? undefined : ports?.postgres,
  });
}

async function startOn(ports: Ports, plan: LocalServersPlan): Promise<LocalServers> {
  const others = plan.external ?? {};
  const [nats, postgres] = await Promise.allSettled([
    others.nats ? externalNats(plan, others.nats) : startNats(plan, ports.nats),
    others.postgres ? external(others.postgres) : startPostgres(plan, ports.postgres),
  ]);
  if (nats.status === 'fulfilled' && postgres.status === 'fulfilled') {
    const stop = async (): Promise<void> => {
      await Promise.all([nats.value.process.stop(), postgres.value.process.stop()]);
    };
    return { nats: nats.value, postgres: postgres.value, stop };
  }
  for (const started of [nats, postgres]) {
    if (started.status === 'fulfilled') {
      await started.value.process.stop();
    }
  }
  throw nats.status === 'rejected' ? nats.reason : (postgres as PromiseRejectedResult).reason;
}

function external(url: string): LocalServer {
  const process = { exited: new Promise<string>(() => undefined), stop: () => Promise.resolve() };
  return { url, version: undefined, process };
}

/** Our keys are made all the same, and the user file that its owner has to include in his settings. */
async function externalNats(plan: LocalServersPlan, url: string): Promise<LocalServer> {
  writeNatsUsers({ folder: plan.folder.nats, ...natsUsersOf(plan) });
  return external(url);
}

function natsUsersOf({ folder, users }: LocalServersPlan) {
  const key = (user: string): string => natsCredential(folder.credentials, user).publicKey;
  return {
    users: users.map((user) => ({ ...user, nkeyPublic: key(user.name) })),
    systemKey: key(NATS_SYSTEM_USER),
  };
}

async function startNats(plan: LocalServersPlan, port: number): Promise<LocalServer> {
  const { folder } = plan;
  const binary = await findOrFetchNatsServer({
    env: plan.env,
    cache: serverCache(plan.checkout, plan.env),
  });
  const running = await startNatsServer({
    binary,
    configuration: join(plan.checkout, 'deploy/nats/nats-server.conf'),
    folder: folder.nats,
    port,
    ...natsUsersOf(plan),
    logFile: join(folder.logs, 'nats-server.log'),
    pidFile: pidFile(folder, 'nats-server'),
  });
  return { url: running.url, version: binary.version, process: running.process };
}

async function startPostgres(plan: LocalServersPlan, port: number): Promise<LocalPostgres> {
  const { folder, env, checkout } = plan;
  const user = folder.postgresUser;
  const found = await findPostgres({ env, checkout, major: clusterMajor(folder.postgres) });
  const binaries = await reachableBinaries(found, user);
  const servicePassword = password(folder.credentials, 'postgres');
  const superuserPassword = password(folder.credentials, SUPERUSER_PASSWORD);
  const cluster = folder.postgres;
  await createCluster({ binaries, folder: cluster, user, superuserPassword, servicePassword });
  const running = await startPostgresServer({
    binaries,
    cluster,
    settings: join(checkout, 'deploy/postgres'),
    user,
    port,
    logFile: join(folder.logs, 'postgres.log'),
    pidFile: pidFile(folder, 'postgres'),
  });
  const url = `postgres://${POSTGRES_ROLE}:${servicePassword}@127.0.0.1:${port}/${POSTGRES_DATABASE}`;
  return {
    ...{ url, version: binaries.version, process: running.process },
    superuserPasswordCommand: superuserPasswordCommand(
      { binaries, folder: cluster, user },
      passwordFile(folder.credentials, SUPERUSER_PASSWORD),
    ),
  };
}
