import type { DataFolder } from './servers/data-folder.js';
import { password, passwordFile } from './servers/credential-files.js';
import {
  startLocalServers,
  SUPERUSER_PASSWORD,
  type LocalPostgres,
} from './servers/local-servers.js';
import type { NatsUserPlan } from './servers/nats-users.js';
import { POSTGRES_SUPERUSER } from './servers/postgres-cluster.js';

export interface ServersPlan {
  readonly folder: DataFolder;
  readonly checkout: string;
  readonly users: readonly NatsUserPlan[];
  readonly natsUrl?: string | undefined;
  readonly databaseUrl?: string | undefined;
  readonly natsPort?: number | undefined;
  readonly postgresPort?: number | undefined;
}

/** PostgreSQL's, of a cluster of our own. */
export interface Superuser {
  readonly url: string;
  /** What a person can do where PostgreSQL refuses the password: it was lost, and another one was made. */
  readonly refusedHint: string;
}

/** The broker and the database that the cluster uses, ours or somebody else's. */
export interface Servers {
  readonly natsUrl: string;
  readonly databaseUrl: string;
  /** Only of a PostgreSQL of our own. */
  readonly superuser: Superuser | undefined;
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
    ports: { nats: plan.natsPort, postgres: plan.postgresPort },
    external: { nats: plan.natsUrl, postgres: plan.databaseUrl },
  });
  let stopping = false;
  return {
    natsUrl: plan.natsUrl ?? local.nats.url,
    databaseUrl: plan.databaseUrl ?? local.postgres.url,
    superuser: superuserOf(plan.folder, local.postgres),
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

function superuserOf(
  folder: DataFolder,
  { url: serviceUrl, superuserPasswordCommand: command }: LocalPostgres,
): Superuser | undefined {
  if (command === undefined) return undefined;
  const url = new URL(serviceUrl);
  url.username = POSTGRES_SUPERUSER;
  url.password = password(folder.credentials, SUPERUSER_PASSWORD);
  const file = passwordFile(folder.credentials, SUPERUSER_PASSWORD);
  return {
    url: url.toString(),
    refusedHint:
      `PostgreSQL refuses the password in ${file}: it is not the one that the database was made with. Put that ` +
      `back, or give PostgreSQL the one that is there with this command, and start again:\n` +
      command,
  };
}
