#!/usr/bin/env node
/**
 * Makes a checkout ready to run: packages, build, servers. Plain JavaScript without dependencies, as it
 * runs before anything is installed. What is ready already is left alone, so a second run takes a
 * moment. Two runs in one checkout wait for each other.
 *
 * `node deploy/setup.mjs` does it by itself; `demo.mjs` and `test/run.mjs` call `setUp()`.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

export const CHECKOUT = dirname(dirname(fileURLToPath(import.meta.url)));

const NODE_VERSION_MIN = [20, 19];
const SOURCES = [
  'apps',
  'libs',
  'test',
  'deploy/bundle.mjs',
  'tsconfig.json',
  'tsconfig.build.json',
  'nest-cli.json',
];
const LOCK_WAIT_SECONDS = 900;

/** What stops the set-up and is the user's to mend: its message says how. */
class SetupError extends Error {}

/**
 * @param {(line: string) => void} say gets plain short lines, one for each thing that is done
 */
export async function setUp(say = (line) => console.log(line)) {
  checkNode();
  checkTools();
  const lock = takeLock(say);
  try {
    installPackages(say);
    build(say);
    const file = join(CHECKOUT, 'dist/apps/standalone/src/servers/prepare-servers.js');
    const { prepareServers } = await import(pathToFileURL(file).href);
    await prepareServers({ checkout: CHECKOUT, env: process.env, say });
  } finally {
    closeSync(lock);
  }
}

/** Runs `setUp` and ends the process with a plain message where it fails. */
export async function setUpOrExit(say) {
  try {
    await setUp(say);
  } catch (error) {
    const forUser = error instanceof SetupError || 'status' in error;
    console.error(forUser ? `Set-up failed: ${error.message}` : error);
    process.exit(1);
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = NODE_VERSION_MIN;
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    throw new SetupError(
      `Holdfast needs Node ${NODE_VERSION_MIN.join('.')} or later; this is ${process.versions.node} (${process.execPath}).`,
    );
  }
}

function checkTools() {
  for (const tool of ['flock', 'setpriv']) {
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined) {
      throw new SetupError(`"${tool}" is missing. Install it: apt-get install util-linux`);
    }
  }
}

/**
 * The lock is the kernel's and goes with this process, so it can never be stale: `flock` takes it on
 * an open file that it shares with us.
 */
function takeLock(say) {
  mkdirSync(join(CHECKOUT, '.cache'), { recursive: true });
  const descriptor = openSync(join(CHECKOUT, '.cache', 'setup.lock'), 'a+');
  const flock = (...how) =>
    spawnSync('flock', [...how, '3'], { stdio: ['ignore', 'ignore', 'inherit', descriptor] });
  if (flock('-n').status !== 0) {
    say('Another set-up runs in this checkout; waiting for it ...');
    if (flock('-w', String(LOCK_WAIT_SECONDS)).status !== 0) {
      throw new SetupError(`Another set-up has run for ${LOCK_WAIT_SECONDS / 60} minutes.`);
    }
  }
  return descriptor;
}

function installPackages(say) {
  const lockFile = join(CHECKOUT, 'package-lock.json');
  const installed = join(CHECKOUT, 'node_modules', '.package-lock.json');
  const record = join(CHECKOUT, 'node_modules', '.holdfast-installed');
  const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  if (existsSync(record) && readFileSync(record, 'utf8') === wanted) {
    return;
  }
  // Also right after somebody's own `npm ci` or `npm install`.
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lockFile).mtimeMs) {
    step(say, 'Installing packages (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund']);
  }
  writeFileSync(record, wanted);
}

function build(say) {
  const record = join(CHECKOUT, 'dist', '.built');
  const state = sourceState();
  if (existsSync(record) && readFileSync(record, 'utf8') === state) {
    return;
  }
  step(say, 'Building (npm run build)', 'npm', ['run', '--silent', 'build']);
  writeFileSync(record, state);
}

/** Changes when a source is added, removed, moved or written. */
function sourceState() {
  const hash = createHash('sha256');
  const add = (path) => {
    const stats = statSync(path);
    if (stats.isDirectory()) {
      for (const name of readdirSync(path).sort()) {
        add(join(path, name));
      }
    } else {
      hash.update(`${path} ${stats.size} ${stats.mtimeMs}\n`);
    }
  };
  for (const name of SOURCES.filter((each) => existsSync(join(CHECKOUT, each)))) {
    add(join(CHECKOUT, name));
  }
  return hash.digest('hex');
}

/** Runs a command quietly; where it fails, shows what it said. */
function step(say, title, command, args) {
  const begun = process.hrtime.bigint();
  const result = spawnSync(command, args, { cwd: CHECKOUT, encoding: 'utf8', stdio: 'pipe' });
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  if (result.status !== 0) {
    const said = stripVTControlCharacters(`${result.stdout ?? ''}${result.stderr ?? ''}`).trim();
    throw new SetupError(
      `"${command} ${args.join(' ')}" failed.\n${result.error?.message ?? said}`,
    );
  }
  say(`${title} ... ${seconds.toFixed(seconds < 10 ? 1 : 0)} s`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await setUpOrExit();
  console.log('Ready.');
}
