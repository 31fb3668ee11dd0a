import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { lastLines, runCommand } from '../system/command.js';
import { type DebianMirror, findDebianMirror } from './apt-sources.js';

export interface PackageRequest {
  readonly name: string;
  /** The release of Debian it is taken from: `trixie`. */
  readonly release: string;
  /** An existing folder of ours; everything happens below it. */
  readonly workFolder: string;
  readonly env: NodeJS.ProcessEnv;
  /** Default 300,000: more for a package of a gigabyte. */
  readonly fetchMsMax?: number;
}

const FETCH_MS_MAX = 300_000;
const KEYRINGS = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/debian-archive-keyring.pgp',
];

/**
 * Fetches a package of another Debian release from the machine's own mirror and unpacks it, without
 * installing it: see `fetchDebianPackage`.
 *
 * Returns the folder with the unpacked files; `discard` removes it. Throws `PermanentError` where
 * there is no apt, no mirror or no such package.
 */
export async function unpackDebianPackage(
  request: PackageRequest,
): Promise<{ root: string; discard(): void }> {
  const { file, discard } = await fetchDebianPackage(request);
  try {
    const root = join(file, '..', 'root');
    await runOrThrow(request, 'dpkg', ['-x', file, root], { env: request.env });
    return { root, discard };
  } catch (error) {
    discard();
    throw error;
  }
}

/**
 * Fetches a package of another Debian release from the machine's own mirror: apt works with lists,
 * cache and status of its own, so nothing of the system changes and no rights are needed. Its
 * signatures are checked as always.
 *
 * Returns the package's file; `discard` removes the folder that it lies in. Throws `PermanentError`
 * where there is no apt, no mirror or no such package.
 */
export async function fetchDebianPackage(
  request: PackageRequest,
): Promise<{ file: string; discard(): void }> {
  const folder = mkdtempSync(join(request.workFolder, 'apt-'));
  const discard = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const env = { ...request.env, APT_CONFIG: await writeAptConfiguration(folder, request) };
    await runOrThrow(request, 'apt-get', ['-q', 'update'], { env, cwd: folder });
    await runOrThrow(request, 'apt-get', ['-q', 'download', request.name], { env, cwd: folder });
    const name = readdirSync(folder).find((each) => each.endsWith('.deb'));
    if (name === undefined) {
      throw new PermanentError(
        STATUS.cannotConnect,
        `apt-get downloaded no ${request.name} package.`,
      );
    }
    return { file: join(folder, name), discard };
  } catch (error) {
    discard();
    throw error;
  }
}

async function writeAptConfiguration(folder: string, request: PackageRequest): Promise<string> {
  for (const name of ['lists/partial', 'cache/archives/partial', 'log']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(join(folder, 'sources.list'), sourceLine(machineMirror(), request.release));
  const file = join(folder, 'apt.conf');
  writeFileSync(
    file,
    [
      // The system's own hooks may touch the system's cache: leave its configuration out, but for
      // how it gets to the network (proxies, certificates), which is copied.
      ...(await acquireSettings(request.env)),
      'Dir::Etc::main "/dev/null";',
      'Dir::Etc::parts "/dev/null";',
      'Dir::Etc::preferences "/dev/null";',
      'Dir::Etc::preferencesparts "/dev/null";',
      'Dir::Etc::sourceparts "/dev/null";',
      `Dir::Etc::sourcelist "${folder}/sources.list";`,
      `Dir::State "${folder}";`,
      `Dir::State::lists "${folder}/lists";`,
      `Dir::State::status "${folder}/status";`,
      `Dir::Cache "${folder}/cache";`,
      `Dir::Log "${folder}/log";`,
      'Acquire::Languages "none";',
      // A mirror that does not answer is an error, not a warning.
      'APT::Update::Error-Mode "any";',
      // As root apt would fetch as its own user, who may not write here.
      ...(process.getuid?.() === 0 ? ['APT::Sandbox::User "root";'] : []),
      '',
    ].join('\n'),
  );
  return file;
}

async function acquireSettings(env: NodeJS.ProcessEnv): Promise<string[]> {
  const format = ['--no-empty', '--format', '%f "%v";%n'];
  const dumped = await runCommand('apt-config', ['dump', ...format], { env });
  return dumped.stdout
    .split('\n')
    .filter((line) => /^Acquire::(http|https|ftp|Retries|ForceIPv)/i.test(line));
}

function sourceLine(mirror: DebianMirror, release: string): string {
  const keyring = [mirror.signedBy, ...KEYRINGS].find((file) => isReadable(file));
  // Without a keyring of its own apt falls back on the keys it trusts for everything.
  const options = keyring === undefined ? '' : `[signed-by=${keyring}] `;
  return `deb ${options}${mirror.uri} ${release} main\n`;
}

function machineMirror(): DebianMirror {
  const folder = '/etc/apt/sources.list.d';
  const parts = existsSync(folder) ? readdirSync(folder).sort() : [];
  const files = ['/etc/apt/sources.list', ...parts.map((name) => join(folder, name))]
    .filter((name) => /\.(list|sources)$/.test(name) && isReadable(name))
    .map((name) => ({ name, text: readFileSync(name, 'utf8') }));
  const mirror = findDebianMirror(files);
  if (mirror === undefined) {
    throw new PermanentError(
      STATUS.cannotConnect,
      'This machine names no mirror of Debian (/etc/apt/sources.list and sources.list.d).',
    );
  }
  return mirror;
}

function isReadable(file: string | undefined): boolean {
  try {
    accessSync(file ?? '', constants.R_OK);
    return true;
  } catch {
    return false; // missing, or closed to us: another will do
  }
}

async function runOrThrow(
  request: PackageRequest,
  command: string,
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; cwd?: string },
): Promise<void> {
  const timeoutMs = request.fetchMsMax ?? FETCH_MS_MAX;
  const result = await runCommand(command, args, { ...options, timeoutMs });
  if (result.code !== 0) {
    const said = lastLines(`${result.stdout}\n${result.stderr}`, 6);
    throw new PermanentError(
      STATUS.cannotConnect,
      `Cannot get ${request.name} from Debian's ${request.release} (${command} ${args.join(' ')}):\n${said}`,
    );
  }
}
