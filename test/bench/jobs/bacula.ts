import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../../../apps/standalone/src/servers/free-port.js';
import { startPostgres, type TestPostgres } from '../../support/postgres.js';

const TABLES = '/usr/share/bacula-director/make_postgresql_tables';
const PASSWORD = 'bench';
const LOOK_MS = 50;
const START_MS_MAX = 15_000;
const JOBS_MS_MAX = 300_000;

/** One backup job of one folder. */
export interface BaculaJob {
  readonly name: string;
  readonly folder: string;
}

export interface BaculaOptions {
  /** For everything it keeps; exists, and is removed by whoever made it. */
  readonly folder: string;
  readonly jobs: readonly BaculaJob[];
  readonly jobsAtOnceMax: number;
}

/** Whether Bacula 9 or later is on this machine (Debian: bacula-director-pgsql, -sd, -fd, -console). */
export function hasBacula(): boolean {
  const commands = ['bacula-dir', 'bacula-sd', 'bacula-fd', 'bconsole', 'psql'];
  return (
    spawnSync('sh', ['-c', `${commands.map((c) => `command -v ${c}`).join(' && ')}`]).status === 0
  );
}

/** A Bacula of its own on loopback: Director, storage and file daemon, with its catalog in PostgreSQL. */
export class Bacula {
  private readonly daemons: ChildProcess[] = [];

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

  /** Queues these jobs at once; seconds until the last one has ended. Throws where one did not end well. */
  async run(names: readonly string[]): Promise<number> {
    const before = await this.ended();
    const begun = performance.now();
    this.console(...names.map((name) => `run job=${name} yes`));
    for (;;) {
      const { all, good } = await this.ended();
      if (all - before.all >= names.length) {
        if (good - before.good < names.length) throw new Error('a Bacula job did not end well');
        return (performance.now() - begun) / 1_000;
      }
      if (performance.now() - begun > JOBS_MS_MAX) throw new Error('Bacula does not end its jobs');
      await sleep(LOOK_MS);
    }
  }

  /** Seconds that `list jobs` takes with so many more jobs in the catalog than were run. */
  async listSeconds(more: number): Promise<number> {
    await this.catalog.query(
      `INSERT INTO job (job, name, type, level, clientid, jobstatus, schedtime, starttime, endtime,
         realendtime, jobfiles, jobbytes, poolid, filesetid, jobtdate)
       SELECT 'x.' || g, 'x', 'B', 'F', 1, 'T', t, t, t, t, 10, 1000, 1, 1, extract(epoch from t)::bigint
       FROM (SELECT g, now() - g * interval '1 min' AS t FROM generate_series(1, $1) AS g) AS made`,
      [more],
    );
    const begun = performance.now();
    this.console('list jobs');
    return (performance.now() - begun) / 1_000;
  }

  async stop(): Promise<void> {
    for (const daemon of this.daemons) daemon.kill('SIGKILL');
    await this.catalog.end();
    await this.postgres.stop();
  }

  private async ended(): Promise<{ all: number; good: number }> {
    const { rows } = await this.catalog.query<{ all: number; good: number }>(
      `SELECT count(*)::int AS all, (count(*) FILTER (WHERE jobstatus = 'T'))::int AS good
       FROM job WHERE jobstatus IN ('T', 'W', 'E', 'f', 'A')`,
    );
    return rows[0]!;
  }

  private console(...commands: readonly string[]): string {
    const { status, stdout } = spawnSync('bconsole', ['-c', join(this.folder, 'bconsole.conf')], {
      input: `${commands.join('\n')}\n`,
      encoding: 'utf8',
      timeout: JOBS_MS_MAX,
      maxBuffer: 64 * 1024 * 1024,
    });
    if (status !== 0) throw new Error(`bconsole ended with ${status}: ${stdout.slice(-500)}`);
    return stdout;
  }

