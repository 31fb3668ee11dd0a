import type { DataFolder } from './servers/data-folder.js';
import { password, type KeyMaker } from './servers/credential-files.js';
import { startLocalServers } from './servers/local-servers.js';
import type { NatsUserPlan } from './servers/nats-users.js';
import { POSTGRES_SUPERUSER } from './servers/postgres-cluster.js';

export interface ServersPlan {
  readonly folder: DataFolder;
  readonly checkout: string;
  readonly users: readonly NatsUserPlan[];
  readonly keys: KeyMaker;
  readonly natsUrl?: string | undefined;
  readonly databaseUrl?: string | undefined;
  readonly natsPort?: number | undefined;
  readonly postgresPort?: number | undefined;
}

/** The broker and the database that the cluster uses, ours or somebody else's. */
export interface Servers {
  readonly natsUrl: string;
  readonly databaseUrl: string;
  /** Only for a PostgreSQL of our own. */
  readonly superuserUrl: string | undefined;
  /** Resolves, with words, when a server of ours has ended by itself. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

/** Uses the servers that are named, and starts those that are not. */
export async function startServers(plan: ServersPlan): Promise<Servers> {
  const local = await startLocalServers({
    folder: plan.folder,
    checkout: plan.checkout,
    env: process.env,
    users: plan.users,
    keys: plan.keys,
    ports: { nats: plan.natsPort, postgres: plan.postgresPort },
    external: { nats: plan.natsUrl, postgres: plan.databaseUrl },
  });
  let stopping = false;
  return {
    natsUrl: plan.natsUrl ?? local.nats.url,
    databaseUrl: plan.databaseUrl ?? local.postgres.url,
    superuserUrl: plan.databaseUrl ? undefined : superuserUrl(plan.folder, local.postgres.url),
    ended: new Promise((resolve) => {
      for (const [name, { process }] of Object.entries({
        'nats-server': local.nats,
        PostgreSQL: local.postgres,
      })) {
        void process.exited.then((how) => {
          if (!stopping) resolve(`${name} ended (${how}). Its log is in ${plan.folder.logs}.`);
        });
      }
    }),
    stop: () => {
      stopping = true;
      return local.stop();
    },
  };
}

function superuserUrl(folder: DataFolder, serviceUrl: string): string {
  const url = new URL(serviceUrl);
  url.username = POSTGRES_SUPERUSER;
  url.password = password(folder.credentials, 'postgres-superuser');
  return url.toString();
}
