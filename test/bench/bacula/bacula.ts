import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../../../apps/standalone/src/servers/free-port.js';
import { runCommand } from '../../../apps/standalone/src/servers/system/command.js';
import { startPostgres, type TestPostgres } from '../../support/postgres.js';
import {
  baculaConfiguration,
  type BaculaOptions,
  type BaculaPlace,
  COPY_JOB,
  type Daemon,
  DAEMONS,
  RESTORE_JOB,
  verifyJobOf,
  VOLUMES,
} from './bacula-configuration.js';

const TABLES = '/usr/share/bacula-director/make_postgresql_tables';
const PASSWORD = 'bench';
const PROGRAMS: Readonly<Record<Daemon, string>> = {
  storage: 'bacula-sd',
  client: 'bacula-fd',
  director: 'bacula-dir',
};
const LOOK_MS = 50;
const START_MS_MAX = 15_000;
const JOBS_MS_MAX = 1_800_000;
const GOOD = `jobstatus IN ('T', 'W')`;
const BAD = `jobstatus IN ('E', 'e', 'f', 'A', 'D', 'I')`;

/** Whether Bacula 9 or later is on this machine (Debian: bacula-director, bacula-director-pgsql, -sd, -fd, -console). */
export function hasBacula(): boolean {
  const commands = ['bacula-dir', 'bacula-sd', 'bacula-fd', 'bconsole', 'psql'];
  return (
    spawnSync('sh', ['-c', `${commands.map((c) => `command -v ${c}`).join(' && ')}`]).status === 0
  );
}

/** A Bacula of its own on loopback: Director, storage and file daemon, with its catalog in PostgreSQL. */
export class Bacula {
  private readonly daemons = new Map<Daemon, ChildProcess>();

  private constructor(
    private readonly folder: string,
    private readonly postgres: TestPostgres,
    private readonly catalog: pg.Client,
  ) {}

  static async start(options: BaculaOptions): Promise<Bacula> {
    const postgres = await startPostgres();
    const catalog = new pg.Client(await makeCatalog(postgres));
    await catalog.connect();
    const bacula = new Bacula(options.folder, postgres, catalog);
    try {
      await bacula.startDaemons(options);
    } catch (error) {
      await bacula.stop();
      throw error;
    }
    return bacula;
  }

  /** The processes, with the first one of PostgreSQL. */
  get pids(): Record<Daemon | 'postgres', number> {
    const pid = (daemon: Daemon) => this.daemons.get(daemon)!.pid!;
    return {
      director: pid('director'),
      storage: pid('storage'),
      client: pid('client'),
      postgres: this.postgres.pid,
    };
  }

  /** The folder of the volumes of backups, or of copies. */
  volumes(what: keyof typeof VOLUMES): string {
    return join(this.folder, VOLUMES[what]);
  }

  /** Queues these jobs at once; seconds until the last one has ended. Throws where one did not end well. */
  async run(names: readonly string[]): Promise<number> {
    const begun = performance.now();
    await this.toTheEnd(names.map((name) => `run job=${name} yes`));
    return (performance.now() - begun) / 1_000;
  }

  /** Its number. */
  backup(name: string, level: 'Full' | 'Incremental'): Promise<number> {
    return this.toTheEnd([`run job=${name} level=${level} yes`]);
  }

  /** The newest state of a job's files; their whole paths are made anew below `to`. */
  async restore(name: string, to: string): Promise<void> {
    await this.toTheEnd([
      `restore client=b-fd fileset=${name} restorejob=${RESTORE_JOB} where=${to} select current all done yes`,
    ]);
  }

  async verify(name: string, job: number): Promise<void> {
    await this.toTheEnd([`run job=${verifyJobOf(name)} jobid=${job} yes`]);
  }

  /** Copies all backups that have no copy to other volumes. */
  async copyAll(): Promise<void> {
    await this.toTheEnd([`run job=${COPY_JOB} yes`]);
  }

  /** What a user sees of it: every file of a backup. */
  listFiles(job: number): Promise<string> {
    return this.console(`list files jobid=${job}`);
  }

  /** Every version of a file, by its name. */
  find(name: string): Promise<string> {
    return this.console(
      'sqlquery',
      `SELECT job.jobid, path.path, filename.name FROM filename JOIN file USING (filenameid) ` +
        `JOIN path USING (pathid) JOIN job USING (jobid) WHERE filename.name = '${name}';`,
      '',
    );
  }

  async stop(): Promise<void> {
    for (const daemon of this.daemons.values()) daemon.kill('SIGKILL');
    await this.catalog.end();
    await this.postgres.stop();
  }

