import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import { type CommandResult, lastLines, runCommand } from './system/command.js';
import type { SystemUser } from './system/system-user.js';

export interface ClusterPlan {
  readonly binaries: PostgresBinaries;
  /** The cluster's folder; `user` must be able to pass through its parent, and nobody else to change that. */
  readonly folder: string;
  readonly user: SystemUser | undefined;
  readonly superuserPassword: string;
  /** Of the role the services use, which owns their database. */
  readonly servicePassword: string;
}

/** The one database, the role that owns it, and the superuser, whom no service uses. */
export const POSTGRES_DATABASE = 'holdfast';
export const POSTGRES_ROLE = 'holdfast';
export const POSTGRES_SUPERUSER = 'postgres';

/** The major version whose files a cluster holds; `undefined` where there is no cluster. */
export function clusterMajor(folder: string): string | undefined {
  const file = join(folder, 'PG_VERSION');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}

/**
 * Makes the cluster, with the services' role and database, where there is none. It is made beside
 * its place and moved there when it is whole, so that an interruption leaves nothing half done.
 */
export async function createCluster(plan: ClusterPlan): Promise<void> {
  if (clusterMajor(plan.folder) !== undefined) {
    return;
  }
  const draft = `${plan.folder}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  const passwordFile = `${draft}.password`;
  writeFileSync(passwordFile, `${plan.superuserPassword}\n`, { mode: 0o600 });
  try {
    giveTo(plan.user, draft, passwordFile);
    await runAs(plan, 'initdb', [
      ...['--pgdata', draft, '--username', POSTGRES_SUPERUSER, '--pwfile', passwordFile],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--data-checksums'],
    ]);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  await createDatabase(plan, draft);
  renameSync(draft, plan.folder);
}

/**
 * Puts the shipped settings in place, so that every start runs with what this version ships. The
 * cluster's user writes them: what he makes a symlink in his folder must not lead root anywhere.
 */
export async function installSettings(
  cluster: string,
  shipped: string,
  user: SystemUser | undefined,
): Promise<void> {
  for (const name of ['postgresql.conf', 'pg_hba.conf']) {
    const input = readFileSync(join(shipped, name), 'utf8');
    const env = postgresEnvironment();
    const { code, stderr } = await runCommand('tee', [join(cluster, name)], { user, env, input });
    if (code !== 0) {
      throw new PermanentError(STATUS.cannotConnect, `PostgreSQL's settings: ${stderr.trim()}`);
    }
  }
}

/**
 * The shell command that gives the superuser of a cluster that does not run the password in a file. It needs no
 * password, but the right to read the cluster's files: root's, or that of whoever runs Holdfast.
 */
export function superuserPasswordCommand(
  { binaries, folder, user }: Pick<ClusterPlan, 'binaries' | 'folder' | 'user'>,
  passwordFile: string,
): string {
  const statement = `ALTER ROLE ${POSTGRES_SUPERUSER} PASSWORD '$(cat ${quoted(passwordFile)})'`;
  const runAsUser = user === undefined ? '' : `runuser -u ${user.name} -- `;
  const postgres = quoted(join(binaries.folder, 'postgres'));
  return `echo "${statement}" | ${runAsUser}${postgres} --single -D ${quoted(folder)} postgres`;
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** In single-user mode, which needs no port and no password: nobody else can be in yet. */
async function createDatabase(plan: ClusterPlan, folder: string): Promise<void> {
  const said = await runAs(
    plan,
    'postgres',
    ['--single', '-D', folder, 'postgres'],
    [
      `CREATE ROLE ${POSTGRES_ROLE} LOGIN PASSWORD '${plan.servicePassword}'`,
      `CREATE DATABASE ${POSTGRES_DATABASE} OWNER ${POSTGRES_ROLE}`,
      `REVOKE ALL ON DATABASE ${POSTGRES_DATABASE} FROM PUBLIC`,
      '',
    ].join('\n'),
  );
  // Here an error in a statement does not change the exit code.
  if (/\b(ERROR|FATAL|PANIC):/.test(said.stderr)) {
    throw new PermanentError(
      STATUS.cannotConnect,
      `PostgreSQL did not make its database:\n${lastLines(said.stderr)}`,
    );
  }
}

async function runAs(
  plan: ClusterPlan,
  name: string,
  args: readonly string[],
  input = '',
): Promise<CommandResult> {
  const result = await runCommand(join(plan.binaries.folder, name), args, {
    user: plan.user,
    env: postgresEnvironment(),
    input,
    timeoutMs: 120_000,
  });
  if (result.code !== 0) {
    const said = lastLines(`${result.stdout}\n${result.stderr}`);
    throw new PermanentError(
      STATUS.cannotConnect,
      `PostgreSQL's ${name} failed (code ${result.code}):\n${said}`,
    );
  }
  return result;
}

/** Nothing of the caller's: PGDATA, PGPORT and their like would change what is started. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
}

function giveTo(user: SystemUser | undefined, ...files: string[]): void {
  for (const file of user === undefined ? [] : files) {
    chownSync(file, user?.uid ?? 0, user?.gid ?? 0);
  }
}
