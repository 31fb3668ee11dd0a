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

export const DAEMONS = ['director', 'storage', 'client'] as const;
export type Daemon = (typeof DAEMONS)[number];

export interface BaculaPlace {
  readonly ports: Readonly<Record<Daemon, number>>;
  readonly database: { readonly port: number; readonly password: string };
}

/** Volumes of backups, and of copies of them. */
export const VOLUMES = { backups: 'volume', copies: 'copies' } as const;
export const RESTORE_JOB = 'restore';
export const COPY_JOB = 'copy';

/** The job that reads and checks what a backup job has written. */
export function verifyJobOf(backupJob: string): string {
  return `verify-${backupJob}`;
}

/** The texts of all configuration files, by name. SHA-1 of each file, no compression: as it is shipped. */
export function baculaConfiguration(
  options: BaculaOptions,
  place: BaculaPlace,
): Record<Daemon | 'console', string> {
  const texts = {
    director: [...director(options, place), ...jobs(options)],
    storage: storage(options, place),
    client: client(options, place),
    console: [
      `Director { Name = b-dir; DIRport = ${place.ports.director}; address = 127.0.0.1; Password = "p" }`,
    ],
  };
  // Bacula wants the closing bracket of a resource on a line of its own.
  const text = (lines: readonly string[]) => lines.join('\n').replace(/ \}$/gm, '\n}');
  return {
    director: text(texts.director),
    storage: text(texts.storage),
    client: text(texts.client),
    console: text(texts.console),
  };
}

function director({ folder, jobsAtOnceMax }: BaculaOptions, place: BaculaPlace): string[] {
  const { ports, database } = place;
  const most = `Maximum Concurrent Jobs = ${jobsAtOnceMax}`;
  const storageOf = (name: string, device: string) =>
    `Storage { Name = ${name}; Address = 127.0.0.1; SDPort = ${ports.storage}; Password = "p"; ` +
    `Device = ${device}; Media Type = ${name}; ${most} }`;
  return [
    `Director { Name = b-dir; DIRport = ${ports.director}; QueryFile = "/dev/null"; ` +
      `${workingFolder(folder, 'director')}; ${most}; Password = "p"; Messages = M; ` +
      `DirAddress = 127.0.0.1 }`,
    `Catalog { Name = C; dbname = "bacula"; dbuser = "bacula"; ` +
      `dbpassword = "${database.password}"; DB Address = 127.0.0.1; DB Port = ${database.port} }`,
    `Client { Name = b-fd; Address = 127.0.0.1; FDPort = ${ports.client}; Catalog = C; ` +
      `Password = "p"; ${most} }`,
    storageOf('File', 'Dev'),
    storageOf('Copies', 'CopyDev'),
    `Messages { Name = M; catalog = all }`,
    `Pool { Name = File; Pool Type = Backup; Label Format = "Vol-"; Storage = File; Next Pool = Copies }`,
    `Pool { Name = Copies; Pool Type = Backup; Label Format = "Copy-"; Storage = Copies }`,
  ];
}

function jobs({ folder, jobs: backups }: BaculaOptions): string[] {
  const common = 'Client = b-fd; Storage = File; Messages = M; Pool = File';
  const [first] = backups;
  return [
    ...backups.flatMap(({ name, folder: file }) => [
      `FileSet { Name = "${name}"; Include { Options { signature = SHA1 }; File = "${file}" } }`,
      `Job { Name = "${name}"; Type = Backup; Level = Full; FileSet = "${name}"; ${common}; ` +
        `SpoolAttributes = yes }`,
      `Job { Name = "${verifyJobOf(name)}"; Type = Verify; Level = Data; FileSet = "${name}"; ` +
        `${common}; Verify Job = "${name}" }`,
    ]),
    `Job { Name = ${RESTORE_JOB}; Type = Restore; FileSet = "${first?.name}"; ${common}; ` +
      `Where = "${folder}/restored" }`,
    `Job { Name = ${COPY_JOB}; Type = Copy; Selection Type = PoolUncopiedJobs; ` +
      `FileSet = "${first?.name}"; ${common} }`,
  ];
}

function storage({ folder, jobsAtOnceMax }: BaculaOptions, { ports }: BaculaPlace): string[] {
  const device = (name: string, mediaType: string, volumes: string) =>
    `Device { Name = ${name}; Media Type = ${mediaType}; Archive Device = ${folder}/${volumes}; ` +
    `LabelMedia = yes; Random Access = Yes; AutomaticMount = yes; RemovableMedia = no; ` +
    `AlwaysOpen = no; Maximum Concurrent Jobs = ${jobsAtOnceMax} }`;
  return [
    `Storage { Name = b-sd; SDPort = ${ports.storage}; ${workingFolder(folder, 'storage')}; ` +
      `SDAddress = 127.0.0.1; Maximum Concurrent Jobs = ${2 * jobsAtOnceMax} }`,
    `Director { Name = b-dir; Password = "p" }`,
    device('Dev', 'File', VOLUMES.backups),
    device('CopyDev', 'Copies', VOLUMES.copies),
    `Messages { Name = M; director = b-dir = all }`,
  ];
}

function client({ folder, jobsAtOnceMax }: BaculaOptions, { ports }: BaculaPlace): string[] {
  return [
    `FileDaemon { Name = b-fd; FDport = ${ports.client}; ${workingFolder(folder, 'client')}; ` +
      `FDAddress = 127.0.0.1; Maximum Concurrent Jobs = ${2 * jobsAtOnceMax} }`,
    `Director { Name = b-dir; Password = "p" }`,
    // As it is shipped: with a line for each file that is skipped or restored, the catalog works for that alone.
    `Messages { Name = M; director = b-dir = all, !skipped, !restored, !saved }`,
  ];
}

function workingFolder(folder: string, daemon: Daemon): string {
  return `WorkingDirectory = "${folder}/${daemon}"; PidDirectory = "${folder}/${daemon}"`;
}