  /** Gives commands that queue a job each, and waits for these jobs and what they started; the first one's number. */
  private async toTheEnd(commands: readonly string[]): Promise<number> {
    const last = await this.lastJob();
    const said = await this.console(...commands);
    const first = Number(/JobId=(\d+)/.exec(said)?.[1] ?? Number.NaN);
    for (const begun = performance.now(); ; await sleep(LOOK_MS)) {
      const { all, open, bad } = await this.jobsAfter(last);
      if (bad > 0) throw new Error(`a Bacula job did not end well: ${await this.messages(last)}`);
      if (all >= commands.length && open === 0) return first;
      if (performance.now() - begun > JOBS_MS_MAX || (all === 0 && Number.isNaN(first))) {
        throw new Error(`Bacula does not end its jobs: ${said.slice(-1_000)}`);
      }
    }
  }

  private async lastJob(): Promise<number> {
    const { rows } = await this.catalog.query<{ last: number }>(
      'SELECT coalesce(max(jobid), 0)::int AS last FROM job',
    );
    return rows[0]!.last;
  }

  private async jobsAfter(last: number): Promise<{ all: number; open: number; bad: number }> {
    const { rows } = await this.catalog.query<{ all: number; open: number; bad: number }>(
      `SELECT count(*)::int AS all, (count(*) FILTER (WHERE NOT (${GOOD} OR ${BAD})))::int AS open,
         (count(*) FILTER (WHERE ${BAD}))::int AS bad
       FROM job WHERE jobid > $1`,
      [last],
    );
    return rows[0]!;
  }

  private async messages(last: number): Promise<string> {
    const { rows } = await this.catalog.query<{ logtext: string }>(
      'SELECT logtext FROM log WHERE jobid > $1 ORDER BY logid DESC LIMIT 20',
      [last],
    );
    return rows.map(({ logtext }) => logtext.trim()).join('\n');
  }

  private async console(...commands: readonly string[]): Promise<string> {
    const { code, stdout } = await runCommand(
      'bconsole',
      ['-c', join(this.folder, 'console.conf')],
      { input: `${commands.join('\n')}\n`, timeoutMs: JOBS_MS_MAX },
    );
    if (code !== 0) throw new Error(`bconsole ended with ${code}: ${stdout.slice(-500)}`);
    return stdout;
  }

  private async startDaemons(options: BaculaOptions): Promise<void> {
    const { folder } = this;
    for (const name of [...DAEMONS, ...Object.values(VOLUMES)]) mkdirSync(join(folder, name));
    const place: BaculaPlace = {
      ports: {
        director: await freePort(),
        storage: await freePort(),
        client: await freePort(),
      },
      database: { port: this.catalog.port, password: PASSWORD },
    };
    for (const [name, text] of Object.entries(baculaConfiguration(options, place))) {
      writeFileSync(join(folder, `${name}.conf`), text);
    }
    for (const [name, program] of Object.entries(PROGRAMS)) {
      const args = ['-f', '-c', join(folder, `${name}.conf`)];
      const daemon = spawn(program, args, { cwd: folder, stdio: 'ignore' });
      this.daemons.set(name as Daemon, daemon);
    }
    for (const begun = performance.now(); ; await sleep(LOOK_MS)) {
      try {
        if ((await this.console('version')).includes('b-dir Version')) return;
      } catch (error) {
        if (performance.now() - begun > START_MS_MAX) throw error;
      }
    }
  }
}

/** A database as Bacula wants it, with its tables. */
async function makeCatalog(postgres: TestPostgres): Promise<string> {
  const superuser = new pg.Client(postgres.superuserUrl);
  await superuser.connect();
  await superuser.query(`CREATE ROLE bacula LOGIN PASSWORD '${PASSWORD}'`);
  await superuser.query(
    `CREATE DATABASE bacula OWNER bacula ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
  );
  await superuser.query(`ALTER DATABASE bacula SET datestyle TO 'ISO, YMD'`);
  await superuser.end();
  const made = spawnSync(
    'sh',
    [TABLES, '-q', '-h', '127.0.0.1', '-p', String(postgres.port), '-U', 'bacula'],
    {
      env: { ...process.env, db_name: 'bacula', PGPASSWORD: PASSWORD },
      encoding: 'utf8',
    },
  );
  if (made.status !== 0) throw new Error(`Bacula's tables could not be made: ${made.stderr}`);
  return `postgres://bacula:${PASSWORD}@127.0.0.1:${postgres.port}/bacula`;
}