  private async startDaemons(options: BaculaOptions): Promise<void> {
    const { folder } = this;
    for (const name of ['dir', 'sd', 'fd', 'volume']) mkdirSync(join(folder, name));
    const ports = { dir: await freePort(), sd: await freePort(), fd: await freePort() };
    const texts = configurations(options, ports, this.catalog);
    for (const [name, text] of Object.entries(texts)) {
      // Bacula wants the closing bracket of a resource on a line of its own.
      writeFileSync(join(folder, `${name}.conf`), text.replace(/ \}$/gm, '\n}'));
    }
    for (const name of ['sd', 'fd', 'dir']) {
      const config = join(folder, `bacula-${name}.conf`);
      const daemon = spawn(`bacula-${name}`, ['-f', '-c', config], {
        cwd: folder,
        stdio: 'ignore',
      });
      this.daemons.push(daemon);
    }
    for (const begun = performance.now(); ;) {
      try {
        if (this.console('version').includes('b-dir Version')) return;
      } catch (error) {
        if (performance.now() - begun > START_MS_MAX) throw error;
      }
      await sleep(LOOK_MS);
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

function configurations(
  { folder, jobs, jobsAtOnceMax }: BaculaOptions,
  ports: { readonly dir: number; readonly sd: number; readonly fd: number },
  catalog: pg.Client,
): Record<string, string> {
  const at = (daemon: string) =>
    `WorkingDirectory = "${folder}/${daemon}"; PidDirectory = "${folder}/${daemon}"`;
  const director = [
    `Director { Name = b-dir; DIRport = ${ports.dir}; QueryFile = "/dev/null"; ${at('dir')}; ` +
      `Maximum Concurrent Jobs = ${jobsAtOnceMax}; Password = "p"; Messages = M; DirAddress = 127.0.0.1 }`,
    `Catalog { Name = C; dbname = "bacula"; dbuser = "bacula"; dbpassword = "${PASSWORD}"; ` +
      `DB Address = 127.0.0.1; DB Port = ${catalog.port} }`,
    `Client { Name = b-fd; Address = 127.0.0.1; FDPort = ${ports.fd}; Catalog = C; Password = "p"; ` +
      `Maximum Concurrent Jobs = ${jobsAtOnceMax} }`,
    `Storage { Name = File; Address = 127.0.0.1; SDPort = ${ports.sd}; Password = "p"; Device = Dev; ` +
      `Media Type = File; Maximum Concurrent Jobs = ${jobsAtOnceMax} }`,
    `Messages { Name = M; catalog = all }`,
    `Pool { Name = File; Pool Type = Backup; Label Format = "Vol-" }`,
    ...jobs.flatMap((job) => [
      `FileSet { Name = "${job.name}"; Include { Options { signature = SHA1 }; File = ${job.folder} } }`,
      `Job { Name = "${job.name}"; Type = Backup; Level = Full; Client = b-fd; FileSet = "${job.name}"; ` +
        `Storage = File; Messages = M; Pool = File; SpoolAttributes = yes }`,
    ]),
  ];
  const storage = [
    `Storage { Name = b-sd; SDPort = ${ports.sd}; ${at('sd')}; SDAddress = 127.0.0.1; ` +
      `Maximum Concurrent Jobs = ${2 * jobsAtOnceMax} }`,
    `Director { Name = b-dir; Password = "p" }`,
    `Device { Name = Dev; Media Type = File; Archive Device = ${folder}/volume; LabelMedia = yes; ` +
      `Random Access = Yes; AutomaticMount = yes; RemovableMedia = no; AlwaysOpen = no; ` +
      `Maximum Concurrent Jobs = ${jobsAtOnceMax} }`,
    `Messages { Name = M; director = b-dir = all }`,
  ];
  const client = [
    `FileDaemon { Name = b-fd; FDport = ${ports.fd}; ${at('fd')}; FDAddress = 127.0.0.1; ` +
      `Maximum Concurrent Jobs = ${2 * jobsAtOnceMax} }`,
    `Director { Name = b-dir; Password = "p" }`,
    `Messages { Name = M; director = b-dir = all }`,
  ];
  const console = [
    `Director { Name = b-dir; DIRport = ${ports.dir}; address = 127.0.0.1; Password = "p" }`,
  ];
  return {
    'bacula-dir': director.join('\n'),
    'bacula-sd': storage.join('\n'),
    'bacula-fd': client.join('\n'),
    bconsole: console.join('\n'),
  };
}
